"""Files of messages in the inbox: served to the page, and loaded once more on demand."""

from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from console import inbox
from console.pages import ConsoleRequest, unit_view
from messaging import media
from messaging.media.serving import serve
from messaging.models import Message
from units.models import Unit
from units.roles import Action


@require_safe
@unit_view(Action.READ_INBOX)
def file(request: ConsoleRequest, unit: Unit, message_id: UUID) -> HttpResponseBase:
    """The file of a message: inline what is harmless, else a download."""
    return serve(request, get_object_or_404(Message, unit=unit, id=message_id))


@require_safe
@unit_view(Action.READ_INBOX)
def thumbnail(request: ConsoleRequest, unit: Unit, message_id: UUID) -> HttpResponseBase:
    """The small picture of an image."""
    return serve(request, get_object_or_404(Message, unit=unit, id=message_id), thumbnail=True)


@require_POST
@unit_view(Action.WRITE_INBOX)
def retry(request: ConsoleRequest, unit: Unit, message_id: UUID) -> HttpResponse:
    """Load a file once more; the message comes back as it is then."""
    messages = Message.objects.select_related("conversation__contact")
    message = get_object_or_404(messages, unit=unit, id=message_id)
    media.try_again(message)
    conversation = message.conversation
    if not request.htmx:
        return redirect("console:conversation", unit.id, conversation.id)
    return render(request, "console/inbox/messages.html", inbox.rows_context(unit, conversation, [message.id]))
