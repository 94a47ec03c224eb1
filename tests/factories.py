"""Rows and bodies that tests need, made as the product makes them."""

import itertools
import json
from pathlib import Path
from typing import Any

from campaigns.models import Campaign
from campaigns.services import CampaignService
from messaging import people, services
from messaging.models import Contact, Conversation, Message
from units.models import ConnectionStatus, Unit, WebhookSecret, WhatsAppConnection

RECORDINGS = Path(__file__).parent / "evolution"
CONNECTED = {
    "status": ConnectionStatus.CONNECTED,
    "phone_number": "+5511900000009",
    "profile_name": "Ótica Aurora",
}

_numbers = itertools.count(1)


def recording(kind: str, name: str) -> dict[str, Any]:
    """A recording by `kind` (requests, webhooks or payloads) and file name without `.json`."""
    return json.loads((RECORDINGS / kind / f"{name}.json").read_text())


def webhook(name: str, connection: WhatsAppConnection, **data: Any) -> dict[str, Any]:
    """The body of a recorded webhook, as sent by `connection`'s instance, with members of `data` replaced."""
    body = recording("webhooks", name)["body"]
    body["instance"] = connection.instance_name
    if data:
        body["data"] = body["data"] | data
    return body


def inbound_text(connection: WhatsAppConnection, *, phone: str, text: str, external_id: str) -> dict[str, Any]:
    """A recorded inbound text, with another sender, text and id."""
    body = webhook("baileys-messages.upsert-in-text-1st", connection)
    body["data"]["key"] |= {"remoteJid": f"{phone}@s.whatsapp.net", "id": external_id}
    body["data"]["message"] = {"conversation": text}
    return body


def hook(connection: WhatsAppConnection) -> str:
    """A fresh webhook address of `connection`."""
    return f"/webhooks/whatsapp/evolution/{WebhookSecret.mint(connection)}"


def contact(unit: Unit, *, phone: str | None = None, name: str = "") -> Contact:
    return people.contact_by_phone(unit, phone or f"+55119{next(_numbers):08d}", name)


def conversation(unit: Unit, **options: Any) -> Conversation:
    return people.conversation_with(contact(unit, **options))


def reply(unit: Unit, text: str = "Bom dia!", to: Conversation | None = None) -> Message:
    """A queued reply."""
    return services.queue_text(conversation=to or conversation(unit), text=text, author=None)


def campaign(unit: Unit, *, people: int = 3, start: bool = True) -> Campaign:
    """A campaign to new contacts."""
    made = CampaignService.create(
        unit=unit,
        name="Volta às aulas",
        content="Lentes com 30%",
        contacts=[contact(unit) for _ in range(people)],
    )
    return CampaignService(made).dispatch() if start else made
