"""A recipient goes where its message goes, and where its contact goes."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.dispatch import receiver
from django.utils import translation
from django.utils.translation import gettext as _

from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from campaigns.services import MAY_HAVE_IT, change_of
from campaigns.tasks import ring
from campaigns.withdrawing import hold, take_back
from crm_whatsapp.db import ClockNow
from messaging.lanes import gateway_may_act_for
from messaging.models import Message, MessageStatus
from messaging.rows import restore, row_of
from messaging.services import moved_outbound
from messaging.signals import (
    contacts_merged,
    contacts_opted_out,
    contacts_parted,
    contacts_wrote,
    message_repeated,
    messages_moved,
    number_back,
)
from units import live
from units.models import WhatsAppConnection

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
UNSENT = (MessageStatus.QUEUED, MessageStatus.CLAIMED, MessageStatus.DISPATCHING)
# What a person does so long after a campaign message is put down to it.
BROUGHT_ABOUT_WITHIN = timedelta(days=7)
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

    Returns the live changes of the campaigns that this concerns. The feeder is rung for only when a message came back
    to a campaign that must not send it: else a campaign has two messages ahead, and the feeder looks every second.
    """
    with database.cursor() as cursor:
        cursor.execute(
            _FOLLOW,
            {
                "messages": [str(status) for status in RECIPIENT_STATUS],
                "recipients": [str(status) for status in RECIPIENT_STATUS.values()],
                "ids": ids,
            },
        )
        rows = cursor.fetchall()
        if any(is_paced for _unit, _campaign, is_paced, _came_back in rows):
            pace: dict[str, Any] = {"ids": ids, "may_act": gateway_may_act_for()}
            cursor.execute(_KEEP_PACE, pace)
    if stopped := {campaign for _unit, campaign, _is_paced, came_back in rows if came_back}:
        take_back(stopped, only=ids)
        ring()
    return _changes(sorted({(unit_id, campaign_id) for unit_id, campaign_id, *_rest in rows}))


def _changes(concerned: Iterable[tuple[UUID, UUID]]) -> list[live.Change]:
    """Of campaigns, by unit and id."""
    return [live.Change(unit_id=unit_id, kind="campaign", object_id=campaign_id) for unit_id, campaign_id in concerned]


# A message that the end of its campaign has overtaken was not refused by anybody.
_FOLLOW = """
UPDATE campaign_recipients r SET
    status = CASE WHEN m.status = 'expired' AND k.ends_at <= crm_now() THEN 'skipped' ELSE step.recipient_status END,
    sent_at = coalesce(m.sent_at, r.sent_at),
    error_message = CASE WHEN m.status = 'expired' AND k.ends_at <= crm_now() THEN 'campaign_ended'
                         ELSE nullif(m.error_code, '') END
FROM messages m, campaigns k, unnest(%(messages)s::text[], %(recipients)s::text[]) AS step (status, recipient_status)
WHERE m.id = ANY(%(ids)s) AND r.message_id = m.id AND step.status = m.status AND k.id = r.campaign_id
RETURNING r.unit_id, r.campaign_id, k.interval_seconds IS NOT NULL,
          r.status = 'queued' AND k.status IN ('paused', 'cancelled')
"""

# A campaign's own pace: its next message goes an interval after the answer to this one; without an answer, after the
# gateway can act no more. Its feeder has one message under way at a time, so that none overtakes.
_KEEP_PACE = """
UPDATE campaigns k SET next_send_at = greatest(k.next_send_at, answered.at + make_interval(
    secs => k.interval_seconds::float8))
FROM (
    SELECT r.campaign_id, max(CASE WHEN m.status = 'uncertain'
        THEN greatest(crm_now(), m.dispatched_at + %(may_act)s) ELSE crm_now() END) AS at
    FROM messages m JOIN campaign_recipients r ON r.message_id = m.id
    WHERE m.id = ANY(%(ids)s) AND m.status IN ('sent', 'delivered', 'read', 'failed', 'uncertain')
      AND m.dispatched_at > crm_now() - interval '1 hour'
    GROUP BY r.campaign_id
) answered
WHERE k.id = answered.campaign_id AND k.interval_seconds IS NOT NULL
"""


@receiver(contacts_wrote)
def note_replies(sender: Any, wrote: list[tuple[UUID, datetime]], **kwargs: Any) -> list[live.Change]:
    """Whoever writes after a campaign message has replied to it: to the latest of the last days."""
    return _note("replied_at", wrote)


@receiver(contacts_opted_out)
def note_opt_outs(sender: Any, opted_out: list[tuple[UUID, datetime]], **kwargs: Any) -> list[live.Change]:
    """Whoever opts out after a campaign message did so because of it: of the latest of the last days."""
    return _note("opted_out_at", opted_out)


