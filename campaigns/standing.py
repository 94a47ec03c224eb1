"""Where the campaigns that are sending stand, each with its number, at the database's time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection as database

from messaging.pace import NEVER, PACE_COLUMNS, Pace

# Messages of one campaign that may go as soon as the lane is free …
AHEAD = 2
# … and with those that must wait for their chat to be settled, or for another attempt.
AHEAD_MOST = 50
# What is queued goes back when its lane opens later than this: it must not expire on the lane.
SOON = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """A campaign that is sending, and its number, at `now` by the database."""

    id: UUID
    connection_id: UUID | None
    provider: str | None
    is_connected: bool
    now: datetime
    has_ended: bool
    is_filled: bool
    is_paced: bool
    # Messages that are queued or sending, those of them that wait for something else than the lane, and those queued.
    under_way: int
    stuck: int
    queued: int
    # Queued to chats that wait for a settlement.
    unsettled: int
    has_pending: bool
    pace: Pace | None

    @property
    def is_open(self) -> bool:
        """Whether what is queued now may go as soon as its turn comes."""
        if not self.is_connected or self.pace is None or self.pace.campaigns_held_at is not None:
            return False
        return self.pace.cap_lifts_at(self.now) is None and self.pace.window_opens_at(self.now) is None

    @property
    def goes_back(self) -> bool:
        """Whether what is queued must not stay on the lane."""
        if not self.queued:
            return False
        if self.has_ended or not self.is_connected or self.pace is None:
            return True
        if self.is_paced and self.unsettled:
            return True
        if self.is_open:
            return False
        opens_at = self.pace.opens_at(self.now)
        return opens_at == NEVER or opens_at - self.now > SOON

    @property
    def room(self) -> int:
        """How many more may be queued."""
        if self.has_ended or not self.is_open:
            return 0
        if self.is_paced:
            return 1 - self.under_way
        return min(AHEAD - (self.under_way - self.stuck), AHEAD_MOST - self.under_way)

    @property
    def is_complete(self) -> bool:
        return (self.is_filled or self.has_ended) and not self.has_pending and not self.under_way

    @property
    def has_something_to_do(self) -> bool:
        return self.is_complete or self.goes_back or (self.has_pending and (self.has_ended or self.room > 0))


def look(ids: Sequence[UUID] | None = None) -> list[Standing]:
    """Where campaigns that are sending stand: all, those that have waited longest first, or `ids`."""
    with database.cursor() as cursor:
        cursor.execute(_LOOK, {"ids": None if ids is None else list(ids)})
        return [_standing(row) for row in cursor.fetchall()]


def _standing(row: Sequence[Any]) -> Standing:
    """From a row of `_LOOK`."""
    pace = Pace(*row[13:]) if row[1] else None
    return Standing(*[*row[:13], pace])


_LOOK = f"""
SELECT k.id, c.id, c.provider, coalesce(c.status = 'connected', false), crm_now(),
       coalesce(k.ends_at <= crm_now(), false), k.audience_done_at IS NOT NULL, k.interval_seconds IS NOT NULL,
       under.way, under.stuck, under.queued, under.unsettled,
       EXISTS (SELECT 1 FROM campaign_recipients r WHERE r.campaign_id = k.id AND r.status = 'pending'),
       {PACE_COLUMNS}
FROM campaigns k
JOIN units u ON u.id = k.unit_id
LEFT JOIN unit_whatsapp_connections c ON c.unit_id = k.unit_id
LEFT JOIN LATERAL (
    SELECT l.next_send_at, l.day, l.sent_today FROM send_lanes l WHERE l.connection_id = c.id
    UNION ALL SELECT c.created_at, NULL, 0 LIMIT 1
) lane ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS way, count(*) FILTER (WHERE r.status = 'queued') AS queued,
           count(*) FILTER (WHERE r.status = 'queued' AND chat.is_unsettled) AS unsettled,
           count(*) FILTER (WHERE r.status = 'queued' AND (m.due_at > crm_now() OR chat.is_unsettled)) AS stuck
    FROM campaign_recipients r
    LEFT JOIN messages m ON m.id = r.message_id
    LEFT JOIN LATERAL (
        SELECT EXISTS (
            SELECT 1 FROM messages open
            WHERE open.conversation_id = m.conversation_id AND open.status IN ('dispatching', 'uncertain')
        ) AS is_unsettled) chat ON true
    WHERE r.campaign_id = k.id AND r.status IN ('queued', 'sending')
) under
WHERE k.status = 'processing' AND (%(ids)s::uuid[] IS NULL OR k.id = ANY(%(ids)s::uuid[]))
ORDER BY k.started_at, k.id
"""  # noqa: S608 - our own columns
