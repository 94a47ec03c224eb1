"""Campaigns: the list, a new one, and one under way."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from campaigns.models import Campaign, CampaignStatus
from campaigns.services import CampaignService, NotPossible, outlook
from console import campaigns as reading
from console.contacts import contacts
from console.forms import CampaignForm, ConfirmForm, local_input
from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from messaging.models import Contact
from units.models import Unit

C = CampaignStatus
# What can be asked of a campaign in each status; the first is the one to offer most.
ACTIONS = {
    C.DRAFT: ("start", "schedule", "cancel"),
    C.SCHEDULED: ("start", "cancel"),
    C.PROCESSING: ("pause", "cancel"),
    C.PAUSED: ("resume", "cancel"),
}
# More people than this: the confirmation also asks to type how many.
TYPED_ABOVE = 1000


def _campaign(unit: Unit, campaign_id: UUID) -> Campaign:
    return get_object_or_404(Campaign.objects.select_related("created_by"), unit=unit, id=campaign_id)


def _live(unit: Unit, campaign: Campaign) -> dict[str, Any]:
    """The part of the page that changes by itself."""
    people = reading.Progress(campaign.progress())
    ahead = outlook(campaign)
    return {
        "unit": unit,
        "campaign": campaign,
        "people": people,
        "hold": ahead.hold,
        "ends_at": ahead.ends_at or reading.expected_end(campaign, unit.connection, people.left),
        "actions": ACTIONS.get(C(campaign.status), ()),
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
@unit_view
def index(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The list, newest first."""
    context = {"campaigns": reading.campaigns(unit)}
    if request.htmx:
        return render(request, "console/campaigns/rows.html", {"unit": unit} | context)
    return render_page(request, unit, "console/campaigns/page.html", "campaigns", context)


@require_http_methods(["GET", "POST"])
@unit_view
def new(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Write a campaign and say who receives it. Nothing is sent before the confirmation that follows."""
    form = CampaignForm(unit, request.POST if request.method == "POST" else None)
    if form.is_valid():
        campaign = CampaignService.create(
            unit=unit,
            name=form.cleaned_data["name"],
            content=form.cleaned_data["content"],
            contacts=form.audience(),
            created_by=request.user,
        )
        # A draft in any case: a time is set, like a start, only by the confirmation that states how many people.
        at = form.cleaned_data["scheduled_at"]
        ask = {"confirm": "schedule", "at": local_input(at)} if at else {"confirm": "start"}
        return redirect(reverse("console:campaign", args=[unit.id, campaign.id]) + "?" + urlencode(ask))
    context = {
        "form": form,
        "everybody": Contact.objects.people().filter(unit=unit).count(),
        **_choice(request, unit),
    }
    return render_page(request, unit, "console/campaigns/new.html", "campaigns", context)


@require_GET
@unit_view
def pick(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Contacts to choose from: those chosen already, then those who match the search."""
    return render(request, "console/campaigns/picker.html", {"unit": unit} | _choice(request, unit))


def _choice(request: ConsoleRequest, unit: Unit) -> dict[str, Any]:
    sent = request.POST if request.method == "POST" else request.GET
    ids = [value for value in sent.getlist("contacts") if _is_uuid(value)]
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
@unit_view
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
@unit_view
def progress(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> HttpResponse:
    """The part of a campaign's page that changes by itself."""
    return render(request, "console/campaigns/live.html", _live(unit, _campaign(unit, campaign_id)))


@require_GET
@unit_view
def recipients(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> HttpResponse:
    """Rows of recipients, of a filter or after a cursor."""
    campaign = _campaign(unit, campaign_id)
    template = "recipient_rows" if "after" in request.GET else "recipients"
    context = {"unit": unit, "campaign": campaign} | _recipients(request, campaign)
    return render(request, f"console/campaigns/{template}.html", context)


@require_http_methods(["GET", "POST"])
@unit_view
def act(request: ConsoleRequest, unit: Unit, campaign_id: UUID, action: str) -> HttpResponse:
    """GET: what the action (start, schedule, pause, resume, cancel) would mean, in people. POST: do it."""
    campaign = _campaign(unit, campaign_id)
    if action not in ("start", "schedule", "pause", "resume", "cancel"):
        raise Http404
    context = _live(unit, campaign)
    people = context["people"].left
    form = ConfirmForm(
        request.POST if request.method == "POST" else None,
        initial={"at": request.GET.get("at")},
        people=people if action in ("start", "schedule") and people > TYPED_ABOVE else None,
        needs_time=action == "schedule",
    )
    error = "" if action in context["actions"] else _("The campaign has changed meanwhile. Look at it again.")
    if not error and form.is_valid():
        try:
            _do(action, campaign, form)
        except NotPossible as refused:
            error = str(refused.message)
        else:
            return go_to(request, reverse("console:campaign", args=[unit.id, campaign.id]))
    context |= {"action": action, "form": form, "error": error}
    return render_dialog(request, unit, f"console/campaigns/confirm_{action}.html", "campaigns", context)


def _do(action: str, campaign: Campaign, form: ConfirmForm) -> None:
    service = CampaignService(campaign)
    match action:
        case "start":
            service.dispatch()
        case "schedule":
            service.schedule(form.cleaned_data["at"])
        case "pause":
            service.pause()
        case "resume":
            service.resume()
        case "cancel":
            service.cancel()
