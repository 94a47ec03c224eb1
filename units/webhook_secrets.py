"""The address that a gateway posts to: it ends in a secret, of which only the hash is kept."""

from datetime import timedelta
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from crm_whatsapp.db import ClockNow
from units import audit
from units.crypto import sha256
from units.gateways.errors import GatewayError
from units.gateways.evolution import EvolutionService
from units.models import AuditAction, Unit, WebhookSecret, WhatsAppConnection

log = structlog.get_logger(__name__)

WEBHOOK_PATH = "/webhooks/whatsapp/evolution/"
# The second secret, the same for all connections (settings.EVOLUTION_WEBHOOK_HEADER_SECRETS).
HEADER = "X-Webhook-Secret"
# A secret this young may be on its way to the gateway: connecting, waiting for an answer, and some to spare.
RENEWAL_TAKES = timedelta(seconds=90)


class RenewedJustNow(Exception):
    """The secret is being renewed, or was a moment ago and the gateway did not answer."""


def webhook_url(secret: str) -> str:
    return settings.PUBLIC_URL + WEBHOOK_PATH + secret


def webhook_headers() -> dict[str, str]:
    """What the gateway is told to send with each event."""
    secrets = settings.EVOLUTION_WEBHOOK_HEADER_SECRETS
    return {HEADER: secrets[0]} if secrets else {}


def is_ours(url: str) -> bool:
    """Whether it is an address of this installation; its secret may be wrong."""
    return url.startswith(settings.PUBLIC_URL + WEBHOOK_PATH)


def secret_in(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]


def renew(unit: Unit) -> None:
    """Have the gateway post to an address with a new secret; the one before opens until the next renewal.

    1. Ask which address is registered. Nothing has changed when the gateway does not answer.
    2. Mint the new secret beside the registered one. One that was never registered goes first: as the newest two open,
       it would push the registered one out, and the events with it.
    3. Register. Until the gateway has taken it, and if it does not, it posts to the address before, which opens.

    Raises GatewayError (InstanceMissing: the number is not set up), and RenewedJustNow.
    """
    gateway = EvolutionService(unit.connection.instance_name)
    webhook = gateway.find_webhook()
    registered = sha256(secret_in(webhook.url)) if webhook else b""
    with transaction.atomic():
        # Of two who renew at once the second finds the secret of the first, which is not what he was told.
        connection = WhatsAppConnection.objects.select_for_update(no_key=True).get(unit=unit)
        secrets = connection.webhook_secrets.annotate(age=ClockNow() - F("created_at"))
        newest = secrets.order_by("-created_at", "-id").first()
        if newest and bytes(newest.sha256) != registered:
            if newest.age < RENEWAL_TAKES:
                raise RenewedJustNow
            newest.delete()
        secret = WebhookSecret.mint(connection)
        audit.record(unit.pk, AuditAction.SECRET_ROTATED, connection)
    try:
        gateway.set_webhook(url=webhook_url(secret), headers=webhook_headers())
    except GatewayError as error:
        log.warning("webhook_secret_not_registered", unit_id=str(unit.pk), error=str(error))
        raise
