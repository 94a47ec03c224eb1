"""Conversations: the list, the thread, and what a person does in them."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console import inbox
from console.conversation_filter import ConversationFilter, Pills
from console.forms import ContactForm
from console.inbox_forms import NumberForm
from console.pages import ConsoleRequest, go_to, last_seq, render_dialog, render_page, unit_view
from console.views import composing
from console.views.sorting import header
from messaging import merging, people, services, settling
from messaging.inbox import answering, counting
from messaging.models import Contact, Conversation, Direction, Label, Message
from units.models import Unit
from units.roles import Action

# As live.js asks for at once; for more it asks for the newest page.
MAX_IDS = 100


def _list(request: ConsoleRequest, unit: Unit, labels: list[Label] | None = None) -> dict[str, Any]:
    """The list pane's context, by the query string; `labels`: the unit's, if the caller has them already."""
    wanted = ConversationFilter.of(request.GET)
    labels = list(Label.objects.filter(unit=unit)) if labels is None else labels
    counts = counting.counts(unit.id, request.user.id)
    return {
        "list": inbox.conversations(unit, request.user, wanted, before=request.GET.get("before", "")),
        "filter": wanted,
        "pills": Pills.of(wanted, labels),
        "counts": counts,
        "unread": counts.unread,
        "labels": labels,
        "has_conversations": unit.conversations.exists,
    }


@require_GET
@unit_view(Action.READ_INBOX)
def index(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The inbox without an open conversation; for a unit that never had a number, the way to connect one."""
    context = {"live_seq": last_seq(unit)} | _list(request, unit)
    never_used = not unit.connection.is_connected and not unit.connection.phone_number
    if never_used and not unit.conversations.exists():
        return redirect("console:number", unit.id)
    return render_page(request, unit, "console/inbox/page.html", "inbox", context)


