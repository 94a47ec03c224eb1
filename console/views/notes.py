"""What colleagues tell each other in a conversation. The customer never sees it."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from console import inbox
from console.inbox_forms import NoteForm
from console.pages import ConsoleRequest, render_dialog, unit_view
from messaging.inbox import steering
from messaging.models import Conversation, Note
from units.models import Unit
from units.roles import Action


@require_POST
@unit_view(Action.WRITE_INBOX)
def write(request: ConsoleRequest, unit: Unit, conversation_id: UUID) -> HttpResponse:
    """Leave a note. Answers as a message does: with its row, or 422 and a sentence."""
    conversation = inbox.conversation_now_of(unit, conversation_id)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return HttpResponse(form.errors["text"][0], status=422, content_type="text/plain; charset=utf-8")
    note = steering.write_note(conversation, request.user, form.cleaned_data["text"])
    if not request.htmx:
        return redirect("console:conversation", unit.id, conversation.id)
    return _rows(request, unit, conversation, note.id)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_INBOX)
def edit(request: ConsoleRequest, unit: Unit, conversation_id: UUID, note_id: UUID) -> HttpResponse:
    """Change a note of one's own."""
    conversation = inbox.conversation_of(unit, conversation_id)
    note = _own(request, conversation, note_id)
    form = NoteForm(request.POST if request.method == "POST" else None, initial={"text": note.body})
    if form.is_valid():
        steering.edit_note(note, form.cleaned_data["text"])
        return _changed(request, unit, conversation, note_id)
    return render_dialog(request, unit, "console/inbox/edit_note.html", "inbox", {"form": form})


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_INBOX)
def delete(request: ConsoleRequest, unit: Unit, conversation_id: UUID, note_id: UUID) -> HttpResponse:
    """Delete a note of one's own, once it is confirmed."""
    conversation = inbox.conversation_of(unit, conversation_id)
    note = _own(request, conversation, note_id)
    if request.method == "POST":
        steering.delete_note(note)
        return _changed(request, unit, conversation, note_id)
    return render_dialog(request, unit, "console/inbox/delete_note.html", "inbox", {"note": note})


def _own(request: ConsoleRequest, conversation: Conversation, note_id: UUID) -> Note:
    """Raises Http404 for a colleague's as well: no page leads there."""
    notes = Note.objects.filter(unit_id=conversation.unit_id, conversation=conversation, author=request.user)
    return get_object_or_404(notes, id=note_id)


def _changed(request: ConsoleRequest, unit: Unit, conversation: Conversation, note_id: UUID) -> HttpResponse:
    """Closes the dialog, and the note in the thread is as it is now."""
    if not request.htmx:
        return redirect("console:conversation", unit.id, conversation.id)
    response = _rows(request, unit, conversation, note_id)
    response["HX-Retarget"], response["HX-Reswap"] = "#messages", "keyed"
    response["HX-Trigger-After-Swap"] = "close-dialog"
    return response


def _rows(request: ConsoleRequest, unit: Unit, conversation: Conversation, note_id: UUID) -> HttpResponse:
    return render(request, "console/inbox/messages.html", inbox.rows_context(unit, conversation, [note_id]))
