"""What the inbox reads: rows of conversations and pages of messages, each in a fixed number of queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone

from console.conversation_filter import ConversationFilter
from messaging import merging
from messaging.models import (
    Contact,
    Conversation,
    ConversationEvent,
    Direction,
    Message,
    Note,
)
from messaging.search import hits as search_hits
from messaging.threads import look_around, newest, rows_of_thread, with_people_and_files
from units.models import Unit, User

ROWS = 40
MESSAGES = 40


def sort_key(moment: datetime, key: UUID | str = "") -> str:
    """Text that sorts as (moment, key) does: what the browser keeps rows in order by, and what a cursor is."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}|{key}"


def _from_sort_key(cursor: str) -> tuple[datetime, UUID] | None:
    """None for what is no cursor of ours."""
    moment, _, key = cursor.partition("|")
    try:
        return datetime.fromisoformat(moment).replace(tzinfo=UTC), UUID(key)
    except ValueError:
        return None


def _before(rows: QuerySet[Any], field: str, cursor: str) -> QuerySet[Any]:
    start = _from_sort_key(cursor)
    if start is None:
        return rows
    moment, key = start
    return rows.filter(Q(**{f"{field}__lt": moment}) | Q(**{field: moment, "id__lt": key}))


@dataclass(frozen=True, slots=True)
class Page[T]:
    """Some rows and the cursor of those that follow; an empty cursor: there are none."""

    rows: Sequence[T]
    next: str
    # Whether this is the first page, where the newest is.
    is_first: bool


def conversation_of(unit: Unit, conversation_id: UUID) -> Conversation:
    """Raises Http404 for what is not there or not the unit's."""
    rows = Conversation.objects.select_related("contact", "assigned_to").prefetch_related("contact__addresses")
    return get_object_or_404(rows, unit=unit, id=conversation_id)


def conversation_now_of(unit: Unit, conversation_id: UUID) -> Conversation:
    """As `conversation_of`, or the one it was merged into: for what was on its way meanwhile."""
    try:
        return conversation_of(unit, conversation_id)
    except Http404:
        became = merging.conversation_instead_of(unit, conversation_id)
        if became is None:
            raise
        return conversation_of(unit, became.id)


def conversations(unit: Unit, person: User, wanted: ConversationFilter, *, before: str = "") -> Page[Conversation]:
    """A page of the list as `person` wants it, newest first.

    Rows carry `last`, what the preview says of the newest message besides its text (None without one), `order`, and
    `hit`, the message that was found (None where the contact was).
    """
    rows = (
        Conversation.objects.filter(unit=unit)
        .select_related("contact", "assigned_to")
        .prefetch_related("contact__addresses", "labels")
        .annotate(last=newest())
        .order_by("-last_message_at", "-id")
    )
    found = list(_before(wanted.apply(rows, unit, person), "last_message_at", before)[: ROWS + 1])
    page = found[:ROWS]
    hits = search_hits(page, unit, wanted.q) if wanted.q else {}
    for row in page:
        row.order = sort_key(row.last_message_at, row.id)
        row.hit = hits.get(row.id)
    return Page(page, page[-1].order if len(found) > ROWS else "", not before)


def matching(unit: Unit, search: str) -> Q:
    """Condition for `search` on contacts."""
    search = search.strip()
    if not search:
        return Q()
    found = Contact.objects.filter(unit=unit).matching(unit.pk, search).order_by().values("id")
    # Found first, by the index of words: else the planner reads names in order, folding each, until enough match.
    return Q(id__in=found.distinct())


@dataclass(frozen=True, slots=True)
class Day:
    """The separator above the first message of a day."""

    day: date
    order: str


@dataclass(frozen=True, slots=True)
class UnreadLine:
    """The separator above the first message that nobody has seen yet."""

    unread: int
    order: str


type Line = Note | ConversationEvent
type ThreadRow = Message | Line | Day | UnreadLine


def older_messages(conversation: Conversation, *, before: str = "") -> Page[ThreadRow]:
    """A page of the thread, oldest first: messages, notes and events between them, and a separator above each day.

    `next` leads further back. The newest page has a line above what is unread, as far as that begins in it.
    """
    rows = _thread(conversation).order_by("-happened_at", "-id")
    found = list(_before(rows, "happened_at", before)[: MESSAGES + 1])
    page = found[:MESSAGES]
    lines = [_before(each, "created_at", before) for each in _lines(conversation)]
    further = ""
    if len(found) > MESSAGES:
        further = sort_key(page[-1].happened_at, page[-1].id)
        lines = [each.filter(created_at__gte=page[-1].happened_at) for each in lines]
    rows_of_page = _in_order(page[::-1], chain(*lines))
    if not before and (line := _unread_line(page, conversation.unread_count)):
        rows_of_page = sorted([*rows_of_page, line], key=_order)
    return Page(rows_of_page, further, not before)


def some_messages(conversation: Conversation, ids: Sequence[UUID]) -> Page[ThreadRow]:
    """These messages, notes and events of the thread, as far as they belong to it."""
    messages = _thread(conversation).filter(id__in=ids).order_by("happened_at", "id")
    lines = chain.from_iterable(each.filter(id__in=ids) for each in _lines(conversation))
    return Page(_in_order(messages, lines), "", False)


def rows_context(unit: Unit, conversation: Conversation, ids: Sequence[UUID]) -> dict[str, Any]:
    """What messages.html needs to show these messages, notes and events; which of them are `gone`, as a note may be."""
    page = some_messages(conversation, ids)
    found = {getattr(row, "id", None) for row in page.rows}
    gone = [each for each in ids if each not in found]
    return {
        "unit": unit,
        "conversation": conversation,
        "contact": conversation.contact,
        "thread": page,
        "gone": gone,
    }


def _thread(conversation: Conversation) -> QuerySet[Message]:
    messages = Message.objects.filter(conversation=conversation, unit_id=conversation.unit_id)
    messages = messages.select_related("author").prefetch_related("recipients__campaign")
    return with_people_and_files(rows_of_thread(messages))


def _lines(conversation: Conversation) -> list[QuerySet[Any]]:
    """What stands between the messages."""
    whose = {"conversation": conversation, "unit_id": conversation.unit_id}
    return [
        Note.objects.filter(**whose).select_related("author"),
        ConversationEvent.objects.filter(**whose).select_related("author", "assignee"),
    ]


def _order(row: ThreadRow) -> str:
    return row.order  # type: ignore[union-attr]


def _in_order(messages: Iterable[Message], lines: Iterable[Line]) -> list[ThreadRow]:
    """By time, with the days."""
    moments: list[tuple[datetime, Message | Line]] = [(row.happened_at, row) for row in look_around(messages)]
    moments += [(line.created_at, line) for line in lines]
    days = {timezone.localdate(moment) for moment, _ in moments}
    rows: list[ThreadRow] = []
    for day in days:
        midnight = timezone.make_aware(datetime.combine(day, time.min))
        rows.append(Day(day, sort_key(midnight)))
    for moment, row in moments:
        row.order = sort_key(moment, row.id)  # type: ignore[union-attr]
        rows.append(row)
    return sorted(rows, key=_order)


def _unread_line(newest_first: Sequence[Message], unread: int) -> UnreadLine | None:
    """None where nothing is unread, or where it begins further back than this page."""
    received = [row for row in newest_first if row.direction == Direction.INBOUND and row.deleted_at is None]
    if not 0 < unread <= len(received):
        return None
    return UnreadLine(unread, sort_key(received[unread - 1].happened_at))
