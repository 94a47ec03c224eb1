"""Keeps the lanes of sending campaigns fed, a little ahead: no more than a pause has to take back.

A pass over all campaigns takes a fixed number of statements, and two when there is nothing to do:

1. look: where each campaign and its number stand, without a lock
2. of those with something to do, so many at a time: lock their rows, so that pausing waits for us and of two feeders
   one passes by; look again
3. take back what cannot go for long, end what has outlived its end
4. pick who is next, judge them (consent, blocks, numbers, tags) and write their texts
5. make the conversations, messages and files, and wake the lanes; skip who gets nothing, with the reason
6. complete the campaigns in which nobody is left
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.db.models import Q

from campaigns import audience, content
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService, NotPossible, change_of, content_of, leave_out, withdraw
from crm_whatsapp.db import ClockNow
from messaging import lanes, number_checks
from messaging.models import (
    AddressKind,
    Attachment,
    ContactAddress,
    Conversation,
    ConversationStatus,
    Direction,
    Message,
    MessageStatus,
    Origin,
)
from messaging.outgoing.errors import CannotQueue
from messaging.outgoing.queueing import attach
from messaging.pace import NEVER, PACE_COLUMNS, Pace
from units import live

log = structlog.get_logger(__name__)

C = CampaignStatus
R = RecipientStatus

# Messages of one campaign that may go as soon as the lane is free …
AHEAD = 2
# … and with those that must wait for their chat to be settled, or for another attempt.
AHEAD_MOST = 50
# Campaigns whose rows are locked at a time: a tenth of a second or so, for which a pause waits.
AT_ONCE = 100
# People looked at for a campaign: a few more than there is room for; then, when those are left out or not checked yet,
# so many; and when all of those are left out, so many.
LOOKS = (2, 40, 1000)
LATELY = "exclude_contacted_within_days"
# What is queued goes back when its lane opens later than this: it must not expire on the lane.
SOON = timedelta(hours=1)
# What was on the way while its campaign was cancelled has come back, or never does, well before.
RETURNS_WITHIN = timedelta(hours=6)


def start_due() -> int:
    """Start scheduled campaigns whose time has come, also when nobody was there at that time; the number of them."""
    started = 0
    for campaign in Campaign.objects.filter(status=C.SCHEDULED, scheduled_at__lte=ClockNow()):
        try:
            CampaignService(campaign).dispatch()
            started += 1
        except NotPossible as refusal:
            # Not when somebody else was faster: then it is not scheduled any more.
            if Campaign.objects.filter(pk=campaign.pk, status=C.SCHEDULED).move_to(
                C.FAILED, status_reason=str(refusal.message)
            ):
                log.warning("campaign_not_started", campaign_id=str(campaign.pk))
    return started


def take_back_returned() -> int:
    """Messages that were on the way while their campaign was paused or cancelled, and came back unsent; how many.

    Each under the lock of the campaign's row, as pausing has it: of the two one sees what the other did. Nothing that a
    person has had sent again since the end of its campaign is taken away.
    """
    with database.cursor() as cursor:
        parameters: dict[str, Any] = {"for": RETURNS_WITHIN}
        cursor.execute(_RETURNED, parameters)
        ids = [row[0] for row in cursor.fetchall()]
    taken = 0
    for pk in ids:
        with transaction.atomic():
            rows = Campaign.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=pk)
            campaign = rows.filter(status__in=[C.PAUSED, C.CANCELLED]).first()
            if campaign is None:
                continue
            returned = Q(attempts__gt=0)
            if campaign.status == C.CANCELLED:
                returned &= Q(created_at__lt=campaign.finished_at)
            taken += withdraw([pk], only=returned)
            if campaign.status == C.CANCELLED:
                leave_out(campaign, R.CANCELLED, None)
            live.publish([change_of(campaign)])
    return taken


def feed_campaigns() -> None:
    """Feed, or finish, every campaign that is sending; and nobody has messages waiting who has been stopped."""
    take_back_returned()
    for some in batched([one.id for one in _look() if one.has_something_to_do], AT_ONCE, strict=False):
        try:
            _feed(some)
        except IntegrityError:
            # A contact among them was merged or deleted at that moment; the next pass finds what became of it.
            log.info("feed_again", campaigns=len(some))


@dataclass(frozen=True, slots=True)
class _Standing:
    """A campaign that is sending, and its number, at `now` by the database."""

    id: UUID
    connection_id: UUID | None
    provider: str | None
    is_connected: bool
    now: datetime
    has_ended: bool
    is_filled: bool
    is_paced: bool
    # Messages that are queued or sending, those of them that wait for something else than the lane, and those queued.
    under_way: int
    stuck: int
    queued: int
    # Queued to chats that wait for a settlement.
    unsettled: int
    has_pending: bool
    pace: Pace | None

    @property
    def is_open(self) -> bool:
        """Whether what is queued now may go as soon as its turn comes."""
        if not self.is_connected or self.pace is None or self.pace.campaigns_held_at is not None:
            return False
        return self.pace.cap_lifts_at(self.now) is None and self.pace.window_opens_at(self.now) is None

    @property
    def goes_back(self) -> bool:
        """Whether what is queued must not stay on the lane."""
        if not self.queued:
            return False
        if self.has_ended or not self.is_connected or self.pace is None:
            return True
        if self.is_paced and self.unsettled:
            return True
        if self.is_open:
            return False
        opens_at = self.pace.opens_at(self.now)
        return opens_at == NEVER or opens_at - self.now > SOON

    @property
    def room(self) -> int:
        """How many more may be queued."""
        if self.has_ended or not self.is_open:
            return 0
        if self.is_paced:
            return 1 - self.under_way
        return min(AHEAD - (self.under_way - self.stuck), AHEAD_MOST - self.under_way)

    @property
    def is_complete(self) -> bool:
        return (self.is_filled or self.has_ended) and not self.has_pending and not self.under_way

    @property
    def has_something_to_do(self) -> bool:
        return self.is_complete or self.goes_back or (self.has_pending and (self.has_ended or self.room > 0))


def _look(ids: Sequence[UUID] | None = None) -> list[_Standing]:
    """Where campaigns that are sending stand: all, those that have waited longest first, or `ids`."""
    with database.cursor() as cursor:
        cursor.execute(_LOOK, {"ids": None if ids is None else list(ids)})
        return [_standing(row) for row in cursor.fetchall()]


def _standing(row: Sequence[Any]) -> _Standing:
    """From a row of `_LOOK`."""
    pace = Pace(*row[13:]) if row[1] else None
    return _Standing(*[*row[:13], pace])


@dataclass(slots=True)
class _Next:
    """Somebody who is next in a campaign, and all that is known of him."""

    campaign_id: UUID
    recipient_id: UUID
    contact_id: UUID
    person: content.Person
    reason: str | None
    address: ContactAddress | None
    conversation_id: UUID | None
    rendered: content.Rendered | None = None


@dataclass(slots=True)
class _Pass:
    """What one pass over some locked campaigns does."""

    campaigns: dict[UUID, Campaign]
    standings: dict[UUID, _Standing]
    texts: dict[UUID, content.Texts] = field(default_factory=dict)
    ready: list[_Next] = field(default_factory=list)
    skipped: list[tuple[UUID, str]] = field(default_factory=list)
    unchecked: set[UUID] = field(default_factory=set)
    concerned: set[UUID] = field(default_factory=set)


def _feed(ids: Sequence[UUID]) -> None:
    """Queue the next few messages of these campaigns, and complete those in which nobody is left."""
    with transaction.atomic():
        rows = Campaign.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=ids, status=C.PROCESSING)
        campaigns = {campaign.pk: campaign for campaign in rows.order_by("pk")}
        if not campaigns:
            return
        work = _Pass(campaigns, {one.id: one for one in _look(list(campaigns))})
        if back := [one.id for one in work.standings.values() if one.goes_back]:
            withdraw(back)
        _end(work)
        _choose(work)
        if work.ready or work.skipped:
            _write(work)
        _complete(work)
        live.publish([change_of(campaigns[pk]) for pk in work.concerned])


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
    chosen: set[UUID] = set()
    for look in LOOKS:
        wanted = {pk: left + look if look == LOOKS[0] else look for pk, left in room.items()}
        if not wanted:
            return
        found = _pick(work, wanted, after)
        if not work.texts:
            work.texts = content.texts_of(list(work.campaigns.values()))
        unchecked = _unchecked(found)
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
        done = waiting if look != LOOKS[0] else set()
        room = {pk: left for pk, left in room.items() if left and pk not in done and seen[pk] == wanted[pk]}


def _judge(work: _Pass, one: _Next) -> bool:
    """Whether he gets his message; else the reason is noted."""
    if one.reason is None:
        one.rendered = content.render(work.texts[one.campaign_id], one.person, one.recipient_id)
        one.reason = one.rendered.problem or None
    if one.reason is not None:
        work.skipped.append((one.recipient_id, one.reason))
        work.concerned.add(one.campaign_id)
    return one.reason is None


def _pick(work: _Pass, wanted: dict[UUID, int], after: dict[UUID, UUID]) -> list[_Next]:
    """The next `wanted` of each campaign behind `after`, with all that is known of them, in their order."""
    ids = list(wanted)
    parameters: dict[str, Any] = {
        "campaigns": ids,
        "counts": list(wanted.values()),
        "after": [after[pk] for pk in ids],
        "paced": [work.standings[pk].is_paced for pk in ids],
        "check_again": settings.NUMBER_CHECK_AGAIN,
    }
    with database.cursor() as cursor:
        cursor.execute(_PICK, parameters)
        found = []
        for campaign, recipient, contact, name, attributes, phone, reason, conversation, *address in cursor.fetchall():
            # A cursor of Django's leaves jsonb as text, for its JSONField to read.
            person = content.Person(name, phone or "", json.loads(attributes))
            row = _address(*address) if address[0] else None
            found.append(_Next(campaign, recipient, contact, person, reason, row, conversation))
    return sorted(found, key=lambda one: one.recipient_id)


def _address(pk: UUID, kind: str, value: str, jid: str) -> ContactAddress:
    return ContactAddress(id=pk, kind=AddressKind(kind), value=value, jid=jid)


def _unchecked(found: Iterable[_Next]) -> set[UUID]:
    """Addresses that WhatsApp has to be asked about first; it is asked."""
    ids = {one.address.pk for one in found if one.address and one.reason is None}
    needed = ContactAddress.objects.filter(pk__in=ids).filter(number_checks.needs_check())
    unchecked = set(needed.values_list("pk", flat=True))
    if unchecked:
        number_checks.want(ContactAddress.objects.filter(pk__in=unchecked))
    return unchecked


def _write(work: _Pass) -> None:
    """Make the messages of those who are ready, and move all recipients to where they are now."""
    locked = _locked([one.recipient_id for one in work.ready] + [recipient for recipient, _reason in work.skipped])
    ready = [one for one in work.ready if one.recipient_id in locked]
    conversations = _conversations(work, ready)
    messages: list[Message] = []
    files: list[tuple[int, Attachment]] = []
    queued: list[_Next] = []
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


def _conversations(work: _Pass, ready: list[_Next]) -> dict[tuple[UUID, UUID], UUID]:
    """The conversation by campaign and contact, made where there is none. Raises IntegrityError for who is gone."""
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


def _message(work: _Pass, one: _Next, conversation_id: UUID) -> Message:
    """One recipient's message, due when the campaign's own pace allows. Raises CannotQueue."""
    campaign, standing = work.campaigns[one.campaign_id], work.standings[one.campaign_id]
    if one.rendered is None or one.address is None or standing.connection_id is None or standing.provider is None:
        raise AssertionError("chosen without a text, an address or a number")
    row = content_of(one.rendered).row()
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


_LOOK = f"""
SELECT k.id, c.id, c.provider, coalesce(c.status = 'connected', false), crm_now(),
       coalesce(k.ends_at <= crm_now(), false), k.audience_done_at IS NOT NULL, k.interval_seconds IS NOT NULL,
       under.way, under.stuck, under.queued, under.unsettled,
       EXISTS (SELECT 1 FROM campaign_recipients r WHERE r.campaign_id = k.id AND r.status = 'pending'),
       {PACE_COLUMNS}
