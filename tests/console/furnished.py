"""A unit with one of everything that its pages can show, and one with nothing."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from attention import episodes
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from messaging.models import (
    ContactImport,
    Conversation,
    ConversationLabel,
    ConversationStatus,
    ImportStatus,
    Label,
    MediaStatus,
    Message,
    MessageMedia,
    MessageStatus,
    Note,
    Origin,
)
from outgoing_webhooks.models import OutgoingWebhook
from tests import factories
from tests.access.world import Populated, populate
from tests.attention import helpers as troubles
from tests.console.test_kinds import KINDS
from tests.files import picture
from units.models import ConnectionStatus, DisconnectCause, HeldFor, Role, Unit, User, WhatsAppConnection
from units.services import create_unit

# Where a template is careless, this is too long for its place.
LONG = "Maria das Graças Conceição de Albuquerque Cavalcanti e Vasconcelos"
# In Portuguese and without a word of the interface.
TEXT = "Chegou a armação que você reservou. Passa aqui até sábado? 😊"


@dataclass(frozen=True)
class Furnished:
    """`full` has everything; its owner also owns `empty`, where nothing has happened yet."""

    full: Populated
    empty: Unit
    owner: User
    # The conversation with a message of every kind and state.
    chat: Conversation
    campaigns: dict[CampaignStatus, UUID]
    imports: dict[ImportStatus, UUID]
    # The message with a file.
    pictured: UUID
    # Units of the owner, by what is up with their numbers.
    numbers: dict[str, Unit]


def furnish() -> Furnished:
    full = populate("Jacarandá", "cheia")
    owner = full.people[Role.OWNER]
    _sort_inbox(full.unit, owner)
    chat = _every_message(full.unit, owner)
    campaigns = {status: _campaign(full.unit, status, owner) for status in CampaignStatus}
    imports = {status: _import(full.unit, status, owner) for status in ImportStatus}
    pictured = MessageMedia.objects.filter(unit=full.unit, status=MediaStatus.STORED).earliest("id").message_id
    troubles.everything(full.unit)
    troubles.connect(full.unit)
    episodes.observe(full.unit.pk)
    webhook = OutgoingWebhook.objects.create(
        unit=full.unit,
        url="https://sistema.example.com/" + "gancho/" * 12,
        secret="x" * 32,
        after_seq=0,
        created_by=owner,
        failures=3,
        last_error="HTTP 500",
    )
    full.ids[OutgoingWebhook], full.ids[Conversation] = webhook.pk, chat.pk
    full.ids[Message] = chat.messages.filter(direction="outbound").earliest("happened_at").pk
    full.ids[Note] = chat.notes.earliest("id").pk
    full.ids["other_id"] = factories.contact(full.unit, name=LONG).pk
    full.ids[Campaign] = campaigns[CampaignStatus.PROCESSING]
    empty = create_unit("Loja vazia", owner=owner)
    return Furnished(full, empty, owner, chat, campaigns, imports, pictured, _numbers(owner))


def _sort_inbox(unit: Unit, owner: User) -> None:
    """Rows of the list in every state."""
    label = Label.objects.filter(unit=unit).earliest("id")
    for number, status in enumerate(ConversationStatus):
        row = factories.conversation(unit, name=f"{LONG} {number}")
        factories.message(row, f"{TEXT} " * 6, minutes_ago=60 * number + 30)
        ConversationLabel.objects.create(unit=unit, conversation=row, label=label)
        fields: dict[str, Any] = {"status": status, "assigned_to": owner if number % 2 else None}
        if status == ConversationStatus.SNOOZED:
            fields["snoozed_until"] = timezone.now() + timedelta(days=1)
        Conversation.objects.filter(pk=row.pk).update(**fields)
    group = factories.group(unit)
    factories.message(group, TEXT, sender=factories.contact(unit, name="Rui"))


def _every_message(unit: Unit, owner: User) -> Conversation:
    chat = factories.conversation(unit, name=LONG)
    for number, (kind, text, details, _words, _preview) in enumerate(KINDS):
        # A team, in English something else.
        said = text.replace("Time", "Turma")
        factories.message(chat, said, kind=kind, details=details, minutes_ago=3000 - number)
    sent = [
        factories.message(
            chat, TEXT, out=True, status=status, author=owner, minutes_ago=900 - number, dispatched_at=timezone.now()
        )
        for number, status in enumerate(MessageStatus)
        if status != MessageStatus.RECEIVED
    ]
    factories.message(chat, "palavra" * 60, minutes_ago=20)
    factories.message(chat, "Sobre isto", minutes_ago=19, reply_to_external_id=sent[0].external_id)
    for number, origin in enumerate((Origin.CAMPAIGN, Origin.PHONE, Origin.GATEWAY)):
        factories.message(chat, TEXT, out=True, origin=origin, minutes_ago=18 - number)
    changed = factories.message(chat, TEXT, minutes_ago=9)
    Message.objects.filter(pk=changed.pk).update(edited_at=changed.created_at)
    gone = factories.message(chat, TEXT, minutes_ago=8)
    Message.objects.filter(pk=gone.pk).update(deleted_at=gone.created_at)
    factories.reaction(changed, "❤️")
    Note.objects.create(unit=unit, conversation=chat, author=owner, body="Cliente prefere a armação azul.")
    return chat


def _campaign(unit: Unit, status: CampaignStatus, owner: User) -> UUID:
    made = factories.campaign(unit, people=2 * len(RecipientStatus), start=status != CampaignStatus.DRAFT)
    now = timezone.now()
    Campaign.objects.filter(pk=made.pk).update(
        name=f"Volta às aulas {LONG}",
        content=f"{{Oi|Olá}}, {{{{ primeiro_nome | tudo bem }}}}! {TEXT}",
        status=status,
        created_by=owner,
        scheduled_at=now + timedelta(days=2) if status == CampaignStatus.SCHEDULED else None,
    )
    if status not in (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED):
        rows = CampaignRecipient.objects.filter(campaign=made).order_by("id")
        for row, state in zip(rows, list(RecipientStatus) * 2, strict=False):
            CampaignRecipient.objects.filter(pk=row.pk).update(status=state)
    return made.pk


def _import(unit: Unit, status: ImportStatus, owner: User) -> UUID:
    like = ContactImport.objects.filter(unit=unit).earliest("id")
    like.pk = None
    like._state.adding = True
    like.status = status
    like.file_name = "clientes da matriz e das filiais, planilha definitiva (2).csv"
    like.save()
    return like.pk


def _numbers(owner: User) -> dict[str, Unit]:
    states: dict[str, dict[str, Any]] = {
        "preparing": {"status": ConnectionStatus.PREPARING},
        "code": {
            "status": ConnectionStatus.AWAITING_SCAN,
            "qr_code": f"data:image/png;base64,{b64encode(picture('PNG', (8, 8), '#000000')).decode()}",
            "pairing_code": "ABCD1234",
            "qr_expires_at": timezone.now() + timedelta(hours=1),
        },
        "connecting": {"status": ConnectionStatus.CONNECTING},
        "held": factories.CONNECTED | {"campaigns_held_at": timezone.now(), "campaigns_held_for": HeldFor.FAILURES},
    }
    states |= {
        cause: {"status": ConnectionStatus.DISCONNECTED, "cause": cause, "phone_number": "+5511900000009"}
        for cause in DisconnectCause
        if cause
    }
    made: dict[str, Unit] = {}
    for name, state in states.items():
        made[name] = create_unit(f"Loja {len(made) + 1}", owner=owner)
        WhatsAppConnection.objects.filter(unit=made[name]).update(**state)
    return made
