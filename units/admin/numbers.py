"""Admin of the WhatsApp numbers of units."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_htmx.http import HttpResponseClientRefresh
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from units import pacing
from units.admin_forms import ConnectForm, DisconnectForm, PaceForm
from units.gateways.errors import GatewayError
from units.model_admin import ModelAdmin
from units.models import ConnectionStatus, WhatsAppConnection
from units.services import GROUPS_TOLD_LATER, ConnectionService, warm_up_in_words

CONNECTION_CHIPS = {
    ConnectionStatus.DISCONNECTED.value: "danger",
    ConnectionStatus.PREPARING.value: "info",
    ConnectionStatus.AWAITING_SCAN.value: "warning",
    ConnectionStatus.CONNECTING.value: "info",
    ConnectionStatus.CONNECTED.value: "success",
    ConnectionStatus.DISCONNECTING.value: "warning",
}

# Until a phone has read the code.
ON_THE_WAY = (ConnectionStatus.PREPARING, ConnectionStatus.AWAITING_SCAN, ConnectionStatus.CONNECTING)
CODE_PAGE = "units_whatsappconnection_code"


@admin.register(WhatsAppConnection)
class WhatsAppConnectionAdmin(ModelAdmin):
    """The gateway's side is shown, the pace is edited."""

    list_display = [
        "unit",
        "status_chip",
        "phone_number",
        "profile_name",
        "status_changed_at",
        "interval_seconds",
    ]
    list_filter = [("status", ChoicesDropdownFilter), ("provider", ChoicesDropdownFilter)]
    search_fields = ["unit__name", "phone_number", "instance_name"]
    ordering = ["unit__name", "id"]
    readonly_fields = [
        "unit",
        "provider",
        "instance_name",
        "status",
        "status_changed_at",
        "cause",
        "phone_number",
        "profile_name",
        "qr_image",
        "pairing_code",
        "qr_expires_at",
        "warm_up",
    ]
    form = PaceForm
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("unit", "status"),
                    ("status_changed_at", "cause"),
                    ("phone_number", "profile_name"),
                ]
            },
        ),
        (_("Scan with the phone"), {"fields": ["qr_image", ("pairing_code", "qr_expires_at")]}),
        (
            _("Pace"),
            {
                "fields": [
                    ("interval_seconds", "jitter_seconds"),
                    ("daily_cap", "in_use_since"),
                    "warm_up",
                    ("window_start", "window_end"),
                    "window_days",
                ]
            },
        ),
        (_("Groups"), {"fields": ["groups_enabled"]}),
        (_("Gateway"), {"fields": [("provider", "instance_name")]}),
    ]
    actions_detail = ["connect", "refresh", "disconnect"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WhatsAppConnection]:
        return super().get_queryset(request).select_related("unit")

    def get_fieldsets(self, request: HttpRequest, obj: WhatsAppConnection | None = None) -> Any:
        """Codes only for those who may connect the number: scanning one ties a phone to the unit."""
        sections = super().get_fieldsets(request, obj)
        if self.has_act_permission(request):
            return sections
        return [(title, options) for title, options in sections if "qr_image" not in options["fields"]]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The pace alone: whether groups are shown is the gateway's to know as well."""
        pace = [name for name in self.fields_to_save(form) if name != "groups_enabled"]
        pacing.change(obj, {name: getattr(obj, name) for name in pace})
        if "groups_enabled" in form.changed_data:
            # The gateway is asked when the page's transaction is over: none is open during HTTP.
            transaction.on_commit(lambda: self._show_groups(request, obj))

    def _show_groups(self, request: HttpRequest, connection: WhatsAppConnection) -> None:
        try:
            ConnectionService(connection.unit).show_groups(connection.groups_enabled)
        except GatewayError as error:
            messages.warning(request, f"{error.sentence} {GROUPS_TOLD_LATER}")

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[UnfoldAction]:
        """Offer only what makes sense in the connection's status."""
        connection = self.get_object(request, str(object_id))
        useless = {
            ConnectionStatus.CONNECTED.value: "connect",
            ConnectionStatus.DISCONNECTED.value: "disconnect",
        }
        hidden = f"units_whatsappconnection_{useless.get(connection.status) if connection else None}"
        return [offered for offered in super().get_actions_detail(request, object_id) if offered.action_name != hidden]

    def get_urls(self) -> Any:
        code = path("<path:object_id>/code/", self.admin_site.admin_view(self.code_view), name=CODE_PAGE)
        return [code, *super().get_urls()]

    def code_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The code to scan, for a page that looks again and again; loaded anew when the number got somewhere else."""
        connection = self.object_or_404(request, object_id)
        if not self.has_act_permission(request, connection):
            raise PermissionDenied
        if connection.status != request.GET.get("status"):
            return HttpResponseClientRefresh()
        return HttpResponse(self.qr_image(connection))

    @display(description=_("status"), ordering="status", label=CONNECTION_CHIPS)
    def status_chip(self, connection: WhatsAppConnection) -> tuple[str, str]:
        return connection.status, connection.get_status_display()

    @display(description=_("warm-up"))
    def warm_up(self, connection: WhatsAppConnection) -> str:
        return warm_up_in_words()

    @display(description=_("QR code"))
    def qr_image(self, connection: WhatsAppConnection) -> SafeString:
        is_valid = connection.qr_expires_at is None or connection.qr_expires_at > timezone.now()
        # A data: URI as the gateway sent it, and nothing else: it becomes the address of an image.
        qr_code = connection.qr_code if connection.qr_code.startswith("data:image/") else ""
        context = {"qr_code": qr_code, "is_valid": is_valid, "connection": connection}
        if connection.status in ON_THE_WAY:
            context["look_again"] = f"{self.address('code', connection.pk)}?status={connection.status}"
        return render_to_string("admin/units/qr_code.html", context)

    @action(
        description=_("Connect"),
        icon="qr_code",
        variant=ActionVariant.PRIMARY,
        permissions=["act"],
        dialog={
            "title": _("Connect this number?"),
            "description": _("A QR code appears here. Have the phone at hand: it is valid for a short time."),
            "form_class": ConnectForm,
            "form_submit_text": _("Connect"),
        },
    )
    def connect(self, request: HttpRequest, form: ConnectForm, object_id: str) -> HttpResponse:
        phone_number = form.cleaned_data["phone_number"] or None
        return self._ask_gateway(request, object_id, lambda service: service.connect(phone_number=phone_number))

    @action(
        description=_("Disconnect"),
        icon="link_off",
        variant=ActionVariant.DANGER,
        permissions=["act"],
        dialog={
            "title": _("Disconnect this number?"),
            "description": _("Campaigns and replies wait until it is connected again, with a new scan."),
            "form_class": DisconnectForm,
            "form_submit_text": _("Disconnect"),
        },
    )
    def disconnect(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._ask_gateway(request, object_id, ConnectionService.disconnect)

    @action(
        description=_("Refresh"),
        icon="refresh",
        permissions=["act"],
        dialog={
            "title": _("Ask the WhatsApp server for the status?"),
            "form_submit_text": _("Refresh"),
        },
    )
    def refresh(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._ask_gateway(request, object_id, ConnectionService.refresh)

    def _ask_gateway(
        self, request: HttpRequest, object_id: str, ask: Callable[[ConnectionService], WhatsAppConnection]
    ) -> HttpResponse:
        """Ask, say how it went, and show the connection again."""
        connection = self.object_or_404(request, object_id)
        try:
            connection = ask(ConnectionService(connection.unit))
        except GatewayError as error:
            messages.error(request, error.sentence)
        else:
            messages.info(request, connection.get_cause_display() or connection.get_status_display())
        return self.leave_dialog(request, self.address("change", object_id))
