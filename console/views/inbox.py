"""Conversations: the list, the thread, and what a person does in them."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console import inbox
from console.forms import ContactForm, MessageForm
from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view, unread_conversations
from messaging import merging, people, services, settling
from messaging.contacts import consent
from messaging.models import Contact, Conversation, Direction, Message
from messaging.outgoing.contents import Text
from messaging.outgoing.queueing import queue
from units.models import Unit
from units.roles import Action

FILTERS = {
    "open": pgettext_lazy("conversations", "Open"),
    "unread": pgettext_lazy("conversations", "Unread"),
    "all": pgettext_lazy("conversations", "All"),
}
# As live.js asks for at once; for more it asks for the newest page.
MAX_IDS = 100


def _conversation(unit: Unit, conversation_id: UUID) -> Conversation:
    rows = Conversation.objects.select_related("contact").prefetch_related("contact__addresses")
    return get_object_or_404(rows, unit=unit, id=conversation_id)


def _list(request: ConsoleRequest, unit: Unit) -> dict[str, Any]:
    """The list pane's context, by the query string."""
    show = request.GET.get("show", "open")
    search = request.GET.get("q", "")
    page = inbox.conversations(unit, show=show, search=search, before=request.GET.get("before", ""))
    return {"list": page, "show": show, "q": search, "filters": FILTERS}


@require_GET
@unit_view(Action.READ_INBOX)
def index(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The inbox without an open conversation; for a unit that never had a number, the way to connect one."""
    context = _list(request, unit)
    never_used = not unit.connection.is_connected and not unit.connection.phone_number
    if never_used and not unit.conversations.exists():
        return redirect("console:number", unit.id)
    return render_page(request, unit, "console/inbox/page.html", "inbox", context)


@require_GET
@unit_view(Action.READ_INBOX)
def rows(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Rows of the list, for the browser to merge into what it shows."""
    context = {"unit": unit, "unread": unread_conversations(unit)} | _list(request, unit)
    return render(request, "console/inbox/rows.html", context)


@require_GET
@unit_view(Action.READ_INBOX)
def thread(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """One conversation: its newest messages, the composer, and who it is with. An old link leads to what it became."""
    try:
        conversation = _conversation(unit, conversation_id)
    except Http404:
        became = merging.conversation_instead_of(unit, conversation_id)
        if became is None:
            raise
        return redirect("console:conversation", unit.id, became.id)
    context = {
        "conversation": conversation,
        "contact": conversation.contact,
        "opted_out": consent.has_opted_out(conversation.contact),
        "thread": inbox.older_messages(conversation),
    }
    if request.htmx:
        return render(request, "console/inbox/conversation.html", {"unit": unit} | context)
    return render_page(request, unit, "console/inbox/page.html", "inbox", context | _list(request, unit))


@require_http_methods(["GET", "POST"])
@unit_view(Action.READ_INBOX, writes=Action.WRITE_INBOX)
def messages(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """GET: messages by `ids` (comma-separated), or the page `before` a cursor. POST: queue a reply."""
    conversation = _conversation(unit, conversation_id)
    if request.method == "POST":
        return _reply(request, unit, conversation)
    if ids := request.GET.get("ids", ""):
        try:
            page = inbox.some_messages(conversation, [UUID(each) for each in ids.split(",")[:MAX_IDS]])
        except ValueError:
            return HttpResponseBadRequest()
    else:
        page = inbox.older_messages(conversation, before=request.GET.get("before", ""))
    return render(
        request,
        "console/inbox/messages.html",
        {"unit": unit, "conversation": conversation, "contact": conversation.contact, "thread": page},
    )


def _reply(request: ConsoleRequest, unit: Unit, conversation: Conversation) -> HttpResponse:
    form = MessageForm(request.POST)
    sentence, sent = "", None
    if form.is_valid():
        try:
            content = Text(form.cleaned_data["text"])
            sent = queue(conversation=conversation, content=content, author=request.user)
        except services.CannotQueue as error:
            sentence = str(error.message)
    else:
        sentence = str(form.errors["text"][0])
    context: dict[str, Any] = {"unit": unit, "conversation": conversation, "contact": conversation.contact}
    if request.htmx:
        if sent is None:
            return HttpResponse(sentence, status=422, content_type="text/plain; charset=utf-8")
        page = inbox.some_messages(conversation, [sent.id])
        return render(request, "console/inbox/messages.html", context | {"thread": page})
    if sent is None:
        context |= {"thread": inbox.older_messages(conversation), "error": sentence, "text": request.POST.get("text")}
        return render_page(request, unit, "console/inbox/page.html", "inbox", context | _list(request, unit))
    return redirect("console:conversation", unit.id, conversation.id)


@require_POST
@unit_view(Action.WRITE_INBOX)
def read(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """A person has the conversation before their eyes."""
    services.mark_read(_conversation(unit, conversation_id))
    return HttpResponse(status=204)


@require_POST
@unit_view(Action.WRITE_INBOX)
def settle(request: ConsoleRequest, unit: Unit, message_id: UUID) -> HttpResponse:
    """A person knows whether an unconfirmed message arrived (`arrived`: yes or no), or has it sent `again`.

    What failed or expired may be sent again as well.
    """
    message = get_object_or_404(
        Message.objects.select_related("conversation"), unit=unit, id=message_id, direction=Direction.OUTBOUND
    )
    shown = [message.id]
    # Settled meanwhile, by a receipt or a colleague: the row that comes back says how.
    with suppress(services.CannotQueue):
        if request.POST.get("arrived") == "again":
            repeat = settling.retry if message.status in settling.OVER else settling.send_again
            shown.append(repeat(message, author=request.user).id)
        else:
            settling.settle(message, was_sent=request.POST.get("arrived") == "yes")
    conversation = _conversation(unit, message.conversation_id)
    if not request.htmx:
        return redirect("console:conversation", unit.id, conversation.id)
    return render(
        request,
        "console/inbox/messages.html",
        {
            "unit": unit,
            "conversation": conversation,
            "contact": conversation.contact,
            "thread": inbox.some_messages(conversation, shown),
        },
    )


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_INBOX)
def new(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Begin a conversation with a phone number; a contact card that somebody sent brings `phone` and `name` along."""
    told = {field: request.GET.get(field, "")[:200] for field in ("phone", "name")}
    form = ContactForm(request.POST if request.method == "POST" else None, initial=told)
    if form.is_valid() and (contact := form.save(unit)):
        return go_to(request, conversation_url(unit, contact))
    return render_dialog(request, unit, "console/inbox/new.html", "inbox", {"form": form})


def conversation_url(unit: Unit, contact: Contact) -> str:
    """Where the conversation with `contact` is, which begins here if there is none."""
    return reverse("console:conversation", args=[unit.id, people.conversation_with(contact).id])