@require_GET
@unit_view(Action.READ_INBOX)
def rows(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Rows of the list, for the browser to merge into what it shows; the whole pane after a change of its filters.

    The address of the page follows what the list shows.
    """
    context = {"unit": unit} | _list(request, unit)
    query = f"?{context['filter'].query}"
    if request.htmx.target == "inbox-list":
        response = render(request, "console/inbox/list.html", context)
        response["HX-Push-Url"] = query
        return response
    response = render(request, "console/inbox/rows.html", context)
    if query != f"?{urlsplit(request.htmx.current_url or '').query}" and "before" not in request.GET:
        response["HX-Replace-Url"] = query
    return response


@require_GET
@unit_view(Action.READ_INBOX)
def thread(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """One conversation: its newest messages, the composer, and who it is with. An old link leads to what it became."""
    try:
        conversation = inbox.conversation_of(unit, conversation_id)
    except Http404:
        became = merging.conversation_instead_of(unit, conversation_id)
        if became is None:
            raise
        return redirect("console:conversation", unit.id, became.id)
    if request.htmx:
        context = {"unit": unit} | _open(request, unit, conversation)
        return render(request, "console/inbox/conversation.html", context)
    context = {"live_seq": last_seq(unit)} | _open(request, unit, conversation)
    context |= _list(request, unit, context["labels"])
    return render_page(request, unit, "console/inbox/page.html", "inbox", context)


def _open(request: ConsoleRequest, unit: Unit, conversation: Conversation) -> dict[str, Any]:
    """The context of an open conversation."""
    return {
        "conversation": conversation,
        "contact": conversation.contact,
        "thread": inbox.older_messages(conversation),
        "answering": answering.people(conversation, but=request.user),
    } | header(unit, conversation)


@require_http_methods(["GET", "POST"])
@unit_view(Action.READ_INBOX, writes=Action.WRITE_INBOX)
def messages(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """GET: messages by `ids` (comma-separated), or the page `before` a cursor. POST: queue a reply."""
    if request.method == "POST":
        return _reply(request, unit, inbox.conversation_now_of(unit, conversation_id))
    conversation = inbox.conversation_of(unit, conversation_id)
    if ids := request.GET.get("ids", ""):
        try:
            wanted = [UUID(each) for each in ids.split(",")[:MAX_IDS]]
        except ValueError:
            return HttpResponseBadRequest()
        return render(request, "console/inbox/messages.html", inbox.rows_context(unit, conversation, wanted))
    page = inbox.older_messages(conversation, before=request.GET.get("before", ""))
    context = {"unit": unit, "conversation": conversation, "contact": conversation.contact, "thread": page}
    return render(request, "console/inbox/messages.html", context)


def _reply(request: ConsoleRequest, unit: Unit, conversation: Conversation) -> HttpResponse:
    sentence, sent = "", None
    try:
        sent = composing.queue_reply(request, conversation)
    except services.CannotQueue as error:
        sentence = str(error.message)
    if sent:
        answering.end(conversation, request.user)
    if request.htmx:
        if sent is None:
            return HttpResponse(sentence, status=422, content_type="text/plain; charset=utf-8")
        return render(request, "console/inbox/messages.html", inbox.rows_context(unit, conversation, [sent.id]))
    if sent is None:
        context = _open(request, unit, conversation) | {"error": sentence, "text": request.POST.get("text")}
        return render_page(request, unit, "console/inbox/page.html", "inbox", context | _list(request, unit))
    return redirect("console:conversation", unit.id, conversation.id)


@require_POST
@unit_view(Action.WRITE_INBOX)
def read(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """A person has the conversation before their eyes."""
    services.mark_read(inbox.conversation_of(unit, conversation_id))
    return HttpResponse(status=204)


@require_POST
@unit_view(Action.WRITE_INBOX)
def settle(request: ConsoleRequest, unit: Unit, message_id: UUID) -> HttpResponse:
    """A person knows whether an unconfirmed message arrived (`arrived`: yes or no), or has it sent `again`.

    What failed or expired may be sent again as well, or is to be `discarded`.
    """
    message = get_object_or_404(
        Message.objects.select_related("conversation"), unit=unit, id=message_id, direction=Direction.OUTBOUND
    )
    shown = [message.id]
    was, sentence = message.status, ""
    try:
        if again := settled(request, message):
            shown.append(again.id)
    except services.CannotQueue as error:
        sentence = str(error.message)
    conversation = inbox.conversation_of(unit, message.conversation_id)
    # Settled meanwhile, by a receipt or a colleague: the row that comes back says how. Else it is said why not.
    message.refresh_from_db(fields=["status"])
    if sentence and request.htmx and message.status == was in settling.OPEN_TO_PEOPLE:
        return HttpResponse(sentence, status=422, content_type="text/plain; charset=utf-8")
    if not request.htmx:
        return redirect("console:conversation", unit.id, conversation.id)
    return render(request, "console/inbox/messages.html", inbox.rows_context(unit, conversation, shown))


def settled(request: ConsoleRequest, message: Message) -> Message | None:
    """Do what the button (`arrived`) says; the message that goes out instead, if one does. Raises CannotQueue."""
    match request.POST.get("arrived"):
        case "again":
            repeat = settling.retry if message.status in settling.OVER else settling.send_again
            return repeat(message, author=request.user)
        case "discarded":
            settling.discard(message)
        case told:
            settling.settle(message, was_sent=told == "yes")
    return None


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_INBOX)
def fix_number(request: ConsoleRequest, unit: Unit, message_id: UUID) -> HttpResponse:
    """Send a message that went to a wrong number to the right one, and go on in the conversation there."""
    rows = Message.objects.select_related("conversation__contact").filter(unit=unit, direction=Direction.OUTBOUND)
    message = get_object_or_404(rows, id=message_id)
    form = NumberForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and (new := form.send(message, request.user)):
        return go_to(request, "console:conversation", unit.id, new.conversation_id)
    context = {"form": form, "message": message}
    return render_dialog(request, unit, "console/inbox/fix_number.html", "inbox", context)


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
