"""For each POST below a unit, a request that it accepts. A route that is missing here fails a test by its name."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.urls import resolve
from django.utils import timezone

from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService
from crm_whatsapp.db import ClockNow
from messaging import merging
from messaging.models import (
    Contact,
    ContactImport,
    ContactMerge,
    Conversation,
    ImportStatus,
    MediaStatus,
    MessageMedia,
    MessageStatus,
)
from tests import factories, files
from tests.access.routes import Route, model_of, unit_routes
from tests.access.world import Populated
from units.models import Membership, Role, User, WhatsAppConnection

CSV = b"Nome;Telefone\nBia;+55 11 91234-5678\n"


@dataclass
class Ask:
    """What to send; `ids` are those of the path that are not just any row of the unit."""

    body: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)
    # name → (file name, content): then it is a form.
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """Anew for each request: a file is read once."""
        opened = {}
        for name, (file_name, content) in self.files.items():
            opened[name] = io.BytesIO(content)
            opened[name].name = file_name
        return self.body | opened


def name_of(route: Route) -> str:
    some = dict.fromkeys(route.names, "00000000-0000-7000-8000-000000000000")
    return str(resolve(route.at(some)).url_name)


def posts() -> list[Route]:
    return [route for route in unit_routes() if "post" in route.methods]


def path_of(route: Route, whose: Populated, ask: Ask | None = None) -> str:
    known = {name: whose.ids[model] for name in route.names if (model := model_of(name)) in whose.ids}
    if "integration_id" in route.names:
        known["integration_id"] = integration(whose).pk
    return route.at(known | (ask.ids if ask else {}))


def integration(whose: Populated) -> Membership:
    """A program that works in the unit."""
    user = User.objects.create_integration("Loja virtual")
    return Membership.objects.create(unit=whose.unit, user=user, role=Role.AGENT)


def _chat(whose: Populated) -> Conversation:
    return factories.conversation(whose.unit, name="Caio")


def _heard(whose: Populated) -> dict[str, Any]:
    """A conversation in which the contact waits for an answer."""
    chat = _chat(whose)
    factories.message(chat, "Está aberto?")
    return {"conversation_id": chat.pk}


def _outbound(whose: Populated, **fields: Any) -> dict[str, Any]:
    return {"message_id": factories.message(_chat(whose), "Oi", out=True, **fields).pk}


def _campaign(whose: Populated, status: str = CampaignStatus.DRAFT, **fields: Any) -> dict[str, Any]:
    made = factories.campaign(whose.unit, people=1, start=False)
    Campaign.objects.filter(pk=made.pk).update(status=status, **fields)
    return {"campaign_id": made.pk}


def _running(whose: Populated) -> dict[str, Any]:
    return {"campaign_id": factories.campaign(whose.unit, people=1).pk}


def _paused(whose: Populated) -> dict[str, Any]:
    made = factories.campaign(whose.unit, people=1)
    CampaignService(made).pause()
    return {"campaign_id": made.pk}


def _failed_for_some(whose: Populated) -> dict[str, Any]:
    ids = _campaign(whose, CampaignStatus.COMPLETED)
    failed = CampaignRecipient.objects.filter(campaign=ids["campaign_id"])
    failed.update(status=RecipientStatus.FAILED, error_message="rejected")
    return ids


def _held(whose: Populated) -> Ask:
    WhatsAppConnection.objects.filter(unit=whose.unit).update(campaigns_held_at=ClockNow())
    return Ask()


def _merged(whose: Populated) -> dict[str, Any]:
    kept, absorbed = (factories.contact(whose.unit, name=name) for name in ("Bia", "Beatriz"))
    merging.merge(kept, absorbed, None)
    return {"merge_id": ContactMerge.objects.filter(unit=whose.unit).latest("id").pk}


def _failed_file(whose: Populated) -> dict[str, Any]:
    files = MessageMedia.objects.filter(unit=whose.unit)
    files.update(status=MediaStatus.FAILED, error="x", file="")
    return {"message_id": files.earliest("id").message_id}


def _import(whose: Populated) -> dict[str, Any]:
    row = ContactImport.objects.filter(unit=whose.unit).earliest("id")
    ContactImport.objects.filter(pk=row.pk).update(status=ImportStatus.WAITING)
    return {"import_id": row.pk}


def _two(whose: Populated) -> dict[str, str]:
    return {name: str(factories.contact(whose.unit).pk) for name in ("kept_id", "absorbed_id")}


TOMORROW = (timezone.now() + timedelta(days=1)).isoformat()
NEW_CAMPAIGN = {"name": "Natal", "content": "Oi", "phones": ["+5511912345678"]}

ASKS: dict[str, Callable[[Populated], Ask]] = {
    "members": lambda whose: Ask({"email": "nova@example.com", "role": "agent", "name": "Nova"}),
    "invite": lambda whose: Ask(),
    "integrations": lambda whose: Ask({"name": "Loja", "role": "agent"}),
    "integration-tokens": lambda whose: Ask({"name": "segundo"}),
    "contacts": lambda whose: Ask({"phone": "+5511912345678", "name": "Bia"}),
    "tag-contacts": lambda whose: Ask({"contacts": [str(whose.ids[Contact])], "add": ["Novo"]}),
    "contact-opt-out": lambda whose: Ask({"reason": "pediu"}, {"contact_id": factories.contact(whose.unit).pk}),
    "block": lambda whose: Ask({"reason": "pediu"}),
    "tags": lambda whose: Ask({"name": "Atacado"}),
    "attributes": lambda whose: Ask({"key": "tamanho", "name": "Tamanho", "kind": "text"}),
    "segments": lambda whose: Ask({"name": "Biancas", "filters": [{"field": "name", "op": "contains", "value": "Bi"}]}),
    "preview-segment": lambda whose: Ask({"filters": [{"field": "name", "op": "contains", "value": "Bi"}]}),
    "imports": lambda whose: Ask({"mapping": '{"Telefone": "phone"}'}, files={"file": ("pessoas.csv", CSV)}),
    "import-preview": lambda whose: Ask(files={"file": ("pessoas.csv", CSV)}),
    "cancel-import": lambda whose: Ask(ids=_import(whose)),
    "merges": lambda whose: Ask(_two(whose)),
    "undo-merge": lambda whose: Ask(ids=_merged(whose)),
    "read-conversation": lambda whose: Ask(ids=_heard(whose)),
    "unread-conversation": lambda whose: Ask(ids=_heard(whose)),
    "notes": lambda whose: Ask({"body": "Prefere à tarde"}),
    "labels": lambda whose: Ask({"name": "Orçamento"}),
    "canned-replies": lambda whose: Ask({"shortcut": "ola", "body": "Olá!"}),
    "settle-message": lambda whose: Ask(
        {"sent": True}, _outbound(whose, status=MessageStatus.UNCERTAIN, external_id=None)
    ),
    "send-message-again": lambda whose: Ask(ids=_outbound(whose, status=MessageStatus.UNCERTAIN, external_id=None)),
    "retry-message": lambda whose: Ask(ids=_outbound(whose, status=MessageStatus.FAILED, external_id=None)),
    "discard-message": lambda whose: Ask(ids=_outbound(whose, status=MessageStatus.FAILED, external_id=None)),
    "message-media-retry": lambda whose: Ask(ids=_failed_file(whose)),
    "edit-message": lambda whose: Ask({"text": "Olá"}, _outbound(whose, sent_at=timezone.now())),
    "typing": lambda whose: Ask(),
    "attachments": lambda whose: Ask(files={"file": ("foto.jpg", files.picture())}),
    "release-campaigns": lambda whose: _held(whose),
    "waiting": lambda whose: Ask({"action": "drop"}),
    "campaigns": lambda whose: Ask(NEW_CAMPAIGN),
    "new-campaign-audience": lambda whose: Ask({"everyone": True}),
    "new-campaign-rehearsal": lambda whose: Ask(NEW_CAMPAIGN),
    "campaign-rehearsal": lambda whose: Ask(ids=_campaign(whose)),
    "schedule-campaign": lambda whose: Ask({"scheduled_at": TOMORROW}, _campaign(whose)),
    "unschedule-campaign": lambda whose: Ask(
        ids=_campaign(whose, CampaignStatus.SCHEDULED, scheduled_at=timezone.now() + timedelta(days=1))
    ),
    "start-campaign": lambda whose: Ask(ids=_campaign(whose)),
    "pause-campaign": lambda whose: Ask(ids=_running(whose)),
    "resume-campaign": lambda whose: Ask(ids=_paused(whose)),
    "cancel-campaign": lambda whose: Ask(ids=_running(whose)),
    "retry-campaign": lambda whose: Ask(ids=_failed_for_some(whose)),
    "clone-campaign": lambda whose: Ask(ids=_campaign(whose)),
    "archive-campaign": lambda whose: Ask(ids=_campaign(whose)),
    "unarchive-campaign": lambda whose: Ask(ids=_campaign(whose, archived_at=timezone.now())),
    "replay-webhook-events": lambda whose: Ask({"since": "2026-01-01T00:00:00Z"}),
    "replay-webhook-event": lambda whose: Ask(),
    "webhooks": lambda whose: Ask({"url": "https://erp.example.com/hook", "kinds": ["message"]}),
    "test-webhook": lambda whose: Ask(),
    "rotate-webhook-secret": lambda whose: Ask(),
    "test-send-campaign": lambda whose: Ask({"phone": "+5511912345678"}, _campaign(whose)),
}
