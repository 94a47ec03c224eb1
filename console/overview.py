"""What the overview shows: figures with those of the span before, and charts as the numbers of their SVG."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, floor, log10
from typing import Any

from django import forms
from django.conf import settings
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from messaging.figures import Day, together
from messaging.pace import standings_of
from units.models import Unit

SPANS = (7, 30, 90)
LONGEST = 366
# A chart's own measure; the page stretches it.
HEIGHT = 1000
STEP = 100


class SpanForm(forms.Form):
    """Which days: the last so many, or from one to another."""

    first = forms.DateField(
        label=gettext_lazy("From"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    last = forms.DateField(label=gettext_lazy("To"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        first, last = told.get("first"), told.get("last")
        if first and last:
            if first > last:
                self.add_error("last", _("The last day comes before the first."))
            elif last > self._today:
                self.add_error("last", _("This day has not come yet."))
            elif first.year < 2000:
                # Before the first days there are none to compare with.
                self.add_error("first", self.fields["first"].error_messages["invalid"])
            elif (last - first).days >= LONGEST:
                self.add_error("first", _("At most a year at a time."))
        return told


@dataclass(frozen=True, slots=True)
class Span:
    """From `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Span:
        """As many days, just before."""
        return Span(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    def of(self, days: dict[date, Day]) -> dict[date, Day]:
        return {day: figures for day, figures in days.items() if self.first <= day <= self.last}

    def __str__(self) -> str:
        if self.first == self.last:
            return date_format(self.first, "SHORT_DATE_FORMAT")
        return f"{date_format(self.first, 'SHORT_DATE_FORMAT')} – {date_format(self.last, 'SHORT_DATE_FORMAT')}"


@dataclass(frozen=True, slots=True)
class Card:
    """A figure, how it moved against the span before (`tone`: ok, danger, neutral), and its line over the days."""

    title: str
    figure: str
    change: str = ""
    tone: str = "neutral"
    support: str = ""
    points: str = ""


def minutes_in_words(minutes: int | None) -> str:
    """6 min · 1 h 23 min · 2 d 3 h; a dash for none."""
    if minutes is None:
        return "—"
    if minutes < 1:
        return _("under 1 min")
    if minutes < 60:
        return _("%(minutes)d min") % {"minutes": minutes}
    if minutes < 24 * 60:
        hours, rest = divmod(minutes, 60)
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": rest} if rest else f"{hours} h"
    days, rest = divmod(minutes, 24 * 60)
    return _("%(days)d d %(hours)d h") % {"days": days, "hours": rest // 60}


def percent(rate: float | None) -> str:
    return "—" if rate is None else f"{number_format(rate * 100, decimal_pos=1)}\N{NO-BREAK SPACE}%"


def cards(days: dict[date, Day], span: Span, today: date) -> list[Card]:
    """The lines stop before today: a day that is not over looks like a fall."""
    here, then = span.of(days), span.before.of(days)
    now, before = together(here.values()), together(then.values())
    over = [figures for day, figures in here.items() if day < today]
    return [
        Card(
            _("Received"),
            number_format(now.received, force_grouping=True),
            _more(now.received, before.received),
            points=_line([day.received for day in over]),
        ),
        Card(
            _("Sent by the team"),
            number_format(now.team, force_grouping=True),
            _more(now.team, before.team),
            support=ngettext("and %(count)s in campaigns", "and %(count)s in campaigns", now.campaigns)
            % {"count": number_format(now.campaigns, force_grouping=True)},
            points=_line([day.team for day in over]),
        ),
        Card(
            _("First answer (median)"),
            minutes_in_words(now.answer_minutes),
            *_sooner(now.answer_minutes, before.answer_minutes),
            points=_line([day.answer_minutes for day in over]),
        ),
        Card(
            _("Delivered"),
            percent(now.delivery_rate),
            *_points_more(now.delivery_rate, before.delivery_rate),
            support=_("%(share)s were read") % {"share": percent(now.read_rate)} if now.sent else "",
            points=_line([day.delivery_rate for day in over]),
        ),
    ]


def _more(now: int, before: int) -> str:
    if not before:
        return ""
    change = round((now - before) * 100 / before)
    if change == 0:
        return _("as many")
    text = _("%(change)s %% more") if change > 0 else _("%(change)s %% fewer")
    return text % {"change": number_format(abs(change), force_grouping=True)}


def _sooner(now: int | None, before: int | None) -> tuple[str, str]:
    if now is None or before is None:
        return "", "neutral"
    if now == before:
        return _("as quick"), "neutral"
    words = minutes_in_words(abs(now - before))
    if now < before:
        return _("%(time)s quicker") % {"time": words}, "ok"
    return _("%(time)s slower") % {"time": words}, "danger"


def _points_more(now: float | None, before: float | None) -> tuple[str, str]:
    if now is None or before is None:
        return "", "neutral"
    change = round((now - before) * 100, 1)
    if not change:
        return _("as many"), "neutral"
    text = _("%(points)s points more") if change > 0 else _("%(points)s points fewer")
    return text % {"points": number_format(abs(change), decimal_pos=1)}, "ok" if change > 0 else "danger"


def _line(values: list[Any]) -> str:
    """Points of a polyline over 100 × 40; days without a value are left out."""
    known = [(at, float(value)) for at, value in enumerate(values) if value is not None]
    if len({value for _at, value in known}) < 2:
        return ""
    low, high = min(value for _at, value in known), max(value for _at, value in known)
    width, spread = max(len(values) - 1, 1), high - low
    return " ".join(f"{at * 96 / width + 2:.0f},{36 - (value - low) * 32 / spread:.0f}" for at, value in known)


# --- Charts -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """A day and where its two bars stand. `label`: one in so many has room below; on a phone, every other of those."""

    day: date
    figures: Day
    label: str
    x: int
    received_y: int
    received_height: int
    sent_y: int
    sent_height: int


@dataclass(frozen=True, slots=True)
class Bars:
    """Messages by day. `axis`: from the top, what the lines stand for."""

    columns: list[Column]
    width: int
    axis: list[int]
    total: Day


def bars(days: dict[date, Day], span: Span) -> Bars:
    here = span.of(days)
    top = _round_up(max((max(day.received, day.sent) for day in here.values()), default=0))
    columns, every = [], ceil(len(here) / 10)
    for place, (day, figures) in enumerate(here.items()):
        received, sent = (round(count * HEIGHT / top) for count in (figures.received, figures.sent))
        # Counted from the end: the last day, mostly today, always has its label.
        later = len(here) - 1 - place
        label = "" if later % every else "minor" if later // every % 2 else "major"
        columns.append(Column(day, figures, label, place * STEP, HEIGHT - received, received, HEIGHT - sent, sent))
    return Bars(columns, len(columns) * STEP, [top, top // 2, 0], together(here.values()))


def _round_up(most: int) -> int:
    """The next even round number, so that half of it is whole."""
    if most <= 10:
        return 10
    unit = int(10 ** floor(log10(most)))
    return next(step for step in (times * unit for times in (1, 2, 3, 4, 5, 6, 8, 10)) if step >= most)


@dataclass(frozen=True, slots=True)
class Hour:
    """Answers to what was asked in an hour of the day: half came within `half` minutes, nine in ten within `most`."""

    hour: int
    half: int
    most: int
    answers: int


@dataclass(frozen=True, slots=True)
class Hours:
    """Time until the first answer by the hour of the question, as lines over `width` × HEIGHT."""

    rows: list[Hour]
    width: int
    axis: list[str]
    # Each hour from the first to the last; None where there is no room for it below.
    labels: list[int | None]
    half: str
    most: str
    slowest: Hour
    slowest_x: int


# What the axis of the hours may end at: an even number of minutes, hours or days.
_MINUTES = (10, 20, 30, 40, 60, 120, 180, 240, 360, 480, 720, 1440, 2880, 5760, 14400)


def hours(days: dict[date, Day], span: Span) -> Hours | None:
    total = together(span.of(days).values())
    asked: dict[int, int] = {}
    for (hour, _minutes), count in total.answers.items():
        asked[hour] = asked.get(hour, 0) + count
    rows = [
        Hour(hour, total.minutes_until(0.5, hour) or 0, total.minutes_until(0.9, hour) or 0, asked[hour])
        for hour in sorted(asked)
    ]
    if len(rows) < 2:
        return None
    first, width = rows[0].hour, (rows[-1].hour - rows[0].hour) * STEP
    most_minutes = max(row.most for row in rows)
    top = next(step for step in _MINUTES if step >= most_minutes)
    all_hours = range(first, rows[-1].hour + 1)
    every = ceil(len(all_hours) / 6)

    def at(row: Hour, minutes: int) -> tuple[int, int]:
        return (row.hour - first) * STEP, HEIGHT - round(minutes * HEIGHT / top)

    slowest = max(rows, key=lambda row: row.half)
    half = " ".join(f"{x},{y}" for x, y in (at(row, row.half) for row in rows))
    most = " ".join(f"{x},{y}" for x, y in (at(row, row.most) for row in rows))
    return Hours(
        rows,
        width,
        [minutes_in_words(top), minutes_in_words(top // 2), "0"],
        [None if (hour - first) % every else hour for hour in all_hours],
        half,
        f"0,{HEIGHT} {most} {width},{HEIGHT}",
        slowest,
        (slowest.hour - first) * STEP,
    )


# --- Numbers ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Health:
    """A unit's number: `unit.connection` says how it is, and what it may send today. `cap` None: no limit."""

    unit: Unit
    sent_today: int
    cap: int | None
    # Of a number that still warms up; None for a grown one.
    warming_day: int | None


def health(units: list[Unit]) -> list[Health]:
    """One query for all of them."""
    standings = standings_of([unit.connection.pk for unit in units])
    found = []
    for unit in units:
        now, pace = standings[unit.connection.pk]
        today = pace.today(now)
        table, day = settings.CAMPAIGN_WARM_UP, pace.day_of_use(today)
        grown = not table or day >= table[-1][0]
        found.append(Health(unit, pace.sent_on(today), pace.cap_on(today), None if grown else day))
    return found
