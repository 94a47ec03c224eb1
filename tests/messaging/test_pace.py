"""When the next campaign message may go: window, cap and interval, in the unit's own time."""

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from messaging.pace import Pace

SAO_PAULO = "America/Sao_Paulo"
EARLY = datetime(2026, 1, 1, tzinfo=UTC)


def pace(**rules: Any) -> Pace:
    fields = {
        "next_send_at": EARLY, "day": None, "sent_today": 0, "daily_cap": None,
        "window_start": None, "window_end": None, "time_zone": SAO_PAULO,
    }  # fmt: skip
    return Pace(**(fields | rules))


def local(*when: int, zone: str = SAO_PAULO) -> datetime:
    return datetime(*when, tzinfo=ZoneInfo(zone))  # type: ignore[misc,arg-type]


def test_without_rules_only_the_interval_counts() -> None:
    now = local(2026, 11, 24, 12)
    assert pace().opens_at(now) <= now
    assert pace(next_send_at=local(2026, 11, 24, 12, 1)).opens_at(now) == local(2026, 11, 24, 12, 1)


@pytest.mark.parametrize(
    ("start", "end", "now", "opens"),
    [
        (8, 19, (2026, 11, 24, 12), None),
        (8, 19, (2026, 11, 24, 7), (2026, 11, 24, 8)),
        (8, 19, (2026, 11, 24, 19), (2026, 11, 25, 8)),
        (20, 6, (2026, 11, 24, 23), None),
        (20, 6, (2026, 11, 24, 5), None),
        (20, 6, (2026, 11, 24, 12), (2026, 11, 24, 20)),
        (8, 8, (2026, 11, 24, 3), None),
    ],
)
def test_the_window(start: int, end: int, now: tuple[int, ...], opens: tuple[int, ...] | None) -> None:
    rules = pace(window_start=time(start), window_end=time(end))
    assert rules.window_opens_at(local(*now)) == (local(*opens) if opens else None)


def test_the_cap_lifts_at_the_unit_s_midnight_not_at_utc_s() -> None:
    rules = pace(daily_cap=10, sent_today=10, day=date(2026, 11, 24))
    assert rules.opens_at(local(2026, 11, 24, 22)) == local(2026, 11, 25, 0)
    assert rules.opens_at(local(2026, 11, 25, 0, 1)) <= local(2026, 11, 25, 0, 1)


def test_cap_and_window_together_open_at_the_later() -> None:
    rules = pace(daily_cap=1, sent_today=1, day=date(2026, 11, 24), window_start=time(8), window_end=time(19))
    assert rules.opens_at(local(2026, 11, 24, 12)) == local(2026, 11, 25, 8)


def test_a_window_that_opens_in_the_hour_that_summer_time_skips_still_opens() -> None:
    rules = pace(window_start=time(2, 30), window_end=time(5), time_zone="America/New_York")
    opens = rules.window_opens_at(local(2026, 3, 8, 0, 0, zone="America/New_York"))
    assert opens is not None
    assert opens.astimezone(UTC) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
