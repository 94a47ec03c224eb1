"""The lane of a number: waking it, freeing it, and knowing when to look at it again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database

from crm_whatsapp.bell import ring_on_commit
from crm_whatsapp.db import ClockNow
from messaging.models import AddressKind, ContactAddress, Conversation, Direction, Message, MessageStatus, Origin
from units.models import WhatsAppConnection

DELIVER = "messaging.tasks.deliver"
# Each asked for by itself: the index has the origin before the time, and "not a campaign" would read the whole queue.
URGENT = [origin for origin in Origin.values if origin != Origin.CAMPAIGN]


def wake(connection_ids: list[UUID]) -> None:
    """Something may be due on these lanes: look, in the transaction that made it so.

    The row lock orders this with a delivery that is about to find the lane empty: one of the two sees the other.
    """
    if not connection_ids:
        return
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO send_lanes AS lane (connection_id, due_at)"
            " SELECT id, crm_now() FROM unnest(%s::uuid[]) AS wanted (id) ORDER BY id"
            " ON CONFLICT (connection_id) DO UPDATE SET due_at = least(lane.due_at, excluded.due_at)",
            [connection_ids],
        )
    ring_on_commit(DELIVER)


def gateway_may_act_for() -> timedelta:
    """How long after `dispatching` the gateway may still write to the socket, whatever became of our call."""
    return timedelta(seconds=settings.EVOLUTION_CONNECT_TIMEOUT + settings.EVOLUTION_SEND_TIMEOUT) + settings.SEND_GRACE


def recipient_of(address: ContactAddress) -> str:
    """What the gateway is given: the JID that WhatsApp itself used, else the number's digits, else the LID."""
    if address.jid:
        return address.jid
    return address.value.removeprefix("+") if address.kind == AddressKind.PHONE else f"{address.value}@lid"


def queued(
    connection: WhatsAppConnection,
    conversation: Conversation,
    address: ContactAddress,
    *,
    origin: Origin = Origin.REPLY,
) -> dict[str, Any]:
    """The columns of a message of ours that is due now; its content, and to `wake` the lane, are the caller's."""
    return {
        "unit_id": connection.unit_id,
        "connection": connection,
        "conversation": conversation,
        "provider": connection.provider,
        "direction": Direction.OUTBOUND,
        "origin": Origin.REPLY,
        "recipient": recipient_of(address),
        "status": MessageStatus.QUEUED,
        "due_at": ClockNow(),
        "expires_at": ClockNow() + Message.LIFETIME,
    }


@dataclass(frozen=True, slots=True)
class Held:
    """A lane to release. `answered`: whether the gateway has had its last word; None when nothing went to it.

    `age`: seconds since that answer, by a clock that only runs forward. `uncounted`: a campaign message that certainly
    was not sent, so the day's cap gets it back.
    """

    connection_id: UUID
    token: UUID
    answered: bool | None = None
    age: float = 0.0
    uncounted: bool = False


def free(held: list[Held]) -> None:
    """Release lanes: campaigns go on an interval after the gateway's last act.

    A message that never left leaves the pace as it was. Without an answer, the gateway may act until the lease ends.
    """
    held = sorted(held, key=lambda one: one.connection_id)
    with database.cursor() as cursor:
        cursor.execute(
            _FREE_LANES,
            {
                "lanes": [one.connection_id for one in held],
                "tokens": [one.token for one in held],
                "answered": [one.answered for one in held],
                "ages": [one.age for one in held],
                "uncounted": [int(one.uncounted) for one in held],
            },
        )
        freed = dict(cursor.fetchall())
    look_at(freed, look_again=timedelta(0))


def look_at(opens_at: dict[UUID, datetime], *, look_again: timedelta) -> None:
    """Set when these lanes are due, from what is queued on them and from when they open for campaigns.

    `look_again`: when to come back to a lane that has something due already.
    """
    if opens_at:
        with database.cursor() as cursor:
            cursor.execute(
                _SET_DUE,
                {
                    "lanes": list(opens_at),
                    "opens_at": list(opens_at.values()),
                    "look_again": look_again.total_seconds(),
                    "urgent": URGENT,
                    "campaign": Origin.CAMPAIGN,
                },
            )


# Measured from the answer of the send before: from its claim it would break the floor (I5), and from the record it
# would add what recording takes. The age was taken before this statement began, so it is never too much.
_FREE_LANES = """
UPDATE send_lanes lane SET
    claim_token = NULL,
    lease_until = NULL,
    sent_today = greatest(lane.sent_today - held.uncounted, 0),
    next_send_at = CASE WHEN held.answered IS NULL THEN lane.next_send_at ELSE greatest(
        lane.next_send_at,
        CASE WHEN held.answered THEN crm_now() - make_interval(secs => held.age)
             ELSE greatest(lane.lease_until, crm_now()) END
          + make_interval(secs => (c.interval_seconds + random() * c.jitter_seconds)::float8)) END
FROM unnest(%(lanes)s::uuid[], %(tokens)s::uuid[], %(answered)s::bool[], %(ages)s::float8[], %(uncounted)s::int[])
    AS held (id, token, answered, age, uncounted)
JOIN unit_whatsapp_connections c ON c.id = held.id
WHERE lane.connection_id = held.id AND lane.claim_token = held.token
RETURNING lane.connection_id, lane.next_send_at
"""

# least() passes over NULL, so a lane with nothing queued is due never. ORDER BY … LIMIT 1, not min(): whatever else is
# selected or filtered beside a min() makes it read all that waits, and a million may.
_SET_DUE = """
UPDATE send_lanes lane SET
    due_at = CASE WHEN next.at <= crm_now() THEN crm_now() + make_interval(secs => %(look_again)s) ELSE next.at END
FROM (
    SELECT wanted.id, least(
        (SELECT min(first.due_at) FROM unnest(%(urgent)s::text[]) AS urgent (origin) CROSS JOIN LATERAL (
            SELECT m.due_at FROM messages m
            WHERE m.connection_id = wanted.id AND m.origin = urgent.origin
              AND m.status = 'queued' AND m.due_at IS NOT NULL
            ORDER BY m.due_at, m.id LIMIT 1) first),
        (SELECT greatest(m.due_at, wanted.opens_at) FROM messages m
         WHERE m.connection_id = wanted.id AND m.origin = %(campaign)s
           AND m.status = 'queued' AND m.due_at IS NOT NULL
         ORDER BY m.due_at, m.id LIMIT 1)) AS at
    FROM unnest(%(lanes)s::uuid[], %(opens_at)s::timestamptz[]) AS wanted (id, opens_at)
    OFFSET 0  -- Else it is computed once for each time it is named.
) next
WHERE lane.connection_id = next.id
"""
