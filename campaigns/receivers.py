"""A recipient goes where its message goes."""

from typing import Any
from uuid import UUID

from django.db import connection as database
from django.dispatch import receiver

from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService
from campaigns.tasks import ring
from messaging.models import MessageStatus
from messaging.signals import messages_moved
from units import live

R = RecipientStatus
# Message status → recipient status. A message that opted-out people did not get makes them skipped, not cancelled.
RECIPIENT_STATUS = {
    MessageStatus.QUEUED: R.QUEUED,
    MessageStatus.CLAIMED: R.QUEUED,
    MessageStatus.DISPATCHING: R.SENDING,
    MessageStatus.SENT: R.SENT,
    MessageStatus.DELIVERED: R.DELIVERED,
    MessageStatus.READ: R.READ,
    MessageStatus.UNCERTAIN: R.UNCERTAIN,
    MessageStatus.FAILED: R.FAILED,
    MessageStatus.EXPIRED: R.FAILED,
    MessageStatus.CANCELLED: R.SKIPPED,
}


@receiver(messages_moved)
def follow_messages(sender: Any, ids: list[UUID], **kwargs: Any) -> list[live.Change]:
    """Move the recipients of these messages; one statement, in the transaction that moved the messages.

    Returns the live changes of the campaigns that this concerns.
    """
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE campaign_recipients r SET status = step.recipient_status,"
            " sent_at = coalesce(m.sent_at, r.sent_at), error_message = nullif(m.error_code, '')"
            " FROM messages m, unnest(%(messages)s::text[], %(recipients)s::text[]) AS step (status, recipient_status)"
            " WHERE m.id = ANY(%(ids)s) AND r.message_id = m.id AND step.status = m.status"
            " RETURNING r.unit_id, r.campaign_id",
            {
                "messages": [str(status) for status in RECIPIENT_STATUS],
                "recipients": [str(status) for status in RECIPIENT_STATUS.values()],
                "ids": ids,
            },
        )
        concerned = sorted(set(cursor.fetchall()))
    if concerned:
        _take_back_returned(ids)
        ring()
    return [live.Change(unit_id=unit_id, kind="campaign", object_id=campaign_id) for unit_id, campaign_id in concerned]


def _take_back_returned(ids: list[UUID]) -> None:
    """Messages that were on the way while their campaign was paused or cancelled, and came back unsent.

    The campaign's row is locked, so that of a pause or cancel at the same moment one sees what the other did.
    """
    returned = Campaign.objects.filter(recipients__message__in=ids, recipients__message__status=MessageStatus.QUEUED)
    locked = Campaign.objects.select_for_update(no_key=True).order_by("id")
    for campaign in locked.filter(id__in=list(returned.values_list("id", flat=True))):
        if campaign.status != CampaignStatus.PROCESSING:
            CampaignService(campaign).withdraw()
        if campaign.status == CampaignStatus.CANCELLED:
            campaign.recipients.filter(status=RecipientStatus.PENDING).update(status=RecipientStatus.CANCELLED)
