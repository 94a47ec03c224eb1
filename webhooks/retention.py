"""Forgetting what has been settled for long."""

import time
from datetime import timedelta

from django.conf import settings
from django.db import connection as database

# One statement's share: short locks, and little to repeat when it is cut off.
BATCH = 5_000

_OLD = (
    "SELECT id FROM webhook_events WHERE status IN ('handled', 'ignored') AND {age} <"
    " crm_now() - make_interval(secs => %(keep)s) {order} LIMIT %(batch)s FOR UPDATE SKIP LOCKED"
)
_OLD_STATEMENTS = (
    _OLD.format(age="settled_at", order="ORDER BY settled_at"),
    # Ignored as it came: never settled by a drain.
    _OLD.format(age="settled_at IS NULL AND created_at", order=""),
)


def prune(*, seconds: float, keep: timedelta | None = None) -> int:
    """Delete events that were handled or ignored longer ago than WEBHOOK_RETENTION (or `keep`); their number.

    In small batches, each on its own, until none is left or `seconds` are over. Those that could not be handled stay.
    """
    until = time.monotonic() + seconds
    age = (settings.WEBHOOK_RETENTION if keep is None else keep).total_seconds()
    deleted = 0
    for statement in _OLD_STATEMENTS:
        count = BATCH
        while count == BATCH and time.monotonic() < until:
            with database.cursor() as cursor:
                cursor.execute(
                    f"DELETE FROM webhook_events WHERE id IN ({statement})",  # noqa: S608
                    {"keep": age, "batch": BATCH},
                )
                count = cursor.rowcount
            deleted += count
    return deleted
