"""Contacts by what they have in common: filters as JSON, checked, and as one query.

A list of `{"field", "op", "value"}`, all of which must hold. Where a list stands for the value, any of its members.

========================  ==================================================================  ==========================
field                     op                                                                  value
========================  ==================================================================  ==========================
name                      contains (each word, from its beginning), not_contains,             text
                          is, is_not, is_empty, is_not_empty
phone                     is, starts_with ("+5511"), ddd (Brazil: "11"), is_empty,            digits
                          is_not_empty
search                    contains (each word in the name, or the digits in a number, as the  text
                          search in the list of contacts)
tag                       is, is_not (none of them), is_empty (no tag), is_not_empty          id or name
attribute.<key>           text: as name; number: is, is_not, greater, less, at_least,         of the attribute's kind
                          at_most; date: is, is_not, before, after; boolean: is;
                          of any: is_empty, is_not_empty
last_inbound              within_days, not_within_days (or never), before, after,             days, or a date
                          never, ever
created                   within_days, not_within_days, before, after                         days, or a date
opted_out, blocked,       is                                                                  true or false
is_on_whatsapp
========================  ==================================================================  ==========================

Who has no value is among those who are not X. Dates begin at midnight in the unit's time zone; after a day is the next.
Groups are in no segment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import DateTimeField, Exists, Func, JSONField, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, IContains, LessThan, LessThanOrEqual, Lookup
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import ClockNow
from messaging.contacts.attributes import InvalidAttribute, definitions_of, parse, storable
from messaging.models import (
    AddressKind,
    AttributeDefinition,
    AttributeKind,
    Contact,
    ContactAddress,
    ContactTag,
    Conversation,
    Segment,
    Tag,
)
from messaging.phones import InvalidPhone, parse_phone
from messaging.words import has_words
from units.models import Unit

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# Filters of one segment, and values of one filter: more than anybody sets up by hand.
MOST_FILTERS, MOST_VALUES = 30, 200
MOST_DAYS = 36_500

type Filter = dict[str, Any]


class InvalidFilter(ValueError):
    """A filter that says nothing: the one at `position` (from 0), in its `part` (field, op or value).

    `message` says why, to a person.
    """

    def __init__(self, position: int, part: str, message: str | _StrPromise) -> None:
        self.position, self.part, self.message = position, part, message
        super().__init__(f"filters[{position}].{part}: {message}")


def validate(unit: Unit, filters: Any) -> list[Filter]:
    """`filters` in the form in which they are kept: tags by id, values of attributes in their kind's form.

    Raises InvalidFilter for the first that is none.
    """
    known = _Known.of(unit)
    return [_understood(known, position, one).as_json() for position, one in enumerate(_list_of(filters))]


def queryset(unit: Unit, filters: Any) -> QuerySet[Contact]:
    """The unit's people for whom all `filters` hold; everybody without any. Unordered. Raises InvalidFilter."""
    known = _Known.of(unit)
    contacts = Contact.objects.people().filter(unit=unit)
    for position, one in enumerate(_list_of(filters)):
        understood = _understood(known, position, one)
        contacts = contacts.filter(understood.condition(known, understood.values))
    return contacts


def using(unit: Unit, *, field: str, value: str | None = None) -> list[Segment]:
    """Segments of the unit that ask for `field`, and there for `value` when it is given."""

    def asks(one: Filter) -> bool:
        values = one.get("value")
        values = values if isinstance(values, list) else [values]
        return one.get("field") == field and (value is None or value in values)

    return [row for row in Segment.objects.filter(unit=unit).order_by("name") if any(map(asks, row.filters))]


@dataclass(frozen=True, slots=True)
class _Known:
    """What filters of a unit can name."""

    unit: Unit
    attributes: Mapping[str, AttributeDefinition]
    # By id, and by name in lower case.
    tags: Mapping[str, UUID]

    @classmethod
    def of(cls, unit: Unit) -> _Known:
        tags = list(Tag.objects.filter(unit=unit).values_list("id", "name"))
        by_name = {name.lower(): pk for pk, name in tags}
        return cls(unit, definitions_of(unit), by_name | {str(pk): pk for pk, _name in tags})

    def midnight(self, day: str, *, days_later: int = 0) -> datetime:
        """The beginning of a day of the unit, as UTC."""
        zone = ZoneInfo(self.unit.time_zone)
        return datetime.combine(date.fromisoformat(day) + timedelta(days=days_later), time(), zone).astimezone(UTC)


