"""Admin of units and of who works in them."""

from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from units import members
from units.admin.numbers import CONNECTION_CHIPS
from units.admin_forms import DeleteUnitForm, MembershipForm, MembershipFormSet
from units.model_admin import ModelAdmin
from units.models import Membership, Role, Unit
from units.services import create_unit, delete_unit


class MembershipInline(TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]
    fields = ["user", "role"]
    form = MembershipForm
    formset = MembershipFormSet

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
    zone_of_row = "time_zone"
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

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """As the API does it. New owners before old ones go: the unit is never without."""
        formset.save(commit=False)
        for membership in formset.new_objects:
            members.enter(membership.unit, membership.user, Role(membership.role))
        changed = [(membership.pk, Role(membership.role)) for membership, _fields in formset.changed_objects]
        for pk, role in sorted(changed, key=lambda each: each[1] != Role.OWNER):
            members.change_role(Membership.objects.select_related("unit").get(pk=pk), role)
        for membership in formset.deleted_objects:
            members.remove(membership)

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
