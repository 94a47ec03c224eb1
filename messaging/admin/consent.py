"""Admin of opt-outs: who gets no campaigns, since when, by whom and why. Changed on the contact's page."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import action, display

from messaging.models import AddressKind, ContactAddress, OptOut
from messaging.phones import shown
from units.model_admin import ReadOnlyAdmin


@admin.register(OptOut)
class OptOutAdmin(ReadOnlyAdmin):
    list_display = ["opted_out", "unit", "state", "source", "reason", "by", "created_at", "lifted_at"]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("source", ChoicesDropdownFilter),
        ("lifted_at", admin.EmptyFieldListFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_select_related = ["unit", "by", "lifted_by"]
    search_fields = ["value"]
    search_help_text = _("Digits of the number")
    ordering = ["-id"]
    fields = [
        ("opted_out", "unit"),
        ("source", "reason"),
        ("by", "created_at"),
        ("lifted_by", "lifted_at"),
        "lifted_reason",
    ]
    actions_detail = ["open_contact"]

    @display(description=_("address"), ordering="value")
    def opted_out(self, row: OptOut) -> str:
        return shown(row.value) if row.kind == AddressKind.PHONE else row.value

    @display(description=_("state"), label={"in_force": "warning", "lifted": "default"})
    def state(self, row: OptOut) -> tuple[str, str]:
        return ("lifted", gettext("Lifted")) if row.lifted_at else ("in_force", gettext("In force"))

    @action(description=_("Contact"), icon="person", permissions=["view"])
    def open_contact(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Whoever has the address now; the opt-out survives its contact."""
        row = self.object_or_404(request, object_id)
        address = ContactAddress.objects.filter(unit=row.unit_id, kind=row.kind, value=row.value).first()
        if address is None:
            self.message_user(request, _("No contact has this address any more."))
            return redirect(self.address("change", object_id))
        return redirect("admin:messaging_contact_change", address.contact_id)
