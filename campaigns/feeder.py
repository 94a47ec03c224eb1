"""Keeps the lanes of sending campaigns fed, a little ahead: no more than a pause has to take back."""

from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, Q

from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from campaigns.services import UNFINISHED, CampaignService, NotPossible, change_of
from crm_whatsapp.db import ClockNow
from messaging import lanes, people
from messaging.contacts import consent
from messaging.models import (
    ContactAddress,
    ConversationStatus,
    Direction,
    Message,
    MessageStatus,
    Origin,
)
from units import live
from units.models import WhatsAppConnection

log = structlog.get_logger(__name__)

C = CampaignStatus
R = RecipientStatus

# Messages of one campaign that may go as soon as the lane is free …
AHEAD = 2
# … and with those that must wait for their chat to be settled, or for another attempt.
AHEAD_MOST = 50


def start_due() -> int:
    """Start scheduled campaigns whose time has come, also when nobody was there at that time; the number of them."""
    started = 0
    for campaign in Campaign.objects.filter(status=C.SCHEDULED, scheduled_at__lte=ClockNow()):
        try:
            CampaignService(campaign).dispatch()
            started += 1
        except NotPossible as refusal:
            # Not when somebody else was faster: then it is not scheduled any more.
            if Campaign.objects.filter(pk=campaign.pk).move_to(C.FAILED, status_reason=str(refusal.message)):
                log.warning("campaign_not_started", campaign_id=str(campaign.pk))
    return started


def feed_campaigns() -> None:
    """Feed, or finish, every campaign that is sending."""
    for pk in Campaign.objects.filter(status=C.PROCESSING).order_by("started_at").values_list("pk", flat=True):
        feed_campaign(pk)


def feed_campaign(pk: UUID) -> None:
    """Queue the next few messages of one campaign, and complete it when nobody is left.

    The campaign's row is locked: pausing waits for us, and of two feeders one passes by.
    """
    with transaction.atomic():
        campaign = (
            Campaign.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=pk, status=C.PROCESSING).first()
        )
        if campaign is None:
            return
        changed = _keep_ahead(campaign)
        if not campaign.recipients.filter(status__in=UNFINISHED).exists():
            Campaign.objects.filter(pk=pk).move_to(C.COMPLETED, finished_at=ClockNow())
            log.info("campaign_completed", campaign_id=str(pk))
            changed = True
        if changed:
            live.publish([change_of(campaign)])


def _keep_ahead(campaign: Campaign) -> bool:
    """Queue the next messages, or take back what waits while the number is away; whether anything was done."""
    connection = WhatsAppConnection.objects.filter(unit_id=campaign.unit_id).first()
    under_way = campaign.recipients.filter(status__in=[R.QUEUED, R.SENDING])
    if connection is None or not connection.is_connected:
        # Nobody fails because the number is away: the campaign is held, and goes on when it is back.
        if under_way.filter(status=R.QUEUED).exists():
            CampaignService(campaign).withdraw()
        return False
    unsettled = Message.objects.filter(conversation=OuterRef("message__conversation")).on_the_way()
    stuck = Q(message__due_at__gt=ClockNow()) | Exists(unsettled)
    total, blocked = under_way.count(), under_way.filter(status=R.QUEUED).filter(stuck).count()
    count = min(AHEAD - (total - blocked), AHEAD_MOST - total)
    return count > 0 and _queue_next(campaign, connection, count)


def _queue_next(campaign: Campaign, connection: WhatsAppConnection, count: int) -> bool:
    """Queue messages for the next `count` recipients; whether anything was done."""
    recipients = list(
        campaign.recipients.select_for_update(no_key=True, skip_locked=True, of=("self",))
        .select_related("contact")
        .prefetch_related(Prefetch("contact__addresses", ContactAddress.objects.order_by("created_at")))
        .filter(status=R.PENDING)
        .order_by("id")[:count]
    )
    queued = [recipient for recipient in recipients if _queue(campaign, connection, recipient)]
    if queued:
        lanes.wake([connection.id])
    return bool(recipients)


def _queue(campaign: Campaign, connection: WhatsAppConnection, recipient: CampaignRecipient) -> bool:
    """Put one recipient's message on the lane, or say why he is skipped."""
    address = people.send_address(recipient.contact)
    if address is None:
        reason = "no_address"
    elif consent.has_opted_out(recipient.contact):
        reason = "opted_out"
    else:
        reason = ""
    if address is None or reason:
        CampaignRecipient.objects.filter(pk=recipient.pk).update(status=R.SKIPPED, error_message=reason)
        return False
    # Resolved: a campaign is no conversation until somebody answers it.
    conversation = people.conversation_with(recipient.contact, status=ConversationStatus.RESOLVED)
    message = Message.objects.create(
        unit_id=campaign.unit_id,
        connection=connection,
        conversation=conversation,
        provider=connection.provider,
        direction=Direction.OUTBOUND,
        origin=Origin.CAMPAIGN,
        author_id=campaign.created_by_id,
        body=campaign.content,
        recipient=lanes.recipient_of(address),
        status=MessageStatus.QUEUED,
        due_at=ClockNow(),
        expires_at=ClockNow() + Message.LIFETIME,
    )
    CampaignRecipient.objects.filter(pk=recipient.pk).update(status=R.QUEUED, message=message, error_message=None)
    return True
