"""Settings: addresses to which what happens in the unit is posted."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from console.pages import ConsoleRequest, go_to, render_dialog, render_page, unit_view
from console.webhook_forms import KINDS, WebhookForm
from outgoing_webhooks import posting, services
from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.words import sentence, why
from units.models import Unit
from units.roles import Action

TAKEN = gettext_lazy("There is a webhook for this address already.")


def _webhook(unit: Unit, webhook_id: UUID) -> OutgoingWebhook:
    return get_object_or_404(OutgoingWebhook, unit=unit, id=webhook_id)


def _page(request: ConsoleRequest, unit: Unit, **more: Any) -> HttpResponse:
    words = dict(KINDS)
    rows = list(OutgoingWebhook.objects.filter(unit=unit))
    shown = [
        {"webhook": row, "kinds": [words[kind] for kind in row.kinds if kind in words], "error": why(row)}
        for row in rows
    ]
    context = {"tab": "webhooks", "webhooks": shown, "may_add": len(rows) < services.MOST, "form": WebhookForm()}
    return render_page(request, unit, "console/settings/webhooks.html", "settings", context | more)


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def page(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """GET: the unit's webhooks. POST: one more; its secret is on the page that answers, and nowhere after."""
    if request.method != "POST":
        return _page(request, unit)
    form = WebhookForm(request.POST)
    if form.is_valid():
        try:
            made, secret = services.add(
                unit, form.cleaned_data["url"], kinds=form.cleaned_data["kinds"], by=request.user
            )
        except services.AddressTaken:
            form.add_error("url", TAKEN)
        except services.TooMany:
            form.add_error("url", _("A unit has ten webhooks at most."))
        else:
            response = _page(request, unit, made=made, secret=secret)
            response["Cache-Control"] = "no-store"
            return response
    return _page(request, unit, form=form)


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def edit(request: ConsoleRequest, unit: Unit, webhook_id: UUID) -> HttpResponse:
    """Another address, or other events."""
    webhook = _webhook(unit, webhook_id)
    known = {"url": webhook.url, "kinds": webhook.kinds or services.KINDS}
    # The form below the list has the usual ids.
    form = WebhookForm(request.POST if request.method == "POST" else None, initial=known, auto_id="edit_%s")
    if form.is_valid():
        try:
            services.change(webhook, url=form.cleaned_data["url"], kinds=form.cleaned_data["kinds"])
        except services.AddressTaken:
            form.add_error("url", TAKEN)
        else:
            messages.success(request, _("Saved."))
            return go_to(request, "console:webhooks", unit.id)
    return render_dialog(request, unit, "console/settings/webhook_edit.html", "settings", {"form": form})


@require_POST
@unit_view(Action.MANAGE_ACCESS)
def switch(request: ConsoleRequest, unit: Unit, webhook_id: UUID) -> HttpResponse:
    """On or off; on, it goes on where it was."""
    is_active = request.POST.get("active") == "on"
    services.change(_webhook(unit, webhook_id), is_active=is_active)
    messages.success(request, _("Switched on. It goes on where it was.") if is_active else _("Switched off."))
    return redirect("console:webhooks", unit.id)


@require_POST
@unit_view(Action.MANAGE_ACCESS)
def try_out(request: ConsoleRequest, unit: Unit, webhook_id: UUID) -> HttpResponse:
    """Post a trial, and say what came of it."""
    code = posting.try_out(_webhook(unit, webhook_id))
    if code:
        return _page(request, unit, failed=sentence(code), tried=webhook_id)
    messages.success(request, _("The receiver took the trial."))
    return redirect("console:webhooks", unit.id)


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def secret(request: ConsoleRequest, unit: Unit, webhook_id: UUID) -> HttpResponse:
    """GET: sure? POST: a new secret, shown this once."""
    webhook = _webhook(unit, webhook_id)
    context: dict[str, Any] = {"webhook": webhook}
    if request.method == "POST":
        context["secret"] = services.rotate(webhook)
    response = render_dialog(request, unit, "console/settings/webhook_secret.html", "settings", context)
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "POST"])
@unit_view(Action.MANAGE_ACCESS)
def delete(request: ConsoleRequest, unit: Unit, webhook_id: UUID) -> HttpResponse:
    """GET: sure? POST: nothing more is posted there."""
    webhook = _webhook(unit, webhook_id)
    if request.method == "POST":
        services.remove(webhook)
        messages.success(request, _("The webhook is gone."))
        return go_to(request, "console:webhooks", unit.id)
    return render_dialog(request, unit, "console/settings/webhook_delete.html", "settings", {"webhook": webhook})
