"""From due lanes to messages on the way: claim, dispatch, and what to do when an outcome cannot be recorded."""

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
from messaging.models import (
    ContactAddress,
    Message,
    MessageStatus,
    Origin,
    SendLane,
)
from messaging.pace import Pace
from messaging.services import moved_outbound
from units import live
from units.gateways.errors import OutcomeUnknown

log = structlog.get_logger(__name__)

S = MessageStatus

# Between claim and `dispatching` lie milliseconds. Whoever takes longer is dead or frozen.
CLAIM_LEASE = timedelta(seconds=30)
# A lane whose messages all wait for something that does not wake it (a chat being settled) is looked at again.
LOOK_AGAIN = timedelta(seconds=5)
LOOK_AT_LEAST = timedelta(minutes=1)
# How long an idle delivery stays, for a lane that is due soon, and how often it looks.
LINGER_SECONDS = 3.0
POLL_SECONDS = 0.05
DATABASE_PAUSE_SECONDS = 0.5
SWEEP_SECONDS = 1.0


@dataclass(slots=True)
class Delivery:
    """Works off due lanes. `overdue`: only what has been due for this long (the pump leaves the rest to workers)."""

    overdue: timedelta = timedelta(0)
    _flying: dict[Future[None], Send] = field(default_factory=dict)
    _sweep_at: float = 0.0

    def run(self, *, seconds: float, wake: threading.Event | None = None, stop: threading.Event | None = None) -> int:
        """Send what is due until nothing is, or `seconds` are over, or `stop`; ends with nothing in flight.

        Returns the number of messages that were dispatched. `wake` cuts the pause between two looks short.
        """
        wake, stop = wake or threading.Event(), stop or threading.Event()
        until = time.monotonic() + seconds
        idle_until = time.monotonic() + LINGER_SECONDS
        count = 0
        with ThreadPoolExecutor(settings.DELIVERY_THREADS, thread_name_prefix="send") as pool:
            while True:
                # Also past `until` while something is in flight: one slow send must not hold up the other numbers.
                open_for_more = (time.monotonic() < until or bool(self._flying)) and not stop.is_set()
                sends = self._take_due() if open_for_more else []
                for send in sends:
                    self._flying[pool.submit(send.post)] = send
                if sends:
                    count += len(sends)
                    idle_until = time.monotonic() + LINGER_SECONDS
                if self._flying:
                    done, _ = wait(self._flying, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                    self._record_surely([self._flying.pop(future) for future in done])
                elif not open_for_more or time.monotonic() > idle_until:
                    return count
                else:
                    wake.wait(POLL_SECONDS)
                    wake.clear()

    def _take_due(self) -> list[Send]:
        try:
            if time.monotonic() > self._sweep_at:
                sweep()
                self._sweep_at = time.monotonic() + SWEEP_SECONDS
            return self.dispatch(self.claim(settings.DELIVERY_THREADS - len(self._flying)))
        except DatabaseError:
            # A restart, a deadlock, a row that makes no sense: what was claimed comes back by its lease, and the
            # answers of what is in flight are still waited for.
            log.exception("delivery_failed")
            close_old_connections()
            time.sleep(DATABASE_PAUSE_SECONDS)
            return []

    def claim(self, limit: int) -> list[Send]:
        """Lease up to `limit` due lanes, each with the message it sends next.

        Statements of their own, not one: a single one would pick messages by a snapshot older than its locks, and lose
        the wake-up of somebody who queued in between. Lanes with nothing to send now learn when to be looked at again.
        """
        if limit <= 0:
            return []
        token = uuid4()
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(_LOCK_DUE_LANES, {"overdue": self.overdue.total_seconds(), "limit": limit})
            opens_at: dict[UUID, datetime] = {}
            may_campaign: list[UUID] = []
            for lane, now, *pace in cursor.fetchall():
                opens_at[lane] = Pace(*pace).opens_at(now)
                if opens_at[lane] <= now:
                    may_campaign.append(lane)
            if not opens_at:
                return []
            cursor.execute(_PICK_NEXT, {"lanes": list(opens_at), "may_campaign": may_campaign})
            columns = [column.name for column in cursor.description or ()]
            sends = [Send(**dict(zip(columns, row, strict=True)), token=token) for row in cursor.fetchall()]
            picked = {send.connection_id for send in sends}
            Message.objects.filter(id__in=[send.message_id for send in sends]).move_to(S.CLAIMED, claim_token=token)
            SendLane.objects.filter(connection_id__in=picked).update(
                claim_token=token, lease_until=ClockNow() + CLAIM_LEASE
            )
            # Not later than a minute: cap and window may be changed meanwhile.
            waiting = {lane: min(at, now + LOOK_AT_LEAST) for lane, at in opens_at.items() if lane not in picked}
            lanes.look_at(waiting, look_again=LOOK_AGAIN)
        return sends

    def dispatch(self, sends: list[Send]) -> list[Send]:
        """Commit `dispatching` for those of `sends` that may still go, and return them. The others are put back."""
        if not sends:
            return []
        ids = [send.message_id for send in sends]
        token = sends[0].token
        # Taken before the commit, so that a process frozen around it counts as frozen.
        committed_at = time.monotonic()
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(_DISPATCH, {"ids": ids, "token": token})
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
        """Withdrawn, opted out, expired, disconnected, or no longer ours: free the lanes, and say what became of it."""
        token = sends[0].token
        ours = Message.objects.filter(id__in=[send.message_id for send in sends], claim_token=token, status=S.CLAIMED)
        expired = list(ours.filter(expires_at__lte=ClockNow()).values_list("id", flat=True))
        unwanted = ContactAddress.objects.filter(contact__conversations__messages=OuterRef("pk")).opted_out()
        campaign = ours.filter(origin=Origin.CAMPAIGN).exclude(id__in=expired)
        opted_out = list(campaign.filter(Exists(unwanted)).values_list("id", flat=True))
        Message.objects.filter(id__in=expired).move_to(S.EXPIRED, error_code="expired")
        Message.objects.filter(id__in=opted_out).move_to(S.CANCELLED, error_code="opted_out")
        ours.move_to(S.QUEUED, claim_token=None)
        changes = moved_outbound(expired + opted_out)
        lanes.free([lanes.Held(send.connection_id, send.token) for send in sends])
        live.publish(changes)

    def _record_surely(self, sends: list[Send]) -> None:
        """Record, also through a restart of the database: else it turns uncertain, though we know better.

        One answer that cannot be stored must not cost the others: each is recorded alone then, that one as uncertain.
        """
        for pause in (0.1, 0.3, 1, 3, 10, 30, 0):
            try:
                return record(sends)
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
        return None


_LOCK_DUE_LANES = """
SELECT lane.connection_id, crm_now(),
       lane.next_send_at, lane.day, lane.sent_today, c.daily_cap, c.window_start, c.window_end, u.time_zone
FROM send_lanes lane
JOIN unit_whatsapp_connections c ON c.id = lane.connection_id
JOIN units u ON u.id = c.unit_id
WHERE lane.due_at <= crm_now() - make_interval(secs => %(overdue)s)
  AND lane.claim_token IS NULL AND c.status = 'connected'
ORDER BY lane.due_at LIMIT %(limit)s
FOR NO KEY UPDATE OF lane SKIP LOCKED
"""

# Nothing goes to a chat in which a message is on the way or uncertain: the next would hide what became of it.
_PICK_NEXT = """
SELECT m.id AS message_id, m.connection_id, c.instance_name, m.recipient, m.body,
       m.reply_to_external_id AS reply_to, m.origin, m.attempts
FROM unnest(%(lanes)s::uuid[]) AS lane (id)
JOIN unit_whatsapp_connections c ON c.id = lane.id
CROSS JOIN LATERAL (
    SELECT m.* FROM messages m
    WHERE m.connection_id = lane.id AND m.status = 'queued' AND m.due_at <= crm_now()
      AND (m.origin <> 'campaign' OR lane.id = ANY(%(may_campaign)s::uuid[]))
      AND NOT EXISTS (
        SELECT 1 FROM messages unsettled
        WHERE unsettled.conversation_id = m.conversation_id AND unsettled.status IN ('dispatching', 'uncertain'))
    ORDER BY m.origin = 'campaign', m.due_at, m.id LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
) m
"""

_DISPATCH = """
UPDATE messages m SET status = 'dispatching', dispatched_at = crm_now(), attempts = m.attempts + 1
FROM send_lanes lane, unit_whatsapp_connections c
WHERE m.id = ANY(%(ids)s) AND m.claim_token = %(token)s AND m.status = 'claimed'
  AND lane.connection_id = m.connection_id AND lane.claim_token = %(token)s AND lane.lease_until > crm_now()
  AND c.id = m.connection_id AND c.status = 'connected'
  AND (m.expires_at IS NULL OR m.expires_at > crm_now())
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
