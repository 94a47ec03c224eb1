"""What happens to messages: those that came in, and those that somebody wants to go out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Least
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from crm_whatsapp.db import ClockNow
from messaging import lanes, people
from messaging.events import (
    Chat,
    MessageDeleted,
    MessageEdited,
    MessageEvent,
    MessageReceived,
    MessageStatusChanged,
)
from messaging.events import (
    MessageStatus as ProviderStatus,
)
from messaging.models import (
    Conversation,
    ConversationStatus,
    Direction,
    Message,
    MessageQuerySet,
    MessageStatus,
    Origin,
)
from messaging.signals import messages_moved
from units import live
from units.models import User, WhatsAppConnection

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

S = MessageStatus

MAX_TEXT = 65_536  # WhatsApp's own limit for a text message, in characters

# How far the clocks of the gateway and the database may be apart when an echo is matched by its time.
ECHO_TOLERANCE = timedelta(seconds=30)


class CannotQueue(ValueError):
    """A message that cannot be accepted; `message` says why, to a person."""

    def __init__(self, message: str | _StrPromise) -> None:
        self.message = message
        super().__init__(str(message))


class KeyReused(ValueError):
    """An idempotency key that stands for another request already."""


class NotYet(Exception):
    """The event speaks of something that may still come: again later. `reason` is for staff, should it never come."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


# Outbound


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
        if not made:
            return message
        Conversation.objects.filter(pk=conversation.pk).refresh_summary()
        lanes.wake([connection.id])
        live.publish(changes_of([message]))
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
    """Everything that has arrived in the conversation has been seen."""
    with transaction.atomic():
        row = Conversation.objects.filter(pk=conversation.pk)
        row.update(read_until=ClockNow())
        row.refresh_summary()
        live.publish([_conversation_change(conversation.unit_id, conversation.pk)])


def moved_outbound(ids: list[UUID]) -> list[live.Change]:
    """Tell everybody that the status of these outbound messages has changed, in the transaction of the change.

    Returns the changes for the live feed: the caller publishes them as its last statement.
    """
    if not ids:
        return []
    rows = Message.objects.filter(id__in=ids)
    changes = changes_of(rows.only("id", "unit_id", "conversation_id", "direction", "status"))
    answers: list[tuple[Any, Any]] = messages_moved.send(sender=Message, ids=ids)
    for _receiver, more in answers:
        changes += more
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
        changes.append(_conversation_change(message.unit_id, message.conversation_id))
    return changes


def _conversation_change(unit_id: UUID, conversation_id: UUID) -> live.Change:
    return live.Change(unit_id=unit_id, kind="conversation", object_id=conversation_id)


# Inbound

_RECEIPTS = {
    ProviderStatus.DELIVERY_ACK: MessageStatus.DELIVERED,
    ProviderStatus.READ: MessageStatus.READ,
    ProviderStatus.PLAYED: MessageStatus.READ,
    ProviderStatus.ERROR: MessageStatus.FAILED,
}
# Why an event had no effect, for staff.
_DUPLICATE = gettext_noop("This message is here already.")
_NOT_DIRECT = gettext_noop("Groups, broadcasts, status posts and newsletters are not shown.")
_NO_ADDRESS = gettext_noop("The message does not tell whose it is.")
_HOUSEKEEPING = gettext_noop("A notice between WhatsApp apps, not a message.")
_SENDING = gettext_noop("A message of this number is being sent; this may be its echo.")
_UNKNOWN_MESSAGE = gettext_noop("It speaks of a message that is not here.")
_NO_RECEIPT = gettext_noop("This status says nothing about the delivery.")


