"""A unit with one row of each kind, and a member of the staff who may do everything."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from attention.models import Episode
from campaigns.models import Campaign, CampaignRecipient
from messaging.models import (
    AddressKind,
    Attachment,
    AttributeDefinition,
    CannedReply,
    ChatAction,
    Contact,
    ContactAddress,
    ContactImport,
    ContactMerge,
    ContactTag,
    Conversation,
    FailedAttempt,
    Label,
    Message,
    MessageMedia,
    Note,
    OptOut,
    Segment,
    SendLane,
    Tag,
)
from outgoing_webhooks.models import OutgoingWebhook
from units import audit
from units.models import ApiToken, AuditAction, Membership, Unit, User
from units.services import create_unit
from webhooks.models import Completeness, WebhookEvent


@dataclass
class Rows:
    unit: Unit
    contact: Contact
    conversation: Conversation
    message: Message
    campaign: Campaign
    recipient: CampaignRecipient
    event: WebhookEvent


def make_rows(name: str, number: int) -> Rows:
    """A unit called `name` and one row of everything; `number` makes the phone numbers differ."""
    unit = create_unit(name)
    agent = User.objects.create_user(f"agent{number}@example.com")
    Membership.objects.create(unit=unit, user=agent)
    ApiToken.mint(agent, "CRM")
    audit.record(unit.pk, AuditAction.MEMBER_ADDED, agent)
    Group.objects.create(name=f"Support {number}")
    contact = Contact.objects.create(unit=unit, name=f"Ana {number}")
    ContactAddress.objects.create(unit=unit, contact=contact, kind=AddressKind.PHONE, value=f"+5511912{number:06d}")
    ContactTag.objects.create(unit=unit, contact=contact, tag=Tag.objects.create(unit=unit, name=f"VIP {number}"))
    AttributeDefinition.objects.create(unit=unit, key=f"city{number}", name="City")
    ContactImport.objects.create(unit=unit, file_name=f"customers{number}.csv", file="imports/a.csv", size=1)
    Segment.objects.create(unit=unit, name=f"Good customers {number}")
    conversation = Conversation.objects.create(unit=unit, contact=contact, assigned_to=agent)
    message = Message.objects.create(
        unit=unit,
        connection=unit.connection,
        conversation=conversation,
        direction="outbound",
        origin="reply",
        external_id=f"3EB0{number}",
        body="Good morning",
        status="sent",
        author=agent,
    )
    ChatAction.objects.create(
        unit=unit,
        connection=unit.connection,
        conversation=conversation,
        message=message,
        kind="edit",
        details={"text": "Good evening"},
        author=agent,
        status="failed",
        error_code="rejected",
        expires_at=timezone.now(),
    )
    Attachment.objects.create(
        unit=unit,
        created_by=agent,
        kind="image",
        name=f"poster{number}.png",
        file=f"attachments/poster{number}.png",
        mime_type="image/png",
        size=48_000,
        sha256=f"{number:064x}",
    )
    ContactMerge.objects.create(unit=unit, kept=contact, absorbed_id=uuid4(), absorbed_name=f"Ana Maria {number}")
    Label.objects.create(unit=unit, name=f"Returns {number}")
    CannedReply.objects.create(unit=unit, shortcut=f"hours{number}", body="From 9 to 18")
    Note.objects.create(unit=unit, conversation=conversation, author=agent, body="Prefers afternoons")
    FailedAttempt.objects.create(unit=unit, message=message, number=1, outcome="NotSent", code="not_sent")
    SendLane.objects.get_or_create(connection=unit.connection)
    campaign = Campaign.objects.create(unit=unit, name=f"Winter {number}", content="Hello", created_by=agent)
    recipient = CampaignRecipient.objects.create(unit=unit, campaign=campaign, contact=contact, message=message)
    Completeness.objects.create(connection=unit.connection)
    event = WebhookEvent.objects.create(
        connection=unit.connection,
        event="messages.upsert",
        body='{"data": {"a": "<b>"}}',
        fingerprint=number.to_bytes(32, "big"),
        status="dead",
        reason="ValueError",
    )
    MessageMedia.objects.create(unit=unit, message=message, status="failed", error_code="gone")
    OptOut.objects.create(unit=unit, kind=AddressKind.PHONE, value=f"+5511933{number:06d}", source="staff", by=agent)
    Episode.objects.create(unit=unit, kind="dead_letters", object_id=unit.pk)
    OutgoingWebhook.objects.create(unit=unit, url=f"https://erp{number}.example.com/", secret="s", after_seq=0)
    return Rows(unit, contact, conversation, message, campaign, recipient, event)


def stated(page: Client, address: str) -> dict[str, Any]:
    """What a yes to the dialog at `address` sends, as it is shown now."""
    hidden = re.findall(r'name="(people|seen)" value="([^"]*)"', page.get(address).content.decode())
    return {"_form_submitted": "on"} | dict(hidden)


@pytest.fixture
def rows(db: Any) -> Rows:
    return make_rows("Loja Centro", 1)


@pytest.fixture
def staff(db: Any) -> User:
    return User.objects.create_superuser("staff@example.com")


@pytest.fixture
def page(client: Client, staff: User) -> Client:
    """A browser in which `staff` is logged in."""
    client.force_login(staff)
    return client
