"""The feed of a unit: what changed, in the order of commits."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

from units.models import LiveEvent

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
    by_unit: dict[UUID, list[Change]] = defaultdict(list)
    for change in changes:
        if change not in by_unit[change.unit_id]:
            by_unit[change.unit_id].append(change)
    with connection.cursor() as cursor:
        for unit_id, unit_changes in sorted(by_unit.items()):
            cursor.execute(
                "INSERT INTO unit_feeds AS feed (unit_id, last_seq) VALUES (%(unit)s, %(count)s)"
                " ON CONFLICT (unit_id) DO UPDATE SET last_seq = feed.last_seq + excluded.last_seq"
                " RETURNING last_seq",
                {"unit": unit_id, "count": len(unit_changes)},
            )
            (last_seq,) = cursor.fetchone()
            first_seq = last_seq - len(unit_changes) + 1
            LiveEvent.objects.bulk_create(
                LiveEvent(unit_id=unit_id, seq=seq, kind=c.kind, object_id=c.object_id, data=c.data)
                for seq, c in enumerate(unit_changes, start=first_seq)
            )
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(unit_id)])
