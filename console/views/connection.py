"""The unit's number: connect it, see how it is, disconnect it."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns.models import Campaign, CampaignStatus
from console.connection import (
    STEPS,
    STEPS_DONE,
    Scene,
    helpers_of,
    is_used_elsewhere,
    scene_for,
)
from console.connection_forms import LaterForm, PhoneForm
from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from console.templatetags.console import when
from messaging import breaker, stale
from messaging.models import Message, MessageStatus, Origin
from messaging.phones import InvalidPhone, parse_phone
from units.gateways.errors import GatewayError
from units.models import Unit, WhatsAppConnection
from units.roles import Action
from units.services import ConnectionService
from units.steps import QR_LIFETIME

IN_USE = gettext_lazy("This number is already connected to another unit. Disconnect it there or use another.")


def _panel(
    unit: Unit, connection: WhatsAppConnection, form: PhoneForm | None = None, error: str = ""
) -> dict[str, Any]:
    """The context of the panel, which changes by itself."""
    scene = scene_for(connection, unit)
    may_connect = Action.WRITE_NUMBER in unit.allowed
    is_away = scene == Scene.DISCONNECTED
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
        "waiting": stale.waiting(connection).count(),
        "error": error,
        # Never connected: there is nothing to set yet.
        "is_new": not connection.phone_number,
        "in_use": may_connect and connection.is_connected and is_used_elsewhere(unit, connection.phone_number),
        "helpers": [] if may_connect else helpers_of(unit),
    } | (_what_waits(unit) if is_away else {})


def _what_waits(unit: Unit) -> dict[str, int]:
    """For the number to be back: campaigns that run, and answers."""
    return {
        "running": Campaign.objects.filter(unit=unit, status=CampaignStatus.PROCESSING).count(),
        # By either status, and by its number: each has an index then.
        "replies": Message.objects.filter(
            Q(status=MessageStatus.QUEUED) | Q(status=MessageStatus.CLAIMED), connection=unit.connection
        )
        .exclude(origin=Origin.CAMPAIGN)
        .count(),
    }


def _page(request: ConsoleRequest, unit: Unit, context: dict[str, Any]) -> HttpResponse:
    return render_page(request, unit, "console/connection/page.html", "number", context)


@never_cache
@require_GET
@unit_view(Action.READ_NUMBER)
def page(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The connection page."""
    return _page(request, unit, _panel(unit, unit.connection))


@never_cache
@require_GET
@unit_view(Action.READ_NUMBER)
def panel(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The part of the connection page that changes by itself."""
    return render(request, "console/connection/panel.html", {"unit": unit} | _panel(unit, unit.connection))


@require_GET
@unit_view(Action.READ_NUMBER)
def state(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The state in the header of every page."""
    return render(request, "console/connection/state.html", {"unit": unit})


@never_cache
@require_POST
@unit_view(Action.WRITE_NUMBER)
def connect(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Have a code made: a QR code, and with a phone number one to type as well."""
    form = PhoneForm(request.POST)
    error, connection = "", unit.connection
    if form.is_valid():
        try:
            typed = form.cleaned_data["phone_number"]
            number = parse_phone(typed) if typed else None
            if number and is_used_elsewhere(unit, number):
                form.add_error("phone_number", IN_USE)
            else:
                connection = ConnectionService(unit).connect(phone_number=number)
        except InvalidPhone as invalid:
            form.add_error("phone_number", str(invalid.message))
        except GatewayError as failed:
            error = str(failed.sentence)
            connection.refresh_from_db()
    return _answer(request, unit, _panel(unit, connection, form, error))


@require_POST
@unit_view(Action.WRITE_NUMBER)
def release(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Let campaigns go on that stopped because of failures."""
    if breaker.release(unit.connection):
        messages.success(request, _("Campaigns go on."))
    return redirect("console:number", unit.id)


@require_POST
@unit_view(Action.WRITE_NUMBER)
def send_waiting(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """Send what waited while the number was away."""
    count = stale.send(unit.connection)
    told = ngettext("%(count)d message goes out now.", "%(count)d messages go out now.", count)
    messages.success(request, told % {"count": count})
    return redirect("console:number", unit.id)


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_NUMBER)
def drop_waiting(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """GET: how many? POST: what waited is not sent."""
    waits = stale.waiting(unit.connection).count()
    if not waits:
        return go_to(request, "console:number", unit.id)
    if request.method == "POST":
        count = stale.drop(unit.connection)
        told = ngettext("%(count)d message was dropped.", "%(count)d messages were dropped.", count)
        messages.success(request, told % {"count": count})
        return go_to(request, "console:number", unit.id)
    return render_dialog(request, unit, "console/connection/drop.html", "number", {"waiting": waits})


@require_http_methods(["GET", "POST"])
@unit_view(Action.WRITE_NUMBER)
def later(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """GET: when? POST: send what waited at that time."""
    waits = stale.waiting(unit.connection).count()
    if not waits:
        return go_to(request, "console:number", unit.id)
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
            return go_to(request, "console:number", unit.id)
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
            return go_to(request, "console:number", unit.id)
    waits = _what_waits(unit)
    context = {
        "connection": unit.connection,
        "campaigns": waits["running"],
        "replies": waits["replies"],
        "error": error,
    }
    return render_dialog(request, unit, "console/connection/disconnect.html", "number", context)


def _answer(request: ConsoleRequest, unit: Unit, context: dict[str, Any]) -> HttpResponse:
    if request.htmx:
        return render(request, "console/connection/panel.html", {"unit": unit} | context)
    if context["error"] or context["form"].errors:
        return _page(request, unit, context)
    return redirect("console:number", unit.id)