class _Refused(ValueError):
    """A value that cannot be used; says why, to a person."""

    def __init__(self, message: str | _StrPromise) -> None:
        self.message = message
        super().__init__(str(message))


type _Read = Callable[[_Known, Any], Any]
type _Condition = Callable[[_Known, list[Any]], Q]


@dataclass(frozen=True, slots=True)
class _Op:
    """An operator of a field: how a value is read (None: it takes none), and the condition on contacts.

    `single`: not for a list of values.
    """

    condition: _Condition
    read: _Read | None = None
    single: bool = False


@dataclass(frozen=True, slots=True)
class _Understood:
    field: str
    op: str
    values: list[Any]
    condition: _Condition
    was_list: bool

    def as_json(self) -> Filter:
        kept: Filter = {"field": self.field, "op": self.op}
        if self.was_list:
            kept["value"] = self.values
        elif self.values:
            kept["value"] = self.values[0]
        return kept


def _list_of(filters: Any) -> list[Any]:
    if not isinstance(filters, list):
        raise InvalidFilter(0, "field", _("Filters are a list of objects with field, op and value."))
    if len(filters) > MOST_FILTERS:
        raise InvalidFilter(MOST_FILTERS, "field", _("A segment has at most 30 filters."))
    return filters


def _understood(known: _Known, position: int, one: Any) -> _Understood:
    if not isinstance(one, dict) or not isinstance(one.get("field"), str):
        raise InvalidFilter(position, "field", _("A filter is an object with field, op and value."))
    field, op = one["field"], one.get("op")
    ops = _ops_of(known, field)
    if ops is None:
        raise InvalidFilter(position, "field", _("There is no such field."))
    if not isinstance(op, str) or op not in ops:
        choices = ", ".join(ops)
        raise InvalidFilter(position, "op", _("For this field one of: %(choices)s") % {"choices": choices})
    chosen, value = ops[op], one.get("value")
    if chosen.read is None:
        if value is not None:
            raise InvalidFilter(position, "value", _("This takes no value."))
        return _Understood(field, op, [], chosen.condition, False)
    if isinstance(value, list) and (chosen.single or not 0 < len(value) <= MOST_VALUES):
        raise InvalidFilter(position, "value", _("One value here, or a list of 1 to 200 where any may hold."))
    try:
        values = [chosen.read(known, each) for each in (value if isinstance(value, list) else [value])]
    except _Refused as error:
        raise InvalidFilter(position, "value", error.message) from error
    return _Understood(field, op, values, chosen.condition, isinstance(value, list))


def _ops_of(known: _Known, field: str) -> dict[str, _Op] | None:
    """The operators of a field, by name; None when there is no such field."""
    if field.startswith("attribute."):
        definition = known.attributes.get(field.removeprefix("attribute."))
        return _attribute_ops(definition) if definition else None
    return _FIELDS.get(field)


# Values


