"""The people of a unit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.contact_forms import ContactDetailsForm, ReasonForm
from console.contacts import contact as contact_of
from console.contacts import contacts
from console.forms import ContactForm
from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from console.templatetags.console import called
from console.views.inbox import conversation_url
from messaging.contacts import consent
from messaging.models import Contact, OptOutSource
from units.models import Unit, User
from units.roles import Action


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is set or lifted with a reason: what it is called, asked and means, and what does it."""

    label: Any
    question: Any
    meaning: Any
    do: Callable[[Contact, str, User], object]
    look: str = "primary"


STEPS = {
    "opt-out": Step(
        gettext_lazy("Opt out of campaigns"),
        gettext_lazy("No more campaigns to this person?"),
        gettext_lazy("It holds for all numbers of this person. You can still answer in the chat."),
        lambda contact, reason, by: consent.opt_out(contact, source=OptOutSource.STAFF, reason=reason, by=by),
    ),
    "allow": Step(
        gettext_lazy("Allow campaigns"),
        gettext_lazy("Campaigns to this person again?"),
        gettext_lazy("Only when the person has asked for it. Your reason is kept."),
        lambda contact, reason, by: consent.lift(contact, reason=reason, by=by),
    ),
    "block": Step(
        gettext_lazy("Block"),
        gettext_lazy("Block this person?"),
        gettext_lazy("Nobody can write to a blocked person, not even answers. What the person writes still comes in."),
        lambda contact, reason, by: consent.block(contact, reason=reason, by=by),
        look="danger",
    ),
    "unblock": Step(
        gettext_lazy("Unblock"),
        gettext_lazy("Unblock this person?"),
        gettext_lazy("Your team can write to this person again."),
        lambda contact, reason, by: consent.unblock(contact, reason=reason, by=by),
    ),
}


@require_GET
@unit_view(Action.READ_CONTACTS)
def index(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The list, by name; with `q`, those who match; with `after`, the rows that follow."""
    search, after = request.GET.get("q", ""), request.GET.get("after", "")
    context = {"list": contacts(unit, search=search, after=after), "q": search}
    if request.htmx:
        return render(request, "console/contacts/rows.html", {"unit": unit} | context)
    return render_page(request, unit, "console/contacts/page.html", "contacts", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_CONTACTS)
def new(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Add a person by phone number."""
    form = ContactForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and (contact := form.save(unit)):
        messages.success(request, _("%(name)s is in your contacts.") % {"name": called(contact)})
        return go_to(request, reverse("console:contacts", args=[unit.id]))
    return render_dialog(request, unit, "console/contacts/new.html", "contacts", {"form": form})


@require_http_methods(["GET", "POST"])
@unit_view(Action.READ_CONTACTS, writes=Action.WRITE_CONTACTS)
def detail(request: ConsoleRequest, unit: Unit, contact_id: UUID) -> HttpResponse:
    """One contact: what the unit keeps of it, and whether campaigns go there."""
    contact = contact_of(unit, contact_id)
    form = ContactDetailsForm(contact, request.POST if request.method == "POST" else None)
    if form.is_valid() and form.save():
        messages.success(request, _("Saved."))
        return go_to(request, reverse("console:contact", args=[unit.id, contact.id]))
    opted_out: bool = contact.opted_out  # type: ignore[attr-defined]
    offered = ["allow" if opted_out else "opt-out", "unblock" if contact.blocked_at else "block"]
    context = {
        "contact": contact,
        "form": form,
        "actions": [(action, STEPS[action].label) for action in offered],
        "history": consent.history(contact),
    }
    return render_page(request, unit, "console/contacts/detail.html", "contacts", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_CONTACTS)
def consent_step(request: ConsoleRequest, unit: Unit, contact_id: UUID, action: str) -> HttpResponse:
    """Opt a contact out, allow campaigns again, block or unblock it: with a reason."""
    contact, step = contact_of(unit, contact_id), STEPS.get(action)
    if step is None or contact.is_group:
        raise Http404
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        step.do(contact, form.cleaned_data["reason"], request.user)
        return go_to(request, reverse("console:contact", args=[unit.id, contact.id]))
    context = {"contact": contact, "step": step, "form": form}
    return render_dialog(request, unit, "console/contacts/consent.html", "contacts", context)


@require_POST
@unit_view(Action.WRITE_INBOX)
def converse(request: ConsoleRequest, unit: Unit, contact_id: UUID) -> HttpResponse:
    """Open the conversation with a contact."""
    return redirect(conversation_url(unit, get_object_or_404(Contact, unit=unit, id=contact_id)))
