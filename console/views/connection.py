"""The unit's number: connect it, see how it is, disconnect it."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns.models import Campaign, CampaignStatus
from console.connection import STEPS, STEPS_DONE, scene_of, today_of
from console.connection_forms import GroupsForm, LaterForm, PaceForm, PhoneForm, WaitingForm
from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from console.templatetags.console import when
from messaging import breaker, stale
from messaging.models import Message, Origin
from messaging.phones import InvalidPhone, parse_phone
from units.gateways.errors import GatewayError
from units.models import Unit, WhatsAppConnection
from units.roles import Action
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


def _page(request: ConsoleRequest, unit: Unit, context: dict[str, Any], pace: PaceForm | None = None) -> HttpResponse:
    settings = {"pace_form": pace or PaceForm(instance=unit.connection), "today": today_of(unit.connection)}
    return render_page(request, unit, "console/connection/page.html", "number", settings | context)


@require_GET
@unit_view(Action.READ_NUMBER)
def page(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The connection page."""
    return _page(request, unit, _panel(unit.connection))


@require_GET
@unit_view(Action.READ_NUMBER)
def panel(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The part of the connection page that changes by itself."""
    return render(request, "console/connection/panel.html", {"unit": unit} | _panel(unit.connection))


@require_GET
@unit_view(Action.READ_NUMBER)
def state(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The state in the header of every page."""
    return render(request, "console/connection/state.html", {"unit": unit})


@require_POST
@unit_view(Action.WRITE_NUMBER)
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
@unit_view(Action.WRITE_NUMBER)
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
@unit_view(Action.WRITE_NUMBER)
def pace(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Another pace; it counts from the next message on."""
    form = PaceForm(request.POST, instance=unit.connection)
    if not form.is_valid():
        # What was typed stays in the form; the page around it shows what is kept.
        unit.connection.refresh_from_db()
        return _page(request, unit, _panel(unit.connection), form)
    form.save()
    messages.success(request, _("Saved. It counts from the next message on."))
    return redirect("console:number", unit.id)


@require_POST
@unit_view(Action.WRITE_NUMBER)
def release(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Let campaigns go on that stopped because of failures."""
    if breaker.release(unit.connection):
        messages.success(request, _("Campaigns go on."))
    return redirect("console:number", unit.id)


@require_POST
@unit_view(Action.WRITE_NUMBER)
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
@unit_view(Action.WRITE_NUMBER)
def later(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """GET: when? POST: send what waited at that time."""
    number, waits = reverse("console:number", args=[unit.id]), stale.waiting(unit.connection).count()
    if not waits:
        return go_to(request, number)
    form = LaterForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        at = form.cleaned_data["at"]
        try:
            count = stale.reschedule(unit.connection, at)
        except stale.CannotReschedule as refusal:
            form.add_error("at", str(refusal.message))
        else:
            told = ngettext("%(count)d message goes out %(at)s.", "%(count)d messages go out %(at)s.", count)
            messages.success(request, told % {"count": count, "at": when(at)})
            return go_to(request, number)
    context = {"form": form, "waiting": waits}
    return render_dialog(request, unit, "console/connection/later.html", "number", context)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_NUMBER)
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
        return _page(request, unit, context)
    return redirect("console:number", unit.id)
