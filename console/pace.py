"""What a number's pace means, in words and figures, for the person who sets it."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from units.models import WhatsAppConnection

WEEK = 7


@dataclass(frozen=True, slots=True)
class Effect:
    """A pace as a sentence, its average per hour, and how long a day's limit takes (minutes; None: no limit)."""

    sentence: str
    per_hour: int
    minutes_a_day: int | None


def effect_of(connection: WhatsAppConnection) -> Effect:
    gap = connection.interval_seconds + connection.jitter_seconds / 2
    per_minute = Decimal(60) / gap
    cap = connection.daily_cap
    parts = [
        _("up to %(count)s a day") % {"count": number_format(cap, force_grouping=True)}
        if cap
        else _("without a limit"),
        _hours(connection),
        _days(connection),
        _("about %(count)s a minute") % {"count": number_format(round(per_minute))}
        if per_minute >= 1
        else _("about one every %(seconds)s s") % {"seconds": number_format(round(gap), force_grouping=True)},
    ]
    return Effect(
        ", ".join(part for part in parts if part),
        int(Decimal(3600) / gap),
        int(cap * gap / 60) if cap else None,
    )


def _hours(connection: WhatsAppConnection) -> str:
    start, end = connection.window_start, connection.window_end
    if start is None or end is None or start == end:
        return _("at any hour")
    return _("from %(start)s to %(end)s") % {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}


def _days(connection: WhatsAppConnection) -> str:
    days = sorted(connection.window_days)
    if len(days) == WEEK:
        return ""
    names = [str(WEEKDAYS_ABBR[day - 1]).lower() for day in days]
    if len(days) > 2 and days == list(range(days[0], days[-1] + 1)):
        return _("%(first)s to %(last)s") % {"first": names[0], "last": names[-1]}
    return ", ".join(names)
