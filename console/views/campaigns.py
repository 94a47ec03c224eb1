"""Campaigns: the list, the rehearsal of one, and one under way."""

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from campaigns import audience
from campaigns.editions import edition_of
from campaigns.exports import recipient_rows
from campaigns.models import Campaign, CampaignStatus, CampaignVariant
from campaigns.outlook import outlook
from campaigns.rehearsal import Timing, rehearse, timing
from campaigns.results import Figures, recent_results
from campaigns.serializers import reasons
from campaigns.services import CampaignService, NotPossible
from campaigns.testing import send_test
from console import campaigns as reading
from console.campaign_charts import chart
from console.campaign_confirmations import STATED, ConfirmForm, FinishForm, Reach
from console.campaign_drafts import left_out
from console.campaign_recipients import MOST_SHOWN, ROWS, filters, recipients
from console.forms import local_input, number_of, time_of
from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from crm_whatsapp.csv_export import csv_response
from messaging.contacts.segments import InvalidFilter
from messaging.holds import hold_of_campaigns
from messaging.media.serving import serve_attachment
from messaging.models import Attachment
from messaging.phones import InvalidPhone
from units.models import Unit
from units.roles import Action

C = CampaignStatus
# What can be asked of a campaign in each status; the first is the one to offer most.
ACTIONS = {
    C.DRAFT: ("start", "schedule", "test", "clone", "archive"),
    C.SCHEDULED: ("start", "unschedule", "test", "cancel"),
    C.PROCESSING: ("pause", "retry", "clone", "cancel"),
    C.PAUSED: ("resume", "retry", "test", "clone", "cancel"),
    C.COMPLETED: ("retry", "clone", "archive"),
    C.CANCELLED: ("clone", "archive"),
    C.FAILED: ("clone", "archive"),
}
EDITABLE = (C.DRAFT, C.SCHEDULED, C.PAUSED)


def campaign_of(unit: Unit, campaign_id: UUID) -> Campaign:
    """A campaign of the unit. Http404 when there is no such one here."""
    return get_object_or_404(Campaign.objects.select_related("created_by"), unit=unit, id=campaign_id)


def _live(unit: Unit, campaign: Campaign, reach: int | None = None) -> dict[str, Any]:
    """The part of the page that changes by itself. `reach`: how many get it, when that has just been counted."""
    told = recent_results(campaign)
    people = reading.Progress(told.figures)
    ahead = outlook(campaign, left=people.left)
    waits = campaign.status in (C.DRAFT, C.SCHEDULED)
    offered = ("unarchive", "clone") if campaign.archived_at else ACTIONS.get(C(campaign.status), ())
    may_steer = Action.WRITE_CAMPAIGNS in unit.allowed
    may_fail = "retry" in offered and (told.figures.failed or told.skipped.get("unsettled"))
    again = CampaignService(campaign).may_be_retried().count() if may_fail else 0
    problem = ""
    if reach is None:
        try:
            # Before the start the audience has no rows yet.
            reach = audience.recent_count(campaign).people if waits else people.left
        except InvalidFilter as error:
            reach, problem = 0, str(error.message)
    return {
        "unit": unit,
        "campaign": campaign,
        "look": reading.look_of(campaign, ahead.hold),
        "people": people,
        "reach": reach,
        "problem": problem,
        "waits": waits,
        "again": again,
        "hold": ahead.hold,
        "way_out": reading.WAYS_OUT.get(ahead.hold.code) if ahead.hold else None,
        "ends_at": ahead.ends_at,
        "can_edit": may_steer and campaign.status in EDITABLE and campaign.archived_at is None,
        "actions": [action for action in offered if may_steer and (action != "retry" or again)],
        "results": told,
    }


def _progress(unit: Unit, campaign: Campaign) -> dict[str, Any]:
    context = _live(unit, campaign)
    told = context["results"]
    return context | {
        "speed": reading.speed(campaign, unit.connection),
        "by_text": [variant for variant in told.variants if variant.label],
        "chart": chart(told),
        "why_failed": reasons(told.failed),
        "why_skipped": reasons(told.skipped),
    }


