"""Campaigns: the list, a new one, and one under way."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import audience
from campaigns.exports import recipient_rows
from campaigns.models import Campaign, CampaignStatus
from campaigns.outlook import outlook
from campaigns.rehearsal import rehearse, timing
from campaigns.results import results
from campaigns.serializers import reasons
from campaigns.services import CampaignService, NotPossible
from console import campaigns as reading
from console.campaign_forms import CampaignForm, ConfirmForm, FinishForm, chosen_audience
from console.contacts import contacts
from console.forms import local_input
from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from crm_whatsapp.csv_export import csv_response
from messaging.contacts.segments import InvalidFilter
from messaging.holds import hold_of_campaigns
from messaging.models import Contact
from messaging.phones import InvalidPhone
from units.models import Unit
from units.roles import Action

C = CampaignStatus
# What can be asked of a campaign in each status; the first is the one to offer most.
ACTIONS = {
    C.DRAFT: ("start", "schedule", "test", "clone", "archive"),
    C.SCHEDULED: ("start", "unschedule", "test", "cancel"),
    C.PROCESSING: ("pause", "cancel"),
    C.PAUSED: ("resume", "test", "cancel"),
    C.COMPLETED: ("retry", "clone", "archive"),
    C.CANCELLED: ("clone", "archive"),
    C.FAILED: ("clone", "archive"),
}
EDITABLE = (C.DRAFT, C.SCHEDULED, C.PAUSED)
# More people than this: the confirmation also asks to type how many.
TYPED_ABOVE = 1000


def _campaign(unit: Unit, campaign_id: UUID) -> Campaign:
    return get_object_or_404(Campaign.objects.select_related("created_by"), unit=unit, id=campaign_id)


def _live(unit: Unit, campaign: Campaign) -> dict[str, Any]:
    """The part of the page that changes by itself."""
    told = results(campaign)
    ahead = outlook(campaign)
    people = reading.Progress(campaign.progress(), told.figures.replied, told.figures.opted_out)
    waits = campaign.status in (C.DRAFT, C.SCHEDULED)
    offered = ("unarchive", "clone") if campaign.archived_at else ACTIONS.get(C(campaign.status), ())
    may_steer = Action.WRITE_CAMPAIGNS in unit.allowed
    return {
        "unit": unit,
        "campaign": campaign,
        "people": people,
        # Before the start the audience has no rows yet.
        "reach": audience.recent_count(campaign).people if waits else people.left,
        "waits": waits,
        "results": told,
        "hold": ahead.hold,
        "ends_at": ahead.ends_at,
        "can_edit": may_steer and campaign.status in EDITABLE and campaign.archived_at is None,
        "actions": [action for action in offered if may_steer and (action != "retry" or people.failed)],
    }


def _recipients(request: ConsoleRequest, campaign: Campaign) -> dict[str, Any]:
    show = request.GET.get("show", "all")
    try:
        after = UUID(request.GET["after"]) if "after" in request.GET else None
    except ValueError as error:
        raise Http404 from error
    return {
        "list": reading.recipients(campaign, show=show, after=after),
        "show": show,
        "filters": {key: label for key, (label, _statuses) in reading.RECIPIENT_FILTERS.items()},
    }


@require_GET
@unit_view(Action.READ_CAMPAIGNS)
def index(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The list, newest first; with `archived`, what was put away."""
    archived = "archived" in request.GET
    context: dict[str, Any] = {"campaigns": reading.campaigns(unit, archived=archived), "archived": archived}
    if request.htmx:
        return render(request, "console/campaigns/rows.html", {"unit": unit} | context)
    context["any_archived"] = Campaign.objects.filter(unit=unit, archived_at__isnull=False).exists()
    return render_page(request, unit, "console/campaigns/page.html", "campaigns", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_CAMPAIGNS)
