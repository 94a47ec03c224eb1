"""Settings of a unit: its number's pace and groups, the unit itself, and the secret of its address."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.connection import today_of
from console.connection_forms import GroupsForm, PaceForm
from console.pace import effect_of
from console.pages import ConsoleRequest, render_page, unit_view
from console.settings_forms import UnitForm
from units import details, webhook_secrets
from units.gateways.errors import GatewayError
from units.models import Unit
from units.roles import Action
from units.services import GROUPS_TOLD_LATER, ConnectionService


@require_GET
@unit_view(Action.READ_NUMBER)
def index(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The first of the settings."""
    return redirect("console:settings-number", unit.id)


@require_http_methods(["GET", "POST"])
@unit_view(Action.READ_NUMBER, writes=Action.WRITE_NUMBER)
def number(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """GET: the number's pace and its groups. POST: another pace; it counts from the next message on."""
    form = PaceForm(request.POST if request.method == "POST" else None, instance=unit.connection)
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved. It counts from the next message on."))
        return redirect("console:settings-number", unit.id)
    return _number(request, unit, form)


def _number(request: ConsoleRequest, unit: Unit, form: PaceForm, error: str = "") -> HttpResponse:
    if form.is_bound:
        # What was typed stays in the form; the page around it shows what is kept.
        unit.connection.refresh_from_db()
    context: dict[str, Any] = {
        "tab": "number",
        "error": error,
        "connection": unit.connection,
        "pace_form": form,
        "groups_form": GroupsForm(instance=unit.connection),
        "today": today_of(unit.connection),
        "effect": effect_of(unit.connection),
    }
    return render_page(request, unit, "console/settings/number.html", "settings", context)


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
        return _number(request, unit, PaceForm(instance=unit.connection), f"{failed.sentence} {GROUPS_TOLD_LATER}")
    messages.success(request, _("Saved."))
    return redirect("console:settings-number", unit.id)


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def about(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """What the unit is called, where it is, and how soon it wants to answer."""
    kept = Unit.objects.get(pk=unit.pk)
    form = UnitForm(request.POST if request.method == "POST" else None, instance=kept)
    if form.is_valid():
        details.change(kept, {name: form.cleaned_data[name] for name in form.changed_data})
        messages.success(request, _("Saved."))
        return redirect("console:settings-unit", unit.id)
    return render_page(request, unit, "console/settings/unit.html", "settings", {"tab": "unit", "form": form})


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def secret(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """GET: what the secret is. POST: have the WhatsApp server post to an address with a new one."""
    error = ""
    if request.method == "POST":
        try:
            webhook_secrets.renew(unit)
        except GatewayError as failed:
            error = str(failed.sentence)
        except webhook_secrets.RenewedJustNow:
            error = _("The secret is being renewed. Try again in two minutes.")
        else:
            messages.success(request, _("Renewed. Nothing else is to be done."))
            return redirect("console:settings-secret", unit.id)
    newest = unit.connection.webhook_secrets.order_by("-created_at", "-id").first()
    context = {"tab": "secret", "error": error, "newest": newest}
    return render_page(request, unit, "console/settings/secret.html", "settings", context)
