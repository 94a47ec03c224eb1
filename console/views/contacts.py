"""The people of a unit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns.models import CampaignRecipient
from console.contact_forms import ContactDetailsForm, ReasonForm
from console.contacts import Filters, people
from console.contacts import contact as contact_of
from console.forms import ContactForm
from console.imports import running
from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from console.templatetags.console import called
from console.views.inbox import conversation_url
from messaging import merging
from messaging.contacts import consent
from messaging.models import Contact, ContactMerge, Conversation, Message, OptOutSource
from messaging.people import delete_contact
from units.models import Unit, User
from units.roles import Action

# Of a contact, the latest.
CAMPAIGNS = 10


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


def steps_of(contact: Contact) -> list[tuple[str, Any]]:
    """What can be set or lifted for `contact` now, with its words."""
    opted_out: bool = contact.opted_out  # type: ignore[attr-defined]
    offered = ("allow" if opted_out else "opt-out", "unblock" if contact.blocked_at else "block")
    return [(action, STEPS[action].label) for action in offered]


@require_GET
@unit_view(Action.READ_CONTACTS)
def index(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Those whom the address asks for; asked for by htmx, the list alone."""
    filters = Filters(unit, request.GET)
    context = {"filters": filters, "list": people(filters, request.GET)}
    if request.htmx:
        answer = render(request, "console/contacts/list.html", {"unit": unit} | context)
        # Without what was left empty in the form.
        answer.headers["HX-Push-Url"] = f"{request.path}?{filters.query}".rstrip("?")
        return answer
    if Action.MOVE_CONTACTS in unit.allowed:
        context["running"] = running(unit)
    return render_page(request, unit, "console/contacts/page.html", "contacts", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_CONTACTS)
def new(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Add a person by phone number."""
    form = ContactForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and (contact := form.save(unit)):
        messages.success(request, _("%(name)s is in your contacts.") % {"name": called(contact)})
        return go_to(request, "console:contacts", unit.id)
    return render_dialog(request, unit, "console/contacts/new.html", "contacts", {"form": form})


@require_http_methods(["GET", "POST"])
@unit_view(Action.READ_CONTACTS, writes=Action.WRITE_CONTACTS)
def detail(request: ConsoleRequest, unit: Unit, contact_id: UUID) -> HttpResponse:
    """One contact: what the unit keeps of it, and whether campaigns go there."""
    contact = contact_of(unit, contact_id)
    form = ContactDetailsForm(contact, request.POST if request.method == "POST" else None)
    if form.is_valid() and form.save():
        messages.success(request, _("Saved."))
        return go_to(request, "console:contact", unit.id, contact.id)
    context = {
        "contact": contact,
        "form": form,
        "actions": steps_of(contact),
        "history": consent.history(contact),
        "conversation": Conversation.objects.filter(unit=unit, contact=contact).first(),
        "received": CampaignRecipient.objects.filter(unit=unit, contact=contact)
        .select_related("campaign")
        .order_by("-created_at")[:CAMPAIGNS],
        "merges": ContactMerge.objects.filter(unit=unit, kept=contact, undone_at=None)
        .defer("before")
        .order_by("-created_at"),
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
        return go_to(request, "console:contact", unit.id, contact.id)
    context = {"contact": contact, "step": step, "form": form}
    return render_dialog(request, unit, "console/contacts/consent.html", "contacts", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.MOVE_CONTACTS)
def undo_merge(request: ConsoleRequest, unit: Unit, merge_id: UUID) -> HttpResponse:
    """GET: what parting two contacts again means. POST: part them."""
    merge = get_object_or_404(ContactMerge.objects.select_related("kept"), unit=unit, id=merge_id)
    if request.method == "POST":
        try:
            back = merging.undo(merge, request.user)
        except merging.CannotUndo as error:
            messages.info(request, str(error.message))
            return go_to(request, "console:contact", unit.id, merge.kept_id)
        messages.success(request, _("They are two contacts again."))
        return go_to(request, "console:contact", unit.id, back.id)
    return render_dialog(request, unit, "console/contacts/undo_merge.html", "contacts", {"merge": merge})


@require_http_methods(["GET", "POST"])
@unit_view(Action.MOVE_CONTACTS)
def delete(request: ConsoleRequest, unit: Unit, contact_id: UUID) -> HttpResponse:
    """GET: what goes with the contact. POST: delete it."""
    contact = contact_of(unit, contact_id)
    if request.method == "POST":
        delete_contact(contact)
        messages.success(request, _("%(name)s was deleted.") % {"name": called(contact)})
        return go_to(request, "console:contacts", unit.id)
    context = {
        "contact": contact,
        "messages_of": Message.objects.filter(unit=unit, conversation__contact=contact).count(),
        "campaigns_of": CampaignRecipient.objects.filter(unit=unit, contact=contact).count(),
    }
    return render_dialog(request, unit, "console/contacts/delete.html", "contacts", context)


@require_POST
@unit_view(Action.WRITE_INBOX)
def converse(request: ConsoleRequest, unit: Unit, contact_id: UUID) -> HttpResponse:
    """Open the conversation with a contact."""
    return redirect(conversation_url(unit, get_object_or_404(Contact, unit=unit, id=contact_id)))
