"""Settings: what conversations are about."""

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from console.settings_forms import LabelForm
from messaging.inbox import steering
from messaging.models import Label
from units.models import Unit
from units.roles import Action


@require_GET
@unit_view(Action.READ_INBOX)
def page(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The unit's labels, by name, with how many conversations have each."""
    rows = Label.objects.filter(unit=unit).annotate(conversation_count=Count("labelled"))
    return render_page(request, unit, "console/settings/labels.html", "settings", {"tab": "labels", "rows": rows})


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_SETTINGS)
def new(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    return _edit(request, unit, Label())


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_SETTINGS)
def edit(request: ConsoleRequest, unit: Unit, label_id: UUID) -> HttpResponse:
    return _edit(request, unit, get_object_or_404(Label, unit=unit, id=label_id))


def _edit(request: ConsoleRequest, unit: Unit, label: Label) -> HttpResponse:
    is_new = label._state.adding
    form = LabelForm(request.POST if request.method == "POST" else None, instance=label)
    if form.is_valid() and _save(form, unit, is_new=is_new):
        messages.success(request, _("Saved: %(name)s") % {"name": label.name})
        return go_to(request, "console:labels", unit.id)
    context = {"form": form, "is_new": is_new}
    return render_dialog(request, unit, "console/settings/label_edit.html", "settings", context)


def _save(form: LabelForm, unit: Unit, *, is_new: bool) -> bool:
    with transaction.atomic():
        if not form.save_in(unit):
            return False
        if not is_new:
            steering.tell_of_label(form.instance)
    return True


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_SETTINGS)
def delete(request: ConsoleRequest, unit: Unit, label_id: UUID) -> HttpResponse:
    """GET: how many conversations lose it. POST: take it off all, and delete it."""
    label = get_object_or_404(
        Label.objects.filter(unit=unit).annotate(conversation_count=Count("labelled")), id=label_id
    )
    if request.method == "POST":
        steering.delete_label(label)
        messages.success(request, _("Deleted: %(name)s") % {"name": label.name})
        return go_to(request, "console:labels", unit.id)
    return render_dialog(request, unit, "console/settings/label_delete.html", "settings", {"label": label})
