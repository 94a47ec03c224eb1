"""Writing a campaign: its texts, who receives it, and when."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import lost
from campaigns.editions import Changed, edition_of
from campaigns.models import Campaign
from campaigns.services import CampaignService, NotPossible
from console.campaign_drafts import Asked, draft, left_out
from console.campaign_forms import CampaignForm
from console.contacts import contacts
from console.forms import local_input, number_of, uuid_of
from console.pages import ConsoleRequest, render_page, unit_view
from console.views.campaigns import campaign_of
from messaging.models import Contact
from units.models import Unit
from units.roles import Action

# A step or a draw further than this is nobody's.
MOST = 100_000
_CHANGED = gettext_lazy(
    "It was changed since you opened this page, by somebody else or in another tab. Open it anew to see that; "
    "saving here once more puts yours in its place."
)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_CAMPAIGNS)
def new(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Write a campaign and say who receives it. Nothing is sent before the confirmation that follows."""
    return _write(request, unit, None)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_CAMPAIGNS)
def edit(request: ConsoleRequest, unit: Unit, campaign_id: UUID) -> HttpResponse:
    """Change one that has not been sent, or that is paused: then for whoever has not got it."""
    return _write(request, unit, campaign_of(unit, campaign_id))


def _write(request: ConsoleRequest, unit: Unit, campaign: Campaign | None) -> HttpResponse:
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form = CampaignForm(unit, *sent, campaign=campaign)
    if form.is_valid():
        try:
            saved = _save(request, unit, form)
        except Changed:
            form.add_error(None, _CHANGED)
        except NotPossible as refused:
            form.add_error(refused.field if refused.field in form.fields else None, str(refused.message))
        else:
            if saved.started_at:
                messages.success(request, _("Saved."))
                return redirect("console:campaign", unit.id, saved.id)
            # A draft in any case: a time is set, like a start, only by the confirmation that states how many people.
            at = form.cleaned_data["scheduled_at"]
            query = "?" + urlencode({"at": local_input(at)}) if at else ""
            return redirect(reverse("console:campaign-rehearsal", args=[unit.id, saved.id]) + query)
    context = {
        "form": form,
        "campaign": campaign,
        "key": form["key"].value() or uuid4(),
        "seen": edition_of(campaign) if campaign else "",
        "everybody": form.everybody.count(),
        "variables": _variables(unit),
        # What the audience names and is no more has to be chosen again.
        "gone": bool(campaign and lost.gone(unit.pk, campaign.audience)),
        **_choice(request, unit, form.initial.get("contacts", [])),
    }
    return render_page(request, unit, "console/campaigns/new.html", "campaigns", context)


def _save(request: ConsoleRequest, unit: Unit, form: CampaignForm) -> Campaign:
    """Raises NotPossible."""
    told, changes = form.cleaned_data, form.changes()
    if form.campaign:
        return CampaignService(form.campaign).edit(seen=told["seen"] or None, keep_added=form.keeps_added, **changes)
    try:
        with transaction.atomic():
            return CampaignService.create(
                unit=unit, contacts=form.people(), created_by=request.user, key=told["key"], **changes
            )
    except IntegrityError:
        made = Campaign.objects.filter(unit=unit, id=told["key"], created_by=request.user).first()
        if made is None:
            raise
    # A second click, or the way back: what the form says now is what is meant.
    with transaction.atomic():
        service = CampaignService(made)
        service.edit(keep_added=False, **({"audience": {}, "ends_at": None} | changes))
        service.add_contacts(form.people())
    return made


@require_POST
@unit_view(Action.READ_CAMPAIGNS)
def check(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """How the campaign on the form reads for one of its people, what is wrong with it, and how many get it."""
    key = uuid_of(request.POST.get("campaign"))
    form = CampaignForm(unit, request.POST, campaign=campaign_of(unit, key) if key else None)
    form.full_clean()
    asked = Asked(
        place=number_of(request.POST.get("person"), most=MOST) or 0,
        text=number_of(request.POST.get("text"), most=MOST),
        draw=number_of(request.POST.get("draw"), most=MOST) or 0,
    )
    # The file itself stays in the browser until the form is sent.
    told = draft(form, asked, has_file=bool(request.POST.get("with_file")))
    context = {"unit": unit, "form": form, "draft": told, "left_out": left_out(told.tally)}
    return render(request, "console/campaigns/check.html", context)


@require_GET
@unit_view(Action.READ_CONTACTS)
def pick(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Contacts to choose from: those chosen already, then those who match the search."""
    return render(request, "console/campaigns/picker.html", {"unit": unit} | _choice(request, unit))


def _variables(unit: Unit) -> list[tuple[str, str]]:
    """What a text may name: the name it is written by, and the one that people know."""
    own = [("primeiro_nome", _("first name")), ("nome", _("name")), ("telefone", _("phone"))]
    return own + list(unit.attributes.values_list("key", "name"))


def _choice(request: ConsoleRequest, unit: Unit, already: list[str] | None = None) -> dict[str, Any]:
    sent = request.POST if request.method == "POST" else request.GET
    ids = [value for value in sent.getlist("contacts") if uuid_of(value)] or already or []
    chosen = list(Contact.objects.filter(unit=unit, id__in=ids).prefetch_related("addresses").order_by("name", "id"))
    taken = {contact.id for contact in chosen}
    found = contacts(unit, search=sent.get("q", ""))
    return {
        "chosen": chosen,
        "offered": [contact for contact in found.rows if contact.id not in taken],
        "more": bool(found.next),
        "q": sent.get("q", ""),
    }
