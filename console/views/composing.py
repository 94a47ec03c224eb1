"""What a person sends into a chat, and does to a message that is in it: answer, react, edit, delete, look back."""

import re
from typing import Any
from uuid import UUID

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns.content import value_of
from campaigns.language import NAMES
from console import inbox
from console.pages import ConsoleRequest, render_dialog, unit_view
from messaging import services
from messaging.inbox.timeline import timeline
from messaging.models import Attachment, CannedReply, Contact, Conversation, Message
from messaging.outgoing import asking, attachments
from messaging.outgoing.contents import MAX_TEXT, Content, Media, Reaction, Text
from messaging.outgoing.queueing import queue
from units.models import Unit, User
from units.roles import Action

# As many canned replies as a list beside the text can show.
OFFERED = 30
_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class ReplyForm(forms.Form):
    """One reply: a text, or a file with or without one. `key` is the browser's name for it: twice is once."""

    text = forms.CharField(max_length=MAX_TEXT, required=False)
    reply_to = forms.UUIDField(required=False)
    attachment = forms.UUIDField(required=False)
    voice = forms.BooleanField(required=False)
    key = forms.UUIDField(required=False)


class EditForm(forms.Form):
    """New words for a message."""

    text = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": gettext_lazy("Write something before saving.")},
    )


def queue_reply(request: ConsoleRequest, conversation: Conversation) -> Message:
    """Queue what the composer sent. Raises CannotQueue, with the reason as a sentence."""
    form = ReplyForm(request.POST)
    if not form.is_valid():
        raise services.CannotQueue(str(next(iter(form.errors.values()))[0]))
    told = form.cleaned_data
    if not (told["text"] or told["attachment"] or request.FILES):
        raise services.CannotQueue(_("Write something before sending."))
    quoted = None
    if told["reply_to"]:
        rows = Message.objects.filter(conversation=conversation).select_related("sender")
        quoted = rows.filter(id=told["reply_to"]).first()
        if quoted is None:
            raise services.CannotQueue(_("That message is not in this conversation."))
    try:
        return queue(
            conversation=conversation,
            content=_content(conversation, told, request.FILES.get("file"), request.user),
            author=request.user,
            reply_to=quoted,
            idempotency_key=str(told["key"]) if told["key"] else None,
        )
    except services.KeyReused as error:
        raise services.CannotQueue(_("This message was changed on its way. Send it once more.")) from error


def _content(conversation: Conversation, told: dict[str, Any], upload: UploadedFile | None, author: User) -> Content:
    if told["attachment"]:
        file = Attachment.objects.filter(unit_id=conversation.unit_id, id=told["attachment"]).first()
        if file is None:
            raise services.CannotQueue(_("There is no such file."))
    elif upload:
        # Sent by the form itself, where no script has sent it ahead.
        if (upload.size or 0) > attachments.most_bytes():
            raise services.CannotQueue(_("The file is too large."))
        file = attachments.attach(conversation.unit, upload.read(), name=upload.name or "", author=author)
    else:
        return Text(told["text"])
    return Media(attachment=file, caption=told["text"], voice=told["voice"])


