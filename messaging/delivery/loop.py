"""From due lanes to messages on the way: claim, dispatch, and what to do when an outcome cannot be recorded."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import DatabaseError, OperationalError, close_old_connections, transaction
from django.db import connection as database
from django.db.models import Exists, OuterRef

from crm_whatsapp.db import ClockNow
from messaging import lanes
from messaging.delivery.outcomes import record
from messaging.delivery.send import Send
from messaging.delivery.sweeping import sweep
from messaging.events import MessageKind
from messaging.models import (
    ContactAddress,
    Direction,
    Message,
    MessageStatus,
    Origin,
    SendLane,
)
from messaging.pace import PACE_COLUMNS, Pace
from messaging.services import NO_ANSWER, moved_outbound
from units import live
from units.gateways.errors import OutcomeUnknown

log = structlog.get_logger(__name__)

S = MessageStatus

# Between claim and `dispatching` lie milliseconds. Whoever takes longer is dead or frozen.
CLAIM_LEASE = timedelta(seconds=30)
# A lane whose messages all wait for something that does not wake it (a chat being settled) is looked at again.
LOOK_AGAIN = timedelta(seconds=5)
LOOK_AT_LEAST = timedelta(minutes=1)
# A lane whose number is not connected.
LOOK_AGAIN_AWAY = timedelta(seconds=2)
# Lanes looked at at once when there are many in which nothing waits.
MOST_LOOKS = 500
# An idle delivery stays for a lane that is due within so many seconds; it looks when that one is due, at most so often
# (somebody else may have locked it) and at least so often (a bell may be lost).
LINGER_SECONDS = 3.0
PAUSE_LEAST, PAUSE_MOST = 0.01, 1.0
# How long to wait for an answer before looking for more to send.
POLL_SECONDS = 0.05
# How long an answer waits for others to be recorded with it. With the record it stays well below 100 ms.
GATHER_SECONDS = 0.03
DATABASE_PAUSE_SECONDS = 0.5
SWEEP_SECONDS = 1.0


@dataclass(slots=True)
class Delivery:
    """Works off due lanes. `overdue`: only what has been due for this long (the pump leaves the rest to workers)."""

    overdue: timedelta = timedelta(0)
    _flying: int = 0
    # What has come back, and by message when (time.monotonic()).
    _answered: SimpleQueue[Send] = field(default_factory=SimpleQueue)
    _answered_at: dict[UUID, float] = field(default_factory=dict)
    _sweep_at: float = 0.0
    # The last look found as many as there were free threads.
    _more_is_due: bool = False

    def run(self, *, seconds: float, wake: threading.Event | None = None, stop: threading.Event | None = None) -> int:
        """Send until nothing is due or soon will be, or `seconds` are over, or `stop`; ends with nothing in flight.

        Returns the number of messages that were dispatched. `wake` cuts the pause between two looks short.
        """
        wake, stop = wake or threading.Event(), stop or threading.Event()
        until = time.monotonic() + seconds
        count = 0
        with ThreadPoolExecutor(settings.DELIVERY_THREADS, thread_name_prefix="send") as pool:
            while True:
                # Before the look: a bell during it is for the next.
                wake.clear()
                # Also past `until` while something is in flight: one slow send must not hold up the other numbers.
                open_for_more = (time.monotonic() < until or bool(self._flying)) and not stop.is_set()
                sent = self._send_due(pool) if open_for_more else 0
                if self._flying:
                    answers = self._gather()
                    if open_for_more and self._more_is_due:
                        # While these are recorded, the threads that they have left free are at work on the next.
                        sent += self._send_due(pool)
                    self._record_surely(answers)
                elif not open_for_more or (pause := self._until_due()) is None:
                    return count
                else:
                    wake.wait(min(pause, max(0.0, until - time.monotonic())))
                count += sent

    def _send_due(self, pool: ThreadPoolExecutor) -> int:
        """As many as there are free threads; the number."""
        free = settings.DELIVERY_THREADS - self._flying
        sends = self._take_due(free)
        for send in sends:
            pool.submit(self._post, send)
        self._flying += len(sends)
        if free:
            self._more_is_due = len(sends) == free
        return len(sends)

    def _post(self, send: Send) -> None:
        """In a thread of the pool."""
        send.post()
        self._answered_at[send.message_id] = time.monotonic()
        self._answered.put(send)

    def _gather(self) -> list[Send]:
        """What has been answered; waits a moment for the first, and a shorter one for those that come with it.

        A record costs much the same for one and for many.
        """
        answers: list[Send] = []
        until = time.monotonic() + POLL_SECONDS
        while len(answers) < self._flying:
            try:
                answers.append(self._answered.get(timeout=max(0.0, until - time.monotonic())))
            except Empty:
                break
            if len(answers) == 1:
                until = min(until, time.monotonic() + GATHER_SECONDS)
        self._flying -= len(answers)
        return answers

    def _take_due(self, limit: int) -> list[Send]:
        try:
            if time.monotonic() > self._sweep_at:
                sweep()
                self._sweep_at = time.monotonic() + SWEEP_SECONDS
            return self.dispatch(self.claim(limit))
        except DatabaseError:
            # A restart, a deadlock, a row that makes no sense: what was claimed comes back by its lease, and the
            # answers of what is in flight are still waited for.
            log.exception("delivery_failed")
            close_old_connections()
            time.sleep(DATABASE_PAUSE_SECONDS)
            return []

    def _until_due(self) -> float | None:
        """Seconds until there may be something to send; None when that is not soon."""
        try:
            with database.cursor() as cursor:
                cursor.execute(
                    "SELECT extract(epoch FROM min(due_at) - crm_now())::float FROM send_lanes"
                    " WHERE claim_token IS NULL AND due_at < crm_now() + make_interval(secs => %s)",
                    [LINGER_SECONDS],
                )
                (seconds,) = cursor.fetchone()
        except DatabaseError:
            # Nothing is lost by staying: the next look says what is wrong.
            return DATABASE_PAUSE_SECONDS
        if seconds is None:
            return None
        return min(max(seconds + self.overdue.total_seconds(), PAUSE_LEAST), PAUSE_MOST)

    def claim(self, limit: int) -> list[Send]:
        """Lease up to `limit` due lanes, each with the message it sends next.

        Statements of their own, not one: a single one would pick messages by a snapshot older than its locks, and lose
        the wake-up of somebody who queued in between. Lanes with nothing to send now learn when to be looked at again,
        and those behind them are looked at at once: no number of empty lanes delays a full one.
        """
        token = uuid4()
        sends: list[Send] = []
        looks = limit
        while len(sends) < limit:
            looked, empty, claimed = self._claim_some(looks, limit - len(sends), token)
            sends += claimed
            if looked < looks or not empty:
                break
            looks = MOST_LOOKS
        return sends

    def _claim_some(self, looks: int, room: int, token: UUID) -> tuple[int, int, list[Send]]:
        """Look at up to `looks` due lanes, and lease up to `room`: how many were looked at, and had nothing."""
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(_LOCK_DUE_LANES, {"overdue": self.overdue.total_seconds(), "looks": looks})
            paces: dict[UUID, Pace] = {}
            opens_at: dict[UUID, datetime] = {}
            away: list[UUID] = []
            now = None
            for lane, now, is_connected, *pace in cursor.fetchall():
                if is_connected:
                    paces[lane] = Pace(*pace)
                    opens_at[lane] = paces[lane].opens_at(now)
                else:
                    away.append(lane)
            if now is None:
                return 0, 0, []
            if away:
                # Out of the way of the others. Whoever notices that the number is back need not wake its lane.
                SendLane.objects.filter(connection_id__in=away).update(due_at=ClockNow() + LOOK_AGAIN_AWAY)
            cursor.execute(
                _PICK_NEXT,
                {
                    "lanes": list(opens_at),
                    "may_campaign": [at <= now for at in opens_at.values()],
                    "urgent": lanes.URGENT,
                    "room": room,
                    "token": token,
                    "lease": CLAIM_LEASE.total_seconds(),
                },
            )
            columns = [column.name for column in cursor.description or ()][1:]
            sends, empty = [], []
            for lane, *row in cursor.fetchall():
                if row[0] is None:
                    empty.append(lane)
                else:
                    send = Send(**dict(zip(columns, row, strict=True)), token=token)
                    if send.origin == Origin.CAMPAIGN:
                        send.window_closes_at = paces[lane].window_closes_at(now)
                    sends.append(send)
            # Not later than a minute: cap and window may be changed meanwhile.
            waiting = {lane: min(opens_at[lane], now + LOOK_AT_LEAST) for lane in empty}
            lanes.look_at(waiting, look_again=LOOK_AGAIN)
        return len(opens_at) + len(away), len(empty) + len(away), sends

    def dispatch(self, sends: list[Send]) -> list[Send]:
        """Commit `dispatching` for those of `sends` that may still go, and return them. The others are put back."""
        if not sends:
            return []
        token = sends[0].token
        # Taken before the commit, so that a process frozen around it counts as frozen.
        committed_at = time.monotonic()
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(
                _DISPATCH,
                {
                    "ids": [send.message_id for send in sends],
                    "closes_at": [send.window_closes_at for send in sends],
                    "token": token,
                },
            )
            gone = {row[0] for row in cursor.fetchall()}
            going = [send for send in sends if send.message_id in gone]
            # For whoever looks. Not for the feed: the outcome follows in a moment, or the wait gives its reason.
            moved_outbound([send.message_id for send in going if send.origin == Origin.CAMPAIGN])
            cursor.execute(
                _EXTEND_LEASES,
                {
                    "lanes": [send.connection_id for send in going],
                    "campaigns": [send.origin == Origin.CAMPAIGN for send in going],
                    "token": token,
                    "lease": lanes.gateway_may_act_for().total_seconds(),
                },
            )
            staying = [send for send in sends if send.message_id not in gone]
            if staying:
                self._put_back(staying)
        for send in going:
            send.committed_at = committed_at
        return going

    def _put_back(self, sends: list[Send]) -> None:
        """Withdrawn, opted out, blocked, expired, disconnected, or no longer ours: free the lanes, and say so."""
        token = sends[0].token
        ours = Message.objects.filter(id__in=[send.message_id for send in sends], claim_token=token, status=S.CLAIMED)
        expired = list(ours.filter(expires_at__lte=ClockNow()).values_list("id", flat=True))
        blocked = ours.filter(conversation__contact__blocked_at__isnull=False).exclude(id__in=expired)
        over = expired + (blocked_ids := list(blocked.values_list("id", flat=True)))
        unwanted = ContactAddress.objects.filter(contact__conversations__messages=OuterRef("pk")).opted_out()
        campaign = ours.filter(origin=Origin.CAMPAIGN).exclude(id__in=over)
        opted_out = list(campaign.filter(Exists(unwanted)).values_list("id", flat=True))
        Message.objects.filter(id__in=expired).move_to(S.EXPIRED, error_code="expired")
        Message.objects.filter(id__in=blocked_ids).move_to(S.CANCELLED, error_code="blocked")
        Message.objects.filter(id__in=opted_out).move_to(S.CANCELLED, error_code="opted_out")
        later = Message.objects.filter(
            connection=OuterRef("connection"),
            conversation=OuterRef("conversation"),
            target_external_id=OuterRef("target_external_id"),
            direction=Direction.OUTBOUND,
            kind=MessageKind.REACTION,
            id__gt=OuterRef("id"),
        ).exclude(status__in=NO_ANSWER)
        replaced = list(ours.filter(Exists(later), kind=MessageKind.REACTION).values_list("id", flat=True))
        Message.objects.filter(id__in=replaced).move_to(S.CANCELLED, error_code="replaced")
        ours.move_to(S.QUEUED, claim_token=None)
        changes = moved_outbound(over + opted_out + replaced)
        lanes.free([lanes.Held(send.connection_id, send.token) for send in sends])
        live.publish(changes)

    def _record_surely(self, sends: list[Send]) -> None:
        """Record, also through a restart of the database: else it turns uncertain, though we know better.

        One answer that cannot be stored must not cost the others: each is recorded alone then, that one as uncertain.
        """
        for pause in (0.1, 0.3, 1, 3, 10, 30, 0):
            try:
                now = time.monotonic()
                record(sends, {send.message_id: now - self._answered_at.get(send.message_id, now) for send in sends})
                for send in sends:
                    self._answered_at.pop(send.message_id, None)
                return
            except OperationalError:
                log.warning("record_delayed", sends=len(sends))
                close_old_connections()
                time.sleep(pause)
            except DatabaseError:
                log.exception("answer_not_stored", sends=len(sends))
                break
        for send in sends:
            if len(sends) > 1:
                self._record_surely([send])
            else:
                send.outcome = OutcomeUnknown(answer="the answer could not be stored", status=0)
                record(sends)
                self._answered_at.pop(send.message_id, None)


_LOCK_DUE_LANES = f"""
SELECT lane.connection_id, crm_now(), c.status = 'connected', {PACE_COLUMNS}
FROM send_lanes lane
JOIN unit_whatsapp_connections c ON c.id = lane.connection_id
JOIN units u ON u.id = c.unit_id
WHERE lane.due_at <= crm_now() - make_interval(secs => %(overdue)s) AND lane.claim_token IS NULL
ORDER BY lane.due_at LIMIT %(looks)s
FOR NO KEY UPDATE OF lane SKIP LOCKED
"""  # noqa: S608 - our own columns

# A row for each lane that gives a message, and one of NULLs for each that has none; nothing for those that have one
# for which there is no room. Nothing goes to a chat in which a message is on the way or uncertain: the next would hide
# what became of it. Each origin is asked for by itself, first come first: to sort replies before campaigns would read
# all that waits on the lane, and a million may. So would the join that an EXISTS becomes: OFFSET 0 keeps it a question
# asked of one message after the other.
_PICK_NEXT = """
WITH next AS MATERIALIZED (
    SELECT lane.id AS lane_id, lane.place, first.id AS message_id
    FROM unnest(%(lanes)s::uuid[], %(may_campaign)s::bool[]) WITH ORDINALITY AS lane (id, may_campaign, place)
    LEFT JOIN LATERAL (
        SELECT m.id
        FROM (SELECT origin, 0 AS turn FROM unnest(%(urgent)s::text[]) AS urgent (origin)
              UNION ALL SELECT 'campaign', 1 WHERE lane.may_campaign) waiting
        CROSS JOIN LATERAL (
            SELECT m.id, m.due_at FROM messages m
            WHERE m.connection_id = lane.id AND m.origin = waiting.origin
              AND m.status = 'queued' AND m.due_at <= crm_now()
              AND NOT EXISTS (
                SELECT 1 FROM messages unsettled
                WHERE unsettled.conversation_id = m.conversation_id
                  AND unsettled.status IN ('dispatching', 'uncertain')
                OFFSET 0)
            ORDER BY m.due_at, m.id LIMIT 1
        ) m
        ORDER BY waiting.turn, m.due_at, m.id LIMIT 1
    ) first ON true
), picked AS MATERIALIZED (
    SELECT m.id AS message_id, m.connection_id, m.recipient, m.kind, m.body, m.details::text,
           m.reply_to_external_id AS reply_to, m.target_external_id AS target, m.origin, m.attempts
    FROM (SELECT * FROM next WHERE message_id IS NOT NULL ORDER BY place LIMIT %(room)s) first
    JOIN messages m ON m.id = first.message_id
    WHERE m.status = 'queued'
    FOR NO KEY UPDATE OF m SKIP LOCKED
), claimed AS (
    UPDATE messages m SET status = 'claimed', claim_token = %(token)s FROM picked WHERE m.id = picked.message_id
), held AS (
    UPDATE send_lanes lane SET claim_token = %(token)s, lease_until = crm_now() + make_interval(secs => %(lease)s)
    FROM picked WHERE lane.connection_id = picked.connection_id
)
SELECT next.lane_id, picked.*, c.instance_name,
       coalesce(f.file, '') AS file, coalesce(f.mime_type, '') AS mime_type
