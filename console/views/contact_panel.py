"""The panel beside a conversation: who it is with, and what can be done about them without leaving it."""

from typing import Any
from uuid import UUID

from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns.models import CampaignRecipient
from console.contact_forms import ContactDetailsForm, ReasonForm
from console.contacts import contact as contact_of
from console.inbox import conversation_of, matching
from console.pages import ConsoleRequest, go_to, render_dialog, unit_view
from console.views.contacts import STEPS, steps_of
from console.views.inbox import conversation_url
from messaging import merging
from messaging.contacts import attributes, tags
from messaging.contacts.tags import InvalidTag
from messaging.models import Contact, ContactMerge, Conversation, Message, Tag
from units.models import Unit
from units.roles import Action

# Of a person's campaigns and merges, the latest; the contact's own page has the rest.
SHOWN = 5
# Whom a search for the same person offers.
FOUND = 8
# Tags to choose from while one types.
OFFERED = 100


def context_of(unit: Unit, conversation: Conversation) -> dict[str, Any]:
    """What the panel shows. A fixed number of queries."""
    contact = contact_of(unit, conversation.contact_id)
    definitions = attributes.definitions_of(unit)
    merges = ContactMerge.objects.filter(unit=unit, kept=contact, undone_at=None)
    received = CampaignRecipient.objects.filter(unit=unit, contact=contact).select_related("campaign")
    return {
        "unit": unit,
        "conversation": conversation,
        "contact": contact,
        "fields": [
            (definition.name, attributes.shown(definition, contact.attributes[key]))
            for key, definition in definitions.items()
            if key in contact.attributes
        ],
        "known_tags": Tag.objects.filter(unit=unit).order_by("name")[:OFFERED],
        "steps": steps_of(contact),
        "received": received.order_by("-created_at")[:SHOWN],
        "merges": merges.defer("before").order_by("-created_at")[:SHOWN],
    }


def _panel(request: ConsoleRequest, unit: Unit, conversation: Conversation, **more: Any) -> HttpResponse:
    context = context_of(unit, conversation) | more
    return render(request, "console/inbox/contact_panel_body.html", context)


@require_GET
@unit_view(Action.READ_CONTACTS)
def panel(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """The panel's content; without htmx the contact's own page has it."""
    conversation = conversation_of(unit, conversation_id)
    if not request.htmx:
        return redirect("console:contact", unit.id, conversation.contact_id)
    return _panel(request, unit, conversation)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_CONTACTS)
def edit(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """Name and fields, changed in their place."""
    conversation = conversation_of(unit, conversation_id)
    form = ContactDetailsForm(contact_of(unit, conversation.contact_id), request.POST or None)
    # They have a line of their own.
    del form.fields["tags"]
    form.fields["name"].widget.attrs["autofocus"] = True
    saved = form.is_valid() and form.save()
    if not request.htmx:
        return redirect("console:contact", unit.id, conversation.contact_id)
    if saved:
        return _panel(request, unit, conversation, just_saved=True)
    return _panel(request, unit, conversation, form=form)


@require_POST
@unit_view(Action.WRITE_CONTACTS)
def tag(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """Put the tag named `add` on the contact, or take `remove` (its id) off."""
    conversation = conversation_of(unit, conversation_id)
    person = Contact.objects.filter(pk=conversation.contact_id)
    said: dict[str, Any] = {"tagging": True}
    if name := request.POST.get("add", "").strip():
        try:
            tags.add(unit, person, tags.named(unit, [name]))
        except InvalidTag as error:
            said |= {"tag_error": str(error.message), "tag_typed": name}
    elif removed := request.POST.get("remove"):
        try:
            tags.remove(unit, person, Tag.objects.filter(unit=unit, id=UUID(removed)))
        except ValueError as error:
            raise Http404 from error
    if not request.htmx:
        return redirect("console:contact", unit.id, conversation.contact_id)
    return _panel(request, unit, conversation, **said)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_CONTACTS)
def consent_step(request: ConsoleRequest, unit: Unit, conversation_id: UUID, action: str) -> HttpResponse:
    """As on the contact's own page, and back to the conversation."""
    conversation = conversation_of(unit, conversation_id)
    contact, step = contact_of(unit, conversation.contact_id), STEPS.get(action)
    if step is None or contact.is_group:
        raise Http404
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        step.do(contact, form.cleaned_data["reason"], request.user)
        if not request.htmx:
            return redirect("console:conversation", unit.id, conversation.id)
        response = _panel(request, unit, conversation)
        response["HX-Retarget"], response["HX-Trigger"] = "#contact-body", "close-dialog"
        return response
    context = {"contact": contact, "step": step, "form": form}
    return render_dialog(request, unit, "console/contacts/consent.html", "inbox", context)


@require_GET
@unit_view(Action.MOVE_CONTACTS)
def find_same(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """Search for another contact that is the same person; it begins with the first name."""
    conversation = conversation_of(unit, conversation_id)
    contact = conversation.contact
    if contact.is_group:
        raise Http404
    search = request.GET.get("q", (contact.name.split() or [""])[0])
    others = Contact.objects.people().filter(matching(unit, search), unit=unit).exclude(pk=contact.pk)
    context = {
        "conversation": conversation,
        "contact": contact,
        "q": search,
        "found": others.prefetch_related("addresses").order_by("name", "id")[:FOUND] if search.strip() else [],
    }
    if request.htmx and "q" in request.GET:
        return render(request, "console/inbox/same_found.html", {"unit": unit} | context)
    return render_dialog(request, unit, "console/inbox/find_same.html", "inbox", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.MOVE_CONTACTS)
def merge(request: ConsoleRequest, unit: Unit, conversation_id: UUID, other_id: UUID) -> HttpResponse:
    """GET: the two side by side, and what becoming one means. POST: make them one."""
    contact = contact_of(unit, conversation_of(unit, conversation_id).contact_id)
    other = contact_of(unit, other_id)
    if contact.pk == other.pk or contact.is_group or other.is_group:
        raise Http404
    kept, absorbed = merging.in_order(contact, other)
    sentence = ""
    if request.method == "POST":
        try:
            merging.merge(kept, absorbed)
        except Contact.DoesNotExist:
            sentence = _("One of the two is no more. Close this and look again.")
        else:
            return go_to(request, conversation_url(unit, kept))
    context = {
        "error": sentence,
        "sides": _sides(unit, kept, absorbed),
        "kept": kept,
        "absorbed": absorbed,
        "were_parted": merging.were_parted(kept, absorbed),
        "conversation_id": conversation_id,
    }
    return render_dialog(request, unit, "console/inbox/merge.html", "inbox", context)


def _sides(unit: Unit, *contacts: Contact) -> list[dict[str, Any]]:
    counts = dict(
        Message.objects.filter(unit=unit, conversation__contact__in=contacts)
        .values_list("conversation__contact")
        .annotate(count=Count("pk"))
    )
    return [{"contact": contact, "messages": counts.get(contact.pk, 0)} for contact in contacts]
