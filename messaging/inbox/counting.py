"""How many conversations there are to look at."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from messaging.models import ConversationStatus


@dataclass(frozen=True, slots=True)
class Counts:
    """`unread` whatever the status; the others of what is open or pending: the person's, nobody's, who waits."""

    unread: int
    mine: int
    unassigned: int
    waiting: int


def counts(unit_id: UUID, user_id: Any) -> Counts:
    """In one statement."""
    here = [ConversationStatus.OPEN.value, ConversationStatus.PENDING.value]
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"unit": unit_id, "me": user_id, "here": here})
        return Counts(*cursor.fetchone())


# Each count has an index of its own to read: `conversations_unread`, `…_of_person`, `…_by_status`.
_COUNT = """
SELECT
    (SELECT count(*) FROM conversations WHERE unit_id = %(unit)s AND unread_count > 0),
    (SELECT count(*) FROM conversations
     WHERE unit_id = %(unit)s AND assigned_to_id = %(me)s AND status = ANY(%(here)s)),
    count(*) FILTER (WHERE assigned_to_id IS NULL),
    count(*) FILTER (WHERE waiting_since IS NOT NULL)
FROM conversations WHERE unit_id = %(unit)s AND status = ANY(%(here)s)
"""
