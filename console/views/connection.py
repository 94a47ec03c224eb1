"""The unit's number: connect it, see how it is, disconnect it."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns.models import Campaign, CampaignStatus
from console.connection import STEPS, STEPS_DONE, scene_of
from console.forms import GroupsForm, PhoneForm, WaitingForm
from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from messaging import breaker, stale
from messaging.models import Message, Origin
from messaging.phones import InvalidPhone, parse_phone
from units.gateways.errors import GatewayError
from units.models import Unit, WhatsAppConnection
from units.services import GROUPS_TOLD_LATER, ConnectionService
from units.steps import QR_LIFETIME


def _panel(connection: WhatsAppConnection, form: PhoneForm | None = None, error: str = "") -> dict[str, Any]:
    """The context of the panel, which changes by itself."""
    scene = scene_of(connection)
    seconds = 0
    if connection.qr_expires_at:
        seconds = max(0, round((connection.qr_expires_at - timezone.now()).total_seconds()))
    return {
        "connection": connection,
        "scene": scene,
        "scene_template": f"console/connection/{scene}.html",
        "steps": list(enumerate(status.label for status in STEPS)),
        "steps_done": STEPS_DONE.get(scene),
        "seconds": seconds,
        "lifetime": int(QR_LIFETIME.total_seconds()),
        "form": form or PhoneForm(),
        "groups_form": GroupsForm(instance=connection),
        "waiting": stale.waiting(connection).count(),
        "error": error,
    }


@require_GET
@unit_view
def page(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The connection page."""
    return render_page(request, unit, "console/connection/page.html", "number", _panel(unit.connection))


@require_GET
@unit_view
def panel(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The part of the connection page that changes by itself."""
    return render(request, "console/connection/panel.html", {"unit": unit} | _panel(unit.connection))


@require_GET
@unit_view
def state(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The state in the header of every page."""
    return render(request, "console/connection/state.html", {"unit": unit})


@require_POST
@unit_view
def connect(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Have a code made: a QR code, and with a phone number one to type as well."""
    form = PhoneForm(request.POST)
    error, connection = "", unit.connection
    if form.is_valid():
        try:
            number = form.cleaned_data["phone_number"]
            connection = ConnectionService(unit).connect(phone_number=parse_phone(number) if number else None)
        except InvalidPhone as invalid:
            form.add_error("phone_number", str(invalid.message))
        except GatewayError as failed:
            error = str(failed.sentence)
            connection.refresh_from_db()
    return _answer(request, unit, _panel(connection, form, error))


@require_POST
@unit_view
def groups(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Show the number's groups, or no longer."""
    form = GroupsForm(request.POST)
    form.full_clean()
    try:
        ConnectionService(unit).show_groups(form.cleaned_data["groups_enabled"])
    except GatewayError as failed:
        unit.connection.refresh_from_db()
        return _answer(request, unit, _panel(unit.connection, error=f"{failed.sentence} {GROUPS_TOLD_LATER}"))
    messages.success(request, _("Saved."))
    return redirect("console:number", unit.id)


@require_POST
@unit_view
def release(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Let campaigns go on that stopped because of failures."""
    if breaker.release(unit.connection):
        messages.success(request, _("Campaigns go on."))
    return redirect("console:number", unit.id)


@require_POST
@unit_view
def waiting(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Send or drop what waited while the number was away."""
    form = WaitingForm(request.POST)
    if form.is_valid():
        if form.cleaned_data["action"] == "send":
            count = stale.send(unit.connection)
            told = ngettext("%(count)d message goes out now.", "%(count)d messages go out now.", count)
        else:
            count = stale.drop(unit.connection)
            told = ngettext("%(count)d message was dropped.", "%(count)d messages were dropped.", count)
        messages.success(request, told % {"count": count})
    return redirect("console:number", unit.id)


@require_http_methods(["GET", "POST"])
@unit_view
def disconnect(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """GET: what would wait. POST: disconnect."""
    error = ""
    if request.method == "POST":
        try:
            ConnectionService(unit).disconnect()
        except GatewayError as failed:
            error = str(failed.sentence)
        else:
            return go_to(request, request.path.removesuffix("/disconnect"))
    context = {
        "connection": unit.connection,
        "campaigns": Campaign.objects.filter(unit=unit, status=CampaignStatus.PROCESSING).count(),
        "replies": Message.objects.filter(unit=unit).waiting().exclude(origin=Origin.CAMPAIGN).count(),
        "error": error,
    }
    return render_dialog(request, unit, "console/connection/disconnect.html", "number", context)


def _answer(request: ConsoleRequest, unit: Unit, context: dict[str, Any]) -> HttpResponse:
    if request.htmx:
        return render(request, "console/connection/panel.html", {"unit": unit} | context)
    if context["error"] or context["form"].errors:
        return render_page(request, unit, "console/connection/page.html", "number", context)
    return redirect("console:number", unit.id)
