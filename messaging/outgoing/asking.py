"""What is asked of the gateway in a chat that is no message: edit, delete for everyone, typing, read.

A row each, and a bell; `messaging.outgoing.actions` does it. Of each kind one waits per message or chat: asked again,
it is the same one, with what was asked last.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.bell import ring_on_commit
from crm_whatsapp.db import ClockNow
from messaging.events import MessageKind
from messaging.models import (
    ActionKind,
    ActionStatus,
    AddressKind,
    ChatAction,
    Conversation,
    Direction,
    Message,
    MessageStatus,
)
from messaging.outgoing.contents import Text
from messaging.outgoing.errors import CannotQueue
from units.models import User, WhatsAppConnection

TASK: Final = "messaging.tasks.act"
# WhatsApp's own: how long a message can be changed, and taken back.
EDITABLE: Final = timedelta(minutes=15)
DELETABLE: Final = timedelta(days=2)
# Later than this it says nothing any more.
TYPING_LIFETIME: Final = timedelta(seconds=10)
READ_LIFETIME: Final = timedelta(hours=1)
# Of a chat that was not looked at for long, the latest.
MOST_READ: Final = 50

_SENT: Final = (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ)


def edit(message: Message, text: str, *, author: User | None) -> ChatAction:
    """Have a text of ours changed. The message keeps its words until the gateway has accepted the new ones.

    Raises CannotQueue for any other message, one that was not sent or more than 15 minutes ago, and a text that
    WhatsApp would not take.
    """
    words = Text(text).row().body
    with transaction.atomic():
        _lock_ours(message)
        if message.kind != MessageKind.TEXT:
            raise CannotQueue(_("Only a text can be edited."))
        if _is_older(message, EDITABLE):
            raise CannotQueue(_("A message can be edited for 15 minutes after it was sent."))
        return _ask(ActionKind.EDIT, message, author, {"text": words}, EDITABLE)


def delete(message: Message, *, author: User | None) -> ChatAction:
    """Have a message of ours deleted for everyone. It is shown until the gateway has accepted that.

    Raises CannotQueue for one that is not ours, was not sent, or more than two days ago.
    """
    with transaction.atomic():
        _lock_ours(message)
        if _is_older(message, DELETABLE):
            raise CannotQueue(_("A message can be deleted for everyone for two days after it was sent."))
        return _ask(ActionKind.DELETE, message, author, {}, DELETABLE)


def typing(conversation: Conversation, *, author: User | None) -> None:
    """Show the customer that somebody is writing, for a few seconds."""
    connection = WhatsAppConnection.objects.filter(unit_id=conversation.unit_id).first()
    if connection is None:
        return
    with transaction.atomic():
        # The row is the lock: of two who ask at once the second finds what the first made.
        Conversation.objects.filter(pk=conversation.pk).lock()
        waiting = _waiting(ActionKind.TYPING).filter(conversation=conversation)
        if not waiting.update(expires_at=ClockNow() + TYPING_LIFETIME):
            ChatAction.objects.create(
                unit_id=conversation.unit_id,
                connection=connection,
                conversation=conversation,
                kind=ActionKind.TYPING,
                author=author,
                expires_at=ClockNow() + TYPING_LIFETIME,
            )
        ring_on_commit(TASK)


def read(conversation: Conversation) -> None:
    """Tell WhatsApp that what has come in since `read_until` has been seen; call it with the conversation locked.

    Not in a group, where a receipt is for each who wrote; and nobody's who is known by a LID alone: Evolution drops
    these without a word (baileys-markMessageAsRead-lid.json).
    """
    if conversation.contact.is_group or not conversation.contact.addresses.filter(kind=AddressKind.PHONE).exists():
        return
    unread = Message.objects.filter(
        conversation=conversation, direction=Direction.INBOUND, from_history=False, external_id__isnull=False
    ).exclude(external_id__startswith="~")
    if conversation.read_until:
        unread = unread.filter(created_at__gt=conversation.read_until)
    newest = list(unread.order_by("-happened_at", "-id").values_list("external_id", "connection_id", "id")[:MOST_READ])
    if not newest:
        return
    ids = [external_id for external_id, _connection, _pk in newest]
    waiting = _waiting(ActionKind.READ).filter(conversation=conversation).select_for_update(no_key=True).first()
    if waiting:
        waiting.details = {"ids": list(dict.fromkeys([*ids, *waiting.details["ids"]]))[:MOST_READ]}
        waiting.save(update_fields=["details"])
        return
    ChatAction.objects.create(
        unit_id=conversation.unit_id,
        connection_id=newest[0][1],
        conversation=conversation,
        message_id=newest[0][2],
        kind=ActionKind.READ,
        details={"ids": ids},
        expires_at=ClockNow() + READ_LIFETIME,
    )
    ring_on_commit(TASK)


def _lock_ours(message: Message) -> None:
    """Bring the message up to date, locked. Raises CannotQueue unless it is ours and WhatsApp has it."""
    message.refresh_from_db(from_queryset=Message.objects.select_for_update(no_key=True))
    if message.direction != Direction.OUTBOUND:
        raise CannotQueue(_("Only a message of ours can be changed."))
    if not message.external_id or message.status not in _SENT:
        raise CannotQueue(_("That message has not been sent yet."))
    if message.deleted_at is not None:
        raise CannotQueue(_("That message was deleted."))


def _is_older(message: Message, age: timedelta) -> bool:
    return not Message.objects.filter(pk=message.pk, sent_at__gt=ClockNow() - age).exists()


def _waiting(kind: ActionKind) -> Any:
    """Those that nobody has in hand."""
    return ChatAction.objects.filter(kind=kind, status=ActionStatus.QUEUED, claim_token=None)


def _ask(kind: ActionKind, message: Message, author: User | None, details: Any, lifetime: timedelta) -> ChatAction:
    # Also one that somebody has in hand: two at once would come in any order. He finds that it has changed meanwhile,
    # and it goes once more (`actions.record`).
    queued = ChatAction.objects.filter(kind=kind, status=ActionStatus.QUEUED, message=message)
    action = queued.select_for_update(no_key=True).first()
    if action:
        action.details, action.author = details, author
        if action.claim_token is None:
            action.due_at = ClockNow()
        action.save(update_fields=["details", "author", "due_at"])
    else:
        action = ChatAction.objects.create(
            unit_id=message.unit_id,
            connection_id=message.connection_id,
            conversation_id=message.conversation_id,
            message=message,
            kind=kind,
            details=details,
            author=author,
            expires_at=Message.objects.filter(pk=message.pk).values(until=F("sent_at") + lifetime)[:1].get()["until"],
        )
    ring_on_commit(TASK)
    action.refresh_from_db()
    return action
