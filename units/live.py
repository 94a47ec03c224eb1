"""The feed of a unit: what changed, in the order of commits."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

# NOTIFY channel that wakes the readers; the payload is the unit's id.
CHANNEL = "live_events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something of a unit to look at again.

    `kind`: message, conversation, answering, connection, contact, campaign, attention.
    """

    unit_id: UUID
    kind: str
    object_id: UUID
    data: dict[str, Any] = field(default_factory=dict)


def publish(changes: Iterable[Change]) -> None:
    """Append `changes` to the feeds of their units: the last thing a transaction does.

    The row of the counter stays locked until the commit, so numbers become visible in their order, and a reader that
    remembers the last one misses nothing. Last, because whoever locked it early would make everybody wait, and two who
    lock other rows after it could wait for each other.
    """
    # What changed twice is looked at once; what was said of it last is what it is.
    latest: dict[tuple[UUID, str, UUID], Change] = {}
    for change in changes:
        latest[change.unit_id, change.kind, change.object_id] = change
    if not latest:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _PUBLISH,
            {
                "channel": CHANNEL,
                "units": [change.unit_id for change in latest.values()],
                "kinds": [change.kind for change in latest.values()],
                "objects": [change.object_id for change in latest.values()],
                "data": [json.dumps(change.data) for change in latest.values()],
            },
        )


# One statement for any number of units: a batch of sends is of as many. The counters are locked in the order of units.
_PUBLISH = """
WITH change AS MATERIALIZED (
    SELECT unit_id, kind, object_id, data::jsonb,
           row_number() OVER (PARTITION BY unit_id ORDER BY place) AS turn
    FROM unnest(%(units)s::uuid[], %(kinds)s::text[], %(objects)s::uuid[], %(data)s::text[]) WITH ORDINALITY
        AS change (unit_id, kind, object_id, data, place)
), feed AS (
    INSERT INTO unit_feeds AS feed (unit_id, last_seq)
    SELECT unit_id, count(*) FROM change GROUP BY unit_id ORDER BY unit_id
    ON CONFLICT (unit_id) DO UPDATE SET last_seq = feed.last_seq + excluded.last_seq
    RETURNING unit_id, last_seq
), written AS (
    INSERT INTO live_events (unit_id, seq, kind, object_id, data)
    SELECT unit_id, last_seq - count(*) OVER (PARTITION BY unit_id) + turn, kind, object_id, data
    FROM change JOIN feed USING (unit_id)
)
SELECT pg_notify(%(channel)s, unit_id::text) FROM feed
"""