class MessageHandlerService:
    """Writes what a connection's webhooks tell about messages: contact, conversation, message, status.

    Strictly idempotent (I2): a message is unique by connection, provider, direction and external id. Each call belongs
    into a transaction; when all is written, wake the lanes in `wakes`, and publish `changes` last.
    """

    def __init__(self, connection: WhatsAppConnection) -> None:
        self.connection = connection
        self.changes: list[live.Change] = []
        self.wakes: set[UUID] = set()

    def handle(self, event: MessageEvent | MessageStatusChanged, *, received_at: datetime) -> str:
        """Apply `event`. Returns "" when it had its effect, else the reason for ignoring it. Raises NotYet."""
        match event:
            case MessageStatusChanged():
                return self._receipt(event, received_at)
            case MessageEdited():
                return self._edit(event)
            case MessageDeleted():
                return self._delete(event)
            case MessageReceived(is_api_echo=True):
                return self._echo(event, received_at)
            case _:
                return self._message(event, received_at)

    def _message(self, event: MessageReceived, received_at: datetime, origin: Origin | None = None) -> str:
        """A message for the chat: from the contact, or typed on the unit's own phone."""
        if event.chat is None or (not_here := self._not_here(event)):
            return _NO_ADDRESS if event.chat is None else not_here
        direction = Direction.OUTBOUND if event.from_me else Direction.INBOUND
        if event.external_id and self._known(direction, event.external_id).exists():
            return _DUPLICATE
        contact = people.contact_of(self.connection.unit, event.chat, None if event.from_me else event.push_name)
        conversation = people.conversation_with(contact)
        fields = {
            "unit_id": self.connection.unit_id,
            "conversation": conversation,
            "origin": origin or (Origin.PHONE if event.from_me else Origin.CONTACT),
            "kind": event.kind,
            "body": event.text or "",
            "details": _details(event),
            "reply_to_external_id": event.reply_to_id or "",
            "status": MessageStatus.SENT if event.from_me else MessageStatus.RECEIVED,
            "happened_at": _within_its_second(_moment(event.timestamp, received_at), received_at),
            "sent_at": _moment(event.timestamp, received_at) if event.from_me else None,
        }
        if event.external_id:
            key = self._key(direction, event.external_id)
            message, made = Message.objects.get_or_create(**key, defaults=fields)
        else:
            # Nothing to recognise it by: the event's own row in the inbox is what makes it once.
            message, made = Message.objects.create(**self._key(direction, None), **fields), True
        if not made:
            return _DUPLICATE
        if not event.from_me:
            # Who writes opens his conversation again, unless it waits for somebody already.
            Conversation.objects.filter(
                pk=conversation.pk, status__in=[ConversationStatus.RESOLVED, ConversationStatus.SNOOZED]
            ).update(status=ConversationStatus.OPEN)
        Conversation.objects.filter(pk=conversation.pk).refresh_summary()
        self.changes += changes_of([message])
        return ""

    @staticmethod
    def _not_here(event: MessageReceived) -> str:
        """Why this message belongs to no conversation of ours; "" when it does."""
        if event.kind.is_housekeeping:
            return _HOUSEKEEPING
        if event.chat and event.chat.kind not in (Chat.INDIVIDUAL, Chat.LID):
            return _NOT_DIRECT
        return "" if event.chat and (event.chat.phone or event.chat.lid) else _NO_ADDRESS

    def _echo(self, event: MessageReceived, received_at: datetime) -> str:
        """What the gateway was told to send: by us, before or after its answer reached us, or by another program.

        It never binds to a message whose call is still under way: the answer's id wins. Only an uncertain one takes it,
        by chat, text and time; one echo, one message.
        """
        if not_here := self._not_here(event):
            return not_here
        if event.external_id and self._known(Direction.OUTBOUND, event.external_id).exists():
            return _DUPLICATE
        under_way = Message.objects.filter(connection=self.connection, status=MessageStatus.DISPATCHING)
        # A campaign sends one text to many: of a chat that we know, only its own send can be meant.
        contact = people.known_contact_of(self.connection.unit, event.chat) if event.chat else None
        if contact:
            under_way = under_way.filter(conversation__contact=contact)
        if under_way.filter(body=event.text or "").exists():
            raise NotYet(_SENDING)
        message = self._twin_without_id(event, received_at)
        if message is None:
            return self._message(event, received_at, Origin.GATEWAY)
        row = Message.objects.filter(pk=message.pk, external_id=None)
        row.update(external_id=event.external_id)
        sent_at = _moment(event.timestamp, received_at)
        if Message.objects.filter(pk=message.pk).move_to(S.SENT, sent_at=sent_at, error_code="", error=""):
            # Its chat may go on.
            self.wakes.add(self.connection.id)
            self.changes += moved_outbound([message.pk])
        return ""

    def _twin_without_id(self, event: MessageReceived, received_at: datetime) -> Message | None:
        """The oldest message that this echo proves to have gone out: uncertain, or sent by a person's word."""
        contact = people.known_contact_of(self.connection.unit, event.chat) if event.chat else None
        if contact is None:
            return None
        happened_at = _moment(event.timestamp, received_at)
        return (
            Message.objects.select_for_update(no_key=True)
            .filter(
                connection=self.connection,
                conversation__contact=contact,
                status__in=[S.UNCERTAIN, S.SENT],
                external_id=None,
                body=event.text or "",
                # The echo's time has whole seconds.
                dispatched_at__lte=happened_at + ECHO_TOLERANCE,
                dispatched_at__gte=happened_at - ECHO_TOLERANCE - lanes.gateway_may_act_for(),
            )
            .order_by("dispatched_at", "id")
            .first()
        )

    def _receipt(self, event: MessageStatusChanged, received_at: datetime) -> str:
        """How far a message of ours has come. Matched by its id alone: receipts may carry the LID of a chat."""
        status = _RECEIPTS.get(event.status) if event.status else None
        if status is None or event.external_id is None:
            return _NO_RECEIPT
        if event.from_me is False:
            inbound = self._known(Direction.INBOUND, event.external_id).first()
            if inbound is not None:
                return self._read_on_phone(inbound) if status == MessageStatus.READ else _NO_RECEIPT
        message = self._known(Direction.OUTBOUND, event.external_id).only("id").first()
        if message is None:
            raise NotYet(_UNKNOWN_MESSAGE)
        at = _moment(event.timestamp, received_at)
        # A receipt proves that it arrived, whatever was believed before; of two times the earlier is true.
        arrived = {"delivered_at": Least("delivered_at", at), "error_code": "", "error": ""}
        changes: dict[MessageStatus, dict[str, Any]] = {
            MessageStatus.DELIVERED: arrived,
            # A read message was delivered, though the two receipts often come as one (docs/evolution.md, "Events").
            MessageStatus.READ: arrived | {"read_at": Least("read_at", at)},
            MessageStatus.FAILED: {"error_code": "refused_by_whatsapp", "error": event.error or ""},
        }
        row = Message.objects.filter(pk=message.pk)
        if row.move_to(status, **changes[status]):
            self.changes += moved_outbound([message.pk])
        elif status != S.FAILED:
            # Late, or again: the status stays, and the times become what they would be in order.
            row.filter(status__in=[S.DELIVERED, S.READ]).update(**changes[status])
        return ""

    def _read_on_phone(self, message: Message) -> str:
        Conversation.objects.filter(pk=message.conversation_id).filter(
            Q(read_until=None) | Q(read_until__lt=message.created_at)
        ).update(read_until=message.created_at)
        Conversation.objects.filter(pk=message.conversation_id).refresh_summary()
        self.changes.append(_conversation_change(message.unit_id, message.conversation_id))
        return ""

    def _edit(self, event: MessageEdited) -> str:
        message = self._target(event)
        if message is None:
            raise NotYet(_UNKNOWN_MESSAGE)
        edited_at = event.timestamp or 0
        if event.text is not None and edited_at >= message.details.get("edited_at", 0):
            message.body = event.text
            message.details |= {"edited_at": edited_at}
        message.details |= {"edited": True}
        message.save(update_fields=["body", "details"])
        return self._changed(message)

    def _delete(self, event: MessageDeleted) -> str:
        message = self._target(event)
        if message is None:
            raise NotYet(_UNKNOWN_MESSAGE)
        message.details |= {"deleted": True}
        message.save(update_fields=["details"])
        return self._changed(message)

    def _target(self, event: MessageEdited | MessageDeleted) -> Message | None:
        external_id = event.target_id or event.external_id
        if external_id is None:
            return None
        direction = Direction.OUTBOUND if event.from_me else Direction.INBOUND
        return self._known(direction, external_id).select_for_update(no_key=True).first()

    def _changed(self, message: Message) -> str:
        Conversation.objects.filter(pk=message.conversation_id).refresh_summary()
        self.changes += changes_of([message])
        return ""

    def _key(self, direction: Direction, external_id: str | None) -> dict[str, Any]:
        """What makes a message the same message."""
        return {
            "connection": self.connection,
            "provider": self.connection.provider,
            "direction": direction,
            "external_id": external_id,
        }

    def _known(self, direction: Direction, external_id: str) -> MessageQuerySet:
        return Message.objects.filter(**self._key(direction, external_id))


