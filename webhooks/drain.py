"""Understanding what was kept: each event ends handled, ignored with a reason, or dead and replayable (I1)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from uuid import UUID

from django.db import connection as database
from django.db import transaction

from messaging import lanes
from units import live
from webhooks.application import Work, settle
from webhooks.awaiting import wake_awaiting
from webhooks.catch_up import SOURCE as CATCH_UP
from webhooks.models import WebhookEvent

# Events in one transaction, and the bytes of their bodies together: with files in them they are few.
BATCH, BATCH_BYTES = 500, 16 * 1024 * 1024


def drain(*, seconds: float, overdue: timedelta = timedelta(0)) -> int:
    """Settle events that are due (for `overdue` already) until none is, or `seconds` are over; the number settled."""
    until = time.monotonic() + seconds
    settled = 0
    while time.monotonic() < until:
        count = _drain_one_connection(overdue)
        if count == 0:
            break
        settled += count
    return settled


def _drain_one_connection(overdue: timedelta) -> int:
    """A batch of one connection's events, in the order in which they came; 0 when nothing is due.

    One transaction: a drain that dies leaves them as they were. Of one connection only one drain at a time, so that
    events keep their order where they have one, and two drains do not wait for each other's rows.
    """
    with transaction.atomic():
        locked = _lock_a_connection(overdue)
        if locked is None:
            return 0
        works = [Work(event) for event in _take(locked.connection_id, overdue)]
        effects = settle(works)
        _mark(works)
        _heard(works)
        for connection_id, external_ids in effects.arrived.items():
            wake_awaiting(connection_id, external_ids)
        # Lanes after all rows, the feed last: everybody who locks several takes them in this order.
        lanes.wake(sorted(effects.wakes))
        live.publish(effects.changes)
    return len(works)


@dataclass(frozen=True, slots=True)
class _Locked:
    """A connection that nobody else drains (None: the events of no connection)."""

    connection_id: UUID | None


def _lock_a_connection(overdue: timedelta) -> _Locked | None:
    """The connection whose events have waited longest, of those that nobody drains; None when nothing is due."""
    with database.cursor() as cursor:
        cursor.execute(_CONNECTIONS_DUE, {"overdue": overdue.total_seconds()})
        for (connection_id,) in cursor.fetchall():
            cursor.execute(
                "SELECT pg_try_advisory_xact_lock(hashtextextended('webhooks ' || coalesce(%s::text, ''), 0))",
                [connection_id],
            )
            if cursor.fetchone()[0]:
                return _Locked(connection_id)
    return None


def _take(connection_id: UUID | None, overdue: timedelta) -> list[WebhookEvent]:
    """The next events of a connection, locked; the first however large it is."""
    whose = "connection_id IS NULL" if connection_id is None else "connection_id = %(connection)s"
    with database.cursor() as cursor:
        cursor.execute(
            _TAKE.format(whose=whose),
            {"connection": connection_id, "overdue": overdue.total_seconds(), "batch": BATCH},
        )
        rows = cursor.fetchall()
    totals = accumulate(size for _pk, size in rows)
    places = {
        pk: place
        for place, ((pk, _size), total) in enumerate(zip(rows, totals, strict=True))
        if place == 0 or total <= BATCH_BYTES
    }
    return sorted(WebhookEvent.objects.filter(id__in=list(places)), key=lambda event: places[event.id])


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
                "awaits": [one.awaits for one in settled],
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
ORDER BY due_at LIMIT 50
"""

_TAKE = """
SELECT id, octet_length(body) FROM webhook_events
WHERE status = 'received' AND {whose} AND due_at <= crm_now() - make_interval(secs => %(overdue)s)
ORDER BY due_at, id LIMIT %(batch)s FOR NO KEY UPDATE SKIP LOCKED
"""

_MARK = """
UPDATE webhook_events e SET
    event = one.event,
    status = one.status,
    reason = one.reason,
    awaits = one.awaits,
    attempts = e.attempts + 1,
    due_at = CASE WHEN one.again IS NULL THEN e.due_at ELSE crm_now() + make_interval(secs => one.again) END,
    settled_at = CASE WHEN one.again IS NULL THEN crm_now() END
FROM unnest(
    %(id)s::uuid[], %(event)s::text[], %(status)s::text[], %(reason)s::text[], %(awaits)s::text[], %(again)s::float8[])
  AS one (id, event, status, reason, awaits, again)
WHERE e.id = one.id
"""

_HEARD = """
INSERT INTO inbound_completeness AS known (connection_id, heard_at)
SELECT * FROM unnest(%(connection)s::uuid[], %(at)s::timestamptz[])
ON CONFLICT (connection_id) DO UPDATE SET heard_at = greatest(known.heard_at, excluded.heard_at)
"""
