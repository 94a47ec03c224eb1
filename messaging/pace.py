"""When a number may send its next campaign message: pure functions of a time, which is the database's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection as database

# When nothing but a person can change it.
NEVER = datetime.max.replace(tzinfo=UTC)
# The next window lies within a week; within two where summer time swallows the one window of a week.
_DAYS_AHEAD = 15

# What a Pace is made of, in its order, where `lane`, `c` and `u` are the number's send lane, connection and unit.
PACE_COLUMNS = """
    lane.next_send_at, lane.day, lane.sent_today, c.daily_cap, c.window_start, c.window_end, c.window_days,
    c.in_use_since, c.campaigns_held_at, u.time_zone"""


@dataclass(frozen=True, slots=True)
class Pace:
    """A number's rules and where it stands, as read from the database together with its clock: `PACE_COLUMNS`."""

    next_send_at: datetime
    day: date | None
    sent_today: int
    daily_cap: int | None
    window_start: time | None
    window_end: time | None
    # ISO weekdays: 1 is Monday.
    window_days: list[int]
    # None: a number that was never seen connected is new.
    in_use_since: date | None
    campaigns_held_at: datetime | None
    time_zone: str

    def today(self, now: datetime) -> date:
        """The unit's calendar day."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()

    def day_of_use(self, day: date) -> int:
        """Which day of the number's use `day` is, counted from 1."""
        return max((day - self.in_use_since).days + 1, 1) if self.in_use_since else 1

    def warm_up_on(self, day: date) -> int | None:
        """Most campaign messages on `day` by the age of the number (settings.CAMPAIGN_WARM_UP); None: no limit."""
        most, age = None, self.day_of_use(day)
        for from_day, limit in settings.CAMPAIGN_WARM_UP:
            if age >= from_day:
                most = limit
        return most

    def cap_on(self, day: date) -> int | None:
        """Most campaign messages on `day`: the smaller of the daily cap and the warm-up; None: no limit."""
        return min((cap for cap in (self.daily_cap, self.warm_up_on(day)) if cap is not None), default=None)

    def sent_on(self, day: date) -> int:
        """Campaign messages that count for `day`."""
        return self.sent_today if self.day == day else 0

    def cap_lifts_at(self, now: datetime) -> datetime | None:
        """The next midnight of the unit when today's campaign messages are used up; None when they are not."""
        today = self.today(now)
        cap = self.cap_on(today)
        if cap is None or self.sent_on(today) < cap:
            return None
        return self._local(today + timedelta(days=1), time.min)

    def window_on(self, day: date) -> tuple[datetime, datetime] | None:
        """From when until before when campaigns go in the window that starts on `day`; None when none does.

        A window that spans midnight belongs to the day it starts on. Without a window, or with equal ends, it is the
        whole calendar day.
        """
        if day.isoweekday() not in self.window_days:
            return None
        start, end, ends_on = self.window_start, self.window_end, day
        if start is None or end is None or start == end:
            start = end = time.min
        if end <= start:
            ends_on += timedelta(days=1)
        opens, closes = self._local(day, start), self._local(ends_on, end)
        # Not so where it lies in the hour that summer time skips.
        return (opens, closes) if opens < closes else None

    def window_closes_at(self, now: datetime) -> datetime | None:
        """When the window that is open at `now` closes; None from outside of any.

        Midnight for a number that sends all day: the next day's window may follow at once.
        """
        today = self.today(now)
        for day in (today, today - timedelta(days=1)):
            window = self.window_on(day)
            if window and window[0] <= now < window[1]:
                return window[1]
        return None

    def window_opens_at(self, now: datetime) -> datetime | None:
        """When the window opens next, seen from outside of it; None from inside. `NEVER` without any day."""
        if self.window_closes_at(now) is not None:
            return None
        today = self.today(now)
        for ahead in range(_DAYS_AHEAD):
            window = self.window_on(today + timedelta(days=ahead))
            if window and window[0] > now:
                return window[0]
        return NEVER

    def opens_at(self, now: datetime) -> datetime:
        """The earliest time for the next campaign message; `now` when it may go at once, `NEVER` while they are held.

        With a cap of 0 it is when the next look is worth while: the cap of the day after is 0 again.
        """
        if self.campaigns_held_at is not None:
            return NEVER
        opens_at = max(self.next_send_at, now)
        # The window may open on a later day than the cap lifts, whose cap is not used up; never the other way round.
        opens_at = self.window_opens_at(opens_at) or opens_at
        if opens_at != NEVER and (lifts_at := self.cap_lifts_at(opens_at)) is not None:
            opens_at = self.window_opens_at(lifts_at) or lifts_at
        return opens_at

    def _local(self, day: date, at: time) -> datetime:
        """In UTC: times of one zone compare by the wall clock, which goes back once a year."""
        return datetime.combine(day, at, tzinfo=ZoneInfo(self.time_zone)).astimezone(UTC)


def standing_of(connection_id: UUID) -> tuple[datetime, Pace]:
    """The database's time, and the number's rules and where it stands at that time. A number without a lane is new."""
    found = standings_of([connection_id])
    if connection_id not in found:
        raise LookupError(f"no connection {connection_id}")
    return found[connection_id]


def standings_of(connection_ids: Collection[UUID]) -> dict[UUID, tuple[datetime, Pace]]:
    """As `standing_of`, of many numbers in one query."""
    with database.cursor() as cursor:
        cursor.execute(_STANDINGS, [list(connection_ids)])
        return {pk: (now, Pace(*columns)) for pk, now, *columns in cursor.fetchall()}


_STANDINGS = f"""
SELECT c.id, crm_now(), {PACE_COLUMNS}
FROM unit_whatsapp_connections c
JOIN units u ON u.id = c.unit_id
LEFT JOIN LATERAL (
    SELECT l.next_send_at, l.day, l.sent_today FROM send_lanes l WHERE l.connection_id = c.id
    UNION ALL SELECT c.created_at, NULL, 0 LIMIT 1
) lane ON true
WHERE c.id = ANY(%s)
"""  # noqa: S608 - our own columns