def _note(column: str, seen: list[tuple[UUID, datetime]]) -> list[live.Change]:
    """One statement, and none for nobody; what has been noted stays."""
    if not seen:
        return []
    ids, times = zip(*seen, strict=True)
    parameters: dict[str, Any] = {"ids": list(ids), "times": list(times), "for": BROUGHT_ABOUT_WITHIN}
    with database.cursor() as cursor:
        cursor.execute(_NOTE.format(column=column), parameters)
        return _changes(sorted(set(cursor.fetchall())))


# WhatsApp tells its times in whole seconds, by a clock of its own.
_NOTE = """
WITH last AS (
    SELECT DISTINCT ON (sent.id) sent.id, seen.at
    FROM unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) AS seen (contact_id, at)
    CROSS JOIN LATERAL (
        SELECT r.id, r.{column} AS noted FROM campaign_recipients r
        WHERE r.contact_id = seen.contact_id AND r.sent_at > seen.at - %(for)s
          AND r.sent_at <= seen.at + interval '5 seconds'
        ORDER BY r.sent_at DESC LIMIT 1
    ) sent
    WHERE sent.noted IS NULL
    ORDER BY sent.id, seen.at
), locked AS (
    SELECT r.id FROM campaign_recipients r JOIN last ON last.id = r.id ORDER BY r.id FOR NO KEY UPDATE OF r
)
UPDATE campaign_recipients r SET {column} = last.at
FROM last, locked WHERE r.id = last.id AND locked.id = r.id AND r.{column} IS NULL
RETURNING r.unit_id, r.campaign_id
"""


@receiver(number_back)
def wait_for_a_person(sender: Any, connection: WhatsAppConnection, **kwargs: Any) -> list[live.Change]:
    """After a long while its campaigns stand still until somebody resumes, reschedules or cancels them."""
    sending = Campaign.objects.select_for_update(no_key=True).filter(
        unit_id=connection.unit_id, status=CampaignStatus.PROCESSING
    )
    ids = list(sending.order_by("pk").values_list("pk", flat=True))
    if not ids:
        return []
    with translation.override(settings.LANGUAGE_CODE):
        reason = _("The number was away for long. Resume the campaign, schedule it, or cancel it.")
    hold(ids, reason)
    return _campaign_changes(ids)


@receiver(message_repeated)
def follow_repeated(sender: Any, old_id: UUID, new_id: UUID, **kwargs: Any) -> None:
    """A person has a message sent once more: its recipient goes on with the copy."""
    recipients = CampaignRecipient.objects.filter(message_id=old_id)
    recipients.update(message_id=new_id, status=R.QUEUED, sent_at=None, error_message=None)


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
    unsent = Message.objects.filter(recipients__in=rows, status__in=UNSENT)
    list(unsent.select_for_update(of=("self",), no_key=True).order_by("pk").values("pk"))
    pairs: dict[UUID, list[CampaignRecipient]] = defaultdict(list)
    for row in rows.select_for_update().order_by("pk"):
        pairs[row.campaign_id].append(row)
    moved, cancelled = [], []
    for pair in pairs.values():
        pair.sort(key=lambda row: (_rank(row), row.contact_id != kept_id))
        for replaced in pair[1:]:
            undo["replaced"].append(row_of(replaced))
            if replaced.message_id:
                cancelled.append(replaced.message_id)
        if pair[0].contact_id == absorbed_id:
            moved.append(pair[0].pk)
    rows.filter(pk__in=[row.pk for pair in pairs.values() for row in pair[1:]]).delete()
    rows.filter(pk__in=moved).update(contact_id=kept_id)
    undo["moved"] += [str(pk) for pk in moved]
    # What is on the way and comes back unsent is not sent again.
    Message.objects.filter(pk__in=cancelled, status=MessageStatus.DISPATCHING).update(expires_at=ClockNow())
    stopped = list(Message.objects.filter(pk__in=cancelled).waiting().values_list("pk", flat=True))
    Message.objects.filter(pk__in=stopped).move_to(MessageStatus.CANCELLED, error_code="merged")
    ring()
    return moved_outbound(stopped) + _campaign_changes(pairs)


def _rank(recipient: CampaignRecipient) -> int:
    """Whose message was given up, but may have arrived, counts as uncertain."""
    may_have_it = recipient.status == R.FAILED and recipient.error_message in MAY_HAVE_IT
    return FURTHEST_FIRST.index(R.UNCERTAIN if may_have_it else R(recipient.status))


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
    # Their messages have gone on meanwhile.
    followed: list[UUID] = []
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
        if message and row["status"] not in (R.PENDING, R.SKIPPED, R.CANCELLED):
            followed.append(message.pk)
    ring()
    return follow_messages(sender, followed) + _campaign_changes(concerned)


def _campaign_changes(ids: Iterable[UUID]) -> list[live.Change]:
    campaigns = Campaign.objects.filter(pk__in=set(ids)).order_by("pk")
    return [change_of(campaign) for campaign in campaigns]