def _moment(timestamp: int | None, otherwise: datetime) -> datetime:
    """Unix seconds as a time; what is impossible (before 2009, WhatsApp's first year, or far ahead) is not believed."""
    if timestamp is None or not 1_230_768_000 < timestamp < otherwise.timestamp() + 86_400:
        return otherwise
    return datetime.fromtimestamp(timestamp, UTC)


def _within_its_second(stamped: datetime, received_at: datetime) -> datetime:
    """WhatsApp's times have whole seconds. What has just come in is put where it arrived within its second.

    Else an answer within the second of the question (there are programs on both sides) would stand before it.
    """
    if stamped <= received_at < stamped + timedelta(seconds=2):
        return min(received_at, stamped + timedelta(microseconds=999_999))
    return stamped


def _details(event: MessageReceived) -> dict[str, Any]:
    """What a message of this kind needs besides its text. Files are fetched later: their base64 stays in the inbox."""
    details = dict(event.details)
    if event.raw_type:
        details["type"] = event.raw_type
    if event.target_id:
        details["target_id"] = event.target_id
    if event.is_forwarded:
        details["forwarded"] = True
    if event.media:
        details["media"] = {
            "mime_type": event.media.mime_type,
            "file_name": event.media.file_name,
            "size": event.media.size,
            "seconds": event.media.seconds,
            "voice": event.media.is_voice,
        }
    return details
