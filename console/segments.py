"""Segments as people put them together: conditions in words, each with the value that it wants."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import IntegrityError, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from messaging.contacts import attributes, segments
from messaging.contacts.segments import Filter, InvalidFilter
from messaging.models import AttributeKind, Segment, Tag
from units.models import Unit

type Words = str | Promise

# How the operators of `messaging.contacts.segments` are called, and what is typed beside each ("": nothing).
_TEXT: dict[str, tuple[Words, str]] = {
    "contains": (_("contains"), "text"),
    "not_contains": (_("does not contain"), "text"),
    "is": (_("is"), "text"),
    "is_not": (_("is not"), "text"),
    "is_empty": (_("is empty"), ""),
    "is_not_empty": (_("is not empty"), ""),
}
_SAME = {op: _TEXT[op] for op in ("is", "is_not", "is_empty", "is_not_empty")}
_TIME: dict[str, tuple[Words, str]] = {
    "within_days": (_("in the last … days"), "days"),
    "not_within_days": (_("not in the last … days"), "days"),
    "before": (_("before"), "date"),
    "after": (_("after"), "date"),
}
_NUMBER = _SAME | {
    "greater": (_("is more than"), "text"),
    "less": (_("is less than"), "text"),
    "at_least": (_("is at least"), "text"),
    "at_most": (_("is at most"), "text"),
}
_DATE: dict[str, tuple[Words, str]] = {
    "is": (_("is"), "date"),
    "is_not": (_("is not"), "date"),
    "before": (_("before"), "date"),
    "after": (_("after"), "date"),
    "is_empty": (_("is empty"), ""),
    "is_not_empty": (_("is not empty"), ""),
}
_FIELDS: list[tuple[str, Words, dict[str, tuple[Words, str]]]] = [
    ("name", _("Name"), _TEXT),
    (
        "phone",
        _("Phone"),
        {
            "ddd": (_("has the area code"), "list"),
            "starts_with": (_("begins with"), "list"),
            "is": (_("is"), "list"),
            "is_empty": (_("is empty"), ""),
            "is_not_empty": (_("is not empty"), ""),
        },
    ),
    ("search", _("Name or number"), {"contains": _TEXT["contains"]}),
    (
        "tag",
        _("Tag"),
        {
            "is": (_("is one of"), "list"),
            "is_not": (_("is none of"), "list"),
            "is_empty": (_("none at all"), ""),
            "is_not_empty": (_("any"), ""),
        },
    ),
    (
        "last_inbound",
        _("Wrote to us"),
        {"ever": (pgettext_lazy("wrote", "ever"), ""), "never": (pgettext_lazy("wrote", "never"), "")} | _TIME,
    ),
    ("created", _("In the contacts"), _TIME),
]
_FLAGS: list[tuple[str, Words]] = [
    ("opted_out", _("Opted out of campaigns")),
    ("blocked", _("Blocked")),
    ("is_on_whatsapp", _("On WhatsApp")),
]
_OF_KIND: dict[str, dict[str, tuple[Words, str]]] = {
    AttributeKind.TEXT: _TEXT,
    AttributeKind.NUMBER: _NUMBER,
    AttributeKind.DATE: _DATE,
}
# Between several values of one condition. A text may have a comma of its own.
_SEPARATOR = {"list": ",", "text": ";"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing to ask for. `kind`: what is typed beside it (text, list, days, date, or nothing)."""

    field: str
    op: str
    about: Words
    label: Words
    kind: str
    # Of a yes or no: which.
    flag: bool | None = None

    @property
    def key(self) -> str:
        """As the form names it."""
        return "|".join([self.field, self.op, *([] if self.flag is None else [str(self.flag).lower()])])

    def asks(self, typed: str) -> Filter:
        """The filter with what was typed."""
        asked: Filter = {"field": self.field, "op": self.op}
        if self.flag is not None:
            return asked | {"value": self.flag}
        if not self.kind:
            return asked
        if self.kind == "days":
            return asked | {"value": int(typed) if re.fullmatch(r"\s*\d{1,9}\s*", typed, re.ASCII) else typed}
        values = [value.strip() for value in typed.split(_SEPARATOR.get(self.kind, "\n")) if value.strip()]
        return asked | {"value": values if len(values) > 1 else "".join(values)}


