"""When a number may send its next campaign message."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Pace:
    """A number's rules and where it stands, as read from the database together with its clock."""

    next_send_at: datetime
    day: date | None
    sent_today: int
    daily_cap: int | None
    window_start: time | None
    window_end: time | None
    time_zone: str

    def today(self, now: datetime) -> date:
        """The unit's calendar day."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()

    def cap_lifts_at(self, now: datetime) -> datetime | None:
        """The next midnight of the unit when today's campaign messages are used up; None when they are not."""
        today = self.today(now)
        sent = self.sent_today if self.day == today else 0
        if self.daily_cap is None or sent < self.daily_cap:
            return None
        return self._local(today + timedelta(days=1), time.min)

    def window_opens_at(self, now: datetime) -> datetime | None:
        """When the window opens next, seen from outside of it; None from inside, or without one.

        A window may span midnight. Equal ends mean the whole day.
        """
        if self.window_start is None or self.window_end is None or self.window_start == self.window_end:
            return None
        local = now.astimezone(ZoneInfo(self.time_zone))
        after_start, before_end = local.time() >= self.window_start, local.time() < self.window_end
        spans_midnight = self.window_start > self.window_end
        if (after_start or before_end) if spans_midnight else (after_start and before_end):
            return None
        days = 1 if after_start else 0
        return self._local(local.date() + timedelta(days=days), self.window_start)

    def opens_at(self, now: datetime) -> datetime:
        """The earliest time for the next campaign message; not after `now` when it may go at once."""
        opens_at = max(self.next_send_at, self.cap_lifts_at(now) or now)
        return max(opens_at, self.window_opens_at(max(opens_at, now)) or opens_at)

    def _local(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, tzinfo=ZoneInfo(self.time_zone))
