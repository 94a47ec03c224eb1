"""When the next campaign message may go: window, weekdays, cap, warm-up and interval, in the unit's own time."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.pace import NEVER, Pace

SAO_PAULO = "America/Sao_Paulo"
EARLY = datetime(2026, 1, 1, tzinfo=UTC)
EVERY_DAY = [1, 2, 3, 4, 5, 6, 7]
# 2026-11-24 is a Tuesday.


def pace(**rules: Any) -> Pace:
    fields = {
        "next_send_at": EARLY, "day": None, "sent_today": 0, "daily_cap": None, "window_start": None,
        "window_end": None, "window_days": EVERY_DAY, "in_use_since": date(2020, 1, 1), "campaigns_held_at": None,
        "time_zone": SAO_PAULO,
    }  # fmt: skip
    return Pace(**(fields | rules))


def local(*when: int, zone: str = SAO_PAULO) -> datetime:
    return datetime(*when, tzinfo=ZoneInfo(zone))  # type: ignore[misc,arg-type]


def test_without_rules_only_the_interval_counts() -> None:
    now = local(2026, 11, 24, 12)
    assert pace().opens_at(now) == now
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
        (0, 12, (2026, 11, 24, 12), (2026, 11, 25, 0)),
    ],
)
def test_the_window(start: int, end: int, now: tuple[int, ...], opens: tuple[int, ...] | None) -> None:
    rules = pace(window_start=time(start), window_end=time(end))
    assert rules.window_opens_at(local(*now)) == (local(*opens) if opens else None)


@pytest.mark.parametrize(
    ("days", "window", "now", "opens"),
    [
        # Monday to Friday, all day: Saturday waits for Monday's midnight.
        ([1, 2, 3, 4, 5], None, (2026, 11, 28, 10), (2026, 11, 30, 0)),
        ([1, 2, 3, 4, 5], (8, 19), (2026, 11, 27, 20), (2026, 11, 30, 8)),
        # Friday's night belongs to Friday, also after midnight …
        ([5], (22, 6), (2026, 11, 28, 5), None),
        # … and Saturday's own begins next week.
        ([5], (22, 6), (2026, 11, 28, 22), (2026, 12, 4, 22)),
        ([6], (22, 6), (2026, 11, 28, 5), (2026, 11, 28, 22)),
        ([2], None, (2026, 11, 24, 23), None),
        ([2], (8, 9), (2026, 11, 24, 9), (2026, 12, 1, 8)),
    ],
)
def test_a_window_belongs_to_the_weekday_it_starts_on(
    days: list[int], window: tuple[int, int] | None, now: tuple[int, ...], opens: tuple[int, ...] | None
) -> None:
    ends = {"window_start": time(window[0]), "window_end": time(window[1])} if window else {}
    assert pace(window_days=days, **ends).window_opens_at(local(*now)) == (local(*opens) if opens else None)


def test_the_cap_lifts_at_the_unit_s_midnight_not_at_utc_s() -> None:
    rules = pace(daily_cap=10, sent_today=10, day=date(2026, 11, 24))
    assert rules.opens_at(local(2026, 11, 24, 22)) == local(2026, 11, 25, 0)
    assert rules.opens_at(local(2026, 11, 25, 0, 1)) == local(2026, 11, 25, 0, 1)


def test_cap_and_window_together_open_at_the_later() -> None:
    rules = pace(daily_cap=1, sent_today=1, day=date(2026, 11, 24), window_start=time(8), window_end=time(19))
    assert rules.opens_at(local(2026, 11, 24, 12)) == local(2026, 11, 25, 8)


def test_at_midnight_a_window_that_spans_it_goes_on_with_a_new_cap() -> None:
    rules = pace(daily_cap=1, sent_today=1, day=date(2026, 11, 24), window_start=time(20), window_end=time(6))
    assert rules.opens_at(local(2026, 11, 24, 21)) == local(2026, 11, 25, 0)


def test_a_cap_that_is_used_up_does_not_hold_what_is_due_on_another_day() -> None:
    rules = pace(daily_cap=1, sent_today=1, day=date(2026, 11, 24), next_send_at=local(2026, 11, 25, 0, 10))
    assert rules.opens_at(local(2026, 11, 24, 23)) == local(2026, 11, 25, 0, 10)


@pytest.mark.parametrize(
    ("since", "daily_cap", "cap"),
    [
        (None, None, 50),
        (date(2026, 11, 24), None, 50),
        (date(2026, 11, 22), None, 50),
        (date(2026, 11, 21), None, 100),
        (date(2026, 10, 26), None, 1000),
        (date(2026, 10, 25), None, None),
        (date(2026, 11, 21), 80, 80),
        (date(2020, 1, 1), 80, 80),
        # A date that has not come yet is no way around it.
        (date(2027, 1, 1), None, 50),
    ],
)
def test_a_young_number_warms_up(settings: Any, since: date | None, daily_cap: int | None, cap: int | None) -> None:
    settings.CAMPAIGN_WARM_UP = [(1, 50), (4, 100), (8, 250), (15, 500), (22, 1000), (31, None)]
    assert pace(in_use_since=since, daily_cap=daily_cap).cap_on(date(2026, 11, 24)) == cap


def test_without_a_table_there_is_no_warm_up(settings: Any) -> None:
    settings.CAMPAIGN_WARM_UP = []
    assert pace(in_use_since=None).cap_on(date(2026, 11, 24)) is None


def test_held_campaigns_open_never() -> None:
    assert pace(campaigns_held_at=EARLY).opens_at(local(2026, 11, 24, 12)) == NEVER


NEW_YORK = "America/New_York"  # forward on 2026-03-08 at 2, back on 2026-11-01 at 2
HAVANA = "America/Havana"  # forward on 2026-03-08 at midnight, back on 2026-11-01 at 1


def test_a_window_that_opens_in_the_hour_that_summer_time_skips_still_opens() -> None:
    rules = pace(window_start=time(2, 30), window_end=time(5), time_zone=NEW_YORK)
    assert rules.window_opens_at(local(2026, 3, 8, 0, 0, zone=NEW_YORK)) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


def test_a_window_within_the_skipped_hour_waits_for_the_next_day() -> None:
    rules = pace(window_start=time(2, 30), window_end=time(3), time_zone=NEW_YORK)
    assert rules.window_opens_at(local(2026, 3, 8, 1, zone=NEW_YORK)) == local(2026, 3, 9, 2, 30, zone=NEW_YORK)


def test_the_hour_that_comes_twice_opens_a_window_once() -> None:
    rules = pace(window_start=time(1), window_end=time(1, 30), time_zone=NEW_YORK)
    first = datetime(2026, 11, 1, 5, 10, tzinfo=UTC)
    assert rules.window_opens_at(first) is None
    assert rules.window_opens_at(first + timedelta(hours=1)) == local(2026, 11, 2, 1, zone=NEW_YORK)


@pytest.mark.parametrize(
    ("day", "midnight"),
    [
        # The day begins at one o'clock.
        (date(2026, 3, 7), datetime(2026, 3, 8, 5, tzinfo=UTC)),
        # Midnight comes twice; the first counts.
        (date(2026, 10, 31), datetime(2026, 11, 1, 4, tzinfo=UTC)),
    ],
)
def test_the_cap_lifts_with_the_day_also_where_midnight_is_no_hour(day: date, midnight: datetime) -> None:
    rules = pace(daily_cap=1, sent_today=1, day=day, time_zone=HAVANA)
    assert rules.opens_at(midnight - timedelta(hours=3)) == midnight
    assert rules.today(midnight) == day + timedelta(days=1)


ZONES = st.sampled_from([SAO_PAULO, NEW_YORK, HAVANA, "UTC", "Asia/Kathmandu", "Australia/Lord_Howe"])
MINUTES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
# Around a change of the clocks, and away from one.
MOMENTS = st.builds(
    lambda start, seconds: start + timedelta(seconds=seconds),
    st.sampled_from([datetime(2026, *day, tzinfo=UTC) for day in [(3, 6), (10, 30), (6, 1)]]),
    st.integers(0, 5 * 24 * 3600),
)


@st.composite
def standings(draw: st.DrawFn) -> tuple[Pace, datetime]:
    now, zone = draw(MOMENTS), draw(ZONES)
    ends = draw(st.one_of(st.just((None, None)), st.tuples(MINUTES, MINUTES)))
    today = now.astimezone(ZoneInfo(zone)).date()
    return pace(
        time_zone=zone,
        next_send_at=now + timedelta(minutes=draw(st.integers(-600, 3000))),
        day=today + timedelta(days=draw(st.integers(-1, 1))),
        sent_today=draw(st.integers(0, 4)),
        daily_cap=draw(st.one_of(st.none(), st.integers(1, 4))),
        window_start=ends[0],
        window_end=ends[1],
        window_days=draw(st.lists(st.integers(1, 7), min_size=1, unique=True)),
    ), now


def may_send(rules: Pace, at: datetime) -> bool:
    day = rules.today(at)
    cap = rules.cap_on(day)
    is_open = any(
        window and window[0] <= at < window[1] for window in map(rules.window_on, (day, day - timedelta(days=1)))
    )
    return at >= rules.next_send_at and is_open and (cap is None or rules.sent_on(day) < cap)


@given(standings())
def test_it_opens_not_before_now_and_only_where_every_rule_allows(standing: tuple[Pace, datetime]) -> None:
    rules, now = standing
    opens_at = rules.opens_at(now)
    assert opens_at >= now
    assert may_send(rules, opens_at)


@given(standings(), st.floats(0, 1, exclude_max=True))
def test_it_opens_as_early_as_any_rule_allows(standing: tuple[Pace, datetime], part: float) -> None:
    rules, now = standing
    earlier = now + (rules.opens_at(now) - now) * part
    assert earlier == rules.opens_at(now) or not may_send(rules, earlier)


@given(standings())
def test_a_window_has_the_hours_it_says_by_the_wall_clock(standing: tuple[Pace, datetime]) -> None:
    rules, now = standing
    window = rules.window_on(rules.today(now))
    if window and rules.window_start and rules.window_start != rules.window_end:
        opens, zone = window[0].astimezone(ZoneInfo(rules.time_zone)), ZoneInfo(rules.time_zone)
        # Unless that hour is skipped, in which case it opens when it would have.
        exists = datetime.combine(rules.today(now), rules.window_start, tzinfo=zone)
        exists = exists.astimezone(UTC).astimezone(zone)
        assert opens.time() == exists.time()
