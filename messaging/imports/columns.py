"""What the columns of a file are, and what a row of it says of a person."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.csv_export import unguarded
from messaging.contacts import attributes
from messaging.imports.reading import Record
from messaging.models import AttributeDefinition
from messaging.people import LONGEST_NAME
from messaging.phones import AreaCodeMissing, InvalidPhone, parse_phone

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

PHONE, NAME, TAGS, OPTED_OUT = "phone", "name", "tags", "opted_out"
ATTRIBUTE = "attributes."
MOST_TAGS = 50
LONGEST_TAG = 60

# How people, and programs that people export from, call them; folded.
_WORDS = {
    PHONE: "telefone fone celular whatsapp whats zap tel phone mobile phonenumber mobilephone telefonecelular numero "
    "numerodetelefone numerodewhatsapp phone1value telefone1",
    NAME: "nome nomecompleto nomedocliente cliente contato name fullname customer contact",
    TAGS: "etiquetas etiqueta tags tag marcadores labels",
    OPTED_OUT: "saiu optout optedout descadastrado descadastrou unsubscribed",
}
_MEANT = {word: target for target, words in _WORDS.items() for word in words.split()}
# A number that a spreadsheet has rounded: 5,51191E+12.
_ROUNDED = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE)

REASONS: dict[str, _StrPromise] = {
    "no_number": _("No phone number."),
    "invalid_number": _("This is not a phone number."),
    "no_area_code": _("The number has no area code."),
    "rounded_number": _("The spreadsheet has rounded the number. Format the column as text and export it again."),
    "duplicate": _("The same number is further up in the file."),
    "too_many_columns": _("The row has more columns than the first line."),
    "long_line": _("The row is too long."),
    "broken_quotes": _("A quotation mark is opened and never closed."),
    "bad_value": _("A value does not fit its attribute."),
    "unstorable": _("The database does not take this row. Is there something odd in it?"),
    "bad_yes_no": _("The column of who opted out says neither yes nor no."),
    "bad_tags": _("Too many tags, or one that is too long."),
}


class BadMapping(ValueError):
    """Columns that cannot be read so; `message` says so to a person."""

    def __init__(self, message: str | _StrPromise) -> None:
        super().__init__(str(message))
        self.message = message


class Refused(ValueError):
    """A row that is not taken; `code` is a key of REASONS, for "bad_value" with the column that it is in behind it."""

    def __init__(self, reason: str, column: str = "") -> None:
        self.code = f"{reason}:{column}" if column else reason
        super().__init__(self.code)


def reason_of(code: str) -> tuple[str, str, str]:
    """Of a Refused's code: its key of REASONS, the column ("" for the row as a whole), and a sentence for people."""
    reason, _colon, column = code.partition(":")
    if not column:
        return reason, "", str(REASONS[reason])
    return reason, column, gettext("The value in “%(column)s” does not fit its attribute.") % {"column": column}


@dataclass(frozen=True, slots=True)
class Person:
    """What a row says. An empty name, no tags and no attributes say nothing; `opted_out` False neither."""

    phone: str
    name: str = ""
    tags: list[str] = field(default_factory=list)
    opted_out: bool = False
    attributes: dict[str, attributes.Value] = field(default_factory=dict)


def guess(
    columns: Sequence[str], rows: Sequence[Sequence[str]], known: Iterable[AttributeDefinition]
) -> dict[str, str]:
    """What the columns seem to be, by their names; the phone also by what is in it. Nothing twice, but tags."""
    known = list(known)
    by_name = {fold(word): f"{ATTRIBUTE}{each.key}" for each in known for word in (each.name, each.key)}
    mapping: dict[str, str] = {}
    for column in columns:
        target = column if column in by_name.values() else _MEANT.get(fold(column)) or by_name.get(fold(column), "")
        if target and (target == TAGS or target not in mapping.values()):
            mapping[column] = target
    if PHONE not in mapping.values():
        for place, column in enumerate(columns):
            cells = [row[place] for row in rows if place < len(row) and row[place]]
            if column not in mapping and cells and all(map(_is_phone, cells)):
                return {column: PHONE} | mapping
    return mapping


def check(mapping: Mapping[str, str], columns: Sequence[str], known: Iterable[str]) -> None:
    """`known`: keys of the unit's attributes. Raises BadMapping."""
    if missing := [column for column in mapping if column not in columns]:
        raise BadMapping(_("The file has no column “%(column)s”.") % {"column": missing[0]})
    allowed = {PHONE, NAME, TAGS, OPTED_OUT, *(f"{ATTRIBUTE}{key}" for key in known)}
    if unknown := [target for target in mapping.values() if target not in allowed]:
        raise BadMapping(_("“%(target)s” is nothing that a column can be.") % {"target": unknown[0]})
    targets = [target for target in mapping.values() if target != TAGS]
    if len(set(targets)) < len(targets):
        raise BadMapping(_("Two columns cannot be the same."))
    if PHONE not in targets:
        raise BadMapping(_("Say which column has the phone number."))


