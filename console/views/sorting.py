"""Whose a conversation is, where it stands, what it is about, and who is answering it: the thread's header."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Exists, OuterRef
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console import inbox
from console.forms import local_input
from console.inbox_forms import LabelForm, SnoozeForm, snooze_choices
from console.pages import ConsoleRequest, render_dialog, unit_view
from console.templatetags.console import when
from messaging.contacts import consent
from messaging.inbox import answering, steering
from messaging.models import Conversation, ConversationLabel, ConversationStatus, Label
from units import members
from units.models import Unit
from units.roles import Action

S = ConversationStatus
# Of a label that somebody makes up in the inbox: the next one.
COLORS = ("#b3701f", "#3a7d8c", "#6a6fb5", "#5b8f4e", "#a8456b", "#8a6d3b", "#4a7bb0", "#7d5ba6")


def header(unit: Unit, conversation: Conversation) -> dict[str, Any]:
    """What the header and its menus need besides the conversation."""
    people = members.people(unit).filter(user__is_active=True).order_by("user__first_name", "user__email")
    hanging = ConversationLabel.objects.filter(conversation=conversation, label=OuterRef("pk"))
    labels = list(Label.objects.filter(unit=unit).annotate(is_on=Exists(hanging)))
    return {
        "colleagues": [one.user for one in people],
        "labels": labels,
        "labelled": [label for label in labels if label.is_on],
        "snooze": snooze_choices(),
        "statuses": S.choices,
        "opted_out": consent.has_opted_out(conversation.contact),
        "may_make_labels": Action.WRITE_SETTINGS in unit.allowed,
    }


@require_GET
@unit_view(Action.READ_INBOX)
def state(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """The header as it is now."""
    return _answer(request, unit, inbox.conversation_of(unit, conversation_id))


@require_POST
@unit_view(Action.WRITE_INBOX)
def assign(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """Give it `to` a person of the unit; empty: to nobody."""
    before = inbox.conversation_of(unit, conversation_id)
    told = request.POST.get("to", "")
    try:
        steering.assign(before, UUID(told) if told else None, by=request.user)
    except (steering.CannotSteer, ValueError):
        return _answer(request, unit, before, error=_("That person no longer works here. Choose somebody else."))
    after = inbox.conversation_of(unit, conversation_id)
    if after.assigned_to == request.user:
        done = _("The conversation is yours.")
    elif after.assigned_to:
        done = _("Assigned to %(name)s.") % {"name": after.assigned_to.shown_name}
    else:
        done = _("The conversation is nobody's.")
    undo = {"to": before.assigned_to_id or ""}
    return _answer(request, unit, after, done=done, undo="console:assign", fields=undo)


@require_POST
@unit_view(Action.WRITE_INBOX)
def set_status(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """Open, pending or resolved; snoozed `until` a time that is offered, or that somebody chose."""
    before = inbox.conversation_of(unit, conversation_id)
    status, told = request.POST.get("status", ""), request.POST.get("until", "")
    if status not in S.values:
        return HttpResponse(status=400)
    until = None
    if status == S.SNOOZED and told and (until := snooze_choices().get(told)) is None:
        form = SnoozeForm(request.POST)
        if not form.is_valid():
            return _answer(request, unit, before, error=str(form.errors["until"][0]))
        until = form.cleaned_data["until"]
    return _move(request, unit, before, S(status), until)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_INBOX)
def snooze(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """Put it off to a day and a time."""
    conversation = inbox.conversation_of(unit, conversation_id)
    start = {"until": snooze_choices()["tomorrow"]}
    form = SnoozeForm(request.POST if request.method == "POST" else None, initial=start)
    if form.is_valid():
        response = _move(request, unit, conversation, S.SNOOZED, form.cleaned_data["until"])
        response["HX-Retarget"], response["HX-Reswap"] = "#thread-state", "outerHTML"
        response["HX-Trigger-After-Swap"] = "close-dialog"
        return response
    return render_dialog(request, unit, "console/inbox/snooze.html", "inbox", {"form": form})


@require_POST
@unit_view(Action.WRITE_INBOX)
def mark_unread(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """What the contact wrote last is to be looked at again."""
    conversation = inbox.conversation_of(unit, conversation_id)
    try:
        steering.mark_unread(conversation)
    except steering.CannotSteer as error:
        return _answer(request, unit, conversation, error=str(error.message))
    return _answer(request, unit, conversation, done=_("Marked as unread."), undo="console:read")


@require_POST
@unit_view(Action.WRITE_INBOX)
def label(request: ConsoleRequest, unit: Unit, conversation_id: UUID, label_id: UUID) -> HttpResponse:
    """Put a label on it, or take it off (`on`: 1 or empty)."""
    conversation = inbox.conversation_of(unit, conversation_id)
    row = get_object_or_404(Label, unit=unit, id=label_id)
    if request.POST.get("on"):
        _put(conversation, row)
    else:
        steering.remove_label(conversation, row)
    return _labels(request, unit, conversation)


@require_POST
@unit_view(Action.WRITE_INBOX)
def add_label(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """Put the label of that `name` on it; who may, makes a new one."""
    conversation = inbox.conversation_of(unit, conversation_id)
    form = LabelForm(request.POST)
    if not form.is_valid():
        return _labels(request, unit, conversation, error=str(form.errors["name"][0]))
    name = form.cleaned_data["name"]
    row = Label.objects.filter(unit=unit, name__iexact=name).first()
    if row is None and Action.WRITE_SETTINGS not in unit.allowed:
        sentence = _("There is no label “%(name)s”. A manager can make it.") % {"name": name}
        return _labels(request, unit, conversation, error=sentence)
    if row is None:
        color = COLORS[Label.objects.filter(unit=unit).count() % len(COLORS)]
        try:
            row = Label.objects.create(unit=unit, name=name, color=color)
        except IntegrityError:
            # Somebody else has made it this moment.
            row = Label.objects.get(unit=unit, name__iexact=name)
    _put(conversation, row)
    return _labels(request, unit, conversation)


@require_http_methods(["GET", "POST"])
@unit_view(Action.READ_INBOX, writes=Action.WRITE_INBOX)
def writing(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """POST: I am writing an answer. GET: who else is."""
    conversation = inbox.conversation_of(unit, conversation_id)
    if request.method == "POST":
        answering.begin(conversation, request.user)
        return HttpResponse(status=204)
    people = answering.people(conversation, but=request.user)
    context = {"unit": unit, "conversation": conversation, "answering": people}
    return render(request, "console/inbox/answering.html", context)


@require_GET
@unit_view(Action.READ_INBOX)
def shortcuts(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The keys of the inbox."""
    return render_dialog(request, unit, "console/inbox/shortcuts.html", "inbox", {})


