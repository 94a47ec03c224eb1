"""What is done to many contacts at once, from the list."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core import signing
from django.db.models.functions import Lower
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from console.contact_forms import BulkForm, OptOutManyForm, TagManyForm
from console.contacts import Selection
from console.pages import ConsoleRequest, go_to, render_dialog, unit_view
from crm_whatsapp.csv_export import csv_response
from messaging import exports
from messaging.contacts import bulk, tags
from messaging.contacts.tags import InvalidTag
from messaging.imports.views import export_name
from messaging.models import Tag
from units.models import Unit
from units.roles import Action

UNDO_SALT = "console.contacts.tagged"
# Later than this nobody remembers what there is to undo.
UNDO_SECONDS = 15 * 60

type _Done = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """Something done to many: its words, its form, and what does it, telling what was done and how to undo it."""

    label: Any
    question: Any
    meaning: Any
    form: type[BulkForm]
    do: Callable[[ConsoleRequest, Unit, Selection, dict[str, Any]], _Done]
    look: str = "primary"


def _add_tag(request: ConsoleRequest, unit: Unit, selection: Selection, told: dict[str, Any]) -> _Done:
    done = bulk.tag(unit, selection.people(), told["tag_name"])
    said = ngettext("%(count)s person got the tag %(tag)s.", "%(count)s people got the tag %(tag)s.", done.count) % {
        "count": number_format(done.count, force_grouping=True),
        "tag": done.tag.name,
    }
    if not done.count:
        return _("All of them had the tag %(tag)s already.") % {"tag": done.tag.name}, ""
    what = [str(unit.pk), str(done.tag.pk), done.at.isoformat()]
    return said, signing.dumps(what, salt=UNDO_SALT)


def _remove_tag(request: ConsoleRequest, unit: Unit, selection: Selection, told: dict[str, Any]) -> _Done:
    count = tags.remove(unit, selection.people(), tags.found(unit, [told["tag_name"]]))
    said = ngettext("The tag was taken off %(count)s person.", "The tag was taken off %(count)s people.", count)
    return said % {"count": number_format(count, force_grouping=True)}, ""


def _opt_out(request: ConsoleRequest, unit: Unit, selection: Selection, told: dict[str, Any]) -> _Done:
    count = bulk.opt_out(unit, selection.people(), reason=told["reason"], by=request.user)
    said = ngettext("%(count)s person gets no more campaigns.", "%(count)s people get no more campaigns.", count)
    return said % {"count": number_format(count, force_grouping=True)}, ""


STEPS = {
    "add-tag": Step(
        gettext_lazy("Add tag"),
        gettext_lazy("Which tag do they get?"),
        gettext_lazy("Whoever has it already keeps it. A new tag is made."),
        TagManyForm,
        _add_tag,
    ),
    "remove-tag": Step(
        gettext_lazy("Remove tag"),
        gettext_lazy("Which tag do they lose?"),
        gettext_lazy("The tag itself stays, and so do the people. This cannot be undone."),
        TagManyForm,
        _remove_tag,
        look="danger-solid",
    ),
    "opt-out": Step(
        gettext_lazy("Opt out of campaigns"),
        gettext_lazy("No more campaigns to these people?"),
        gettext_lazy(
            "It holds for all numbers of each person, and is lifted one by one. You can still answer in the chat."
        ),
        OptOutManyForm,
        _opt_out,
        look="danger-solid",
    ),
}


@require_POST
@unit_view(Action.READ_CONTACTS, writes=Action.WRITE_CONTACTS)
def act(request: ConsoleRequest, unit: Unit, action: str) -> HttpResponse:
    """Ask what is to be done to those who were chosen; with `confirmed` do it."""
    step = STEPS.get(action)
    if step is None:
        raise Http404
    selection = Selection(unit, request.POST)
    back = f"{reverse('console:contacts', args=[unit.id])}?{selection.filters.query}".rstrip("?")
    count = selection.people().count()
    if not count:
        messages.info(request, _("Nobody was chosen, or they are no longer here."))
        return go_to(request, back)
    form = step.form(count, request.POST if request.POST.get("confirmed") else None)
    # Of a filter, not of those who were ticked: people come and go.
    is_stated = not selection.is_everybody or form.states_enough()
    if form.is_valid() and is_stated:
        try:
            said, undo = step.do(request, unit, selection, form.cleaned_data)
        except InvalidTag as error:
            form.add_error("tag_name", error.message)
        else:
            messages.success(request, said, extra_tags=undo)
            return go_to(request, back)
    context = {
        "step": step,
        "form": form,
        "count": count,
        "error": "" if is_stated or not form.is_bound else _("By now there are more people. Look at the number again."),
        "selection": selection,
        "tags": Tag.objects.filter(unit=unit).order_by(Lower("name")).values_list("name", flat=True),
    }
    return render_dialog(request, unit, "console/contacts/bulk.html", "contacts", context)


@require_POST
@unit_view(Action.WRITE_CONTACTS)
def undo(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Take the tag off those who got it a moment ago."""
    try:
        told = signing.loads(request.POST.get("undo", ""), salt=UNDO_SALT, max_age=UNDO_SECONDS)
    except signing.BadSignature:
        told = [""]
    if told[0] != str(unit.pk):
        messages.info(request, _("It is too late to undo this."))
    else:
        _unit_id, tag_id, at = told
        count = tags.take_back(unit, UUID(tag_id), datetime.fromisoformat(at))
        said = ngettext("Undone for %(count)s person.", "Undone for %(count)s people.", count)
        messages.success(request, said % {"count": number_format(count, force_grouping=True)})
    return go_to(request, "console:contacts", unit.id)


@require_POST
@unit_view(Action.MOVE_CONTACTS)
def export(request: ConsoleRequest, unit: Unit) -> StreamingHttpResponse:
    """Those who were chosen, as a CSV file."""
    return csv_response(export_name(), exports.rows_of(unit, Selection(unit, request.POST).people()))