@require_GET
@unit_view(Action.READ_INBOX)
def canned_replies(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """The unit's canned replies whose shortcut or text has `q`, for this contact; those that begin with it first."""
    conversation = inbox.conversation_of(unit, conversation_id)
    search = request.GET.get("q", "").replace("\0", "").strip()
    rows = CannedReply.objects.filter(unit=unit)
    if search:
        rows = rows.filter(Q(shortcut__icontains=search) | Q(body__icontains=search))
    found = sorted(
        rows[: OFFERED * 4], key=lambda row: (not row.shortcut.lower().startswith(search.lower()), row.shortcut)
    )
    replies = [(row, filled_in(row.body, conversation.contact)) for row in found[:OFFERED]]
    return render(request, "console/inbox/canned_replies.html", {"unit": unit, "replies": replies, "q": search})


def filled_in(text: str, contact: Contact) -> str:
    """`text` with {{ nome }}, {{ primeiro_nome }} and {{ telefone }} of `contact`; what it does not know stays."""

    def value(found: re.Match[str]) -> str:
        key = NAMES.get(found[1].casefold())
        return (value_of(contact, key, {}) if key else "") or found[0]

    return _VARIABLE.sub(value, text)


@require_POST
@unit_view(Action.WRITE_INBOX)
def react(request: ConsoleRequest, unit: Unit, message_id: UUID) -> HttpResponse:
    """Hang an `emoji` on a message; the one that hangs there already is taken back."""
    message = _message(unit, message_id)
    emoji = request.POST.get("emoji", "")[:40]
    try:
        reaction = Reaction(target=message, emoji=emoji)
        queue(conversation=message.conversation, content=reaction, author=request.user)
    except services.CannotQueue as error:
        return _refused(error)
    if not request.htmx:
        return redirect("console:conversation", unit.id, message.conversation_id)
    return _rows(request, unit, message)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_INBOX)
def edit(request: ConsoleRequest, unit: Unit, message_id: UUID) -> HttpResponse:
    """Give a text of ours new words, as long as WhatsApp allows it."""
    message = _message(unit, message_id)
    form = EditForm(request.POST if request.method == "POST" else None, initial={"text": message.body})
    if form.is_valid():
        try:
            asking.edit(message, form.cleaned_data["text"], author=request.user)
        except services.CannotQueue as error:
            form.add_error("text", str(error.message))
        else:
            return _asked(request, unit, message)
    return render_dialog(request, unit, "console/inbox/edit_message.html", "inbox", {"form": form, "message": message})


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_INBOX)
def delete(request: ConsoleRequest, unit: Unit, message_id: UUID) -> HttpResponse:
    """Delete a message of ours for everyone, once it is confirmed."""
    message, sentence = _message(unit, message_id), ""
    if request.method == "POST":
        try:
            asking.delete(message, author=request.user)
        except services.CannotQueue as error:
            sentence = str(error.message)
        else:
            return _asked(request, unit, message)
    context = {"error": sentence, "message": message}
    return render_dialog(request, unit, "console/inbox/delete_message.html", "inbox", context)


@require_GET
@unit_view(Action.READ_INBOX)
def details(request: ConsoleRequest, unit: Unit, message_id: UUID) -> HttpResponse:
    """Everything that happened to a message, and when."""
    message = _message(unit, message_id)
    context = {"message": message, "moments": timeline(message)}
    return render_dialog(request, unit, "console/inbox/message_details.html", "inbox", context)


def _message(unit: Unit, message_id: UUID) -> Message:
    """Raises Http404 for what is not there or not the unit's."""
    rows = Message.objects.select_related("conversation__contact", "author", "sender")
    return get_object_or_404(rows.prefetch_related("conversation__contact__addresses"), unit=unit, id=message_id)


def _rows(request: ConsoleRequest, unit: Unit, message: Message) -> HttpResponse:
    """The message as it stands in the thread."""
    context = inbox.rows_context(unit, message.conversation, [message.id])
    return render(request, "console/inbox/messages.html", context)


def _asked(request: ConsoleRequest, unit: Unit, message: Message) -> HttpResponse:
    """Closes the dialog. The message itself changes once WhatsApp has accepted it, which the live feed tells."""
    if not request.htmx:
        return redirect("console:conversation", unit.id, message.conversation_id)
    response = _rows(request, unit, message)
    response["HX-Retarget"], response["HX-Reswap"] = "#messages", "keyed"
    response["HX-Trigger"] = "close-dialog, message-asked"
    return response


def _refused(error: services.CannotQueue) -> HttpResponse:
    return HttpResponse(str(error.message), status=422, content_type="text/plain; charset=utf-8")
