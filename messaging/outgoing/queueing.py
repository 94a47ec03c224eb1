"""The one way in for what a person sends, of whatever kind: a row that waits for its lane."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from messaging import lanes, people
from messaging.events import MessageKind
from messaging.models import (
    Attachment,
    Conversation,
    Direction,
    MediaStatus,
    Message,
    MessageMedia,
)
from messaging.outgoing.contents import Content, Row
from messaging.outgoing.errors import CannotQueue, KeyReused
from messaging.services import changes_of
from units import live
from units.models import User, WhatsAppConnection

# So much of a quoted text goes along; no phone shows more of it.
MAX_QUOTED = 1_024


def queue(
    *,
    conversation: Conversation,
    content: Content,
    author: User | None,
    reply_to: Message | None = None,
    idempotency_key: str | None = None,
    fingerprint: str = "",
) -> Message:
    """Accept what a person sends. It is committed with the transaction and goes before campaigns.

    With an `idempotency_key`, the same again is the message that the first made; another raises KeyReused.
    `fingerprint` tells requests apart; without one the content itself does. Raises CannotQueue for what WhatsApp would
    not take (`contents`), a quoted message that is not of this chat or has not been sent, a unit without a number, and
    a contact who is blocked or has no address.
    """
    row = content.row()
    if row.attachment and row.attachment.unit_id != conversation.unit_id:
        raise CannotQueue(_("There is no such file."))
    if conversation.contact.blocked_at is not None:
        raise CannotQueue(_("This contact is blocked. Unblock them to write to them."))
    address = people.send_address(conversation.contact)
    if address is None:
        raise CannotQueue(_("This contact has no number to send to."))
    connection = WhatsAppConnection.objects.filter(unit_id=conversation.unit_id).first()
    if connection is None:
        raise CannotQueue(_("This unit has no WhatsApp number yet. Connect one first."))
    if idempotency_key is not None:
        fingerprint = fingerprint or _fingerprint(row, reply_to)
    try:
        with transaction.atomic():
            message, made = _made_once(
                idempotency_key,
                fingerprint,
                author=author,
                **lanes.queued(connection, conversation, address),
                **_columns(conversation, row, reply_to),
            )
            if made:
                if row.attachment:
                    attach([(message.pk, row.attachment)])
                Conversation.objects.filter(pk=conversation.pk).refresh_summary()
                lanes.wake([connection.id])
                # What hangs on a message is shown with it.
                live.publish(changes_of([row.target or message]))
    except IntegrityError:
        if Conversation.objects.filter(pk=conversation.pk).exists():
            raise
        # The contact has just been merged into another, and the chat with it: it goes there.
        return queue(
            conversation=people.conversation_with(conversation.contact),
            content=content,
            author=author,
            reply_to=reply_to and Message.objects.get(pk=reply_to.pk),
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
        )
    message.refresh_from_db()
    return message


def made_before(unit_id: UUID, idempotency_key: str, fingerprint: str) -> Message | None:
    """The message that this request has made already, if it has. Raises KeyReused when the key stands for another."""
    message = Message.objects.filter(unit_id=unit_id, idempotency_key=idempotency_key).first()
    if message and message.details.get("request") != fingerprint:
        raise KeyReused
    return message


def attach(files: Iterable[tuple[UUID, Attachment]]) -> None:
    """Give messages of ours their file (message's id, attachment), in the transaction that makes the messages."""
    MessageMedia.objects.bulk_create(
        MessageMedia(
            unit_id=attachment.unit_id,
            message_id=message_id,
            attachment=attachment,
            status=MediaStatus.STORED,
            file=attachment.file.name,
            thumbnail=attachment.thumbnail.name,
            mime_type=attachment.mime_type,
            size=attachment.size,
            sha256=attachment.sha256,
            width=attachment.width,
            height=attachment.height,
            due_at=None,
        )
        for message_id, attachment in files
    )


def require_sent(message: Message, conversation: Conversation) -> None:
    """Raises CannotQueue for a message that is not of this chat, or that WhatsApp does not know (any more)."""
    if message.conversation_id != conversation.pk:
        raise CannotQueue(_("That message is not in this conversation."))
    # "~" stands for a message that came without an id.
    if not message.external_id or message.external_id.startswith("~"):
        raise CannotQueue(_("That message has not been sent yet."))
    if message.deleted_at is not None:
        raise CannotQueue(_("That message was deleted."))


def _columns(conversation: Conversation, row: Row, reply_to: Message | None) -> dict[str, Any]:
    """What the content and the quote make of a message."""
    columns: dict[str, Any] = {"kind": row.kind, "body": row.body, "details": row.details}
    if row.target:
        require_sent(row.target, conversation)
        if row.target.kind == MessageKind.REACTION:
            raise CannotQueue(_("A reaction goes on a message."))
        columns["target_external_id"] = row.target.external_id
        columns["details"] = row.details | {"target": _whose(row.target)}
    if reply_to:
        require_sent(reply_to, conversation)
        if not row.can_quote:
            raise CannotQueue(_("A voice note or reaction cannot quote a message."))
        columns["reply_to_external_id"] = reply_to.external_id
        told = {"kind": reply_to.kind, "text": reply_to.body[:MAX_QUOTED], **_whose(reply_to)}
        columns["details"] = row.details | {"quoted": told}
    return columns


def _whose(message: Message) -> dict[str, Any]:
    """Who wrote a message; in a group by name, as WhatsApp finds it there by both."""
    from_me = message.direction == Direction.OUTBOUND
    address = None if from_me or message.sender is None else people.send_address(message.sender)
    participant = lanes.recipient_of(address) if address else ""
    if participant and "@" not in participant:
        participant += "@s.whatsapp.net"
    return {"from_me": from_me} | ({"participant": participant} if participant else {})


def _fingerprint(row: Row, reply_to: Message | None) -> str:
    attachment, target = row.attachment, row.target
    parts = [
        row.kind,
        row.body,
        row.details,
        attachment and attachment.pk,
        target and target.pk,
        reply_to and reply_to.pk,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _made_once(idempotency_key: str | None, fingerprint: str, **fields: Any) -> tuple[Message, bool]:
    """A new message, or the one that the key stands for already, and whether it is new. Raises KeyReused."""
    if idempotency_key is None:
        return Message.objects.create(**fields), True
    key = {"unit_id": fields.pop("unit_id"), "idempotency_key": idempotency_key}
    # Not compared with the row itself: a message may be edited later.
    fields["details"] |= {"request": fingerprint}
    message, made = Message.objects.get_or_create(**key, defaults=fields)
    if not made and (message.conversation_id, message.details.get("request")) != (
        fields["conversation"].pk,
        fingerprint,
    ):
        raise KeyReused
    return message, made
