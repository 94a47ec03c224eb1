"""What a thread shows of a message besides its own row: quote, reactions, votes, file. A fixed number of queries."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject

from messaging.events import MessageKind
from messaging.media import files
from messaging.models import AddressKind, Contact, ContactAddress, Direction, Message
from messaging.services import NO_ANSWER

# What hangs on another message. A vote is a row of the thread besides.
HANGING = (MessageKind.REACTION, MessageKind.POLL_VOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The quoted message: as it is now if it is here, else (`message` None) as WhatsApp told it with the answer.

    `direction` None: it was not told who wrote it. Of a deleted message `body` is empty.
    """

    external_id: str
    message: Message | None
    kind: str
    body: str
    direction: str | None
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """An emoji that somebody has hung on a message; `contact` None: it is ours."""

    emoji: str
    contact: Contact | None
    at: datetime

    @property
    def from_me(self) -> bool:
        return self.contact is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What belongs to a message: `votes` counts the voters of each option of a poll, `target` is what was voted on."""

    quote: Quote | None = None
    reactions: Sequence[Reaction] = ()
    votes: Mapping[str, int] = field(default_factory=dict)
    target: Message | None = None


def rows_of_thread(messages: QuerySet[Message]) -> QuerySet[Message]:
    """Those of `messages` that are bubbles of their own: a reaction is not."""
    return messages.exclude(kind=MessageKind.REACTION)


def with_people_and_files(messages: QuerySet[Message]) -> QuerySet[Message]:
    """With what every view of a message reads: who spoke in a group, who sent it, and what is known of its file."""
    return messages.select_related("sender", "author").prefetch_related("sender__addresses", files())


def newest() -> Subquery:
    """Of a conversation's newest message: {id, status, direction, kind, deleted, sender, number, details}, or null."""
    numbers = ContactAddress.objects.filter(contact=OuterRef("sender"), kind=AddressKind.PHONE).values("value")
    look = JSONObject(
        id="id",
        status="status",
        direction="direction",
        kind="kind",
        deleted=Q(deleted_at__isnull=False),
        sender="sender__name",
        number=Subquery(numbers[:1]),
        # As much as tells one kind from another.
        details=JSONObject(**{part: f"details__{part}" for part in ("media", "live", "type", "status", "video")}),
    )
    rows = rows_of_thread(Message.objects.filter(conversation=OuterRef("pk")))
    return Subquery(rows.order_by("-happened_at", F("external_id").desc(nulls_last=True), "-id").values(it=look)[:1])


def look_around(messages: Iterable[Message]) -> list[Message]:
    """`messages`, each with its Surroundings as `around`; of a deleted one nothing else is shown either."""
    messages = list(messages)
    shown = [message for message in messages if message.deleted_at is None]
    known = _named(shown)
    hanging = _hanging_on(shown)
    for message in messages:
        around = Surroundings()
        if message.deleted_at is None:
            on_it = hanging.get((message.connection_id, message.external_id or ""), [])
            around = Surroundings(
                quote=_quote(message, known),
                reactions=_reactions(on_it),
                votes=_votes(on_it),
                target=_choose(message, known, message.target_external_id),
            )
        message.around = around  # type: ignore[attr-defined]
    return messages


# Whose a quoted message is, by `from_me` as WhatsApp told it; None: not told.
_BY_AUTHOR: Mapping[bool | None, Direction] = {True: Direction.OUTBOUND, False: Direction.INBOUND}

# What messages are called by WhatsApp; one id may be a message of each direction (a chat with oneself).
type _Named = Mapping[tuple[UUID, str], list[Message]]


def _named(messages: Iterable[Message]) -> _Named:
    """The messages that `messages` quote or hang on, as far as they are here."""
    found: dict[tuple[UUID, str], list[Message]] = defaultdict(list)
    wanted = {name for m in messages for name in (m.reply_to_external_id, m.target_external_id) if name}
    if wanted:
        rows = Message.objects.filter(connection_id__in={m.connection_id for m in messages}, external_id__in=wanted)
        for row in rows.select_related("sender").prefetch_related("sender__addresses"):
            found[row.connection_id, row.external_id or ""].append(row)
    return found


def _choose(message: Message, known: _Named, external_id: str, direction: str | None = None) -> Message | None:
    named = known.get((message.connection_id, external_id), []) if external_id else []
    # Nobody quotes into another chat: an id that is made up, or overheard in a group, leads nowhere.
    rows = [row for row in named if row.conversation_id == message.conversation_id]
    return next((row for row in rows if row.direction == direction), rows[0] if rows else None)


def _quote(message: Message, known: _Named) -> Quote | None:
    if not message.reply_to_external_id:
        return None
    told = message.details.get("quoted") or {}
    direction = _BY_AUTHOR.get(told.get("from_me"))
    row = _choose(message, known, message.reply_to_external_id, direction)
    if row is not None:
        return Quote(
            external_id=message.reply_to_external_id,
            message=row,
            kind=row.kind,
            body="" if row.deleted_at else row.body,
            direction=row.direction,
            is_deleted=row.deleted_at is not None,
        )
    return Quote(
        external_id=message.reply_to_external_id,
        message=None,
        kind=told.get("kind") or MessageKind.TEXT,
        body=told.get("text") or "",
        direction=direction,
    )


def _hanging_on(messages: Iterable[Message]) -> Mapping[tuple[UUID, str], list[Message]]:
    """By connection and external id: the one reaction and the one vote of each author that count, oldest first."""
    counts: dict[tuple[UUID, str, str, object], Message] = {}
    targets = {message.external_id for message in messages if message.external_id}
    if targets:
        rows = (
            Message.objects.filter(
                ~Q(target_external_id=""),
                connection_id__in={message.connection_id for message in messages},
                conversation_id__in={message.conversation_id for message in messages},
                target_external_id__in=targets,
                kind__in=HANGING,
            )
            # Nobody saw ours that did not go out.
            .exclude(status__in=NO_ANSWER)
            .select_related("sender", "conversation__contact")
            .prefetch_related("sender__addresses", "conversation__contact__addresses")
            .order_by("happened_at", "external_id")
        )
        for row in rows:
            counts[row.connection_id, row.target_external_id, row.kind, _author_of(row)] = row
    found: dict[tuple[UUID, str], list[Message]] = defaultdict(list)
    for row in sorted(counts.values(), key=lambda row: (row.happened_at, row.external_id or "")):
        if row.deleted_at is None:
            found[row.connection_id, row.target_external_id].append(row)
    return found


def _author_of(row: Message) -> UUID | None:
    """Whose reaction or vote it is; None: ours."""
    if row.direction == Direction.OUTBOUND:
        return None
    return row.sender_id or row.conversation.contact_id


def _reactions(hanging: Iterable[Message]) -> list[Reaction]:
    # An empty one takes the emoji back.
    return [
        Reaction(
            emoji=row.body,
            contact=None if row.direction == Direction.OUTBOUND else row.sender or row.conversation.contact,
            at=row.happened_at,
        )
        for row in hanging
        if row.kind == MessageKind.REACTION and row.body
    ]


def _votes(hanging: Iterable[Message]) -> dict[str, int]:
    votes: dict[str, int] = defaultdict(int)
    for row in hanging:
        if row.kind == MessageKind.POLL_VOTE:
            for option in set(row.details.get("votes") or []):
                votes[option] += 1
    return dict(votes)
