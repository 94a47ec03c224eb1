"""How much was said in units, and how soon people were answered: by day, in each unit's own zone.

A day is counted from the messages themselves, and kept for a while for all processes: days that are over hardly change.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.cache import caches
from django.db import connection as database
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from messaging.models import Conversation, ConversationStatus
from units.models import Unit

# Who is answered later than this was not answered but written to again.
LONGEST_WAIT = timedelta(days=7)
# How long what was counted of a day is good: one of the last week, to which messages and receipts come; an older one.
_RECENT = timedelta(days=7)
_KEPT_RECENT, _KEPT_OLD = int(timedelta(minutes=1).total_seconds()), int(timedelta(days=1).total_seconds())
_COUNTS = ("received", "team", "campaigns", "sent", "delivered", "read")


@dataclass(slots=True)
class Day:
    """One day of a unit, or any number of days of any units together.

    `sent` is what certainly left, by people or campaigns; of that `delivered` and `read` are what became of it.
    `answers`: how many first answers, by the hour in which the person had asked and by the minutes until the answer.
    """

    received: int = 0
    team: int = 0
    campaigns: int = 0
    sent: int = 0
    delivered: int = 0
    read: int = 0
    answers: Counter[tuple[int, int]] = field(default_factory=Counter)

    def add(self, other: Day) -> None:
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.answers.update(other.answers)

    def kept(self) -> list[Any]:
        """As JSON has it."""
        counts = [getattr(self, name) for name in _COUNTS]
        return [*counts, [[hour, minutes, count] for (hour, minutes), count in self.answers.items()]]

    @classmethod
    def told(cls, kept: list[Any]) -> Day:
        """What `kept` made."""
        *counts, answers = kept
        day = cls(*counts)
        day.answers.update({(hour, minutes): count for hour, minutes, count in answers})
        return day

    @property
    def answer_minutes(self) -> int | None:
        """Half of all first answers came within so many minutes; None without any."""
        return self.minutes_until(0.5)

    def minutes_until(self, part: float, hour: int | None = None) -> int | None:
        """That `part` of the first answers came within so many minutes; with `hour`, to what was asked in it."""
        chosen: Counter[int] = Counter()
        for (asked, minutes), count in self.answers.items():
            if hour is None or asked == hour:
                chosen[minutes] += count
        wanted, seen = chosen.total() * part, 0
        for minutes in sorted(chosen):
            seen += chosen[minutes]
            if seen >= wanted:
                return minutes
        return None

    @property
    def delivery_rate(self) -> float | None:
        return self.delivered / self.sent if self.sent else None

    @property
    def read_rate(self) -> float | None:
        return self.read / self.sent if self.sent else None


def together(days: Iterable[Day]) -> Day:
    """All of them as one."""
    total = Day()
    for day in days:
        total.add(day)
    return total


def by_day(units: Collection[Unit], first: date, last: date) -> dict[date, Day]:
    """Each day from `first` to `last` of all `units` together; at most two queries."""
    now, shared = timezone.now(), caches["shared"]
    wanted = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    keys = {
        _key(unit, day): (unit, day) for unit in units for day in wanted if day <= now.astimezone(_zone(unit)).date()
    }
    known = {keys[key]: Day.told(kept) for key, kept in shared.get_many(keys).items()}
    missing = [place for place in keys.values() if place not in known]
    recent = now.date() - _RECENT
    # Apart: what is read each minute never takes the old ones along.
    for kept, places in (
        (_KEPT_OLD, [place for place in missing if place[1] < recent]),
        (_KEPT_RECENT, [place for place in missing if place[1] >= recent]),
    ):
        if places:
            made = _read(places)
            shared.set_many({_key(*place): day.kept() for place, day in made.items()}, timeout=kept)
            known |= made
    return {day: together(known[unit, day] for unit in units if (unit, day) in known) for day in wanted}


def waiting(units: Collection[Unit], now: datetime) -> int:
    """Conversations of people who have waited for an answer for longer than their unit's goal."""
    return late_ones(units, now).aggregate(count=Count("id"))["count"]


def late_ones(units: Collection[Unit], now: datetime) -> QuerySet[Conversation]:
    late = Q(pk=None)
    for unit in units:
        late |= Q(unit=unit, waiting_since__lte=now - timedelta(minutes=unit.answer_goal))
    return Conversation.objects.filter(late, status__in=[ConversationStatus.OPEN, ConversationStatus.PENDING])


def _zone(unit: Unit) -> ZoneInfo:
    return ZoneInfo(unit.time_zone)