FROM campaigns k
JOIN units u ON u.id = k.unit_id
LEFT JOIN unit_whatsapp_connections c ON c.unit_id = k.unit_id
LEFT JOIN LATERAL (
    SELECT l.next_send_at, l.day, l.sent_today FROM send_lanes l WHERE l.connection_id = c.id
    UNION ALL SELECT c.created_at, NULL, 0 LIMIT 1
) lane ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS way, count(*) FILTER (WHERE r.status = 'queued') AS queued,
           count(*) FILTER (WHERE r.status = 'queued' AND chat.is_unsettled) AS unsettled,
           count(*) FILTER (WHERE r.status = 'queued' AND (m.due_at > crm_now() OR chat.is_unsettled)) AS stuck
    FROM campaign_recipients r
    LEFT JOIN messages m ON m.id = r.message_id
    LEFT JOIN LATERAL (
        SELECT EXISTS (
            SELECT 1 FROM messages open
            WHERE open.conversation_id = m.conversation_id AND open.status IN ('dispatching', 'uncertain')
        ) AS is_unsettled) chat ON true
    WHERE r.campaign_id = k.id AND r.status IN ('queued', 'sending')
) under
WHERE k.status = 'processing' AND (%(ids)s::uuid[] IS NULL OR k.id = ANY(%(ids)s::uuid[]))
ORDER BY k.started_at, k.id
"""  # noqa: S608 - our own columns

# An own pace is exact with one message ahead, so nobody is chosen whose chat would keep it waiting.
_PICK = f"""
SELECT wanted.campaign_id, r.id, c.id, c.name, c.attributes,
       (SELECT p.value FROM contact_addresses p WHERE p.contact_id = c.id AND p.kind = 'phone'
        ORDER BY p.created_at DESC, p.id DESC LIMIT 1),
       CASE {audience.ALWAYS}
         WHEN EXISTS (SELECT 1 FROM contact_tags t WHERE t.contact_id = c.id AND t.tag_id IN (
                SELECT tag.id::uuid FROM jsonb_array_elements_text(k.audience->'exclude_tags') AS tag (id)))
           THEN 'excluded_tag'
         WHEN k.audience->>'exclude_contacted_within_days' IS NOT NULL AND EXISTS (
                SELECT 1 FROM campaign_recipients l LEFT JOIN messages n ON n.id = l.message_id
                WHERE l.contact_id = c.id AND l.campaign_id <> k.id AND (l.status IN ('queued', 'sending')
                  OR CASE l.status WHEN 'uncertain' THEN n.dispatched_at ELSE l.sent_at END
                    > crm_now() - make_interval(days => (k.audience->>'exclude_contacted_within_days')::int)))
           THEN 'contacted_lately'
         -- Only a person can tell what became of an earlier message, and until then nothing goes to that chat.
         WHEN EXISTS (SELECT 1 FROM messages open WHERE open.conversation_id = v.id
                AND open.status = 'uncertain' AND open.look_up_due_at IS NULL)
           THEN 'unsettled'
       END,
       v.id, best.id, best.kind, best.value, best.jid
