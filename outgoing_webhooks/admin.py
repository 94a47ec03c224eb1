"""Admin of outgoing webhooks: how they are; people of the units change them."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.words import why
from units.model_admin import ReadOnlyAdmin


@admin.register(OutgoingWebhook)
class OutgoingWebhookAdmin(ReadOnlyAdmin):
    """Where what happens in the units is posted to, and how far each receiver is."""

    sortable_by = None
    list_display = ["url", "unit", "state", "failures", "last_success_at", "due_at"]
    list_filter = [("unit", AutocompleteSelectFilter), "is_active"]
    list_select_related = ["unit"]
    search_fields = ["url", "unit__name"]
    ordering = ["-created_at", "-id"]
    fields = [
        "unit",
        "url",
        "kinds",
        "state",
        "after_seq",
        "failures",
        "error",
        "due_at",
        "last_success_at",
        "created_by",
        "created_at",
    ]

    @display(description=_("state"), label={"on": "success", "failing": "warning", "switched_off": "danger"})
    def state(self, webhook: OutgoingWebhook) -> tuple[str, str]:
        if webhook.is_active:
            return ("failing", str(_("Failing"))) if webhook.failures else ("on", str(_("On")))
        return ("switched_off", str(_("Switched off"))) if webhook.failures else ("off", str(_("Off")))

    @display(description=_("last error"))
    def error(self, webhook: OutgoingWebhook) -> str:
        return why(webhook)
