"""How much was said in units, and how soon people were answered: by day, in each unit's own zone.

A day is counted from the messages themselves, by conversation, and kept for a while: days that are over hardly change.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.cache import cache
from django.db import connection as database
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from messaging.models import Conversation, ConversationStatus
from units.models import Unit

# Who is answered later than this was not answered but written to again.
LONGEST_WAIT = timedelta(days=7)
# Of one unit so many days are kept in the cache.
MOST_DAYS = 800
_KEPT = int(timedelta(hours=12).total_seconds())


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
        for name in ("received", "team", "campaigns", "sent", "delivered", "read"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.answers.update(other.answers)

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
    """Each day from `first` to `last` of all `units` together; at most one query."""
    now = timezone.now()
    wanted = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    known: dict[UUID, dict[date, tuple[datetime, Day]]] = {
        unit.pk: cache.get(_key(unit.pk, unit.time_zone)) or {} for unit in units
    }
    missing = {
        day for unit in units for day in wanted if day not in known[unit.pk] or _is_old(*known[unit.pk][day], day, now)
    } - {day for day in wanted if day > max(_today(unit, now) for unit in units)}
    if missing:
        read = _read([unit.pk for unit in units], min(missing), max(missing))
        for unit in units:
            days = known[unit.pk]
            for day in wanted:
                if min(missing) <= day <= max(missing):
                    days[day] = (now, read.get((unit.pk, day), Day()))
            newest = dict(sorted(days.items())[-MOST_DAYS:])
            cache.set(_key(unit.pk, unit.time_zone), newest, timeout=_KEPT)
    return {day: together(known[unit.pk][day][1] for unit in units if day in known[unit.pk]) for day in wanted}


def waiting(units: Collection[Unit], now: datetime) -> int:
    """Conversations of people who have waited for an answer for longer than their unit's goal."""
    return late_ones(units, now).aggregate(count=Count("id"))["count"]


def late_ones(units: Collection[Unit], now: datetime) -> QuerySet[Conversation]:
    late = Q(pk=None)
    for unit in units:
        late |= Q(unit=unit, waiting_since__lte=now - timedelta(minutes=unit.answer_goal))
    return Conversation.objects.filter(late, status__in=[ConversationStatus.OPEN, ConversationStatus.PENDING])


def _today(unit: Unit, now: datetime) -> date:
    return now.astimezone(ZoneInfo(unit.time_zone)).date()


def _key(unit_id: UUID, time_zone: str) -> str:
    return f"figures:{unit_id}:{time_zone.replace('/', '.')}"


def _is_old(made_at: datetime, _figures: Day, day: date, now: datetime) -> bool:
    """Whether to count it again: a day that goes on each minute, an old one, to which few receipts come, rarely."""
    age = (now.date() - day).days
    lasts = timedelta(minutes=1) if age <= 1 else timedelta(minutes=30) if age <= 7 else timedelta(hours=12)
    return now - made_at > lasts


def _read(units: list[UUID], first: date, last: date) -> dict[tuple[UUID, date], Day]:
    found: dict[tuple[UUID, date], Day] = {}
    with database.cursor() as cursor:
        cursor.execute(_BY_DAY, {"units": units, "first": first, "last": last, "longest": f"{LONGEST_WAIT.days} days"})
        for unit_id, day, *counts, answers in cursor.fetchall():
            of_day = found.setdefault((unit_id, day), Day())
            if answers is None:
                of_day.add(Day(*counts))
            else:
                of_day.answers.update({(hour, minutes): count for hour, minutes, count in json.loads(answers)})
    return found


# From each conversation that has lived since, by the index of its thread: a unit's few days never cost a look at all
# messages of the installation. Nobody waits in a group. Two kinds of rows: counts of a day, and the first answers of a
# day as [hour, minutes, how many].
_BY_DAY = """
WITH said AS MATERIALIZED (
    SELECT u.id AS unit_id, u.time_zone AS zone, c.id AS conversation_id, m.*
    FROM units u
    JOIN conversations c ON c.unit_id = u.id
        AND c.last_message_at >= (%(first)s::date)::timestamp AT TIME ZONE u.time_zone
    JOIN contacts k ON k.id = c.contact_id
    CROSS JOIN LATERAL (
        SELECT i.id, i.happened_at, i.direction, i.origin, i.status,
               i.direction = 'inbound' AND NOT i.from_history AND NOT k.is_group AS asks,
               i.direction = 'outbound' AND i.origin <> 'campaign'
                   AND i.status NOT IN ('failed', 'cancelled', 'expired') AS answers
        FROM messages i
        WHERE i.conversation_id = c.id AND i.kind <> 'reaction'
          AND i.happened_at >= (%(first)s::date)::timestamp AT TIME ZONE u.time_zone - %(longest)s::interval
          AND i.happened_at < (%(last)s::date + 1)::timestamp AT TIME ZONE u.time_zone
        OFFSET 0
    ) m
    WHERE u.id = ANY(%(units)s)
), runs AS (
    SELECT unit_id, zone, conversation_id, happened_at, asks, answers,
           count(*) FILTER (WHERE answers) OVER (
               PARTITION BY conversation_id ORDER BY happened_at, id
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS run
    FROM said
), pairs AS (
    SELECT unit_id, zone, min(happened_at) FILTER (WHERE asks) AS asked,
           min(happened_at) FILTER (WHERE answers) AS answered
    FROM runs GROUP BY unit_id, zone, conversation_id, run
), waits AS (
    SELECT unit_id, (answered AT TIME ZONE zone)::date AS day, extract(hour FROM asked AT TIME ZONE zone)::int AS hour,
           (extract(epoch FROM answered - asked) / 60)::int AS minutes, count(*) AS people
    FROM pairs
    WHERE answered >= asked AND answered - asked <= %(longest)s::interval
      AND answered >= (%(first)s::date)::timestamp AT TIME ZONE zone
    GROUP BY 1, 2, 3, 4
)
SELECT unit_id, (happened_at AT TIME ZONE zone)::date AS day,
       count(*) FILTER (WHERE direction = 'inbound'),
       count(*) FILTER (WHERE answers AND status IN ('sent', 'delivered', 'read')),
       count(*) FILTER (WHERE origin = 'campaign' AND status IN ('sent', 'delivered', 'read')),
       count(*) FILTER (WHERE direction = 'outbound' AND status IN ('sent', 'delivered', 'read')),
       count(*) FILTER (WHERE direction = 'outbound' AND status IN ('delivered', 'read')),
       count(*) FILTER (WHERE direction = 'outbound' AND status = 'read'),
       NULL::jsonb
FROM said
WHERE happened_at >= (%(first)s::date)::timestamp AT TIME ZONE zone
GROUP BY 1, 2
UNION ALL
SELECT unit_id, day, 0, 0, 0, 0, 0, 0, jsonb_agg(jsonb_build_array(hour, minutes, people))
FROM waits GROUP BY unit_id, day
"""
