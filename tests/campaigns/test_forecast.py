"""What the forecast works out, against sums done by hand. Against campaigns that really run: test_simulated.py."""

import time as clock
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from campaigns.forecast import Course, Lane, forecast, slowest_that_ends_by
from messaging.pace import Pace

# A Monday, 09:00 in São Paulo.
MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def grown_up(settings: Any) -> None:
    settings.CAMPAIGN_WARM_UP = []


def lane(step: float = 10, **rules: Any) -> Lane:
    return Lane(pace(**rules), MONDAY, step)


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Day 0 is the Monday; the hour is São Paulo's."""
    return MONDAY + timedelta(days=day, hours=hour - 9, minutes=minute, seconds=second)


def test_the_first_goes_at_once_and_the_last_a_step_before_the_time_is_up() -> None:
    (course,) = forecast(lane(), [Course(361, MONDAY)])
    assert (course.first_at, course.last_at, course.left) == (at(0, 9), at(0, 10), 0)


def test_a_lane_that_must_wait_begins_then() -> None:
    (course,) = forecast(lane(next_send_at=MONDAY + HOUR), [Course(1, MONDAY)])
    assert course.first_at == course.last_at == at(0, 10)


def test_a_window_that_shuts_is_gone_on_with_the_next_day() -> None:
    (course,) = forecast(lane(window=(9, 10)), [Course(361, MONDAY)])
    assert course.last_at == at(1, 9)
    assert list(course.days.values()) == [360, 1]


def test_a_day_that_is_not_one_of_the_windows_is_passed_over() -> None:
    (course,) = forecast(lane(window=(9, 10), days=(1, 4)), [Course(361, MONDAY)])
    assert course.last_at == at(3, 9)


def test_a_cap_ends_the_day_and_counts_what_has_gone_today() -> None:
    (course,) = forecast(lane(cap=100, sent_today=40, window=(9, 18)), [Course(161, MONDAY)])
    assert list(course.days.values()) == [60, 100, 1]
    assert course.last_at == at(2, 9)


def test_a_window_over_midnight_is_one_window_and_two_days() -> None:
    (course,) = forecast(lane(60, window=(22, 2), cap=130), [Course(250, MONDAY)])
    assert course.first_at == at(0, 22)
    assert list(course.days.values()) == [120, 130]


def test_two_campaigns_take_turns() -> None:
    one, other = forecast(lane(), [Course(100, MONDAY), Course(200, MONDAY)])
    assert one.last_at == MONDAY + timedelta(seconds=1990)
    assert other.last_at == MONDAY + timedelta(seconds=2990)


def test_what_a_slow_campaign_leaves_goes_to_the_other() -> None:
    slow, other = forecast(lane(), [Course(11, MONDAY, interval=100), Course(90, MONDAY)])
    # It waits for the two messages that the other has on the lane each time.
    assert slow.last_at is not None
    assert at(0, 9, 18) < slow.last_at < at(0, 9, 20)
    assert other.last_at is not None
    assert abs(other.last_at - at(0, 9, 16, 30)) < timedelta(seconds=20)


def test_a_later_campaign_slows_the_first_from_then_on() -> None:
    first, _later = forecast(lane(), [Course(200, MONDAY), Course(500, MONDAY + timedelta(seconds=1000))])
    assert first.last_at == MONDAY + timedelta(seconds=2990)


def test_whoever_is_left_at_the_end_of_a_campaign_is_counted() -> None:
    (course,) = forecast(lane(), [Course(400, MONDAY, ends_at=MONDAY + HOUR)])
    assert (course.left, course.last_at) == (40, None)


def test_a_number_that_may_send_nothing_ends_never() -> None:
    (course,) = forecast(lane(cap=0), [Course(10, MONDAY)])
    assert (course.left, course.last_at) == (10, None)


@pytest.mark.parametrize(("by", "interval"), [(HOUR, 10.0), (2 * HOUR, 20.0), (0.99 * HOUR, None)])
def test_the_slowest_pace_that_ends_in_time_is_found_or_there_is_none(by: timedelta, interval: float | None) -> None:
    found = slowest_that_ends_by(lane(), [Course(361, MONDAY)], 0, MONDAY + by)
    assert found == (None if interval is None else pytest.approx(interval, rel=0.002))


def test_the_pace_found_ends_in_time_through_nights() -> None:
    courses = [Course(500, MONDAY), Course(300, MONDAY)]
    number = lane(window=(9, 12))
    found = slowest_that_ends_by(number, courses, 0, at(2, 11))
    assert found is not None
    last = forecast(number, [Course(500, MONDAY, interval=found), courses[1]])[0].last_at
    assert last is not None
    assert at(2, 10) < last <= at(2, 11)


def test_a_young_number_sends_what_its_age_allows(settings: Any) -> None:
    settings.CAMPAIGN_WARM_UP = [(1, 20), (3, 50), (4, None)]
    young = replace(lane(), pace=replace(pace(), in_use_since=MONDAY.date()))
    (course,) = forecast(young, [Course(100, MONDAY)])
    assert list(course.days.values()) == [20, 20, 50, 10]


def test_a_million_people_take_no_longer_than_a_few() -> None:
    began = clock.process_time()
    (course,) = forecast(lane(2.5, window=(9, 18), cap=5000), [Course(1_000_000, MONDAY)])
    assert len(course.days) == 200
    assert clock.process_time() - began < 1


def pace(
    window: tuple[int, int] | None = None,
    days: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7),
    cap: int | None = None,
    sent_today: int = 0,
    next_send_at: datetime = MONDAY,
) -> Pace:
    start, end = (time(window[0]), time(window[1])) if window else (None, None)
    return Pace(
        next_send_at, MONDAY.date(), sent_today, cap, start, end, [*days], date(2020, 1, 1), None, "America/Sao_Paulo"
    )
