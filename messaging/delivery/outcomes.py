"""What became of the sends: written within moments of the answer."""

from datetime import timedelta
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from crm_whatsapp.bell import ring_on_commit
from crm_whatsapp.db import ClockNow
from messaging import lanes
from messaging.delivery.send import Send
from messaging.models import AddressKind, ContactAddress, Conversation, Message, MessageQuerySet, MessageStatus, Origin
from messaging.services import moved_outbound
from units import live
from units.gateways.errors import Disconnected, GatewayError, NotOnWhatsApp, NotSent, Rejected
from units.gateways.evolution import SentMessage
from units.models import WhatsAppConnection

log = structlog.get_logger(__name__)

S = MessageStatus

# What WhatsApp has against a message or its number may pass, but not for ever. Whatever else keeps a message from being
# sent is about the server or the connection, and all messages wait for it to end.
OF_THIS_MESSAGE = frozenset({"number_check_timed_out", "media_upload_failed"})
MAX_ATTEMPTS = 6
RETRY_FIRST, RETRY_MOST = timedelta(seconds=5), timedelta(minutes=5)


def record(sends: list[Send]) -> None:
    """Write what became of `sends`, and free their lanes for the next."""
    if not sends:
        return
    with transaction.atomic():
        moved = [send for send in sends if _record_one(send)]
        changes = moved_outbound([send.message_id for send in moved])
        # Asked of the messages: a merge may have moved them to another chat while they were under way.
        chats = Message.objects.filter(id__in=[send.message_id for send in moved]).values("conversation_id")
        Conversation.objects.filter(id__in=chats).refresh_summary()
        lanes.free(
            [
                lanes.Held(
                    send.connection_id,
                    send.token,
                    answered=send.was_answered,
                    uncounted=send.origin == Origin.CAMPAIGN and send.certainly_not_sent,
                )
                for send in sends
            ]
        )
        live.publish(changes)


def _record_one(send: Send) -> bool:
    """Move the message by its outcome; False when it was no longer ours to move."""
    ours = Message.objects.filter(id=send.message_id, claim_token=send.token)
    match send.outcome:
        case SentMessage() as sent:
            return _record_sent(send, sent)
        case Disconnected() as error:
            WhatsAppConnection.objects.filter(id=send.connection_id).update(check_due_at=ClockNow())
            ring_on_commit("units.tasks.reconcile_connections")
            moved = ours.move_to(S.QUEUED, claim_token=None, due_at=ClockNow() + RETRY_FIRST)
        case NotSent() as error if send.attempts + 1 >= MAX_ATTEMPTS and error.code in OF_THIS_MESSAGE:
            moved = ours.move_to(S.FAILED, error_code=error.code, error=error.answer)
        case NotSent() as error:
            wait_for = min(RETRY_FIRST * 2 ** min(send.attempts, 10), RETRY_MOST)
            moved = ours.move_to(S.QUEUED, claim_token=None, due_at=ClockNow() + wait_for)
        case Rejected() as error:
            moved = ours.move_to(S.FAILED, error_code=error.code, error=error.answer)
            if isinstance(error, NotOnWhatsApp):
                _addresses(send).filter(kind=AddressKind.PHONE).update(not_on_whatsapp_at=ClockNow())
        case GatewayError() as error:
            moved = ours.move_to(S.UNCERTAIN, error_code="unconfirmed", error=error.answer)
        case None:
            raise AssertionError("recorded before its outcome was known")
    # Not what the gateway said: that has the customer's number in it, and is kept on the message.
    log.info(
        "send_failed",
        message_id=str(send.message_id),
        outcome=type(error).__name__,
        code=error.code,
        status=error.status,
    )
    return bool(moved)


def _record_sent(send: Send, sent: SentMessage) -> bool:
    ours = Message.objects.filter(id=send.message_id, claim_token=send.token)
    values = {
        "external_id": sent.external_id,
        "sent_at": ClockNow(),
        "receipt_due_at": ClockNow() + Message.RECEIPT_PATIENCE,
        "error_code": "",
        "error": "",
    }
    if send.origin == Origin.CAMPAIGN:
        # In the chat it stands where it was sent, not where it was planned.
        values["happened_at"] = ClockNow()
    try:
        with transaction.atomic():
            moved = ours.move_to(S.SENT, **values)
    except IntegrityError:
        moved = _replace_twin(send, sent, ours, values)
    # The JID of the answer is the canonical one, and may differ from the number that was asked for.
    if sent.jid:
        kind = AddressKind.LID if sent.jid.endswith("@lid") else AddressKind.PHONE
        _addresses(send).filter(kind=kind).exclude(jid=sent.jid).update(jid=sent.jid, jid_at=ClockNow())
    log.info("sent", message_id=str(send.message_id), external_id=sent.external_id)
    return bool(moved)


def _replace_twin(send: Send, sent: SentMessage, ours: MessageQuerySet, values: dict[str, Any]) -> int:
    """Something else told of this message first, and it was taken for one typed on the phone. The answer wins.

    What has become of it since then is ours.
    """
    rows = Message.objects.filter(connection_id=send.connection_id, external_id=sent.external_id)
    twin = rows.filter(origin__in=[Origin.PHONE, Origin.GATEWAY]).select_for_update().first()
    if twin is None:
        return 0
    twin.delete()
    moved = ours.move_to(S.SENT, **values)
    if moved and twin.status != S.SENT:
        times = {name: getattr(twin, name) for name in ("delivered_at", "read_at", "played_at")}
        ours.move_to(twin.status, error_code=twin.error_code, error=twin.error, **times)
    if moved and twin.deleted_at:
        ours.update(deleted_at=twin.deleted_at)
    if moved and twin.edited_at:
        ours.update(edited_at=twin.edited_at, body=twin.body, details=twin.details)
    Conversation.objects.filter(id=twin.conversation_id).refresh_summary()
    return moved


def _addresses(send: Send) -> QuerySet[ContactAddress]:
    contact = Message.objects.filter(id=send.message_id).values("conversation__contact_id")
    return ContactAddress.objects.filter(contact_id__in=contact)