def _recipients(request: ConsoleRequest, campaign: Campaign, figures: Figures | None = None) -> dict[str, Any]:
    show, search = request.GET.get("show", "all"), request.GET.get("q", "").strip()
    number = number_of(request.GET.get("shown"), most=MOST_SHOWN) or ROWS
    try:
        after = UUID(request.GET["after"]) if "after" in request.GET else None
    except ValueError as error:
        raise Http404 from error
    found = recipients(campaign, show=show, search=search, after=after, number=ROWS if after else max(number, ROWS))
    return {
        "list": found,
        "show": show,
        "q": search,
        # How many are on the page then; beyond the most it is left as it is.
        "shown": len(found.rows) + (number if after else 0),
        "most_shown": MOST_SHOWN,
        "filters": [] if after else filters(figures or recent_results(campaign).figures),
    }


@require_GET
@unit_view(Action.READ_CAMPAIGNS)
def index(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The list, newest first: of a filter, of a search, or what was put away."""
    show = "archived" if "archived" in request.GET else request.GET.get("show", "all")
    search = request.GET.get("q", "").replace("\0", "").strip()[:120]
    listing = reading.campaigns(unit, show=show, search=search)
    if request.htmx:
        return render(request, "console/campaigns/list.html", {"unit": unit, "listing": listing})
    return render_page(request, unit, "console/campaigns/page.html", "campaigns", {"listing": listing})


@require_http_methods(["GET", "POST"])
@unit_view(Action.READ_CAMPAIGNS, writes=Action.WRITE_CAMPAIGNS)
def rehearsal(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> HttpResponse:
    """Who gets it, when it ends and what can go wrong. POST: take the pace that was found for a time to finish by."""
    campaign = campaign_of(unit, campaign_id)
    if campaign.started_at:
        return redirect("console:campaign", unit.id, campaign.id)
    problem = ""
    if request.method == "POST":
        try:
            CampaignService(campaign).edit(interval_seconds=request.POST.get("interval"))
            return redirect(request.get_full_path())
        except NotPossible as refused:
            problem = str(refused.message)
    finish = FinishForm(request.GET if "by" in request.GET else None)
    if at := time_of(request.GET.get("at", "")):
        campaign.scheduled_at = at
    try:
        told = rehearse(campaign, finish_by=finish.cleaned_data["by"] if finish.is_valid() else None)
    except InvalidFilter as error:
        told, problem = None, str(error.message)
    context = _live(unit, campaign, told.tally.people) if told else {"campaign": campaign}
    context |= {
        "rehearsal": told,
        "left_out": left_out(told.tally) if told else [],
        "problem": problem,
        "finish_form": finish,
        "at": local_input(at) if at else "",
    }
    return render_page(request, unit, "console/campaigns/rehearsal.html", "campaigns", context)


@require_GET
@unit_view(Action.MOVE_CONTACTS)
def export(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> Any:
    """All recipients as a file for a spreadsheet."""
    campaign = campaign_of(unit, campaign_id)
    return csv_response(f"{campaign.name}.csv", recipient_rows(campaign, campaign.recipients.all()))


@require_safe
@unit_view(Action.READ_CAMPAIGNS)
def file(request: ConsoleRequest, unit: Unit, attachment_id: UUID) -> HttpResponseBase:
    """A file that a campaign sends; of the unit, or there is none (I7)."""
    return serve_attachment(request, get_object_or_404(Attachment, unit=unit, id=attachment_id))


def _texts(campaign: Campaign) -> list[tuple[str, Campaign | CampaignVariant]]:
    """Letter and text of each variant; no letter when there is only one."""
    others = list(campaign.variants.select_related("attachment").order_by("position"))
    return [(str(CampaignVariant(position=0)) if others else "", campaign), *((str(one), one) for one in others)]


@require_GET
@unit_view(Action.READ_CAMPAIGNS)
def detail(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> HttpResponse:
    """One campaign under way."""
    campaign = campaign_of(unit, campaign_id)
    context = _progress(unit, campaign)
    context |= _recipients(request, campaign, context["results"].figures)
    context["variants"] = _texts(campaign)
    step = request.GET.get("confirm")
    if step in context["actions"]:
        query = urlencode({"at": request.GET.get("at", "")})
        context["confirm"] = reverse("console:campaign-action", args=[unit.id, campaign.id, step]) + f"?{query}"
    return render_page(request, unit, "console/campaigns/detail.html", "campaigns", context)


@require_GET
@unit_view(Action.READ_CAMPAIGNS)
def progress(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> HttpResponse:
    """The part of a campaign's page that changes by itself."""
    return render(request, "console/campaigns/live.html", _progress(unit, campaign_of(unit, campaign_id)))


@require_GET
@unit_view(Action.READ_CAMPAIGNS)
def people(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> HttpResponse:
    """Recipients of a filter, of a search, or after a cursor."""
    campaign = campaign_of(unit, campaign_id)
    template = "recipient_rows" if "after" in request.GET else "recipients"
    context = {"unit": unit, "campaign": campaign} | _recipients(request, campaign)
    return render(request, f"console/campaigns/{template}.html", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_CAMPAIGNS)
def act(request: ConsoleRequest, unit: Unit, campaign_id: UUID, action: str) -> HttpResponse:
    """GET: what the action would mean, in people. POST: do it, if it means that still."""
    campaign = campaign_of(unit, campaign_id)
    if action not in STEPS:
        raise Http404
    context = _live(unit, campaign)
    reach, error = None, ""
    if action not in context["actions"]:
        error = _("The campaign has changed meanwhile. Look at it again.")
    elif action in STATED:
        try:
            reach = Reach.of(campaign, action, left=context["again" if action == "retry" else "reach"])
        except InvalidFilter as refused:
            error = str(refused.message)
        else:
            if reach.is_within(stated := request.POST.get("people", "")):
                reach = replace(reach, people=int(stated))
            elif request.method == "POST":
                error = reach.asked_again()
    elif action == "cancel" and not context["waits"]:
        # Of an audience that asks for what is no more nobody comes.
        with suppress(InvalidFilter):
            context["reach"] += audience.still_to_come(campaign)
    form = ConfirmForm(
        request.POST if request.method == "POST" and not error else None,
        initial={"at": request.POST.get("at") or request.GET.get("at")},
        typed=reach.to_type if reach else None,
        needs_time=action == "schedule",
        needs_phone=action == "test",
    )
    if not error and form.is_valid():
        try:
            shown = STEPS[action](CampaignService(campaign), form.cleaned_data | {"by": request.user})
        except (NotPossible, InvalidPhone) as refused:
            error = str(refused.message)
        else:
            if action == "test":
                messages.success(request, _("The test is on its way. The chat shows when it arrives."))
            if action == "archive":
                return go_to(request, "console:campaigns", unit.id)
            return go_to(request, "console:campaign", unit.id, shown.id)
    if reach:
        starts_at = time_of(str(form["at"].value() or "")) if action == "schedule" else None
        context |= {
            "reach": reach.people,
            "seen": edition_of(campaign),
            # Of a time that is only typed into the dialog nobody knows the end yet.
            "timing": _timing(campaign, reach.people, starts_at) if action != "schedule" or starts_at else None,
            "hold": hold_of_campaigns(unit.connection),
        }
    context |= {"action": action, "form": form, "error": error}
    return render_dialog(request, unit, f"console/campaigns/confirm_{action}.html", "campaigns", context)


def _timing(campaign: Campaign, people: int, starts_at: datetime | None) -> Timing:
    # Of a copy: what starts now starts then, whatever it was scheduled for.
    asked = copy(campaign)
    asked.scheduled_at = starts_at
    return timing(asked, people)


def _retry(service: CampaignService, data: dict[str, Any]) -> Campaign:
    service.retry_failed(at_most=data["people"])
    return service.campaign


def _test(service: CampaignService, data: dict[str, Any]) -> Campaign:
    send_test(service.campaign, data["phone"], author=data["by"])
    return service.campaign


# What each confirmation does, with what was typed into it; the campaign to show then.
STEPS: dict[str, Callable[[CampaignService, dict[str, Any]], Campaign]] = {
    "start": lambda service, data: service.dispatch(seen=data["seen"]),
    "schedule": lambda service, data: service.schedule(data["at"], seen=data["seen"]),
    "unschedule": lambda service, data: service.unschedule(),
    "pause": lambda service, data: service.pause(),
    "resume": lambda service, data: service.resume(seen=data["seen"]),
    "cancel": lambda service, data: service.cancel(),
    "archive": lambda service, data: service.archive(),
    "unarchive": lambda service, data: service.unarchive(),
    "clone": lambda service, data: service.clone(created_by=data["by"]),
    "retry": _retry,
    "test": _test,
}