FROM next
LEFT JOIN picked ON picked.message_id = next.message_id
LEFT JOIN unit_whatsapp_connections c ON c.id = picked.connection_id
LEFT JOIN message_media f ON f.message_id = picked.message_id AND f.status = 'stored'
WHERE next.message_id IS NULL OR picked.message_id IS NOT NULL
"""

# Of two reactions on one message the later one stays there: an earlier one that is tried again must not follow it.
_DISPATCH = """
UPDATE messages m SET status = 'dispatching', dispatched_at = crm_now(), attempts = m.attempts + 1
FROM unnest(%(ids)s::uuid[], %(closes_at)s::timestamptz[]) AS wanted (id, closes_at),
    send_lanes lane, unit_whatsapp_connections c
WHERE m.id = wanted.id AND m.claim_token = %(token)s AND m.status = 'claimed'
  AND (wanted.closes_at IS NULL OR wanted.closes_at > crm_now())
  AND lane.connection_id = m.connection_id AND lane.claim_token = %(token)s AND lane.lease_until > crm_now()
  AND c.id = m.connection_id AND c.status = 'connected'
  AND (m.expires_at IS NULL OR m.expires_at > crm_now())
  AND NOT (m.origin = 'campaign' AND c.campaigns_held_at IS NOT NULL)
  AND NOT EXISTS (
    SELECT 1 FROM conversations v JOIN contacts p ON p.id = v.contact_id
    WHERE v.id = m.conversation_id AND p.blocked_at IS NOT NULL)
  AND NOT (m.kind = 'reaction' AND EXISTS (
    SELECT 1 FROM messages later
    WHERE later.connection_id = m.connection_id AND later.target_external_id = m.target_external_id
      AND later.conversation_id = m.conversation_id AND later.direction = 'outbound' AND later.kind = 'reaction'
      AND later.id > m.id AND later.status NOT IN ('failed', 'cancelled', 'expired')))
  AND NOT (m.origin = 'campaign' AND EXISTS (
    SELECT 1 FROM conversations v
    JOIN contact_addresses a ON a.contact_id = v.contact_id
    JOIN opt_outs o ON o.unit_id = a.unit_id AND o.kind = a.kind AND o.value = a.value AND o.lifted_at IS NULL
    WHERE v.id = m.conversation_id))
RETURNING m.id
"""

# The daily cap counts what may have left: it is never exceeded, whatever becomes of the call.
_EXTEND_LEASES = """
UPDATE send_lanes lane SET
    lease_until = crm_now() + make_interval(secs => %(lease)s),
    sent_today = CASE WHEN NOT going.campaign THEN lane.sent_today
                      WHEN lane.day = today.day THEN lane.sent_today + 1 ELSE 1 END,
    day = CASE WHEN going.campaign THEN today.day ELSE lane.day END
FROM unnest(%(lanes)s::uuid[], %(campaigns)s::bool[]) AS going (id, campaign)
JOIN unit_whatsapp_connections c ON c.id = going.id
JOIN units u ON u.id = c.unit_id
CROSS JOIN LATERAL (SELECT (crm_now() AT TIME ZONE u.time_zone)::date AS day) today
WHERE lane.connection_id = going.id AND lane.claim_token = %(token)s
"""
