"""A segment's filters as staff write them: JSON, with what there is to ask for beside it, and errors that say where."""

import json
from dataclasses import dataclass
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from messaging.contacts import segments
from messaging.contacts.segments import InvalidFilter
from messaging.models import AttributeDefinition, AttributeKind, Segment, Tag
from units.models import Unit


@dataclass(frozen=True, slots=True)
class Example:
    """What can be asked for, with one filter that does. Rules and the rest: `messaging.contacts.segments`."""

    about: str | Promise
    ops: str
    field: str
    op: str
    value: Any = None

    @property
    def as_json(self) -> str:
        return json.dumps({"field": self.field, "op": self.op, "value": self.value}, ensure_ascii=False)


_TEXT_OPS = "contains, not_contains, is, is_not, is_empty, is_not_empty"
_TIME_OPS = "within_days, not_within_days, before, after"
EXAMPLES = [
    Example(_("Name"), _TEXT_OPS, "name", "contains", "Ana"),
    Example(_("Phone"), "is, starts_with, ddd, is_empty, is_not_empty", "phone", "ddd", ["11", "21"]),
    Example(_("Name or number"), "contains", "search", "contains", "11 90000"),
    Example(_("Wrote to us"), f"{_TIME_OPS}, never, ever", "last_inbound", "within_days", 30),
    Example(_("Known since"), _TIME_OPS, "created", "after", "2026-01-31"),
    Example(_("Opted out of campaigns"), "is", "opted_out", "is", value=False),
    Example(_("Blocked"), "is", "blocked", "is", value=False),
    Example(_("On WhatsApp"), "is", "is_on_whatsapp", "is", value=True),
]
_OF_KIND: dict[str, tuple[str, str, Any]] = {
    AttributeKind.TEXT: (_TEXT_OPS, "is", "São Paulo"),
    AttributeKind.NUMBER: (
        "is, is_not, greater, less, at_least, at_most, is_empty, is_not_empty",
        "at_least",
        100,
    ),
    AttributeKind.DATE: ("is, is_not, before, after, is_empty, is_not_empty", "before", "2026-12-24"),
    AttributeKind.BOOLEAN: ("is, is_empty, is_not_empty", "is", True),
}


def examples_for(unit: Unit | None) -> list[Example]:
    """What can be asked for in `unit`, whose tags and attributes are its own; without one, what is the same for all."""
    if unit is None:
        return EXAMPLES
    tag = Tag.objects.filter(unit=unit).order_by("name").values_list("name", flat=True).first()
    tags = [Example(_("Tag"), "is, is_not, is_empty, is_not_empty", "tag", "is", tag)] if tag else []
    attributes = [
        Example(one.name, *_OF_KIND[one.kind][:1], f"attribute.{one.key}", *_OF_KIND[one.kind][1:])
        for one in AttributeDefinition.objects.filter(unit=unit).order_by("name")
    ]
    return [*EXAMPLES, *tags, *attributes]


class FiltersField(forms.JSONField):
    """Filters, one a line; an error says at which line and column the JSON breaks."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except forms.ValidationError:
            try:
                json.loads(value)
            except json.JSONDecodeError as error:
                told = _("This is no JSON: look at line %(line)d, column %(column)d.")
                raise forms.ValidationError(told % {"line": error.lineno, "column": error.colno}) from error
            raise

    def validate(self, value: Any) -> None:
        """An empty list is one: everybody."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list) and value:
            return "[\n" + ",\n".join(f"  {_line(one)}" for one in value) + "\n]"
        return super().prepare_value(value)


def _line(one: Any) -> str:
    """A filter in the order in which one says it; PostgreSQL keeps none."""
    if isinstance(one, dict):
        said = [name for name in ("field", "op", "value") if name in one]
        one = {name: one[name] for name in said} | one
    return json.dumps(one, ensure_ascii=False)


class SegmentForm(forms.ModelForm):
    """A segment; its filters as JSON, with tags by their names."""

    filters = FiltersField(
        label=_("Filters"),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false"}),
        required=False,
        initial=list,
    )

    class Meta:
        model = Segment
        fields = ["unit", "name", "filters"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        unit = None if self.instance._state.adding else self.instance.unit
        if unit:
            self.initial["filters"] = with_tag_names(unit, self.instance.filters)
        examples = {"examples": examples_for(unit), "unit": unit}
        self.fields["filters"].help_text = render_to_string("admin/messaging/filters_help.html", examples)

    def clean(self) -> None:
        super().clean()
        unit = self.cleaned_data.get("unit") or getattr(self.instance, "unit", None)
        if unit is None or "filters" not in self.cleaned_data:
            return
        filters = self.cleaned_data["filters"]
        if not isinstance(filters, list | None):
            self.add_error("filters", _("Put the filters into a list, between [ ]."))
            return
        try:
            self.cleaned_data["filters"] = segments.validate(unit, filters or [])
        except InvalidFilter as error:
            place = _("Filter %(number)d, %(part)s: %(message)s")
            told = {"number": error.position + 1, "part": error.part, "message": error.message}
            self.add_error("filters", place % told)
            if error.part == "field":
                known = ", ".join(sorted({"tag", *(one.field for one in examples_for(unit))}))
                self.add_error("filters", gettext("There are: %(fields)s") % {"fields": known})


def with_tag_names(unit: Unit, filters: Any) -> Any:
    """`filters` as they are kept, with the names of tags in place of their ids: people know those."""
    names = {str(pk): name for pk, name in Tag.objects.filter(unit=unit).values_list("id", "name")}

    def named(one: Any) -> Any:
        if not isinstance(one, dict) or one.get("field") != "tag" or "value" not in one:
            return one
        value = one["value"]
        many = [names.get(pk, pk) for pk in value] if isinstance(value, list) else names.get(value, value)
        return one | {"value": many}

    return [named(one) for one in filters] if isinstance(filters, list) else filters