def new(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Write a campaign and say who receives it. Nothing is sent before the confirmation that follows."""
    return _write(request, unit, None)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_CAMPAIGNS)
def edit(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> HttpResponse:
    """Change one that has not been sent, or that is paused: then for whoever has not got it."""
    return _write(request, unit, _campaign(unit, campaign_id))


def _write(request: ConsoleRequest, unit: Unit, campaign: Campaign | None) -> HttpResponse:
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form = CampaignForm(unit, *sent, campaign=campaign)
    if form.is_valid():
        try:
            if campaign is None:
                campaign = CampaignService.create(
                    unit=unit, contacts=form.people(), created_by=request.user, **form.changes()
                )
            else:
                CampaignService(campaign).edit(**form.changes())
        except NotPossible as refused:
            form.add_error(refused.field if refused.field in form.fields else None, str(refused.message))
        else:
            if campaign.started_at:
                messages.success(request, _("Saved."))
                return redirect("console:campaign", unit.id, campaign.id)
            # A draft in any case: a time is set, like a start, only by the confirmation that states how many people.
            at = form.cleaned_data["scheduled_at"]
            query = "?" + urlencode({"at": local_input(at)}) if at else ""
            return redirect(reverse("console:campaign-rehearsal", args=[unit.id, campaign.id]) + query)
    context = {
        "form": form,
        "campaign": campaign,
        "everybody": form.everybody.count(),
        "variables": ["primeiro_nome", "nome", "telefone", *unit.attributes.values_list("key", flat=True)],
        **_choice(request, unit, form.initial.get("contacts", [])),
    }
    return render_page(request, unit, "console/campaigns/new.html", "campaigns", context)


@require_POST
@unit_view(Action.READ_CAMPAIGNS)
def check(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """How the campaign on the form reads for one of its people, how many those are, and who is left out."""
    form = CampaignForm(unit, request.POST)
    form.full_clean()
    place = request.POST.get("person", "0")
    told = reading.draft(
        unit,
        request.POST.get("content", "").strip(),
        request.POST.get("opt_out_line", "").strip(),
        chosen_audience(form.cleaned_data),
        place=int(place) if place.isdigit() and len(place) < 7 else 0,
        # The file itself stays in the browser until the form is sent.
        has_file=bool(request.POST.get("with_file")),
    )
    context = {"unit": unit, "draft": told, "excluded": reasons(told.tally.excluded), "to": request.POST.get("to")}
    return render(request, "console/campaigns/check.html", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.READ_CAMPAIGNS, writes=Action.WRITE_CAMPAIGNS)
def rehearsal(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> HttpResponse:
    """Who gets it, when it ends and what can go wrong. POST: take the pace that was found for a time to finish by."""
    campaign = _campaign(unit, campaign_id)
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
    try:
        told = rehearse(campaign, finish_by=finish.cleaned_data["by"] if finish.is_valid() else None)
    except InvalidFilter as error:
        told, problem = None, str(error.message)
    context = _live(unit, campaign) if told else {"campaign": campaign}
    context |= {
        "rehearsal": told,
        "excluded": reasons(told.tally.excluded) if told else [],
        "problem": problem,
        "finish_form": finish,
        "at": request.GET.get("at", ""),
    }
    return render_page(request, unit, "console/campaigns/rehearsal.html", "campaigns", context)


@require_GET
@unit_view(Action.MOVE_CONTACTS)
def export(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> Any:
    """All recipients as a file for a spreadsheet."""
    campaign = _campaign(unit, campaign_id)
    return csv_response(f"{campaign.name}.csv", recipient_rows(campaign, campaign.recipients.all()))


@require_GET
@unit_view(Action.READ_CONTACTS)
def pick(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Contacts to choose from: those chosen already, then those who match the search."""
    return render(request, "console/campaigns/picker.html", {"unit": unit} | _choice(request, unit))


def _choice(request: ConsoleRequest, unit: Unit, already: list[str] | None = None) -> dict[str, Any]:
    sent = request.POST if request.method == "POST" else request.GET
    ids = [value for value in sent.getlist("contacts") if _is_uuid(value)] or already or []
    chosen = list(Contact.objects.filter(unit=unit, id__in=ids).prefetch_related("addresses").order_by("name", "id"))
    taken = {contact.id for contact in chosen}
    found = contacts(unit, search=sent.get("q", ""))
    return {
        "chosen": chosen,
        "offered": [contact for contact in found.rows if contact.id not in taken],
        "more": bool(found.next),
        "q": sent.get("q", ""),
    }


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


@require_GET
@unit_view(Action.READ_CAMPAIGNS)
def detail(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> HttpResponse:
    """One campaign under way."""
    campaign = _campaign(unit, campaign_id)
    context = _live(unit, campaign) | _recipients(request, campaign)
    step = request.GET.get("confirm")
    if step in context["actions"]:
        query = urlencode({"at": request.GET.get("at", "")})
        context["confirm"] = reverse("console:campaign-action", args=[unit.id, campaign.id, step]) + f"?{query}"
    return render_page(request, unit, "console/campaigns/detail.html", "campaigns", context)


@require_GET
@unit_view(Action.READ_CAMPAIGNS)
def progress(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> HttpResponse:
    """The part of a campaign's page that changes by itself."""
    return render(request, "console/campaigns/live.html", _live(unit, _campaign(unit, campaign_id)))


@require_GET
@unit_view(Action.READ_CAMPAIGNS)
def recipients(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> HttpResponse:
    """Rows of recipients, of a filter or after a cursor."""
    campaign = _campaign(unit, campaign_id)
    template = "recipient_rows" if "after" in request.GET else "recipients"
    context = {"unit": unit, "campaign": campaign} | _recipients(request, campaign)
    return render(request, f"console/campaigns/{template}.html", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_CAMPAIGNS)
def act(request: ConsoleRequest, unit: Unit, campaign_id: UUID, action: str) -> HttpResponse:
    """GET: what the action would mean, in people. POST: do it."""
    campaign = _campaign(unit, campaign_id)
    if action not in STEPS:
        raise Http404
    context = _live(unit, campaign)
    # What is confirmed is counted now.
    is_sent = action in ("start", "schedule")
    reach = audience.count(campaign).people if is_sent and context["waits"] else context["reach"]
    context["reach"] = reach
    form = ConfirmForm(
        request.POST if request.method == "POST" else None,
        initial={"at": request.GET.get("at")},
        people=reach if is_sent and reach > TYPED_ABOVE else None,
        needs_time=action == "schedule",
        needs_phone=action == "test",
    )
    error = "" if action in context["actions"] else _("The campaign has changed meanwhile. Look at it again.")
    if not error and form.is_valid():
        try:
            shown = STEPS[action](CampaignService(campaign), form.cleaned_data | {"by": request.user})
        except (NotPossible, InvalidPhone) as refused:
            error = str(refused.message)
        else:
            if action == "test":
                messages.success(request, _("The test is on its way. The chat shows when it arrives."))
            where = reverse("console:campaign", args=[unit.id, shown.id])
            return go_to(request, reverse("console:campaigns", args=[unit.id]) if action == "archive" else where)
    if not error and action in ("start", "resume"):
        context |= {"timing": timing(campaign, reach), "hold": hold_of_campaigns(unit.connection)}
    context |= {"action": action, "form": form, "error": error}
    return render_dialog(request, unit, f"console/campaigns/confirm_{action}.html", "campaigns", context)


def _retry(service: CampaignService, data: dict[str, Any]) -> Campaign:
    service.retry_failed()
    return service.campaign


def _test(service: CampaignService, data: dict[str, Any]) -> Campaign:
    service.test_send(data["phone"], author=data["by"])
    return service.campaign


# What each confirmation does, with what was typed into it; the campaign to show then.
STEPS: dict[str, Callable[[CampaignService, dict[str, Any]], Campaign]] = {
    "start": lambda service, data: service.dispatch(),
    "schedule": lambda service, data: service.schedule(data["at"]),
    "unschedule": lambda service, data: service.unschedule(),
    "pause": lambda service, data: service.pause(),
    "resume": lambda service, data: service.resume(),
    "cancel": lambda service, data: service.cancel(),
    "archive": lambda service, data: service.archive(),
    "unarchive": lambda service, data: service.unarchive(),
    "clone": lambda service, data: service.clone(created_by=data["by"]),
    "retry": _retry,
    "test": _test,
}
