"""Events that speak of a message which was not here: tried again as soon as it is."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection as database

from crm_whatsapp.bell import ring_on_commit
from webhooks.inbox import DRAIN

_WAKE = (
    "UPDATE webhook_events e SET status = 'received', reason = '', attempts = 0, due_at = crm_now(), settled_at = NULL"
)
# A dead one failed at something else.
_ASLEEP = "e.status IN ('received', 'ignored') AND e.awaits <> ''"


def wake_awaiting(connection_id: UUID, external_ids: Collection[str]) -> int:
    """Make due what awaits these messages of the connection, in the transaction of the caller; the number of events.

    For the drain of that connection: nobody else holds its events.
    """
    if not external_ids:
        return 0
    with database.cursor() as cursor:
        cursor.execute(
            f"{_WAKE} WHERE e.connection_id = %s AND e.awaits = ANY(%s) AND {_ASLEEP}",
            [connection_id, list(external_ids)],
        )
        woken = cursor.rowcount
    if woken:
        ring_on_commit(DRAIN)
    return woken


def wake_awaiting_messages(ids: Collection[UUID]) -> int:
    """Make due what awaits these messages (by our ids); the number of events.

    Not inside a transaction that holds messages: a drain holds its events and waits for messages.
    """
    with database.cursor() as cursor:
        cursor.execute(
            f"{_WAKE} FROM messages m WHERE m.id = ANY(%s) AND e.connection_id = m.connection_id"
            f" AND e.awaits = m.external_id AND {_ASLEEP}",
            [list(ids)],
        )
        woken = cursor.rowcount
    if woken:
        ring_on_commit(DRAIN)
    return woken
