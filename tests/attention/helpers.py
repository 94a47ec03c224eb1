"""What goes wrong in a unit."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from attention.models import Episode
from campaigns.models import Campaign
from messaging.models import Message, MessageMedia, MessageStatus
from outgoing_webhooks.models import OutgoingWebhook
from tests.factories import campaign, conversation, message
from units.models import ConnectionStatus, DisconnectCause, HeldFor, Unit, WhatsAppConnection
from webhooks.models import EventStatus, WebhookEvent

S = MessageStatus


def disconnect(unit: Unit, cause: str = DisconnectCause.LOGGED_OUT) -> None:
    WhatsAppConnection.objects.filter(unit=unit).update(
        status=ConnectionStatus.DISCONNECTED, cause=cause, phone_number="+5511900000142"
    )


def connect(unit: Unit) -> None:
    WhatsAppConnection.objects.filter(unit=unit).update(status=ConnectionStatus.CONNECTED, cause="")


def hold(unit: Unit) -> None:
    WhatsAppConnection.objects.filter(unit=unit).update(
        campaigns_held_at=timezone.now(), campaigns_held_for=HeldFor.FAILURES
    )


def unconfirmed(unit: Unit, text: str = "Marcado!", **fields: Any) -> Message:
    """Looked for in vain."""
    sent = timezone.now() - timedelta(minutes=40)
    return message(
        conversation(unit, name="Marina Alves"), text, out=True, status=S.UNCERTAIN, dispatched_at=sent, **fields
    )


def not_sent(unit: Unit, text: str = "Bom dia!", **fields: Any) -> Message:
    fields = {"status": S.FAILED, "error_code": "not_on_whatsapp"} | fields
    return message(conversation(unit, name="Caio Prado"), text, out=True, **fields)


def late(unit: Unit) -> Message:
    expires = timezone.now() + timedelta(hours=3)
    return message(conversation(unit), out=True, status=S.QUEUED, due_at=None, expires_at=expires, external_id=None)


def lost_file(unit: Unit) -> MessageMedia:
    heard = message(conversation(unit, name="Bia Reis"), kind="image")
    return MessageMedia.objects.create(unit=unit, message=heard, status="failed", error_code="gone", due_at=None)


def dead_letter(unit: Unit) -> WebhookEvent:
    return WebhookEvent.objects.create(
        connection=unit.connection,
        event="messages.upsert",
        body="{}",
        fingerprint=unit.pk.bytes * 2,
        status=EventStatus.DEAD,
        settled_at=timezone.now(),
    )


def stopped_campaign(unit: Unit, **fields: Any) -> Campaign:
    made = campaign(unit, people=2)
    Campaign.objects.filter(pk=made.pk).update(
        **{"status": "paused", "status_reason": "O número ficou fora por muito tempo."} | fields
    )
    return made


def webhook_off(unit: Unit, place: int = 0) -> OutgoingWebhook:
    return OutgoingWebhook.objects.create(
        unit=unit, url=f"https://erp.example.com/hook/{place}?key=segredo", secret="whsec_eA==", after_seq=0,
        is_active=False, failures=11, last_error="http_500",
    )  # fmt: skip


def everything(unit: Unit) -> None:
    """One of each kind."""
    disconnect(unit)
    hold(unit)
    unconfirmed(unit)
    not_sent(unit)
    late(unit)
    lost_file(unit)
    dead_letter(unit)
    stopped_campaign(unit)
    webhook_off(unit)


def kinds(unit: Unit, *, is_open: bool = True) -> list[str]:
    rows = Episode.objects.filter(unit=unit, ended_at__isnull=is_open)
    return sorted(rows.values_list("kind", flat=True))
