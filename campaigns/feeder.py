"""Keeps the lanes of sending campaigns fed, a little ahead: no more than a pause has to take back.

A pass over all campaigns takes a fixed number of statements, and two when there is nothing to do:

1. look: where each campaign and its number stand, without a lock
2. of those with something to do, so many at a time: lock their rows, so that pausing waits for us, and their units, so
   that of two feeders one passes by; look again
3. take back what cannot go for long, end what has outlived its end
4. pick who is next, judge them (consent, blocks, numbers, tags) and write their texts
5. make the conversations, messages and files, and wake the lanes; skip who gets nothing, with the reason
6. complete the campaigns in which nobody is left
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import batched, chain
from typing import Any
from uuid import UUID

import structlog
from django.db import connection as database
from django.db import transaction

from campaigns import content, lost, picking, trouble
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from campaigns.picking import Next
from campaigns.services import CampaignService, NotPossible, change_of
from campaigns.standing import Standing, look
from campaigns.withdrawing import hold, leave_out, take_back, withdraw
from crm_whatsapp.db import ClockNow
from messaging import lanes
from messaging.models import (
    Attachment,
    Conversation,
    ConversationStatus,
    Direction,
    Message,
    MessageStatus,
    Origin,
)
from messaging.outgoing.errors import CannotQueue
from messaging.outgoing.queueing import attach
from units import live

log = structlog.get_logger(__name__)

C = CampaignStatus
R = RecipientStatus

# Campaigns whose rows are locked at a time: a tenth of a second or so, for which a pause waits.
AT_ONCE = 100
# People looked at for a campaign: a few more than there is room for; then, when those are left out or not checked yet,
# so many; and when all of those are left out, so many.
LOOKS = (2, 40, 1000)
# What was on the way while its campaign was cancelled has come back, or never does, well before.
RETURNS_WITHIN = timedelta(hours=6)
LATELY = "exclude_contacted_within_days"


def start_due() -> int:
    """Start scheduled campaigns whose time has come, however long ago; the number of them."""
    due = Campaign.objects.filter(status=C.SCHEDULED, scheduled_at__lte=ClockNow()).values_list("pk", flat=True)
    return sum(sum(trouble.apart("start", [pk], lambda ids: _start(*ids))) for pk in due)


def _start(pk: UUID) -> int:
    """1, or 0 when it cannot start or somebody was faster."""
    try:
        CampaignService(Campaign.objects.get(pk=pk)).dispatch()
    except NotPossible as refusal:
        # Not when somebody else was faster: then it is not scheduled any more.
        if Campaign.objects.filter(pk=pk, status=C.SCHEDULED).move_to(C.FAILED, status_reason=str(refusal.message)):
            log.warning("campaign_not_started", campaign_id=str(pk))
        return 0
    return 1


def feed_campaigns() -> None:
    """Feed, or finish, every campaign that is sending; and nobody has messages waiting who has been stopped."""
    take_back_returned()
    all_of_them = {one.id: one for one in look()}

    def with_something_to_do(ids: Sequence[UUID]) -> list[UUID]:
        return [pk for pk in ids if all_of_them[pk].has_something_to_do]

    due = chain.from_iterable(trouble.apart("look", list(all_of_them), with_something_to_do))
    for some in batched(due, AT_ONCE, strict=False):
        trouble.apart("feed", some, _feed)


def take_back_returned() -> None:
    """Messages that were on the way while their campaign was paused or cancelled, and came back unsent.

    Each campaign under the lock of its row, as pausing has it: of the two one sees what the other did.
    """
    with database.cursor() as cursor:
        parameters: dict[str, Any] = {"for": RETURNS_WITHIN}
        cursor.execute(_RETURNED, parameters)
        stopped = [row[0] for row in cursor.fetchall()]
    for pk in stopped:
        trouble.apart("take back", [pk], _take_back)


def _take_back(ids: Sequence[UUID]) -> None:
    with transaction.atomic():
        live.publish([change_of(campaign) for campaign in take_back(ids)])


@dataclass(slots=True)
class _Pass:
    """What one pass over some locked campaigns does."""

    campaigns: dict[UUID, Campaign]
    standings: dict[UUID, Standing]
    texts: dict[UUID, content.Texts] = field(default_factory=dict)
    ready: list[Next] = field(default_factory=list)
    skipped: list[tuple[UUID, str]] = field(default_factory=list)
    unchecked: set[UUID] = field(default_factory=set)
    concerned: set[UUID] = field(default_factory=set)


def _feed(ids: Sequence[UUID]) -> None:
    """Queue the next few messages of these campaigns, and complete those in which nobody is left."""
    with transaction.atomic():
        rows = Campaign.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=ids, status=C.PROCESSING)
        campaigns = {campaign.pk: campaign for campaign in _ours(list(rows.order_by("pk")))}
        if not campaigns:
            return
        work = _Pass(campaigns, {one.id: one for one in look(list(campaigns))})
        if back := [one.id for one in work.standings.values() if one.goes_back]:
            withdraw(back)
        _end(work)
        _choose(work)
        _hold_without_tags(work)
        if work.ready or work.skipped:
            _write(work)
        _complete(work)
        live.publish([change_of(campaigns[pk]) for pk in work.concerned])


def _ours(campaigns: list[Campaign]) -> list[Campaign]:
    """Those whose units nobody else feeds at this moment: two of one unit must see whom the other has chosen."""
    with database.cursor() as cursor:
        cursor.execute(_LOCK_UNITS, [sorted({campaign.unit_id for campaign in campaigns})])
        units = {row[0] for row in cursor.fetchall()}
    return [campaign for campaign in campaigns if campaign.unit_id in units]


def _end(work: _Pass) -> None:
    """Whoever has not got a campaign by its end gets it no more; of very many a slice at a time."""
    for one in work.standings.values():
        if one.has_ended and (one.has_pending or one.queued):
            leave_out(work.campaigns[one.id], R.SKIPPED, "campaign_ended")
            if not one.is_filled:
                Campaign.objects.filter(pk=one.id).update(audience_done_at=ClockNow())
            work.concerned.add(one.id)


def _choose(work: _Pass) -> None:
    """Find who is next in each campaign, as many as there is room for, and who of those before them is left out."""
    room = {one.id: one.room for one in work.standings.values() if one.room > 0 and not one.goes_back}
    after: dict[UUID, UUID] = dict.fromkeys(room, UUID(int=0))
    paced = {one.id for one in work.standings.values() if one.is_paced}
    chosen: set[UUID] = set()
    for most in LOOKS:
        wanted = {pk: left + most if most == LOOKS[0] else most for pk, left in room.items()}
        if not wanted:
            return
        found = picking.pick(wanted, after, paced)
        if not work.texts:
            work.texts = content.texts_of(list(work.campaigns.values()))
        unchecked = picking.unchecked_of(found)
        waiting: set[UUID] = set()
        seen: dict[UUID, int] = dict.fromkeys(room, 0)
        for one in found:
            seen[one.campaign_id] += 1
            after[one.campaign_id] = one.recipient_id
            if not room[one.campaign_id]:
                continue
            if one.address and one.address.pk in unchecked:
                waiting.add(one.campaign_id)
            elif one.contact_id in chosen and work.campaigns[one.campaign_id].audience.get(LATELY):
                # Another campaign has just chosen him: the next pass sees that, and leaves him out.
                continue
            elif _judge(work, one):
                work.ready.append(one)
                chosen.add(one.contact_id)
                room[one.campaign_id] -= 1
        work.unchecked |= unchecked
        # Who is not checked yet is asked about in this look's number; no use in asking about more.
        done = waiting if most != LOOKS[0] else set()
        room = {pk: left for pk, left in room.items() if left and pk not in done and seen[pk] == wanted[pk]}


def _hold_without_tags(work: _Pass) -> None:
    """Whoever lost the tag by which he was left out must not get it: the campaign waits for a person to choose again.

    Looked at after the pick: a tag that is here now was here then.
    """
    held = lost.without_exclusions(work.campaigns.values())
    if held:
        work.ready = [one for one in work.ready if one.campaign_id not in held]
        hold(held, str(lost.NO_EXCLUSION))
        work.concerned |= held


def _judge(work: _Pass, one: Next) -> bool:
    """Whether he gets his message; else the reason is noted."""
    if one.reason is None:
        one.rendered = content.render(work.texts[one.campaign_id], one.person, one.recipient_id)
        one.reason = one.rendered.problem or None
    if one.reason is not None:
        work.skipped.append((one.recipient_id, one.reason))
        work.concerned.add(one.campaign_id)
    return one.reason is None


def _write(work: _Pass) -> None:
    """Make the messages of those who are ready, and move all recipients to where they are now."""
    locked = _locked([one.recipient_id for one in work.ready] + [recipient for recipient, _reason in work.skipped])
    ready = [one for one in work.ready if one.recipient_id in locked]
    conversations = _conversations(work, ready)
    messages: list[Message] = []
    files: list[tuple[int, Attachment]] = []
    queued: list[Next] = []
    for one in ready:
        try:
            message = _message(work, one, conversations[one.campaign_id, one.contact_id])
        except CannotQueue:
            # WhatsApp's limits are checked when a text is saved; only what has become of its file since is left.
            work.skipped.append((one.recipient_id, "broken_text"))
            continue
        if one.rendered and one.rendered.attachment:
            files.append((len(messages), one.rendered.attachment))
        messages.append(message)
        queued.append(one)
    Message.objects.bulk_create(messages)
    attach([(messages[place].pk, attachment) for place, attachment in files])
    skipped = [(recipient, reason) for recipient, reason in work.skipped if recipient in locked]
    with database.cursor() as cursor:
        cursor.execute(
            _MOVE,
            {
                "ids": [one.recipient_id for one in queued] + [recipient for recipient, _reason in skipped],
                "messages": [message.pk for message in messages] + [None] * len(skipped),
                "variants": [one.rendered.variant if one.rendered else None for one in queued] + [None] * len(skipped),
                "reasons": [None] * len(queued) + [reason for _recipient, reason in skipped],
            },
        )
    numbers = {work.standings[one.campaign_id].connection_id for one in queued}
    lanes.wake(sorted(number for number in numbers if number))


def _locked(recipient_ids: list[UUID]) -> set[UUID]:
    """Those that are still pending, locked; not those that a merge of contacts has in hand."""
    rows = CampaignRecipient.objects.select_for_update(no_key=True, skip_locked=True).order_by("pk")
    return set(rows.filter(pk__in=recipient_ids, status=R.PENDING).values_list("pk", flat=True))


def _conversations(work: _Pass, ready: list[Next]) -> dict[tuple[UUID, UUID], UUID]:
    """The conversation by campaign and contact, made where there is none. Raises IntegrityError if somebody is gone."""
    known = {one.contact_id: one.conversation_id for one in ready}
    missing = {one.contact_id: work.campaigns[one.campaign_id].unit_id for one in ready if not one.conversation_id}
    if missing:
        Conversation.objects.bulk_create(
            # Resolved: a campaign is no conversation until somebody answers it.
            [
                Conversation(unit_id=unit_id, contact_id=contact_id, status=ConversationStatus.RESOLVED)
                for contact_id, unit_id in sorted(missing.items())
            ],
            ignore_conflicts=True,
        )
        chats = Conversation.objects.filter(contact_id__in=missing)
        known |= dict(chats.values_list("contact_id", "id"))
    return {(one.campaign_id, one.contact_id): chat for one in ready if (chat := known[one.contact_id])}


def _message(work: _Pass, one: Next, conversation_id: UUID) -> Message:
    """One recipient's message, due when the campaign's own pace allows. Raises CannotQueue."""
    campaign, standing = work.campaigns[one.campaign_id], work.standings[one.campaign_id]
    if one.rendered is None or one.address is None or standing.connection_id is None or standing.provider is None:
        raise AssertionError("chosen without a text, an address or a number")
    row = content.content_of(one.rendered).row()
    due_at, expires_at = standing.now, standing.now + Message.LIFETIME
    if campaign.interval_seconds is not None and campaign.next_send_at is not None:
        due_at = max(due_at, campaign.next_send_at)
        expires_at = due_at + Message.LIFETIME
    if campaign.ends_at is not None:
        expires_at = min(expires_at, campaign.ends_at)
    return Message(
        unit_id=campaign.unit_id,
        connection_id=standing.connection_id,
        conversation_id=conversation_id,
        provider=standing.provider,
        direction=Direction.OUTBOUND,
        origin=Origin.CAMPAIGN,
        author_id=campaign.created_by_id,
        kind=row.kind,
        body=row.body,
        details=row.details,
        recipient=lanes.recipient_of(one.address),
        status=MessageStatus.QUEUED,
        due_at=due_at,
        expires_at=expires_at,
    )


def _complete(work: _Pass) -> None:
    """Nobody is left, and nobody more will come of the audience."""
    with database.cursor() as cursor:
        cursor.execute(_COMPLETE, {"ids": list(work.campaigns)})
        for (pk,) in cursor.fetchall():
            log.info("campaign_completed", campaign_id=str(pk))
            work.concerned.add(pk)


# For a transaction. Not the lane, which a delivery would pass by meanwhile.
_LOCK_UNITS = """
SELECT id FROM unnest(%s::uuid[]) AS unit (id)
WHERE pg_try_advisory_xact_lock(hashtextextended('feed ' || id::text, 0))
"""

# Few campaigns are paused, or were cancelled just now; of each the queued recipients are asked for by an index.
_RETURNED = """
SELECT k.id FROM campaigns k
WHERE (k.status = 'paused' OR k.status = 'cancelled' AND k.finished_at > crm_now() - %(for)s) AND EXISTS (
    SELECT 1 FROM campaign_recipients r JOIN messages m ON m.id = r.message_id
    WHERE r.campaign_id = k.id AND r.status = 'queued' AND m.status IN ('queued', 'claimed') AND m.attempts > 0
      AND (k.status = 'paused' OR m.created_at < k.finished_at)
)
ORDER BY k.id
"""

_MOVE = """
UPDATE campaign_recipients r SET
    status = CASE WHEN moved.message_id IS NULL THEN 'skipped' ELSE 'queued' END,
    message_id = coalesce(moved.message_id, r.message_id), variant = coalesce(moved.variant, r.variant),
    error_message = moved.reason
FROM unnest(%(ids)s::uuid[], %(messages)s::uuid[], %(variants)s::int[], %(reasons)s::text[])
    AS moved (id, message_id, variant, reason)
WHERE r.id = moved.id AND r.status = 'pending'
"""

_COMPLETE = """
UPDATE campaigns k SET status = 'completed', finished_at = crm_now()
WHERE k.id = ANY(%(ids)s) AND k.status = 'processing' AND k.audience_done_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM campaign_recipients r
                  WHERE r.campaign_id = k.id AND r.status IN ('pending', 'queued', 'sending'))
RETURNING k.id
"""
