"""How a unit, or all units of a person, are doing."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta

from django.db.models import F
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from campaigns.models import Campaign
from campaigns.results import recent_figures
from console.overview import SPANS, Span, SpanForm, bars, cards, health, hours
from console.pages import ConsoleRequest, render_page, unit_view
from crm_whatsapp.csv_export import csv_response
from messaging import figures
from messaging.figures import Day
from units.models import Unit
from units.roles import ALLOWED, Action, Role

# As many campaigns as are shown, the latest begun.
CAMPAIGNS = 8
ALL = "all"


@require_GET
@unit_view(Action.READ_INBOX)
def page(request: ConsoleRequest, unit: Unit) -> HttpResponseBase:
    """The overview, or with `format=csv` its days as a file."""
    mine = _units_of(request)
    is_all = request.GET.get("units") == ALL and len(mine) > 1
    units = mine if is_all else [one for one in mine if one == unit]
    today = timezone.localdate()
    form = SpanForm(request.GET if "first" in request.GET else None, today=today)
    span = _span(request, form, today)
    days = figures.by_day(units, span.before.first, span.last)
    if request.GET.get("format") == "csv":
        name = _("overview %(first)s to %(last)s.csv") % {"first": span.first, "last": span.last}
        return csv_response(name, list(_rows(span.of(days))))
    if not form.is_bound:
        form = SpanForm(initial={"first": span.first, "last": span.last}, today=today)
    latest = list(
        Campaign.objects.filter(
            unit__in=units, started_at__gte=_begins(span.first), started_at__lt=_begins(span.last + timedelta(days=1))
        )
        .select_related("unit")
        .order_by(F("started_at").desc(), "-id")[:CAMPAIGNS]
    )
    counted = recent_figures([campaign.pk for campaign in latest])
    context = {
        "form": form,
        "span": span,
        "spans": SPANS,
        "today": today,
        "chosen_days": span.days if span.last == today and span.days in SPANS else None,
        "mine": mine,
        "is_all": is_all,
        "cards": cards(days, span, today),
        "waiting": figures.waiting(units, timezone.now()),
        "bars": bars(days, span),
        "hours": hours(days, span),
        "campaigns": [(campaign, counted[campaign.pk]) for campaign in latest],
        "health": health(mine),
    }
    return render_page(request, unit, "console/overview/page.html", "overview", context)


def _units_of(request: ConsoleRequest) -> list[Unit]:
    """Where the person may see conversations."""
    rows = Unit.objects.of_member(request.user).select_related("connection").annotate(as_role=F("memberships__role"))
    return [unit for unit in rows if Action.READ_INBOX in ALLOWED[Role(unit.as_role)]]


def _span(request: ConsoleRequest, form: SpanForm, today: date) -> Span:
    """What was asked for; without a word that makes sense the last 30 days."""
    if form.is_bound and form.is_valid():
        return Span(form.cleaned_data["first"], form.cleaned_data["last"])
    told = request.GET.get("days", "")
    days = next((span for span in SPANS if str(span) == told), 30)
    return Span(today - timedelta(days=days - 1), today)


def _begins(day: date) -> datetime:
    """Midnight, in the unit's zone."""
    return timezone.make_aware(datetime.combine(day, time.min))


def _rows(days: dict[date, Day]) -> Iterator[Sequence[object]]:
    yield [
        _("Day"),
        _("Received"),
        _("Sent by the team"),
        _("In campaigns"),
        _("Sent"),
        _("Delivered"),
        _("Read"),
        _("First answer, median in minutes"),
    ]
    for day, told in days.items():
        yield [
            day.isoformat(),
            told.received,
            told.team,
            told.campaigns,
            told.sent,
            told.delivered,
            told.read,
            told.answer_minutes,
        ]
