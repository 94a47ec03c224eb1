"""Contacts from and to CSV files."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console import imports as reading
from console.imports import FileForm, ImportForm, Progress
from console.pages import ConsoleRequest, go_to, render_page, unit_view
from crm_whatsapp.csv_export import csv_response
from messaging import exports
from messaging.imports import services
from messaging.imports.columns import BadMapping
from messaging.imports.reading import BadFile
from messaging.imports.views import export_name, refused_response
from messaging.models import Contact, ContactImport
from units.models import Unit
from units.roles import Action


@require_http_methods(["GET", "POST"])
@unit_view(Action.MOVE_CONTACTS)
def index(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The latest imports, and a file to import."""
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if form.is_valid():
        tag = form.cleaned_data["tag"].strip()
        try:
            row = services.start(
                unit,
                form.cleaned_data["file"],
                by=request.user,
                mapping=form.mapping(),
                tags=[tag] if tag else [],
            )
        except (BadFile, BadMapping) as error:
            form.add_error("file", error.message)
        else:
            return go_to(request, reverse("console:import", args=[unit.id, row.id]))
    context = {"form": form, "imports": reading.imports(unit)}
    return render_page(request, unit, "console/imports/page.html", "contacts", context)


@require_POST
@unit_view(Action.MOVE_CONTACTS)
def preview(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The columns of a chosen file, beside what they seem to be. The file stays in the browser's form."""
    form = FileForm(request.POST, request.FILES)
    columns: list[tuple[str, list[str], str]] = []
    if form.is_valid():
        try:
            columns = reading.columns_of(services.preview(unit, form.cleaned_data["file"]))
        except BadFile as error:
            form.add_error("file", error.message)
    context = {"unit": unit, "form": form, "columns": columns, "targets": reading.targets(unit)}
    return render(request, "console/imports/columns.html", context)


@require_GET
@unit_view(Action.MOVE_CONTACTS)
def detail(request: ConsoleRequest, unit: Unit, import_id: UUID) -> HttpResponse:
    """One import; while it is under way the page asks for the part that changes."""
    context = {"unit": unit, "import": Progress(_import(unit, import_id))}
    if request.htmx:
        return render(request, "console/imports/live.html", context)
    return render_page(request, unit, "console/imports/detail.html", "contacts", context)


@require_POST
@unit_view(Action.MOVE_CONTACTS)
def cancel(request: ConsoleRequest, unit: Unit, import_id: UUID) -> HttpResponse:
    """Stop it; what was imported before stays."""
    if not services.cancel(_import(unit, import_id)):
        messages.info(request, _("This import has ended."))
    return go_to(request, reverse("console:import", args=[unit.id, import_id]))


@require_GET
@unit_view(Action.MOVE_CONTACTS)
def refused(request: ConsoleRequest, unit: Unit, import_id: UUID) -> StreamingHttpResponse:
    """The refused rows to correct and import again."""
    return refused_response(_import(unit, import_id))


@require_GET
@unit_view(Action.MOVE_CONTACTS)
def export(request: ConsoleRequest, unit: Unit) -> StreamingHttpResponse:
    """All contacts, or those whom the list's search finds."""
    search = request.GET.get("q", "").strip()
    contacts = Contact.objects.filter(unit=unit)
    return csv_response(
        export_name(), exports.rows_of(unit, contacts.matching(unit.pk, search) if search else contacts)
    )


def _import(unit: Unit, import_id: UUID) -> ContactImport:
    return get_object_or_404(ContactImport, unit=unit, id=import_id)