def _word(known: _Known, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 200 or not storable(value):
        raise _Refused(_("A text of 1 to 200 characters is needed."))
    return value.strip()


def _words(known: _Known, value: Any) -> str:
    text = _word(known, value)
    if not re.search(r"[^\W_]", text):
        raise _Refused(_("A word is needed."))
    return text


def _phone(known: _Known, value: Any) -> str:
    try:
        return parse_phone(_word(known, value))
    except InvalidPhone as error:
        raise _Refused(error.message) from error


def _prefix(known: _Known, value: Any) -> str:
    digits = re.sub(r"[\s()+.-]", "", _word(known, value))
    if not re.fullmatch(r"[1-9]\d{0,14}", digits, re.ASCII):
        raise _Refused(_("The beginning of a number with its country code is needed, such as +5511."))
    return f"+{digits}"


def _area(known: _Known, value: Any) -> str:
    digits = re.sub(r"[\s()]", "", str(value)).removeprefix("0")
    if not re.fullmatch(r"[1-9]\d", digits, re.ASCII):
        raise _Refused(_("The two digits of a Brazilian area code are needed."))
    return digits


def _tag(known: _Known, value: Any) -> str:
    tag = known.tags.get(value.strip().lower()) if isinstance(value, str) else None
    if tag is None:
        raise _Refused(_("There is no such tag."))
    return str(tag)


def _days(known: _Known, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MOST_DAYS:
        raise _Refused(_("A number of days is needed, from 1."))
    return value


def _day(known: _Known, value: Any) -> str:
    day: str = _of(AttributeDefinition(key="date", kind=AttributeKind.DATE))(known, value)
    if not "1900" <= day < "2200":
        raise _Refused(_("A day of this or the last century is needed."))
    return day


def _yes_or_no(known: _Known, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Refused(_("true or false is needed."))
    return value


def _of(definition: AttributeDefinition) -> _Read:
    """A value of an attribute."""

    def read(known: _Known, value: Any) -> Any:
        try:
            found = parse(definition, value)
        except InvalidAttribute as error:
            raise _Refused(error.message) from error
        if found is None:
            raise _Refused(_("A value is needed."))
        return found

    return read


# Conditions. Subqueries on the unit's rows, so that PostgreSQL may begin at either end.


def _any(conditions: Iterable[Q]) -> Q:
    return reduce(or_, conditions)


def _not(condition: _Condition) -> _Condition:
    return lambda known, values: ~condition(known, values)


def _named(known: _Known, values: list[Any]) -> Q:
    return _any(Q(has_words("name", known.unit.pk, words)) for words in values)


def _found(known: _Known, values: list[Any]) -> Q:
    found = (Contact.objects.matching(known.unit.pk, text).order_by().values("id") for text in values)
    return _any(Q(id__in=ids.distinct()) for ids in found)


def _phone_with(condition: Callable[[Any], Q]) -> _Condition:
    """Contacts with a phone number for which `condition` holds with any of the values."""

    def hold(known: _Known, values: list[Any]) -> Q:
        phones = ContactAddress.objects.filter(contact=OuterRef("pk"), unit=known.unit, kind=AddressKind.PHONE)
        return Q(Exists(phones.filter(_any(condition(value) for value in values)) if values else phones))

    return hold


def _tagged(known: _Known, values: list[Any]) -> Q:
    tags = ContactTag.objects.filter(contact=OuterRef("pk"), unit=known.unit)
    return Q(Exists(tags.filter(tag__in=values) if values else tags))


def _heard(condition: Callable[[_Known, Any], Q]) -> _Condition:
    """Contacts who have written at a time for which `condition` holds."""

    def hold(known: _Known, values: list[Any]) -> Q:
        chats = Conversation.objects.filter(contact=OuterRef("pk"), unit=known.unit)
        return Q(Exists(chats.filter(condition(known, values[0] if values else None))))

    return hold


def _times(column: str, make: Callable[[Callable[[_Known, Any], Q]], _Condition], now: Combinable) -> dict[str, _Op]:
    """The operators of a time; `make` makes conditions on contacts of those on `column`."""
    within = make(lambda known, days: Q(**{f"{column}__gte": now - Value(timedelta(days=days))}))
    return {
        "within_days": _Op(within, _days, single=True),
        "not_within_days": _Op(_not(within), _days, single=True),
        "before": _Op(make(lambda known, day: Q(**{f"{column}__lt": known.midnight(day)})), _day, single=True),
        "after": _Op(
            make(lambda known, day: Q(**{f"{column}__gte": known.midnight(day, days_later=1)})), _day, single=True
        ),
    }


def _is(rows: Callable[[], QuerySet[ContactAddress]]) -> dict[str, _Op]:
    """Whether a contact has an address among `rows`."""

    def hold(known: _Known, values: list[Any]) -> Q:
        found = Q(Exists(rows().filter(contact=OuterRef("pk"), unit=known.unit)))
        return found if values[0] else ~found

    return {"is": _Op(hold, _yes_or_no, single=True)}


def _attribute_ops(definition: AttributeDefinition) -> dict[str, _Op]:
    key, read = definition.key, _of(definition)

    def same(known: _Known, values: list[Any]) -> Q:
        # By the index on attributes.
        return _any(Q(attributes__contains={key: value}) for value in values)

    def compared(lookup: type[Lookup[Any]]) -> _Op:
        # Values of one kind compare as they should: numbers as numbers, ISO dates as texts.
        value = KeyTransform(key, "attributes")
        return _Op(lambda known, values: Q(lookup(value, Value(values[0], JSONField()))), read, single=True)

    def contains(known: _Known, values: list[Any]) -> Q:
        # With the key, so that NOT is true of contacts without a value.
        text = KeyTextTransform(key, "attributes")
        return Q(attributes__has_key=key) & _any(Q(IContains(text, value)) for value in values)

    def has(known: _Known, values: list[Any]) -> Q:
        return Q(attributes__has_key=key)

    ops = {"is": _Op(same, read)}
    if definition.kind != AttributeKind.BOOLEAN:
        ops["is_not"] = _Op(_not(same), read)
    match definition.kind:
        case AttributeKind.TEXT:
            ops |= {"contains": _Op(contains, _word), "not_contains": _Op(_not(contains), _word)}
        case AttributeKind.NUMBER:
            ops |= {
                "greater": compared(GreaterThan),
                "less": compared(LessThan),
                "at_least": compared(GreaterThanOrEqual),
                "at_most": compared(LessThanOrEqual),
            }
        case AttributeKind.DATE:
            ops |= {"before": compared(LessThan), "after": compared(GreaterThan)}
    return ops | {"is_empty": _Op(_not(has)), "is_not_empty": _Op(has)}


def _is_called(known: _Known, values: list[Any]) -> Q:
    return Q(name__in=values)


def _is_nameless(known: _Known, values: list[Any]) -> Q:
    return Q(name="")


_ANY_PHONE = _phone_with(lambda value: Q())
_EVER_HEARD = _heard(lambda known, value: Q(last_inbound_at__isnull=False))
# Asked once, and not for every row that is looked at. Where there is an index the planner does better with the function
# itself: it knows then how many rows there are since.
_ONCE = Func(ClockNow(), template="(SELECT %(expressions)s)", output_field=DateTimeField())
_FIELDS: dict[str, dict[str, _Op]] = {
    "name": {
        "contains": _Op(_named, _words),
        "not_contains": _Op(_not(_named), _words),
        "is": _Op(_is_called, _word),
        "is_not": _Op(_not(_is_called), _word),
        "is_empty": _Op(_is_nameless),
        "is_not_empty": _Op(_not(_is_nameless)),
    },
    "phone": {
        "is": _Op(_phone_with(lambda value: Q(value=value)), _phone),
        "starts_with": _Op(_phone_with(lambda value: Q(value__startswith=value)), _prefix),
        "ddd": _Op(_phone_with(lambda value: Q(value__startswith=f"+55{value}")), _area),
        "is_empty": _Op(_not(_ANY_PHONE)),
        "is_not_empty": _Op(_ANY_PHONE),
    },
    "search": {"contains": _Op(_found, _words)},
    "tag": {
        "is": _Op(_tagged, _tag),
        "is_not": _Op(_not(_tagged), _tag),
        "is_empty": _Op(_not(_tagged)),
        "is_not_empty": _Op(_tagged),
    },
    "last_inbound": _times("last_inbound_at", _heard, ClockNow())
    | {"never": _Op(_not(_EVER_HEARD)), "ever": _Op(_EVER_HEARD)},
    "created": _times("created_at", lambda condition: lambda known, values: condition(known, values[0]), _ONCE),
    "opted_out": _is(lambda: ContactAddress.objects.opted_out()),
    "blocked": {
        "is": _Op(lambda known, values: Q(blocked_at__isnull=not values[0]), _yes_or_no, single=True),
    },
    "is_on_whatsapp": _is(lambda: ContactAddress.objects.filter(not_on_whatsapp_at=None)),
}