def _key(unit: Unit, day: date) -> str:
    # 1: as `Day.kept` has it; another number with another form.
    return f"figures:1:{unit.pk}:{unit.time_zone}:{day}"


def _read(places: list[tuple[Unit, date]]) -> dict[tuple[Unit, date], Day]:
    """Those days, by one query over all between the first and the last."""
    found = {(unit.pk, day): Day() for unit, day in places}
    first, last = min(day for _unit, day in places), max(day for _unit, day in places)
    zones = {_zone(unit) for unit, _day in places}
    # In all zones: what is found of days beyond these is left out.
    begin = min(datetime.combine(first, time.min, zone) for zone in zones)
    values: dict[str, Any] = {
        "units": list({unit.pk for unit, _day in places}),
        "begin": begin,
        "end": max(datetime.combine(last + timedelta(days=1), time.min, zone) for zone in zones),
        "reach": begin - LONGEST_WAIT,
        "longest": LONGEST_WAIT,
    }
    with database.cursor() as cursor:
        cursor.execute(_BY_DAY, values)
        for unit_id, day, *counts, answers in cursor.fetchall():
            if (of_day := found.get((unit_id, day))) is not None:
                of_day.add(Day.told([*counts, json.loads(answers or "[]")]))
    return {(unit, day): found[unit.pk, day] for unit, day in places}


# Two kinds of rows: counts of a day, and its first answers as [hour, minutes, how many]. The planner chooses: much of
# all messages is scanned, a little is found by conversation, of which only those count that have lived since. Both look
# anew: to keep what they share would take longer. Nobody waits in a group.
_BY_DAY = """
WITH said AS NOT MATERIALIZED (
    SELECT i.unit_id, u.time_zone AS zone, i.conversation_id, c.contact_id, i.id, i.happened_at, i.direction, i.origin,
           i.status, i.from_history
    FROM units u
    JOIN conversations c ON c.unit_id = u.id
    JOIN messages i ON i.conversation_id = c.id
    WHERE c.unit_id = ANY(%(units)s) AND i.unit_id = ANY(%(units)s) AND c.last_message_at >= %(begin)s
      AND i.kind <> 'reaction' AND i.happened_at >= %(reach)s AND i.happened_at < %(end)s
), turns AS (
    SELECT unit_id, zone, conversation_id, id, happened_at, direction,
           lag(direction, 1, 'outbound') OVER (PARTITION BY conversation_id ORDER BY happened_at, id) AS before
    FROM said
    WHERE CASE direction
          WHEN 'outbound' THEN origin <> 'campaign' AND status NOT IN ('failed', 'cancelled', 'expired')
          ELSE NOT from_history AND contact_id <> ALL(ARRAY(
              SELECT k.id FROM contacts k WHERE k.unit_id = ANY(%(units)s) AND k.is_group)) END
), pairs AS (
    SELECT unit_id, zone, direction, happened_at AS answered,
           lag(happened_at) OVER (PARTITION BY conversation_id ORDER BY happened_at, id) AS asked
    FROM turns WHERE direction <> before
), waits AS (
    SELECT unit_id, (answered AT TIME ZONE zone)::date AS day, extract(hour FROM asked AT TIME ZONE zone)::int AS hour,
           (extract(epoch FROM answered - asked) / 60)::int AS minutes, count(*) AS people
    FROM pairs
    WHERE direction = 'outbound' AND answered >= %(begin)s AND answered - asked <= %(longest)s
    GROUP BY 1, 2, 3, 4
)
SELECT unit_id, (happened_at AT TIME ZONE zone)::date AS day,
       count(*) FILTER (WHERE direction = 'inbound'),
       count(*) FILTER (WHERE direction = 'outbound' AND origin <> 'campaign'
                        AND status IN ('sent', 'delivered', 'read')),
       count(*) FILTER (WHERE origin = 'campaign' AND status IN ('sent', 'delivered', 'read')),
       count(*) FILTER (WHERE direction = 'outbound' AND status IN ('sent', 'delivered', 'read')),
       count(*) FILTER (WHERE direction = 'outbound' AND status IN ('delivered', 'read')),
       count(*) FILTER (WHERE direction = 'outbound' AND status = 'read'),
       NULL::jsonb
FROM said
WHERE happened_at >= %(begin)s
GROUP BY 1, 2
UNION ALL
SELECT unit_id, day, 0, 0, 0, 0, 0, 0, jsonb_agg(jsonb_build_array(hour, minutes, people))
FROM waits GROUP BY unit_id, day
"""