class Columns:
    """Reads rows, once it is known what the columns are.

    `definitions`: the unit's attributes by key. `everybody`: tags that all get.
    """

    def __init__(
        self,
        columns: Sequence[str],
        mapping: Mapping[str, str],
        *,
        region: str,
        definitions: Mapping[str, AttributeDefinition],
        everybody: Sequence[str] = (),
    ) -> None:
        self._width = len(columns)
        places = [(mapping[column], place) for place, column in enumerate(columns) if column in mapping]
        where = {target: place for target, place in places if target != TAGS}
        self._phone, self._name, self._opted_out = where[PHONE], where.get(NAME), where.get(OPTED_OUT)
        self._tags = [place for target, place in places if target == TAGS]
        self._columns = list(columns)
        self._attributes = [
            (definitions[target.removeprefix(ATTRIBUTE)], place)
            for target, place in where.items()
            if target.removeprefix(ATTRIBUTE) in definitions and target.startswith(ATTRIBUTE)
        ]
        self._region, self._everybody = region, list(everybody)

    def read(self, record: Record) -> Person:
        """Raises Refused."""
        if record.problem:
            raise Refused(record.problem)
        cells = record.cells
        if len(cells) != self._width:
            if any(cell.strip() for cell in cells[self._width :]):
                raise Refused("too_many_columns")
            cells = [*cells[: self._width], *[""] * (self._width - len(cells))]
        return Person(
            phone=self._number(_said(cells[self._phone])),
            name="" if self._name is None else " ".join(_said(cells[self._name]).split())[:LONGEST_NAME],
            tags=self._tags_of(cells) if self._tags or self._everybody else [],
            opted_out=self._opted_out is not None and _yes(_said(cells[self._opted_out])),
            attributes=self._values(cells) if self._attributes else {},
        )

    def _number(self, text: str) -> str:
        if not text:
            raise Refused("no_number")
        try:
            return parse_phone(text, region=self._region)
        except AreaCodeMissing:
            raise Refused("no_area_code") from None
        except InvalidPhone:
            raise Refused("rounded_number" if _ROUNDED.fullmatch(text) else "invalid_number") from None

    def _tags_of(self, cells: Sequence[str]) -> list[str]:
        named = [" ".join(name.split()) for place in self._tags for name in re.split("[,;|]", _said(cells[place]))]
        names = list({name.lower(): name for name in reversed([*self._everybody, *named]) if name}.values())
        if len(names) > MOST_TAGS or any(len(name) > LONGEST_TAG for name in names):
            raise Refused("bad_tags")
        return names

    def _values(self, cells: Sequence[str]) -> dict[str, attributes.Value]:
        values: dict[str, attributes.Value] = {}
        for definition, place in self._attributes:
            try:
                value = attributes.parse(definition, _said(cells[place]))
            except attributes.InvalidAttribute:
                raise Refused("bad_value", self._columns[place]) from None
            if value is not None:
                values[definition.key] = value
        return values


def fold(text: str) -> str:
    """Letters and digits alone, without case and accents."""
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", text).casefold())


def header_of_attribute(definition: AttributeDefinition) -> str:
    """The column's name under which `guess` knows this attribute again: its own, unless that means something else."""
    return f"{ATTRIBUTE}{definition.key}" if fold(definition.name) in _MEANT else definition.name


def key_of(column: str, taken: Iterable[str]) -> str:
    """A key for an attribute that is called like a column, which nobody in `taken` has."""
    words = re.sub(r"[^a-z0-9]+", "_", unicodedata.normalize("NFKD", column).encode("ascii", "ignore").decode().lower())
    key = words.strip("_")[:40].strip("_")
    key = key if re.match("[a-z]", key) else f"x{key}"[:40]
    taken = set(taken)
    return next(each for each in [key, *(f"{key[:36]}_{n}" for n in range(2, 1000))] if each not in taken)


def _said(cell: str) -> str:
    """A cell as it was meant: without blanks around it, without what an export put in front, and without NUL."""
    return unguarded(cell.strip(" \t\r\n\xa0").replace("\0", ""))


def _is_phone(text: str) -> bool:
    try:
        return bool(parse_phone(text))
    except InvalidPhone:
        return False


def _yes(text: str) -> bool:
    word = text.lower()
    if word not in {"", *attributes.YES, *attributes.NO}:
        # Not taken for a no: campaigns would go to somebody who may have said that he wants none.
        raise Refused("bad_yes_no")
    return word in attributes.YES