def conditions_of(unit: Unit) -> list[Condition]:
    """All that a segment of `unit` can ask for, in the order of its menu."""
    found = [
        Condition(field, op, about, label, kind) for field, about, ops in _FIELDS for op, (label, kind) in ops.items()
    ]
    found += _yes_and_no(_FLAGS)
    for key, definition in attributes.definitions_of(unit).items():
        field = f"attribute.{key}"
        if definition.kind == AttributeKind.BOOLEAN:
            found += _yes_and_no([(field, definition.name)])
            ops = {op: _TEXT[op] for op in ("is_empty", "is_not_empty")}
        else:
            ops = _OF_KIND[definition.kind]
        found += [Condition(field, op, definition.name, label, kind) for op, (label, kind) in ops.items()]
    return found


def _yes_and_no(flags: Sequence[tuple[str, Words]]) -> list[Condition]:
    words = ((True, _("Yes")), (False, _("No")))
    return [Condition(field, "is", about, label, "", flag) for field, about in flags for flag, label in words]


@dataclass(slots=True)
class Row:
    """A condition of the form, as far as it is filled in."""

    condition: Condition | None = None
    value: str = ""
    error: Words = ""


class SegmentForm(forms.Form):
    """A segment's name and conditions. `save()` writes it."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Name the segment.")},
    )

    def __init__(self, unit: Unit, data: Any = None, *, segment: Segment, filters: Sequence[Filter] = ()) -> None:
        super().__init__(data, initial={"name": segment.name})
        self.unit, self.segment = unit, segment
        self.conditions = conditions_of(unit)
        self._by_key = {condition.key: condition for condition in self.conditions}
        self.rows = [self._row(one) for one in filters] if data is None else self._typed(data)

    @property
    def groups(self) -> dict[Words, list[Condition]]:
        """The menu of conditions, by what they are about."""
        found: dict[Words, list[Condition]] = {}
        for condition in self.conditions:
            found.setdefault(condition.about, []).append(condition)
        return found

    @property
    def rows_to_fill(self) -> list[Row]:
        """The rows, and an empty one for the next."""
        return [*self.rows, Row()]

    def _typed(self, data: Any) -> list[Row]:
        pairs = zip(data.getlist("condition"), data.getlist("value"), strict=False)
        drop = data.get("drop", "")
        return [
            Row(self._by_key[key], value)
            for number, (key, value) in enumerate(pairs)
            if key in self._by_key and str(number) != drop
        ]

    def _row(self, one: Filter) -> Row:
        value = one.get("value")
        flag = value if isinstance(value, bool) else None
        key = "|".join([one["field"], one["op"], *([] if flag is None else [str(flag).lower()])])
        condition = self._by_key.get(key)
        if condition is None:
            return Row()
        values = [] if value is None or flag is not None else value if isinstance(value, list) else [value]
        if one["field"] == "tag":
            names = {str(pk): name for pk, name in Tag.objects.filter(unit=self.unit).values_list("id", "name")}
            values = [names.get(each, each) for each in values]
        separator = {",": ", ", ";": "; "}.get(_SEPARATOR.get(condition.kind, ""), "")
        return Row(condition, separator.join(map(str, values)))

    def filters(self) -> list[Filter] | None:
        """As they are kept; None where a row says nothing, and it says so."""
        asked = [row.condition.asks(row.value) for row in self.rows if row.condition]
        try:
            return segments.validate(self.unit, asked)
        except InvalidFilter as error:
            row = self.rows[min(error.position, len(self.rows) - 1)] if self.rows else Row()
            row.error = error.message
            return None

    def people_now(self) -> int | None:
        """How many it names; None while a row says nothing yet."""
        asked = self.filters()
        return None if asked is None else segments.queryset(self.unit, asked).count()

    def save(self) -> bool:
        """Whether it was written; otherwise the reason stands where it belongs."""
        asked = self.filters()
        if asked is None:
            return False
        if not asked:
            self.add_error(None, _("Choose at least one condition; without any it would be everybody."))
            return False
        self.segment.unit, self.segment.name, self.segment.filters = self.unit, self.cleaned_data["name"], asked
        try:
            with transaction.atomic():
                # What was removed meanwhile does not come back.
                self.segment.save(force_update=not self.segment._state.adding)
        except IntegrityError:
            self.add_error("name", _("Another segment has this name already."))
            return False
        return True


def in_words(form: SegmentForm) -> list[str]:
    """A segment's conditions, each as a person would say it."""
    return [
        " ".join(filter(None, [str(row.condition.about), str(row.condition.label), row.value]))
        for row in form.rows
        if row.condition
    ]
