"""What a unit keeps of its contacts besides name and number, each value in the one form of its kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from messaging.models import AttributeDefinition, AttributeKind
from units.models import Unit

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# Characters of a text. A campaign's whole text has 4,096.
LONGEST = 1000
# So far JSON's numbers are exact in every program that reads them.
LARGEST = Decimal(2**53)
YES = frozenset({"sim", "s", "yes", "y", "true", "1"})
NO = frozenset({"não", "nao", "n", "no", "false", "0"})

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

type Value = str | int | float | bool


class InvalidAttribute(ValueError):
    """A value that does not fit its kind, or a key that the unit has not defined; `message` says so to a person."""

    def __init__(self, key: str, message: str | _StrPromise) -> None:
        self.key, self.message = key, message
        super().__init__(f"{key}: {message}")


def definitions_of(unit: Unit) -> dict[str, AttributeDefinition]:
    """By key."""
    return {definition.key: definition for definition in AttributeDefinition.objects.filter(unit=unit).order_by("name")}


def checked(definitions: Mapping[str, AttributeDefinition], values: Mapping[str, Any]) -> dict[str, Value | None]:
    """`values` by key in the form in which they are kept; None for what is to be taken away (null or "").

    Raises InvalidAttribute for the first that is none of its kind, or that nobody has defined.
    """
    found: dict[str, Value | None] = {}
    for key, value in values.items():
        if key not in definitions:
            # Named only as far as it could be a key.
            named = key if key.isascii() and key.isidentifier() else ""
            raise InvalidAttribute(named, _("There is no such attribute. Define it first."))
        found[key] = parse(definitions[key], value)
    return found


def changed(values: Mapping[str, Value], changes: Mapping[str, Value | None]) -> dict[str, Value]:
    """`values` with `changes`; without those that are None."""
    return {key: value for key, value in (values | changes).items() if value is not None}  # type: ignore[operator]


def parse(definition: AttributeDefinition, value: Any) -> Value | None:
    """A value as JSON has it or as a person types it. None for null and an empty text.

    - number: 12, 12.5 or a text; in a text with a comma that is the decimal one: "1.234,50".
    - date: "2026-11-22" or "22/11/2026", kept as the former.
    - boolean: true, false, or "sim", "não" and the like.

    Raises InvalidAttribute.
    """
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        return None
    return _PARSERS[AttributeKind(definition.kind)](definition.key, value)


def storable(text: str) -> bool:
    """Whether PostgreSQL takes it: no NUL, and no halves of characters, which JSON may carry."""
    return not _UNSTORABLE.search(text)


def shown(definition: AttributeDefinition, value: Any) -> str:
    """A value as a person reads and types it."""
    match definition.kind, value:
        case AttributeKind.BOOLEAN, bool():
            return str(_("Yes") if value else _("No"))
        case AttributeKind.DATE, str():
            return "/".join(reversed(value.split("-")))
        case AttributeKind.NUMBER, int() | float():
            return f"{Decimal(str(value)):f}".replace(".", ",")
    return str(value)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise InvalidAttribute(key, _("This is not a text."))
    text = str(value)
    if len(text) > LONGEST or not storable(text):
        raise InvalidAttribute(key, _("At most 1,000 characters."))
    return text


def _number(key: str, value: Any) -> int | float:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise InvalidOperation
        text = str(value).replace(" ", "")
        if "," in text:
            if not re.fullmatch(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+", text, re.ASCII):
                raise InvalidOperation
            text = text.replace(".", "").replace(",", ".")
        number = Decimal(text)
    except InvalidOperation:
        raise InvalidAttribute(key, _("This is not a number. Examples: 12 and 1234,50.")) from None
    if not number.is_finite() or abs(number) > LARGEST:
        raise InvalidAttribute(key, _("This is not a number. Examples: 12 and 1234,50."))
    return int(number) if number == number.to_integral_value() else float(number)


def _date(key: str, value: Any) -> str:
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            # Only whole forms: strptime would also read "2026-1-2".
            if isinstance(value, str) and len(value) == len("2026-11-22"):
                return datetime.strptime(value, form).date().isoformat()  # noqa: DTZ007
        except ValueError:
            continue
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    raise InvalidAttribute(key, _("This is not a date. Examples: 22/11/2026 and 2026-11-22."))


def _boolean(key: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in YES | NO:
        raise InvalidAttribute(key, _("Say yes or no."))
    return word in YES


_PARSERS = {
    AttributeKind.TEXT: _text,
    AttributeKind.NUMBER: _number,
    AttributeKind.DATE: _date,
    AttributeKind.BOOLEAN: _boolean,
}
