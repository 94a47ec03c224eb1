"""Understanding what was kept: each event ends handled, ignored with a reason, or dead and replayable (I1)."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from uuid import UUID

from django.db import connection as database
from django.db import transaction
from django.utils.translation import gettext_noop

from crm_whatsapp.db import ClockNow
from messaging import lanes
from units import live
from webhooks.application import MAX_ATTEMPTS, Work, settle
from webhooks.awaiting import wake_in_drain
from webhooks.catch_up import SOURCE as CATCH_UP
from webhooks.models import EventStatus, WebhookEvent

# Events in one transaction, and the bytes of their bodies together: decoded they take many times as much.
BATCH, BATCH_BYTES = 500, 4 * 1024 * 1024
# A body larger than that is alone in its batch, and for so long (doubled each time) its next attempt is put off before
# this one is made.
PUT_OFF = timedelta(seconds=30)

ENDED_THE_WORKER = gettext_noop("Every attempt ended before its time; the body may be too much for the worker.")


def drain(*, seconds: float, overdue: timedelta = timedelta(0)) -> int:
    """Settle events that are due (for `overdue` already) until none is, or `seconds` are over; the number settled."""
    until = time.monotonic() + seconds
    settled = 0
    # The connections that had their turn, the latest last: one with a long backlog waits for all others.
    served: dict[UUID | None, None] = {}
    idle: set[UUID | None] = set()
    while time.monotonic() < until:
        turn = _drain_one_connection(list(served), overdue)
        if turn is None or (not turn.settled and turn.connection_id in idle):
            break
        settled += turn.settled
        served.pop(turn.connection_id, None)
        served[turn.connection_id] = None
        if turn.settled:
            idle.clear()
        else:
            # Somebody else was faster, or holds what is due there; once more when all others had their turn.
            idle.add(turn.connection_id)
    return settled


@dataclass(frozen=True, slots=True)
class _Turn:
    """How many events of a connection (None: of none) were settled."""

    connection_id: UUID | None
    settled: int


def _drain_one_connection(served: Sequence[UUID | None], overdue: timedelta) -> _Turn | None:
    """A batch of one connection's events, in the order in which they came; None when nothing is due.

    One transaction: a drain that dies leaves them as they were. Of one connection only one drain at a time, so that
    events keep their order where they have one, and two drains do not wait for each other's rows.
    """
    with transaction.atomic():
        locked = _lock_a_connection(served, overdue)
        if locked is None:
            return None
        batch = _take(locked.connection_id, overdue)
        if not batch.is_large:
            events = WebhookEvent.objects.filter(id__in=batch.ids)
            works = [Work(event, failed_before=event.failures) for event in events]
            places = {pk: place for place, pk in enumerate(batch.ids)}
            _settle(locked.connection_id, sorted(works, key=lambda work: places[work.event.id]))
            return _Turn(locked.connection_id, len(works))
        (large,) = batch.ids
        attempt = _claim(large)
    if attempt is not None:
        _settle_alone(locked.connection_id, large, attempt)
    return _Turn(locked.connection_id, 1)


def _settle(connection_id: UUID | None, works: Sequence[Work]) -> None:
    """Apply and mark a batch; the last statements of its transaction."""
    effects = settle(works)
    _mark(works)
    _heard(works)
    wake_in_drain(connection_id, effects.arrived)
    # Lanes after all rows, the feed last: everybody who locks several takes them in this order.
    lanes.wake(sorted(effects.wakes))
    live.publish(effects.changes)


def _claim(event_id: UUID) -> int | None:
    """Count a failure of a large event before the attempt, and put it off: one that ends the process, which nobody
    could note then, is not first for ever. The failures with this one; None when it is dead.
    """
    with database.cursor() as cursor:
        cursor.execute(_CLAIM, {"id": event_id, "put_off": PUT_OFF.total_seconds()})
        (failures,) = cursor.fetchone()
    if failures <= MAX_ATTEMPTS:
        return int(failures)
    WebhookEvent.objects.filter(id=event_id).update(
        status=EventStatus.DEAD, reason=ENDED_THE_WORKER, settled_at=ClockNow()
    )
    return None


def _settle_alone(connection_id: UUID | None, event_id: UUID, attempt: int) -> None:
    with transaction.atomic():
        with database.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_xact_lock({_LOCK})", [connection_id])
        # Unless another attempt has begun meanwhile.
        rows = WebhookEvent.objects.select_for_update(no_key=True)
        event = rows.filter(id=event_id, status=EventStatus.RECEIVED, failures=attempt).first()
        if event:
            _settle(connection_id, [Work(event, failed_before=attempt - 1)])


@dataclass(frozen=True, slots=True)
class _Locked:
    """A connection that nobody else drains (None: the events of no connection)."""

    connection_id: UUID | None


def _lock_a_connection(served: Sequence[UUID | None], overdue: timedelta) -> _Locked | None:
    """Of the connections that nobody drains, the one whose turn was longest ago, then the one whose events have waited
    longest; None when nothing is due.
    """
    with database.cursor() as cursor:
        cursor.execute(_CONNECTIONS_DUE, {"overdue": overdue.total_seconds(), "served": list(served)})
        for (connection_id,) in cursor.fetchall():
            cursor.execute(f"SELECT pg_try_advisory_xact_lock({_LOCK})", [connection_id])
            if cursor.fetchone()[0]:
                return _Locked(connection_id)
    return None


@dataclass(frozen=True, slots=True)
class _Batch:
    """Events to settle together, in this order; or a single one that `is_large`."""

    ids: list[UUID]
    is_large: bool


def _take(connection_id: UUID | None, overdue: timedelta) -> _Batch:
    """The next events of a connection, locked; the first however large it is."""
    whose = "connection_id IS NULL" if connection_id is None else "connection_id = %(connection)s"
    with database.cursor() as cursor:
        cursor.execute(
            _TAKE.format(whose=whose),
            {"connection": connection_id, "overdue": overdue.total_seconds(), "batch": BATCH},
        )
        rows = cursor.fetchall()
    totals = accumulate(size for _pk, size in rows)
    ids = [
        pk
        for place, ((pk, _size), total) in enumerate(zip(rows, totals, strict=True))
        if place == 0 or total <= BATCH_BYTES
    ]
    return _Batch(ids, is_large=bool(rows) and rows[0][1] > BATCH_BYTES)


def _mark(works: Sequence[Work]) -> None:
    """Write what became of each event; one statement."""
    settled = [work.settled() for work in works]
    with database.cursor() as cursor:
        cursor.execute(
            _MARK,
            {
                "id": [work.event.id for work in works],
                "event": [work.event.event for work in works],
                "status": [str(one.status) for one in settled],
                "reason": [one.reason for one in settled],
                # An array of arrays would have to be a rectangle.
                "awaits": [json.dumps(one.awaits) for one in settled],
                "failures": [one.failures for one in settled],
                "again": [one.again_after and one.again_after.total_seconds() for one in settled],
            },
        )


def _heard(works: Sequence[Work]) -> None:
    """Remember when each connection was last heard of; what we looked up ourselves is no sign of life."""
    heard: dict[UUID, datetime] = {}
    for work in works:
        if work.connection and work.event.path_event != CATCH_UP:
            at = heard.get(work.connection.id, work.event.created_at)
            heard[work.connection.id] = max(at, work.event.created_at)
    with database.cursor() as cursor:
        connections = sorted(heard)
        cursor.execute(_HEARD, {"connection": connections, "at": [heard[one] for one in connections]})


# From connection to connection through the index: of a long backlog one row each is read.
_CONNECTIONS_DUE = """
WITH RECURSIVE waiting AS (
    (SELECT connection_id, due_at FROM webhook_events
     WHERE status = 'received' AND connection_id IS NOT NULL ORDER BY connection_id, due_at LIMIT 1)
    UNION ALL
    SELECT next.connection_id, next.due_at FROM waiting CROSS JOIN LATERAL (
        SELECT e.connection_id, e.due_at FROM webhook_events e
        WHERE e.status = 'received' AND e.connection_id > waiting.connection_id
        ORDER BY e.connection_id, e.due_at LIMIT 1
    ) next
), everybody AS (
    SELECT connection_id, due_at FROM waiting
    UNION ALL
    (SELECT connection_id, due_at FROM webhook_events
     WHERE status = 'received' AND connection_id IS NULL ORDER BY due_at LIMIT 1)
)
SELECT connection_id FROM everybody WHERE due_at <= crm_now() - make_interval(secs => %(overdue)s)
ORDER BY array_position(%(served)s::uuid[], connection_id) NULLS FIRST, due_at LIMIT 50
"""

# Of a connection, for a transaction.
_LOCK = "hashtextextended('webhooks ' || coalesce(%s::text, ''), 0)"

_TAKE = """
SELECT id, octet_length(body) FROM webhook_events
WHERE status = 'received' AND {whose} AND due_at <= crm_now() - make_interval(secs => %(overdue)s)
ORDER BY due_at, id LIMIT %(batch)s FOR NO KEY UPDATE SKIP LOCKED
"""

_CLAIM = """
UPDATE webhook_events SET
    failures = failures + 1,
    due_at = crm_now() + make_interval(secs => %(put_off)s * 2 ^ least(failures, 5))
WHERE id = %(id)s RETURNING failures
"""

_MARK = """
UPDATE webhook_events e SET
    event = one.event,
    status = one.status,
    reason = one.reason,
    awaits = ARRAY(SELECT jsonb_array_elements_text(one.awaits::jsonb)),
    attempts = least(e.attempts + 1, 10000),
    failures = one.failures,
    due_at = CASE WHEN one.again IS NULL THEN e.due_at ELSE crm_now() + make_interval(secs => one.again) END,
    settled_at = CASE WHEN one.again IS NULL THEN crm_now() END
FROM unnest(
    %(id)s::uuid[], %(event)s::text[], %(status)s::text[], %(reason)s::text[], %(awaits)s::text[], %(failures)s::int[],
    %(again)s::float8[])
  AS one (id, event, status, reason, awaits, failures, again)
WHERE e.id = one.id
"""

_HEARD = """
INSERT INTO inbound_completeness AS known (connection_id, heard_at)
SELECT * FROM unnest(%(connection)s::uuid[], %(at)s::timestamptz[])
ON CONFLICT (connection_id) DO UPDATE SET heard_at = greatest(known.heard_at, excluded.heard_at)
"""
