"""The results of a campaign, as its page in the admin shows them."""

from collections.abc import Iterable
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from campaigns.results import Figures, Results

# What a table tells of each line, in its order; the texts are compared by all of it, hours by what came of them.
OF_TEXTS = ("total", "sent", "delivered", "read", "replied", "opted_out", "failed", "uncertain", "skipped")
OF_TIMES = ("sent", "delivered", "read", "replied")


def results_context(told: Results) -> dict[str, Any]:
    """`figures`: {label, people, share} each; `texts`, `over_time`: {first, names, lines}."""
    shown = "SHORT_DATE_FORMAT" if told.step == "day" else "SHORT_DATETIME_FORMAT"
    texts = [(one.label, one.figures) for one in told.variants if one.label]
    times = [(date_format(localtime(one.at), shown), one.figures) for one in told.over_time]
    names, rates = _names(), told.figures.rates
    return {
        "figures": [
            {"label": names[name], "people": getattr(told.figures, name), "share": _share(rates.get(name))}
            for name in OF_TEXTS
            if name != "skipped"
        ],
        "texts": _table(_("Text"), OF_TEXTS, texts),
        "over_time": _table(pgettext("moment", "From"), OF_TIMES, times),
    }


def _table(first: str, columns: tuple[str, ...], lines: Iterable[tuple[str, Figures]]) -> dict[str, Any]:
    names = _names()
    rows = [(label, [getattr(figures, column) for column in columns]) for label, figures in lines]
    return {"first": first, "names": [names[column] for column in columns], "lines": rows}


def _names() -> dict[str, str]:
    return {
        "total": _("People"),
        "sent": pgettext("recipients", "Sent"),
        "delivered": pgettext("recipients", "Delivered"),
        "read": pgettext("recipients", "Read"),
        "replied": pgettext("recipients", "Replied"),
        "opted_out": pgettext("recipients", "Opted out"),
        "failed": pgettext("recipients", "Failed"),
        "uncertain": pgettext("recipients", "Uncertain"),
        "skipped": pgettext("recipients", "Skipped"),
    }


def _share(rate: float | None) -> str | None:
    return None if rate is None else f"{number_format(rate * 100, 0)} %"