FROM unnest(%(campaigns)s::uuid[], %(counts)s::int[], %(after)s::uuid[], %(paced)s::bool[])
    AS wanted (campaign_id, count, after, is_paced)
JOIN campaigns k ON k.id = wanted.campaign_id
CROSS JOIN LATERAL (
    SELECT r.id, r.contact_id FROM campaign_recipients r
    WHERE r.campaign_id = wanted.campaign_id AND r.status = 'pending' AND r.id > wanted.after
      AND NOT (wanted.is_paced AND EXISTS (
        SELECT 1 FROM conversations chat JOIN messages open ON open.conversation_id = chat.id
        WHERE chat.unit_id = r.unit_id AND chat.contact_id = r.contact_id
          AND (open.status = 'dispatching' OR open.status = 'uncertain' AND open.look_up_due_at IS NOT NULL)))
    ORDER BY r.id LIMIT wanted.count
) r
JOIN contacts c ON c.id = r.contact_id
LEFT JOIN conversations v ON v.unit_id = k.unit_id AND v.contact_id = c.id
LEFT JOIN LATERAL (
    SELECT a.contact_id, {audience.REACH}
    FROM contact_addresses a {audience.OPTED_OUT}
    WHERE a.contact_id = c.id GROUP BY a.contact_id
) reach ON true
LEFT JOIN LATERAL (
    SELECT a.id, a.kind, a.value, a.jid FROM contact_addresses a WHERE a.contact_id = c.id
    ORDER BY a.not_on_whatsapp_at IS NULL DESC, a.kind = 'phone' DESC, a.created_at DESC, a.id DESC LIMIT 1
) best ON true
"""  # noqa: S608 - our own SQL

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
