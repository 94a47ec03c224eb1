"""When the campaigns of a number will send, worked out day by day, so that a million people take as long as ten."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.standing import AHEAD
from messaging.pace import Pace

# Nobody plans further ahead; a campaign that would take longer needs another plan.
HORIZON = timedelta(days=3 * 365)


@dataclass(frozen=True, slots=True)
class Course:
    """A campaign as it enters the forecast.

    `interval`: the seconds between two of its own messages at least, when that is slower than the number; else None.
    """

    people: int
    starts_at: datetime
    ends_at: datetime | None = None
    interval: float | None = None


@dataclass(slots=True)
class Outcome:
    """What becomes of a campaign: `last_at` is None, and `left` above 0, when it does not reach everybody."""

    first_at: datetime | None = None
    last_at: datetime | None = None
    left: int = 0
    # People by day of the unit.
    days: dict[date, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lane:
    """What a number may send: its rules and where it stands, and the mean seconds from one send to the next."""

    pace: Pace
    now: datetime
    step: float


def forecast(lane: Lane, courses: list[Course], *, until: datetime | None = None) -> list[Outcome]:
    """Play `courses` on the lane up to `until` (three years); the outcomes in the same order.

    Campaigns take turns, as the lane picks by what has waited longest and each keeps as much ahead as the others; one
    with an interval of its own leaves its turns to the others. Stretches in which nothing changes are one step.
    """
    return _Play(lane, courses, until or lane.now + HORIZON).run()


class _Play:
    def __init__(self, lane: Lane, courses: list[Course], until: datetime) -> None:
        self.lane, self.courses, self.until = lane, courses, until
        self.zone = ZoneInfo(lane.pace.time_zone)
        self.left = [float(course.people) for course in courses]
        self.sent: list[dict[date, float]] = [defaultdict(float) for _ in courses]
        self.outcomes = [Outcome() for _ in courses]
        today = lane.pace.today(lane.now)
        self.used = {today: lane.pace.sent_on(today)}

    def run(self) -> list[Outcome]:
        at = max(self.lane.now, self.lane.pace.next_send_at).astimezone(UTC)
        while at < self.until and any(self.left):
            at = self._advance(at)
        for place, outcome in enumerate(self.outcomes):
            outcome.left = round(self.left[place])
            outcome.days = {day: round(count) for day, count in self.sent[place].items()}
            if outcome.left:
                outcome.last_at = None
        return self.outcomes

    def _advance(self, at: datetime) -> datetime:
        """Send from `at` until something changes; when that is."""
        active = [place for place, course in enumerate(self.courses) if self.left[place] and _runs(course, at)]
        if not active:
            ahead = [c.starts_at for place, c in enumerate(self.courses) if self.left[place] and c.starts_at > at]
            return min(ahead, default=self.until)
        closes_at = self.lane.pace.window_closes_at(at)
        if closes_at is None:
            return self.lane.pace.window_opens_at(at) or at
        day = self.lane.pace.today(at)
        # In UTC: sums of times in a zone go by its clock on the wall, which jumps.
        midnight = datetime.combine(day + timedelta(days=1), time.min, tzinfo=self.zone).astimezone(UTC)
        cap = self.lane.pace.cap_on(day)
        allowed = math.inf if cap is None else cap - self.used.get(day, 0)
        if allowed <= 0:
            return midnight
        rates = _shares(1 / self.lane.step, [self.courses[place].interval for place in active])
        rate = sum(rates)
        seconds = (min(midnight, closes_at, *self._changes(at)) - at).total_seconds()
        # A send that begins just before the end of the window goes: so the last slot is a whole one.
        slots = min(
            [math.ceil(seconds * rate - 1e-9), allowed]
            + [math.ceil(self.left[place] * rate / own - 1e-9) for place, own in zip(active, rates, strict=True)]
        )
        slots = max(int(slots), 1)
        for place, own in zip(active, rates, strict=True):
            self._send(place, slots * own / rate, at, at + timedelta(seconds=(slots - 1) / rate), day)
        self.used[day] = self.used.get(day, 0) + slots
        return at + timedelta(seconds=slots / rate)

    def _send(self, place: int, count: float, first: datetime, last: datetime, day: date) -> None:
        count = min(count, self.left[place])
        self.left[place] -= count
        if self.left[place] < 0.5:
            count += self.left[place]
            self.left[place] = 0
        self.sent[place][day] += count
        outcome = self.outcomes[place]
        outcome.first_at, outcome.last_at = outcome.first_at or first, last

    def _changes(self, at: datetime) -> Iterable[datetime]:
        """The times after `at` at which a campaign that is not done begins or ends, and the end of the forecast."""
        yield self.until
        for place, course in enumerate(self.courses):
            if self.left[place]:
                yield from (moment for moment in (course.starts_at, course.ends_at) if moment and moment > at)


def _runs(course: Course, at: datetime) -> bool:
    return course.starts_at <= at and (course.ends_at is None or at < course.ends_at)


def _shares(capacity: float, intervals: list[float | None]) -> list[float]:
    """Sends per second of each: what is there is split evenly, and what the slow ones leave goes to the others.

    A slow one also waits for what the others have on the lane already when its time comes.
    """
    shares = [0.0] * len(intervals)
    waiting = AHEAD * intervals.count(None) / capacity
    wants = sorted(
        (1 / (interval + waiting) if interval else math.inf, place) for place, interval in enumerate(intervals)
    )
    for done, (want, place) in enumerate(wants):
        shares[place] = min(want, capacity / (len(wants) - done))
        capacity -= shares[place]
    return shares


def slowest_that_ends_by(lane: Lane, courses: list[Course], place: int, by: datetime) -> float | None:
    """The largest interval (seconds) with which the campaign at `place` has reached everybody by `by`.

    None when it does not even at the number's own pace.
    """
    course = courses[place]

    def ends(interval: float) -> bool:
        trial = [*courses]
        trial[place] = replace(course, interval=interval)
        # A little beyond: the end of a forecast rounds the turns that are under way.
        last_at = forecast(lane, trial, until=by + timedelta(hours=1))[place].last_at
        return last_at is not None and last_at <= by

    fast, slow = lane.step, (by - max(lane.now, course.starts_at)).total_seconds() / max(course.people - 1, 1)
    if not ends(fast):
        return None
    if slow <= fast or ends(slow):
        return max(slow, fast)
    while slow - fast > fast / 1000:
        middle = (fast + slow) / 2
        fast, slow = (middle, slow) if ends(middle) else (fast, middle)
    return fast
