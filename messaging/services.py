"""What is told of messages that moved, and that a chat was read. Sending is `messaging.outgoing`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection as database
from django.db import transaction
from django.db.models import Subquery
from django.db.models.functions import Coalesce

from messaging.models import Conversation, Direction, Message, MessageStatus
from messaging.outgoing import asking
from messaging.outgoing.contents import MAX_TEXT
from messaging.outgoing.errors import CannotQueue, KeyReused
from messaging.signals import messages_moved
from units import live

__all__ = [
    "MAX_TEXT",
    "NO_ANSWER",
    "CannotQueue",
    "KeyReused",
    "changes_of",
    "conversation_change",
    "mark_read",
    "moved_outbound",
]

S = MessageStatus

# Messages that nobody got.
NO_ANSWER = frozenset({S.FAILED, S.CANCELLED, S.EXPIRED})
# Messages of which a number has too many when something is wrong with it.
IN_TROUBLE = frozenset({S.FAILED, S.UNCERTAIN})


def mark_read(conversation: Conversation) -> None:
    """Everything that is in the conversation has been seen, and WhatsApp is told so.

    Not everything until now: what a drain under way has written, nobody has seen.
    """
    with transaction.atomic():
        row = Conversation.objects.filter(pk=conversation.pk)
        row.lock()
        if current := row.select_related("contact").first():
            asking.read(current)
        arrived = Message.objects.filter(conversation=conversation, direction=Direction.INBOUND)
        newest = arrived.order_by("-created_at").values("created_at")[:1]
        row.update(read_until=Coalesce(Subquery(newest), "read_until"))
        row.refresh_summary()
        live.publish([conversation_change(conversation.unit_id, conversation.pk)])


def moved_outbound(ids: list[UUID]) -> list[live.Change]:
    """Tell everybody that the status of these outbound messages has changed, in the transaction of the change.

    Returns the changes for the live feed: the caller publishes them as its last statement.
    """
    if not ids:
        return []
    # Neither `id__in` (each id a parameter of its own) nor rows of the model: either took a tenth of a send's time.
    with database.cursor() as cursor:
        cursor.execute(_MOVED, [ids])
        rows = [Moved(*row) for row in cursor.fetchall()]
    changes = changes_of(rows)
    answers: list[tuple[Any, Any]] = messages_moved.send(
        sender=Message, ids=ids, in_trouble=[row.id for row in rows if row.status in IN_TROUBLE]
    )
    for _receiver, more in answers:
        changes += more
    # What was taken for an answer, and was not, leaves the customer waiting.
    unanswered = {row.conversation_id for row in rows if row.status in NO_ANSWER}
    if unanswered:
        Conversation.objects.filter(id__in=unanswered).refresh_summary()
    return changes


class Moved(NamedTuple):
    """What others are told of a message that moved."""

    id: UUID
    unit_id: UUID
    conversation_id: UUID
    direction: str
    status: str


_MOVED = "SELECT id, unit_id, conversation_id, direction, status FROM messages WHERE id = ANY(%s)"


def changes_of(messages: Iterable[Message | Moved]) -> list[live.Change]:
    """Live changes for messages: each one, and its conversation."""
    changes = []
    for message in messages:
        data = {
            "conversation_id": str(message.conversation_id),
            "direction": message.direction,
            "status": message.status,
        }
        changes.append(live.Change(unit_id=message.unit_id, kind="message", object_id=message.id, data=data))
        changes.append(conversation_change(message.unit_id, message.conversation_id))
    return changes


def conversation_change(unit_id: UUID, conversation_id: UUID) -> live.Change:
    return live.Change(unit_id=unit_id, kind="conversation", object_id=conversation_id)
