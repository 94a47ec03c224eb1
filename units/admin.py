"""Admin of people, units and their WhatsApp numbers."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import models, transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, BaseDialogForm

from units.admin_forms import ChangeUserForm, ConnectForm, DeleteUnitForm, NewUserForm, PaceForm
from units.gateways.errors import GatewayError
from units.model_admin import ModelAdmin
from units.models import (
    ApiToken,
    ConnectionStatus,
    Membership,
    Role,
    Unit,
    User,
    WhatsAppConnection,
    sha256,
)
from units.services import GROUPS_TOLD_LATER, ConnectionService, create_unit, delete_unit, warm_up_in_words

CONNECTION_CHIPS = {
    ConnectionStatus.DISCONNECTED.value: "danger",
    ConnectionStatus.PREPARING.value: "info",
    ConnectionStatus.AWAITING_SCAN.value: "warning",
    ConnectionStatus.CONNECTING.value: "info",
    ConnectionStatus.CONNECTED.value: "success",
    ConnectionStatus.DISCONNECTING.value: "warning",
}

admin.site.unregister(Group)


# --- People ---------------------------------------------------------------------------------------


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    """People who log in. Nobody is deleted, so that the history keeps its names: they become inactive."""

    form = ChangeUserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    ordering = ["email"]
    list_display = ["email", "full_name", "works_in", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser", ("memberships__unit", AutocompleteSelectFilter)]
    search_fields = ["email", "first_name", "last_name"]
    autocomplete_fields = ["groups"]
    filter_horizontal = []
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["email", "password", ("first_name", "last_name")]}),
        (_("Permissions"), {"fields": ["is_active", "is_staff", "is_superuser", "groups"]}),
        (_("Important dates"), {"fields": [("last_login", "date_joined")]}),
    ]
    add_fieldsets = [
        (
            None,
            {
                "fields": [
                    "email",
                    ("first_name", "last_name"),
                    "usable_password",
                    "password1",
                    "password2",
                    "is_staff",
                ]
            },
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("memberships__unit")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Only a superuser hands out rights: who may edit people could otherwise take all of them."""
        fields = list(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else [*fields, "is_staff", "is_superuser", "groups"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if isinstance(obj, User) and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    @display(description=_("name"), ordering="first_name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @display(description=_("units"))
    def works_in(self, user: User) -> str:
        return ", ".join(f"{m.unit} ({m.get_role_display()})" for m in user.memberships.all())


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """What several people of the staff may do in this admin."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("auth.delete_group")


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    """Tokens for programs. Shown once, when made; revoking one is deleting it."""

    list_display = ["name", "user", "created_at"]
    list_filter = [("user", AutocompleteSelectFilter)]
    list_select_related = ["user"]
    search_fields = ["name", "user__email"]
    autocomplete_fields = ["user"]
    ordering = ["-id"]
    fields = ["user", "name"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("units.delete_apitoken")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        token = ApiToken.mint(obj.user, obj.name)
        obj.pk = ApiToken.objects.get(sha256=sha256(token)).pk
        obj.refresh_from_db()
        messages.warning(request, _("Copy the token now, it is not shown again: %(token)s") % {"token": token})

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        # Never kept by a cache: the next page shows the token.
        response = super().response_add(request, obj, post_url_continue)
        response["Cache-Control"] = "no-store"
        return response


# --- Units ----------------------------------------------------------------------------------------


class MembershipInline(TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]
    fields = ["user", "role"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "unit")

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        # The default is the database's, which a form does not know: the first choice would be "owner".
        if db_field.name == "role":
            kwargs["initial"] = Role.AGENT
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(Unit)
class UnitAdmin(ModelAdmin):
    list_display = ["name", "connection_status", "phone_number", "people", "time_zone", "created_at"]
    list_filter = [("connection__status", ChoicesDropdownFilter)]
    list_select_related = ["connection"]
    ordering = ["name", "id"]
    search_fields = ["name", "connection__phone_number"]
    search_help_text = _("Name or phone number of the unit")
    fields = ["name", "time_zone"]
    inlines = [MembershipInline]
    actions_detail = ["open_connection", "delete_for_good"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Unit]:
        return super().get_queryset(request).annotate(people_count=Count("memberships"))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"time_zone": "America/Sao_Paulo"} | super().get_changeform_initial_data(request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        # With its connection and its lane. The first members come from the inline.
        obj.pk = create_unit(obj.name, time_zone=obj.time_zone).pk
        obj.refresh_from_db()

    @display(description=_("WhatsApp"), ordering="connection__status", label=CONNECTION_CHIPS)
    def connection_status(self, unit: Unit) -> tuple[str, str]:
        return unit.connection.status, unit.connection.get_status_display()

    @display(description=_("phone number"), ordering="connection__phone_number")
    def phone_number(self, unit: Unit) -> str:
        return unit.connection.phone_number

    @display(description=_("people"), ordering="people_count")
    def people(self, unit: Unit) -> int:
        return unit.people_count  # type: ignore[attr-defined]

    @action(description=_("WhatsApp connection"), icon="qr_code", permissions=["view"])
    def open_connection(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("admin:units_whatsappconnection_change", self.object_or_404(request, object_id).connection.pk)

    @action(
        description=_("Delete unit"),
        icon="delete",
        variant=ActionVariant.DANGER,
        permissions=["erase"],
        dialog={
            "title": _("Delete this unit?"),
            "description": _(
                "Its number, contacts, conversations, messages and campaigns are deleted with it, for good."
            ),
            "form_class": DeleteUnitForm,
            "form_submit_text": _("Delete for good"),
        },
    )
    def delete_for_good(self, request: HttpRequest, form: DeleteUnitForm, object_id: str) -> HttpResponse:
        return self.erase_row(request, object_id, delete_unit)


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

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
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
        return render_to_string("admin/units/qr_code.html", {"qr_code": qr_code, "is_valid": is_valid})

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
