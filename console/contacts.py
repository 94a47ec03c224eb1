"""What the pages of contacts read: the list with its filters, order and pages, whom a selection names, one contact."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import DateTimeField, Exists, F, OuterRef, Prefetch, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import QueryDict
from django.shortcuts import get_object_or_404

from console.contact_forms import FilterForm
from console.forms import uuid_of
from console.inbox import Page, matching
from console.presentation import CONSENT, Look
from messaging.contacts import segments
from messaging.contacts.segments import InvalidFilter
from messaging.models import Contact, ContactAddress, Conversation
from units.models import Unit

ROWS = 50
# Chosen one by one; more are "everybody whom the filter finds".
MOST_CHOSEN = 500
# Of a contact: whether no campaign goes to it.
OPTED_OUT = Exists(ContactAddress.objects.filter(contact=OuterRef("pk")).opted_out())

_NEVER = Value(datetime(1970, 1, 1, tzinfo=UTC), output_field=DateTimeField())
# What the head of the table sorts by: keys are in the order of time. Whoever never talked counts as long
# ago.
SORTS = {"name": "name", "since": "id", "talked": "talked"}
DEFAULT_SORT = "name"


def standing(contact: Contact) -> Look:
    """Whether campaigns go to `contact`, which has `opted_out` and its addresses."""
    if contact.blocked_at:
        return CONSENT["blocked"]
    if contact.opted_out:  # type: ignore[attr-defined]
        return CONSENT["out"]
    addresses = contact.addresses.all()
    if addresses and all(address.not_on_whatsapp_at for address in addresses):
        return CONSENT["absent"]
    return CONSENT["accepts"]


class Filters:
    """What the list was asked to find, as its address says it."""

    def __init__(self, unit: Unit, data: QueryDict) -> None:
        self.unit, self.form = unit, FilterForm(unit, data)
        # A tag that is no more finds nobody, instead of everybody.
        self.is_broken = not self.form.is_valid()
        sort = data.get("sort", "")
        self.sort = sort if sort.removeprefix("-") in SORTS else DEFAULT_SORT

    @property
    def chosen(self) -> list[tuple[str, str]]:
        """Names and values of what was asked for."""
        values = ((name, self.form.data.get(name, "").strip()) for name in self.form.fields)
        return [(name, value) for name, value in values if value]

    @property
    def query(self) -> str:
        """The address's query for the same list."""
        sort = [] if self.sort == DEFAULT_SORT else [("sort", self.sort)]
        return urlencode(self.chosen + sort)

    def people(self) -> QuerySet[Contact]:
        """Whom it finds."""
        if self.is_broken:
            return Contact.objects.none()
        try:
            filters = self.form.filters()
            found = segments.queryset(self.unit, filters) if filters else Contact.objects.people()
        except InvalidFilter:
            # A saved segment asks for what is no more.
            self.is_broken = True
            return Contact.objects.none()
        return found.filter(matching(self.unit, self.form.cleaned_data["q"]), unit=self.unit)


@dataclass(frozen=True, slots=True)
class People:
    """A page of the list. `previous` and `next` are queries of the pages beside it; empty: there is none."""

    rows: Sequence[Contact]
    total: int
    first: int
    previous: str
    next: str

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


def people(filters: Filters, data: QueryDict) -> People:
    """The page that follows `data["after"]` or comes before `data["before"]`, ids of rows that were shown; else the
    first. `data["at"]`: how many come before it, which only the words at its foot say."""
    found, column = filters.people(), SORTS[filters.sort.removeprefix("-")]
    falls = filters.sort.startswith("-")
    # Joined for nothing else: all of the unit would be read before it is sorted.
    rows = found.alias(talked=Coalesce("conversations__last_message_at", _NEVER)) if column == "talked" else found
    edge = _edge(rows, column, data.get("after"))
    backwards = edge is None and bool(edge := _edge(rows, column, data.get("before")))
    down = falls != backwards
    ordered = _with_all(rows).order_by(*(f"{'-' if down else ''}{name}" for name in (column, "id")))
    if edge:
        value, key = edge
        side = "lt" if down else "gt"
        # The first of the two says nothing more, but an index can begin there.
        ordered = ordered.filter(**{f"{column}__{side}e": value})
        ordered = ordered.filter(Q(**{f"{column}__{side}": value}) | Q(**{column: value, f"id__{side}": key}))
    page = list(ordered[: ROWS + 1])
    more, page = len(page) > ROWS, page[:ROWS]
    if backwards:
        page.reverse()
    at = data.get("at", "")
    place = int(at) if edge and re.fullmatch(r"\d{1,9}", at, re.ASCII) else 0
    has_previous = more if backwards else edge is not None
    has_next = backwards or more

    def beside(name: str, row: Contact, at: int) -> str:
        return "&".join(filter(None, [filters.query, urlencode({name: row.pk, "at": at})]))

    return People(
        rows=page,
        total=found.count(),
        first=place + 1 if has_previous else 1,
        previous=beside("before", page[0], max(0, place - ROWS)) if page and has_previous else "",
        next=beside("after", page[-1], (place if has_previous else 0) + len(page)) if page and has_next else "",
    )


def _edge(rows: QuerySet[Contact], column: str, contact_id: str | None) -> tuple[Any, UUID] | None:
    """Where a row stands in the order; None for nobody of the list, who may have gone since."""
    key = uuid_of(contact_id)
    return rows.filter(pk=key).values_list(F(column), "id").first() if key else None


def _with_all(rows: QuerySet[Contact]) -> QuerySet[Contact]:
    chats = Prefetch("conversations", Conversation.objects.only("unit_id", "contact_id", "last_message_at"))
    return rows.annotate(opted_out=OPTED_OUT).prefetch_related("addresses", "tags", chats)


def contacts(unit: Unit, *, search: str = "", after: str = "") -> Page[Contact]:
    """People to pick from, by name. `after` is the id of the last one shown."""
    people = Contact.objects.people().filter(matching(unit, search), unit=unit)
    rows = _with_all(people).order_by("name", "id")
    if edge := _edge(rows, "name", after):
        rows = rows.filter(Q(name__gt=edge[0]) | Q(name=edge[0], id__gt=edge[1]))
    found = list(rows[: ROWS + 1])
    page = found[:ROWS]
    return Page(page, str(page[-1].id) if len(found) > ROWS else "", not after)


class Selection:
    """Those whom somebody has chosen in the list: one by one, or everybody whom its filter finds."""

    def __init__(self, unit: Unit, data: QueryDict) -> None:
        self.unit, self.filters = unit, Filters(unit, data)
        self.is_everybody = bool(data.get("everybody"))
        self._ids = [key for value in data.getlist("contact")[:MOST_CHOSEN] if (key := uuid_of(value))]

    def people(self) -> QuerySet[Contact]:
        """No groups, and nobody of another unit."""
        if self.is_everybody:
            return self.filters.people()
        return Contact.objects.people().filter(unit=self.unit, id__in=self._ids)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Names and values that say the same selection in another form."""
        if self.is_everybody:
            return [*self.filters.chosen, ("everybody", "1")]
        return [*self.filters.chosen, *(("contact", str(pk)) for pk in self._ids)]


def contact(unit: Unit, contact_id: UUID) -> Contact:
    """A contact with tags, addresses and consent. Http404 when that is nobody here."""
    rows = Contact.objects.filter(unit=unit).prefetch_related("addresses", "tags").select_related("unit")
    return get_object_or_404(rows.annotate(opted_out=OPTED_OUT), id=contact_id)
