"""What became of a campaign's messages over time, as a chart that the server draws."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from campaigns.results import Figures, OfTime, Results

# Units of the drawing: a column is so wide, the chart so high.
WIDTH, HEIGHT = 100, 1000
# Without anything in them there may be this many columns between two that have something; else the gap is closed.
LONGEST_GAP = 72

SERIES: list[tuple[str, Any]] = [
    ("sent", pgettext_lazy("recipients", "Sent")),
    ("delivered", pgettext_lazy("recipients", "Delivered")),
    ("read", pgettext_lazy("recipients", "Read")),
    ("replied", pgettext_lazy("recipients", "Replied")),
    ("failed", pgettext_lazy("recipients", "Failed")),
]


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a column; those of one column lie on one another, what came of the fewest in front."""

    tone: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Column:
    """An hour or a day."""

    at: datetime
    label: str
    figures: Figures
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Chart:
    """`axis`: from the top down. `labels`: of the first, the middle and the last column."""

    columns: list[Column]
    axis: list[int]
    labels: list[str]
    series: list[tuple[str, Any, int]]

    @property
    def width(self) -> int:
        """Of the drawing."""
        return len(self.columns) * WIDTH

    @property
    def rows(self) -> list[Column]:
        """What the table shows: columns that have something."""
        return [column for column in self.columns if column.figures.total]


def chart(told: Results) -> Chart | None:
    """None before anything has been sent."""
    times = _without_gaps(told)
    if not times:
        return None
    top = _round_up(max(of.figures.sent + of.figures.failed for of in times))
    columns = [_column(place, of, top, told.step) for place, of in enumerate(times)]
    shown = [columns[0], columns[len(columns) // 2], columns[-1]] if len(columns) > 2 else columns
    return Chart(
        columns,
        [top, top // 2, 0] if top % 2 == 0 else [top, 0],
        [column.label for column in shown],
        [(name, word, sum(getattr(of.figures, name) for of in times)) for name, word in SERIES],
    )


def _without_gaps(told: Results) -> list[OfTime]:
    """Each hour or day from the first to the last, including those in which nothing went out."""
    step = timedelta(days=1) if told.step == "day" else timedelta(hours=1)
    found = list(told.over_time[:1])
    for before, after in pairwise(told.over_time):
        # Days are not all 24 hours long.
        missing = round((after.at - before.at) / step) - 1
        if missing <= LONGEST_GAP:
            found += [OfTime(before.at + step * number, Figures()) for number in range(1, missing + 1)]
        found.append(after)
    return found


def _column(place: int, of: OfTime, top: int, step: str) -> Column:
    told = of.figures
    left, wide, narrow = place * WIDTH + 12, WIDTH - 24, WIDTH // 4

    def height(people: int) -> int:
        return round(people * HEIGHT / top)

    bars = [
        Bar(name, left, HEIGHT - height(people), wide, height(people))
        for name, people in (("sent", told.sent), ("delivered", told.delivered), ("read", told.read))
    ]
    replied, failed = height(told.replied), height(told.failed)
    bars.append(Bar("replied", place * WIDTH + (WIDTH - narrow) // 2, HEIGHT - replied, narrow, replied))
    bars.append(Bar("failed", left, HEIGHT - height(told.sent) - failed, wide, failed))
    return Column(of.at, _label(of.at, step), told, [bar for bar in bars if bar.height])


def _label(moment: datetime, step: str) -> str:
    local = timezone.localtime(moment)
    if step == "day":
        return date_format(local, "SHORT_DATE_FORMAT")
    time = date_format(local, "H:i")
    return time if local.date() == timezone.localdate() else f"{date_format(local, _('m/d'))} {time}"


def _round_up(most: int) -> int:
    """To 2, 4, 10, 20, 40, 100 …: a top whose half is whole."""
    top = 1
    while True:
        for factor in (2, 4, 10):
            if top * factor >= most:
                return top * factor
        top *= 10
