"""The feed of a unit: what changed, in the order of commits."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

# NOTIFY channel that wakes the readers; the payload is the unit's id.
CHANNEL = "live_events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something of a unit to look at again. `kind`: message, conversation, connection or campaign."""

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
    by_unit: dict[UUID, dict[tuple[str, UUID], Change]] = defaultdict(dict)
    for change in changes:
        by_unit[change.unit_id][change.kind, change.object_id] = change
    with connection.cursor() as cursor:
        for unit_id, unit_changes in sorted(by_unit.items()):
            cursor.execute(
                "INSERT INTO unit_feeds AS feed (unit_id, last_seq) VALUES (%(unit)s, %(count)s)"
                " ON CONFLICT (unit_id) DO UPDATE SET last_seq = feed.last_seq + excluded.last_seq"
                " RETURNING last_seq",
                {"unit": unit_id, "count": len(unit_changes)},
            )
            (last_seq,) = cursor.fetchone()
            cursor.execute(
                "INSERT INTO live_events (unit_id, seq, kind, object_id, data)"
                " SELECT %(unit)s, %(first)s + place - 1, kind, object_id, data::jsonb FROM unnest("
                " %(kind)s::text[], %(object)s::uuid[], %(data)s::text[]) WITH ORDINALITY"
                " AS change (kind, object_id, data, place)",
                {
                    "unit": unit_id,
                    "first": last_seq - len(unit_changes) + 1,
                    "kind": [change.kind for change in unit_changes.values()],
                    "object": [change.object_id for change in unit_changes.values()],
                    "data": [json.dumps(change.data) for change in unit_changes.values()],
                },
            )
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(unit_id)])
