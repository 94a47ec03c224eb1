"""What waits of a campaign is taken back from the lane, and whoever is left gets it no more."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q

from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from messaging.models import Message

C = CampaignStatus
R = RecipientStatus

LEFT_OUT_AT_ONCE = 20_000


def withdraw(campaign_ids: Collection[UUID], *, only: Q | None = None) -> int:
    """Take back what waits on the lane of these campaigns; the number of recipients who are pending again.

    `only`: those messages of it, no others.
    A worker that has claimed such a message finds it gone, and sends nothing. The database cuts the links.
    """
    recipients = CampaignRecipient.objects.filter(campaign__in=campaign_ids)
    waiting = Message.objects.filter(only or Q(), recipients__in=recipients).waiting().order_by("pk")
    ids = list(waiting.select_for_update(of=("self",)).values_list("id", flat=True))
    taken = list(recipients.filter(message_id__in=ids).values_list("id", flat=True))
    Message.objects.filter(id__in=ids).waiting().delete()
    return recipients.filter(id__in=taken, message=None).update(status=R.PENDING)


def hold(campaign_ids: Collection[UUID], reason: str) -> None:
    """Pause those of them that are sending, under the locks of their rows, until a person lets them go on."""
    withdraw(campaign_ids)
    Campaign.objects.filter(pk__in=campaign_ids).move_to(C.PAUSED, status_reason=reason)


def leave_out(campaign: Campaign, status: RecipientStatus, reason: str | None) -> bool:
    """Give so many of the pending a last status, under the lock of the campaign's row; whether that was all of them."""
    pending = campaign.recipients.filter(status=R.PENDING)
    some = list(pending.order_by("id").values_list("id", flat=True)[:LEFT_OUT_AT_ONCE])
    pending.filter(id__in=some).update(status=status, error_message=reason)
    return len(some) < LEFT_OUT_AT_ONCE


def take_back(campaign_ids: Collection[UUID], *, only: Collection[UUID] | None = None) -> list[Campaign]:
    """Messages that were on the way when their campaign was stopped, and came back unsent: they must not go again.

    `only`: these messages; else whatever has been tried. Within a transaction; returns the campaigns it has locked.
    Not those that somebody else holds, who may wait for these very messages: the feeder's next pass has them, long
    before they are due again. What a person has had sent again since the end of a campaign goes on.
    """
    rows = Campaign.objects.select_for_update(no_key=True, skip_locked=True).order_by("pk")
    stopped = list(rows.filter(pk__in=campaign_ids, status__in=[C.PAUSED, C.CANCELLED]))
    for campaign in stopped:
        returned = Q(attempts__gt=0) if only is None else Q(pk__in=only)
        if campaign.status == C.CANCELLED:
            returned &= Q(created_at__lt=campaign.finished_at)
        withdraw([campaign.pk], only=returned)
        if campaign.status == C.CANCELLED:
            leave_out(campaign, R.CANCELLED, None)
    return stopped
