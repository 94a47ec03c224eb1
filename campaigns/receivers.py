"""A recipient goes where its message goes, and where its contact goes."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection as database
from django.dispatch import receiver

from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService, change_of
from campaigns.tasks import ring
from messaging.merging import restore, row_of
from messaging.models import Message, MessageStatus
from messaging.services import moved_outbound
from messaging.signals import contacts_merged, contacts_parted, messages_moved
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
# Of two recipients that turn out to be one person the one that comes first here stays: what has reached the person, or
# may have, before what still may be sent, and that before what will not be.
FURTHEST_FIRST = [
    R.READ,
    R.DELIVERED,
    R.SENT,
    R.UNCERTAIN,
    R.SENDING,
    R.QUEUED,
    R.PENDING,
    R.FAILED,
    R.SKIPPED,
    R.CANCELLED,
]


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


@receiver(contacts_merged)
def follow_merge(
    sender: Any, kept_id: UUID, absorbed_id: UUID, before: dict[str, Any], **kwargs: Any
) -> list[live.Change]:
    """Make the absorbed contact's recipients the kept one's; a campaign that has both keeps one (nobody gets it twice).

    The waiting message of the other is cancelled. `before["campaigns"]`: ids of the recipients that moved, and the rows
    that were replaced.
    """
    undo = before.setdefault("campaigns", {"moved": [], "replaced": []})
    rows = CampaignRecipient.objects.filter(contact_id__in=[kept_id, absorbed_id])
    if not rows.filter(contact_id=absorbed_id).exists():
        return []
    # In the order in which everybody locks: messages, then recipients.
    waiting = Message.objects.filter(recipients__in=rows).waiting()
    list(waiting.select_for_update(of=("self",), no_key=True).order_by("pk").values("pk"))
    pairs: dict[UUID, list[CampaignRecipient]] = defaultdict(list)
    for row in rows.select_for_update().order_by("pk"):
        pairs[row.campaign_id].append(row)
    moved, cancelled = [], []
    for pair in pairs.values():
        pair.sort(key=lambda row: (FURTHEST_FIRST.index(RecipientStatus(row.status)), row.contact_id != kept_id))
        for replaced in pair[1:]:
            undo["replaced"].append(row_of(replaced))
            if replaced.message_id:
                cancelled.append(replaced.message_id)
        if pair[0].contact_id == absorbed_id:
            moved.append(pair[0].pk)
    rows.filter(pk__in=[row.pk for pair in pairs.values() for row in pair[1:]]).delete()
    rows.filter(pk__in=moved).update(contact_id=kept_id)
    undo["moved"] += [str(pk) for pk in moved]
    stopped = list(Message.objects.filter(pk__in=cancelled).waiting().values_list("pk", flat=True))
    Message.objects.filter(pk__in=stopped).move_to(MessageStatus.CANCELLED, error_code="merged")
    ring()
    return moved_outbound(stopped) + _campaign_changes(pairs)


@receiver(contacts_parted)
def follow_parting(
    sender: Any, kept_id: UUID, absorbed_id: UUID, before: dict[str, Any], **kwargs: Any
) -> list[live.Change]:
    """Give the absorbed contact its recipients back, and both those that were replaced.

    Whose message was cancelled gets another, unless the campaign has ended: it was meant for two people after all.
    """
    undo = before.get("campaigns", {"moved": [], "replaced": []})
    moved = CampaignRecipient.objects.filter(pk__in=undo["moved"], contact_id=kept_id)
    list(moved.select_for_update().order_by("pk"))
    concerned = list(moved.values_list("campaign_id", flat=True))
    moved.update(contact_id=absorbed_id)
    for row in undo["replaced"]:
        campaign = Campaign.objects.filter(pk=row["campaign_id"]).first()
        if row["contact_id"] != str(absorbed_id):
            row["contact_id"] = str(kept_id)
        taken = CampaignRecipient.objects.filter(campaign=campaign, contact_id=row["contact_id"])
        if campaign is None or taken.exists():
            continue
        message = Message.objects.filter(pk=row["message_id"]).first()
        if message is None:
            row["message_id"] = None
        elif message.error_code == "merged":
            row |= {"message_id": None, "status": R.PENDING}
        if campaign.status in (CampaignStatus.COMPLETED, CampaignStatus.CANCELLED, CampaignStatus.FAILED):
            row["status"] = R.CANCELLED if row["status"] in (R.PENDING, R.QUEUED) else row["status"]
        restore(CampaignRecipient, row)
        concerned.append(campaign.pk)
    ring()
    return _campaign_changes(concerned)


def _campaign_changes(ids: Iterable[UUID]) -> list[live.Change]:
    campaigns = Campaign.objects.filter(pk__in=set(ids)).order_by("pk")
    return [change_of(campaign) for campaign in campaigns]
