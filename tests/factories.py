"""Rows and bodies that tests need, made as the product makes them."""

import itertools
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.services import CampaignService
from crm_whatsapp.db import ClockNow
from messaging import people
from messaging.contacts import consent
from messaging.models import (
    AddressKind,
    Contact,
    Conversation,
    Direction,
    Message,
    MessageStatus,
    OptOutSource,
    Origin,
    Tag,
)
from messaging.outgoing.contents import Text
from messaging.outgoing.queueing import queue
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
    """Somebody with a number that WhatsApp is known to know."""
    made = people.contact_by_phone(unit, phone or f"+55119{next(_numbers):08d}", name)
    made.addresses.filter(checked_at=None).update(checked_at=ClockNow())
    return made


def conversation(unit: Unit, **options: Any) -> Conversation:
    return people.conversation_with(contact(unit, **options))


def group(unit: Unit, *, name: str = "Time da loja") -> Conversation:
    """The conversation with a group."""
    made = Contact.objects.create(unit=unit, name=name, is_group=True)
    jid = f"1203630000000{next(_numbers):05d}"
    made.addresses.create(unit=unit, kind=AddressKind.GROUP, value=jid, jid=f"{jid}@g.us")
    return people.conversation_with(made)


def message(
    conversation: Conversation, body: str = "Oi", *, out: bool = False, minutes_ago: float = 0, **fields: Any
) -> Message:
    """A message of the conversation, received or sent by a person, with the inbox's summary of it."""
    defaults: dict[str, Any] = {
        "direction": Direction.OUTBOUND if out else Direction.INBOUND,
        "origin": Origin.REPLY if out else Origin.CONTACT,
        "status": MessageStatus.SENT if out else MessageStatus.RECEIVED,
        "external_id": f"3A{next(_numbers):018d}",
        "happened_at": timezone.now() - timedelta(minutes=minutes_ago),
    }
    with transaction.atomic():
        row = Message.objects.create(
            unit_id=conversation.unit_id,
            connection=conversation.unit.connection,
            conversation=conversation,
            body=body,
            **defaults | fields,
        )
        Conversation.objects.filter(pk=conversation.pk).refresh_summary()
    return row


def reaction(to: Message, emoji: str = "👍", **fields: Any) -> Message:
    """A reaction that hangs on `to`; an empty one takes back what its author hung there."""
    return message(to.conversation, emoji, kind="reaction", target_external_id=to.external_id, **fields)


def vote(poll: Message, *options: str, **fields: Any) -> Message:
    """A vote in a poll."""
    told: dict[str, Any] = {"target_external_id": poll.external_id, "details": {"votes": list(options)}}
    return message(poll.conversation, ", ".join(options), kind="poll_vote", **told, **fields)


def reply(unit: Unit, text: str = "Bom dia!", to: Conversation | None = None) -> Message:
    """A queued reply."""
    return queue(conversation=to or conversation(unit), content=Text(text), author=None)


def campaign(unit: Unit, *, people: int = 3, start: bool = True) -> Campaign:
    """A campaign to new contacts."""
    made = CampaignService.create(
        unit=unit,
        name="Volta às aulas",
        content="Lentes com 30%",
        contacts=[contact(unit) for _ in range(people)],
    )
    return CampaignService(made).dispatch() if start else made


def tag(unit: Unit, name: str, *contacts: Contact) -> Tag:
    """A tag that these contacts have."""
    made = Tag.objects.create(unit=unit, name=name)
    for one in contacts:
        made.contact_tags.create(unit=unit, contact=one)
    return made


def opt_out(contact: Contact) -> None:
    """Somebody of the unit's staff notes that `contact` wants no campaigns."""
    consent.opt_out(contact, source=OptOutSource.STAFF)
