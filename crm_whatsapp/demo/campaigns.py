"""Campaigns of the demo shop: some that are over, one that stands still, one to write."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from campaigns import content
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService
from crm_whatsapp.demo.chats import CHANCE
from crm_whatsapp.demo.past import at, by
from messaging import people
from messaging.models import Contact, Conversation, ConversationStatus, Direction, Message, MessageStatus, Origin, Tag
from units.models import Unit, User

R = RecipientStatus
M = MessageStatus
# Slower than the number: so that a campaign lasts for a while.
INTERVAL: Final = 60
OPT_OUT_LINE: Final = "Para não receber mais, responda SAIR."
CHECK_UP: Final = (
    "{Oi|Olá}, {{ primeiro_nome | tudo bem }}! Faz um ano da sua última revisão de grau. Quer marcar um exame? "
    "É rapidinho, e este mês é por nossa conta."
)
SUN: Final = (
    "{Oi|Olá}, {{ primeiro_nome | tudo bem }}! O verão chegou na Ótica Aurora: óculos solares com 20% até sábado. "
    "Quer ver os modelos?"
)
# Nobody gets it by itself: a draft, to look at the rehearsal.
DRAFT: Final = (
    "{Oi|Olá}, {{ primeiro_nome | tudo bem }}! Esta semana as lentes multifocais estão com 30% de desconto "
    "aqui na Ótica Aurora. Quer que eu separe um horário?"
)
_RECEIPTS: Final = {M.DELIVERED: (("delivered_at", 6),), M.READ: (("delivered_at", 6), ("read_at", 900))}


def finished(unit: Unit, user: User, contacts: list[Contact], *, begins: datetime) -> list[CampaignRecipient]:
    """A campaign that went to all of `contacts`; those who got it."""
    with at(begins):
        campaign = _started(unit, user, "Revisão anual de grau", CHECK_UP, contacts)
    rows = _sent(campaign, len(contacts), begins=begins)
    ended = begins + timedelta(seconds=INTERVAL * len(contacts))
    Campaign.objects.filter(pk=campaign.pk).move_to(CampaignStatus.COMPLETED, finished_at=ended)
    return [row for row in rows if row.status != R.FAILED]


def held(unit: Unit, user: User, contacts: list[Contact], *, begins: datetime) -> None:
    """A campaign that stopped half-way, until a person lets it go on."""
    with at(begins):
        campaign = _started(unit, user, "Verão: solares com 20%", SUN, contacts)
    _sent(campaign, len(contacts) // 2, begins=begins)
    with at(begins + timedelta(minutes=len(contacts))), translation.override(settings.LANGUAGE_CODE):
        reason = _("The number was away for long. Resume the campaign, schedule it, or cancel it.")
        CampaignService(campaign).pause(reason)


def cancelled(unit: Unit, user: User, contacts: list[Contact], *, begins: datetime) -> None:
    """A campaign that somebody thought better of, before anybody got it."""
    with at(begins):
        campaign = _started(unit, user, "Dia das Crianças (texto antigo)", SUN, contacts)
        by(user, CampaignService(campaign).cancel)


def draft(unit: Unit, user: User) -> None:
    multifocal = Tag.objects.get(unit=unit, name="Multifocal")
    CampaignService.create(
        unit=unit,
        created_by=user,
        name="Multifocais com 30% (exemplo)",
        content=DRAFT,
        opt_out_line=OPT_OUT_LINE,
        audience={"tags": [str(multifocal.pk)]},
    )


def _started(unit: Unit, user: User, name: str, text: str, contacts: list[Contact]) -> Campaign:
    campaign = CampaignService.create(
        unit=unit,
        created_by=user,
        name=name,
        content=text,
        opt_out_line=OPT_OUT_LINE,
        interval_seconds=INTERVAL,
        contacts=contacts,
    )
    return by(user, CampaignService(campaign).dispatch)


def _sent(campaign: Campaign, count: int, *, begins: datetime) -> list[CampaignRecipient]:
    """The first recipients, with the message that each got, one a minute, and what became of it."""
    texts = content.Texts.of(campaign)
    rows = list(campaign.recipients.select_related("contact").order_by("id")[:count])
    messages = []
    for place, row in enumerate(rows):
        sent_at = begins + timedelta(seconds=INTERVAL * place + CHANCE.uniform(0, 15))
        status = CHANCE.choices([M.READ, M.DELIVERED, M.SENT, M.FAILED], [64, 26, 4, 6])[0]
        is_sent = status != M.FAILED
        chat = people.conversation_with(row.contact, status=ConversationStatus.RESOLVED)
        more: dict[str, Any] = {name: sent_at + timedelta(seconds=after) for name, after in _RECEIPTS.get(status, ())}
        messages.append(
            Message(
                unit_id=campaign.unit_id,
                connection=campaign.unit.connection,
                conversation=chat,
                direction=Direction.OUTBOUND,
                origin=Origin.CAMPAIGN,
                body=content.render(texts, row.contact, row.pk).text,
                external_id=f"3EB0{campaign.pk.hex[-8:].upper()}{place:010X}" if is_sent else None,
                status=status,
                error_code="" if is_sent else "not_on_whatsapp",
                happened_at=sent_at,
                dispatched_at=sent_at,
                sent_at=sent_at if is_sent else None,
                **more,
            )
        )
        row.status, row.variant = R(str(status)), 0
        row.sent_at = sent_at if is_sent else None
        row.error_message = None if is_sent else "not_on_whatsapp"
    for row, message in zip(rows, Message.objects.bulk_create(messages), strict=True):
        row.message = message
    CampaignRecipient.objects.bulk_update(rows, ["message", "status", "variant", "sent_at", "error_message"])
    Conversation.objects.filter(pk__in=[message.conversation_id for message in messages]).refresh_summary()
    return rows
