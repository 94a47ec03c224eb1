"""What people do with messages: queue them, settle them, read them. What comes in is `messaging.inbound`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import ClockNow
from messaging import lanes, people
from messaging.models import Conversation, Direction, Message, MessageStatus, Origin
from messaging.signals import messages_moved
from units import live
from units.models import User, WhatsAppConnection

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

S = MessageStatus

# Messages that nobody got.
NO_ANSWER = frozenset({S.FAILED, S.CANCELLED, S.EXPIRED})

MAX_TEXT = 65_536  # WhatsApp's own limit for a text message, in characters


class CannotQueue(ValueError):
    """A message that cannot be accepted; `message` says why, to a person."""

    def __init__(self, message: str | _StrPromise) -> None:
        self.message = message
        super().__init__(str(message))


class KeyReused(ValueError):
    """An idempotency key that stands for another request already."""


def queue_text(
    *,
    conversation: Conversation,
    text: str,
    author: User | None,
    reply_to_external_id: str = "",
    idempotency_key: str | None = None,
) -> Message:
    """Accept a person's text for sending. It is committed with the transaction and goes before campaigns.

    With an `idempotency_key`, the same again is the message that the first made; another raises KeyReused. Raises
    CannotQueue for an empty or too long text, a unit without a number, or a contact without an address.
    """
    text = text.strip()
    if not text:
        raise CannotQueue(_("The message has no text. Write something and send it again."))
    if len(text) > MAX_TEXT:
        raise CannotQueue(_("The message is too long for WhatsApp: at most 65,536 characters."))
    address = people.send_address(conversation.contact)
    if address is None:
        raise CannotQueue(_("This contact has no number to send to."))
    connection = WhatsAppConnection.objects.filter(unit_id=conversation.unit_id).first()
    if connection is None:
        raise CannotQueue(_("This unit has no WhatsApp number yet. Connect one first."))
    try:
        with transaction.atomic():
            message, made = _made_once(
                idempotency_key,
                unit_id=conversation.unit_id,
                connection=connection,
                conversation=conversation,
                provider=connection.provider,
                direction=Direction.OUTBOUND,
                origin=Origin.REPLY,
                author=author,
                body=text,
                reply_to_external_id=reply_to_external_id,
                recipient=lanes.recipient_of(address),
                status=MessageStatus.QUEUED,
                due_at=ClockNow(),
                expires_at=ClockNow() + Message.LIFETIME,
            )
            if made:
                Conversation.objects.filter(pk=conversation.pk).refresh_summary()
                lanes.wake([connection.id])
                live.publish(changes_of([message]))
    except IntegrityError:
        if Conversation.objects.filter(pk=conversation.pk).exists():
            raise
        # The contact has just been merged into another, and the chat with it: it goes there.
        return queue_text(
            conversation=people.conversation_with(conversation.contact),
            text=text,
            author=author,
            reply_to_external_id=reply_to_external_id,
            idempotency_key=idempotency_key,
        )
    message.refresh_from_db()
    return message


def _made_once(idempotency_key: str | None, **fields: Any) -> tuple[Message, bool]:
    """A new message, or the one that the key stands for already, and whether it is new.

    Raises KeyReused when the key stands for another text or chat.
    """
    if idempotency_key is None:
        return Message.objects.create(**fields), True
    key = {"unit_id": fields.pop("unit_id"), "idempotency_key": idempotency_key}
    message, made = Message.objects.get_or_create(**key, defaults=fields)
    if (message.conversation_id, message.body) != (fields["conversation"].pk, fields["body"]):
        raise KeyReused
    return message, made


def settle(message: Message, *, was_sent: bool) -> Message:
    """A person knows what became of an uncertain message. Raises CannotQueue when it is not uncertain (any more)."""
    with transaction.atomic():
        row = Message.objects.filter(pk=message.pk, status=MessageStatus.UNCERTAIN)
        if was_sent:
            moved = row.move_to(MessageStatus.SENT, sent_at=F("dispatched_at"), error_code="", error="")
        else:
            moved = row.move_to(MessageStatus.FAILED, error_code="not_sent_by_word", error="")
        if not moved:
            raise CannotQueue(_("This message has been settled already."))
        changes = moved_outbound([message.pk])
        lanes.wake([message.connection_id])
        live.publish(changes)
    message.refresh_from_db()
    return message


def mark_read(conversation: Conversation) -> None:
    """Everything that is in the conversation has been seen.

    Not everything until now: what a drain under way has written, nobody has seen.
    """
    with transaction.atomic():
        row = Conversation.objects.filter(pk=conversation.pk)
        row.lock()
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
    rows = list(Message.objects.filter(id__in=ids).only("id", "unit_id", "conversation_id", "direction", "status"))
    changes = changes_of(rows)
    answers: list[tuple[Any, Any]] = messages_moved.send(sender=Message, ids=ids)
    for _receiver, more in answers:
        changes += more
    # What was taken for an answer and is none leaves the customer waiting.
    unanswered = {row.conversation_id for row in rows if row.status in NO_ANSWER}
    if unanswered:
        Conversation.objects.filter(id__in=unanswered).refresh_summary()
    return changes


def changes_of(messages: Any) -> list[live.Change]:
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
