"""Contacts from and to CSV files."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console import imports as reading
from console.contacts import Filters
from console.imports import ImportForm, Progress
from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from crm_whatsapp.csv_export import csv_response
from messaging import exports
from messaging.imports import services
from messaging.imports.columns import BadMapping
from messaging.imports.reading import BadFile
from messaging.imports.rehearsal import rehearse
from messaging.imports.views import export_name, refused_response
from messaging.models import ContactImport
from units.models import Unit
from units.roles import Action


@require_http_methods(["GET", "POST"])
@unit_view(Action.MOVE_CONTACTS)
def index(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The latest imports, and a file to import. What was chosen stays in the browser when something is wrong."""
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if form.is_valid():
        try:
            row = services.start(
                unit,
                form.cleaned_data["file"],
                by=request.user,
                mapping=form.mapping(),
                tags=form.tags(),
            )
        except (BadFile, BadMapping) as error:
            form.add_error("file", error.message)
        else:
            return go_to(request, "console:import", unit.id, row.id)
    if request.htmx:
        return render(request, "console/imports/errors.html", {"unit": unit, "form": form})
    context = {"form": form, "imports": reading.imports(unit)}
    return render_page(request, unit, "console/imports/page.html", "contacts", context)


@require_POST
@unit_view(Action.MOVE_CONTACTS)
def preview(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The columns of a chosen file, beside what they seem to be, and what importing them would do. The file stays in
    the browser's form, and so does what was chosen."""
    form = ImportForm(request.POST, request.FILES)
    context: dict[str, Any] = {"unit": unit, "form": form, "targets": reading.targets(unit)}
    form.full_clean()
    upload = form.cleaned_data.get("file")
    if upload:
        try:
            seen = services.preview(unit, upload)
            chosen = form.mapping()
            # Columns of the file that was chosen before say nothing of this one.
            if chosen is None or request.POST.getlist("column") != seen.found.columns:
                chosen = seen.mapping
            context |= {"columns": reading.columns_of(seen.found, chosen), "found": seen.found, "upload": upload}
            context["is_small"] = upload.size <= reading.SENT_AGAIN_UP_TO
            context["rehearsal"] = rehearse(unit, upload, seen.found, chosen)
        except BadFile as error:
            form.add_error("file", error.message)
        except BadMapping as error:
            context["bad_mapping"] = error.message
    return render(request, "console/imports/columns.html", context)


@require_GET
@unit_view(Action.MOVE_CONTACTS)
def detail(request: ConsoleRequest, unit: Unit, import_id: UUID) -> HttpResponse:
    """One import; while it is under way the page asks for the part that changes, and the list for a strip of it."""
    context = {"unit": unit, "import": Progress(_import(unit, import_id))}
    if request.htmx:
        part = "strip" if "strip" in request.GET else "live"
        return render(request, f"console/imports/{part}.html", context)
    return render_page(request, unit, "console/imports/detail.html", "contacts", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.MOVE_CONTACTS)
def cancel(request: ConsoleRequest, unit: Unit, import_id: UUID) -> HttpResponse:
    """GET: what stopping means. POST: stop it; what was imported before stays."""
    row = _import(unit, import_id)
    if request.method == "POST":
        if not services.cancel(row):
            messages.info(request, _("This import has ended."))
        return go_to(request, "console:import", unit.id, import_id)
    return render_dialog(request, unit, "console/imports/cancel.html", "contacts", {"import": Progress(row)})


@require_GET
@unit_view(Action.MOVE_CONTACTS)
def refused(request: ConsoleRequest, unit: Unit, import_id: UUID) -> StreamingHttpResponse:
    """The refused rows to correct and import again."""
    return refused_response(_import(unit, import_id))


@require_GET
@unit_view(Action.MOVE_CONTACTS)
def export(request: ConsoleRequest, unit: Unit) -> StreamingHttpResponse:
    """All contacts, or those whom the list's filters find."""
    return csv_response(export_name(), exports.rows_of(unit, Filters(unit, request.GET).people()))


def _import(unit: Unit, import_id: UUID) -> ContactImport:
    return get_object_or_404(ContactImport, unit=unit, id=import_id)
