"""Settings: texts that are often needed."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from console.settings_forms import CannedReplyForm
from messaging.models import CannedReply
from units.models import Unit
from units.roles import Action


@require_GET
@unit_view(Action.READ_INBOX)
def page(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The unit's canned replies, by shortcut."""
    context = {"tab": "replies", "rows": CannedReply.objects.filter(unit=unit)}
    return render_page(request, unit, "console/settings/replies.html", "settings", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_SETTINGS)
def new(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    return _edit(request, unit, CannedReply())


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_SETTINGS)
def edit(request: ConsoleRequest, unit: Unit, reply_id: UUID) -> HttpResponse:
    return _edit(request, unit, get_object_or_404(CannedReply, unit=unit, id=reply_id))


def _edit(request: ConsoleRequest, unit: Unit, reply: CannedReply) -> HttpResponse:
    form = CannedReplyForm(request.POST if request.method == "POST" else None, instance=reply)
    if form.is_valid() and form.save_in(unit):
        messages.success(request, _("Saved: /%(shortcut)s") % {"shortcut": reply.shortcut})
        return go_to(request, "console:replies", unit.id)
    return render_dialog(request, unit, "console/settings/reply_edit.html", "settings", {"form": form})


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_SETTINGS)
def delete(request: ConsoleRequest, unit: Unit, reply_id: UUID) -> HttpResponse:
    """GET: which one? POST: it is gone; what was sent with it stays."""
    reply = get_object_or_404(CannedReply, unit=unit, id=reply_id)
    if request.method == "POST":
        reply.delete()
        messages.success(request, _("Deleted: /%(shortcut)s") % {"shortcut": reply.shortcut})
        return go_to(request, "console:replies", unit.id)
    return render_dialog(request, unit, "console/settings/reply_delete.html", "settings", {"reply": reply})
