"""Events that speak of messages which were not here: tried again as soon as one of them is.

Whoever wakes an event that somebody else may hold does so when its own transaction is over: a drain holds its events
and waits for messages, so that one who holds messages and waits for events would close a circle.
"""

from collections.abc import Collection, Mapping
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db import transaction

from crm_whatsapp.bell import ring_on_commit
from webhooks.inbox import DRAIN

_WAKE = (
    "UPDATE webhook_events e SET status = 'received', reason = '', attempts = 0, due_at = crm_now(), settled_at = NULL"
)
# A dead one failed at something else. The empty array is excluded as the index is.
_ASLEEP = "e.status IN ('received', 'ignored') AND e.awaits <> '{}'"


def wake_in_drain(drained: UUID | None, arrived: Mapping[UUID, Collection[str]]) -> None:
    """Make due what awaits messages that have `arrived`, by connection; within the transaction of a drain.

    `drained`: whose events that drain holds (None: those that came by the installation's secret). Its own are woken at
    once, others after the commit.
    """
    for connection_id, external_ids in arrived.items():
        if not external_ids:
            continue
        ids = list(external_ids)
        for whose in (connection_id, None):
            if whose == drained:
                _wake(whose, ids)
            else:
                transaction.on_commit(partial(_wake, whose, ids), robust=True)


def wake_awaiting(connection_id: UUID, external_ids: Collection[str]) -> int:
    """Make due what awaits these messages of the connection; the number of events. Not inside a transaction that holds
    messages.

    What came by the installation's secret does not say in a column whose it is: all of it that awaits such an id is
    woken, and one too many finds nothing new.
    """
    return sum(_wake(whose, list(external_ids)) for whose in (connection_id, None))


def wake_awaiting_messages(ids: Collection[UUID]) -> int:
    """Make due what awaits these messages (by our ids); the number of events. As `wake_awaiting`."""
    with database.cursor() as cursor:
        # One statement for all numbers: a batch of sends is of as many. An event that awaits the same id of another
        # number costs one look more.
        cursor.execute(
            f"{_WAKE} FROM (SELECT array_agg(m.connection_id) AS connections, array_agg(m.external_id) AS ids"  # noqa: S608
            " FROM messages m WHERE m.id = ANY(%(ids)s) AND m.external_id IS NOT NULL) arrived"
            " WHERE (e.connection_id = ANY(arrived.connections) OR (e.connection_id IS NULL AND %(by_installation)s))"
            f" AND e.awaits && arrived.ids AND {_ASLEEP}",
            {"ids": list(ids), "by_installation": bool(settings.EVOLUTION_GLOBAL_WEBHOOK_SECRET)},
        )
        woken = cursor.rowcount
    if woken:
        ring_on_commit(DRAIN)
    return woken


def _wake(connection_id: UUID | None, external_ids: list[str]) -> int:
    if connection_id is None and not settings.EVOLUTION_GLOBAL_WEBHOOK_SECRET:
        # Nothing comes that way.
        return 0
    whose = "e.connection_id IS NULL" if connection_id is None else "e.connection_id = %(connection)s"
    with database.cursor() as cursor:
        cursor.execute(
            f"{_WAKE} WHERE {whose} AND e.awaits && %(ids)s::varchar[] AND {_ASLEEP}",
            {"connection": connection_id, "ids": external_ids},
        )
        woken = cursor.rowcount
    if woken:
        ring_on_commit(DRAIN)
    return woken