def _move(
    request: ConsoleRequest, unit: Unit, before: Conversation, status: ConversationStatus, until: datetime | None
) -> HttpResponse:
    try:
        steering.set_status(before, status, until, by=request.user)
    except steering.CannotSteer as error:
        return _answer(request, unit, before, error=str(error.message))
    done = {
        S.OPEN: _("The conversation is open."),
        S.PENDING: _("The conversation is pending."),
        S.RESOLVED: _("The conversation is resolved."),
        S.SNOOZED: _("Snoozed until the customer writes."),
    }[status]
    if until:
        done = _("Snoozed until %(time)s.") % {"time": when(until)}
    undo = {"status": before.status}
    if before.snoozed_until:
        undo["until"] = local_input(before.snoozed_until)
    after = inbox.conversation_of(unit, before.id)
    return _answer(request, unit, after, done=done, undo="console:set-status", fields=undo)


def _put(conversation: Conversation, row: Label) -> None:
    try:
        steering.add_label(conversation, row)
    except IntegrityError:
        # Deleted this moment: the list that comes back lacks it.
        return


def _labels(request: ConsoleRequest, unit: Unit, conversation: Conversation, *, error: str = "") -> HttpResponse:
    """The menu of labels goes on; the header shows them."""
    if not request.htmx:
        return redirect("console:conversation", unit.id, conversation.id)
    context = {"unit": unit, "conversation": conversation, "error": error} | header(unit, conversation)
    return render(request, "console/inbox/label_choices.html", context | {"oob": True})


def _answer(
    request: ConsoleRequest,
    unit: Unit,
    conversation: Conversation,
    *,
    done: str = "",
    error: str = "",
    undo: str = "",
    fields: dict[str, Any] | None = None,
) -> HttpResponse:
    """The header as it is now, and a word on what was `done`, which the view `undo` takes back with `fields`."""
    if not request.htmx:
        return redirect("console:conversation", unit.id, conversation.id)
    context = {"unit": unit, "conversation": conversation, "contact": conversation.contact} | header(unit, conversation)
    context |= {"done": done, "error": error, "undo": undo, "undo_fields": fields or {}, "oob": True}
    return render(request, "console/inbox/state.html", context)
