"""Settings: what was done in the unit, and by whom."""

from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpResponse
from django.views.decorators.http import require_GET

from console.audit_words import in_words, object_name
from console.forms import uuid_of
from console.pages import ConsoleRequest, render_page, unit_view
from console.settings_forms import AuditForm
from units.models import AuditEntry, Membership, Unit
from units.roles import Action

PAGE = 50


@require_GET
@unit_view(Action.MANAGE_ACCESS)
def page(request: ConsoleRequest, unit: Unit) -> HttpResponse:
    """The audit log, the newest first."""
    people = [
        (str(member.user_id), str(member.user))
        for member in Membership.objects.filter(unit=unit).select_related("user").order_by("user__first_name")
    ]
    form = AuditForm(request.GET, people=people)
    rows = AuditEntry.objects.filter(unit=unit)
    chosen: dict[str, Any] = {}
    if form.is_valid():
        chosen = {name: value for name, value in form.cleaned_data.items() if value}
        if "action" in chosen:
            rows = rows.filter(action=chosen["action"])
        if "actor" in chosen:
            rows = rows.filter(actor=chosen["actor"])
    key = uuid_of(request.GET.get("before"))
    last = AuditEntry.objects.filter(unit=unit, pk=key).first() if key else None
    if last:
        rows = rows.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, pk__lt=last.pk))
    found = list(rows[: PAGE + 1])
    context = {
        "tab": "audit",
        "form": form,
        "rows": [(entry, object_name(entry), in_words(entry)) for entry in found[:PAGE]],
        "is_filtered": bool(chosen),
        "is_later": last is not None,
        "older": urlencode(chosen | {"before": found[PAGE - 1].pk}) if len(found) > PAGE else "",
    }
    return render_page(request, unit, "console/settings/audit.html", "settings", context)
