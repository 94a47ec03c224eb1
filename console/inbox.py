"""What the inbox reads: rows of conversations and pages of messages, each in a fixed number of queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from messaging.models import Contact, Conversation, ConversationStatus, Message
from messaging.search import conversations as in_conversations
from messaging.search import hits as search_hits
from messaging.threads import look_around, newest, rows_of_thread, with_people_and_files
from units.models import Unit

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


def conversations(unit: Unit, *, show: str = "open", search: str = "", before: str = "") -> Page[Conversation]:
    """A page of the list, newest first. `show`: open, unread or all. `search`: words of a name or a message, or digits.

    Rows carry `last`, what the preview says of the newest message besides its text (None without one), `order`, and
    `hit`, the message that was found (None where the contact was).
    """
    rows = (
        Conversation.objects.filter(unit=unit)
        .select_related("contact")
        .prefetch_related("contact__addresses")
        .annotate(last=newest())
        .order_by("-last_message_at", "-id")
    )
    if show == "open":
        rows = rows.exclude(status=ConversationStatus.RESOLVED)
    elif show == "unread":
        rows = rows.filter(unread_count__gt=0)
    rows = rows.filter(matching(unit, search, "contact__"))
    found = list(_before(rows, "last_message_at", before)[: ROWS + 1])
    page = found[:ROWS]
    hits = search_hits(page, unit, search) if search.strip() else {}
    for row in page:
        row.order = sort_key(row.last_message_at, row.id)
        row.hit = hits.get(row.id)
    return Page(page, page[-1].order if len(found) > ROWS else "", not before)


def matching(unit: Unit, search: str, prefix: str = "") -> Q:
    """Condition for `search`: on contacts, or, with `prefix` "contact__", on conversations, also by what was said."""
    search = search.strip()
    if not search:
        return Q()
    if prefix:
        return in_conversations(unit, search)
    return Q(id__in=Contact.objects.filter(unit=unit).matching(unit.pk, search).order_by().values("id"))


@dataclass(frozen=True, slots=True)
class Day:
    """The separator above the first message of a day."""

    day: date
    order: str


def older_messages(conversation: Conversation, *, before: str = "") -> Page[Message | Day]:
    """A page of the thread, oldest first, with a separator above each day; `next` leads further back."""
    rows = _thread(conversation).order_by("-happened_at", "-id")
    found = list(_before(rows, "happened_at", before)[: MESSAGES + 1])
    page = found[:MESSAGES]
    further = sort_key(page[-1].happened_at, page[-1].id) if len(found) > MESSAGES else ""
    return Page(_with_days(page[::-1]), further, not before)


def some_messages(conversation: Conversation, ids: Iterable[UUID]) -> Page[Message | Day]:
    """These messages of the thread, as far as they belong to it."""
    return Page(_with_days(_thread(conversation).filter(id__in=ids).order_by("happened_at", "id")), "", False)


def _thread(conversation: Conversation) -> QuerySet[Message]:
    messages = Message.objects.filter(conversation=conversation, unit_id=conversation.unit_id)
    messages = messages.select_related("author").prefetch_related("recipients__campaign")
    return with_people_and_files(rows_of_thread(messages))


def _with_days(messages: Iterable[Message]) -> list[Message | Day]:
    rows: list[Message | Day] = []
    last_day = None
    for message in look_around(messages):
        day = timezone.localdate(message.happened_at)
        if day != last_day:
            midnight = timezone.make_aware(datetime.combine(day, time.min))
            rows.append(Day(day, sort_key(midnight)))
            last_day = day
        message.order = sort_key(message.happened_at, message.id)  # type: ignore[attr-defined]
        rows.append(message)
    return rows
