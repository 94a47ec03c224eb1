"""Admin of contacts."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from messaging.admin.forms import AddressForm, AddressFormSet, NewContactForm
from messaging.models import (
    Contact,
    ContactAddress,
)
from messaging.people import contact_by_phone, delete_contact
from messaging.phones import shown
from units.model_admin import ModelAdmin


def contacts_matching(term: str) -> QuerySet[Contact]:
    """Contacts whose name contains `term`, or one of whose addresses contains its digits."""
    found = Q(name__icontains=term)
    digits = "".join(filter(str.isdigit, term))
    if len(digits) >= 4:
        found |= Q(id__in=ContactAddress.objects.filter(value__contains=digits).values("contact"))
    return Contact.objects.filter(found)


class AddressInline(TabularInline):
    model = ContactAddress
    form = AddressForm
    formset: type[BaseInlineFormSet] = AddressFormSet
    extra = 0
    can_delete = False
    fields = ["kind", "value", "jid", "not_on_whatsapp_at"]
    readonly_fields = ["kind", "jid", "not_on_whatsapp_at"]

    def has_add_permission(self, request: HttpRequest, obj: Contact | None = None) -> bool:
        # A group has no phone number.
        return not (obj and obj.is_group) and super().has_add_permission(request, obj)


@admin.register(Contact)
class ContactAdmin(ModelAdmin):
    list_display = ["__str__", "phone", "unit", "can_be_written_to", "is_group", "created_at"]
    list_filter = [("unit", AutocompleteSelectFilter), "is_group", ("created_at", RangeDateTimeFilter)]
    list_select_related = ["unit"]
    search_fields = ["name"]
    search_help_text = _("Name, or at least four digits of the number")
    autocomplete_fields = ["unit"]
    ordering = ["-id"]
    actions_detail = ["delete_for_good"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        # Also the autocompletes elsewhere show the number of who has no name.
        opted_out = Exists(ContactAddress.objects.filter(contact=OuterRef("pk")).opted_out())
        return super().get_queryset(request).prefetch_related("addresses").annotate(opted_out=opted_out)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        if search_term:
            queryset = queryset.filter(id__in=contacts_matching(search_term).values("id"))
        return queryset, False

    def get_fields(self, request: HttpRequest, obj: Contact | None = None) -> list[str]:
        return ["unit", "name"] if obj else ["unit", "name", "phone"]

    def get_readonly_fields(self, request: HttpRequest, obj: Contact | None = None) -> list[str]:
        return ["unit"] if obj else []

    def get_form(self, request: HttpRequest, obj: Contact | None = None, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewContactForm
        return super().get_form(request, obj, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Contact | None) -> list[type[TabularInline]]:
        return [AddressInline] if obj else []

    def fields_to_save(self, form: forms.ModelForm) -> list[str]:
        fields = super().fields_to_save(form)
        return [*fields, "name_is_ours"] if "name" in fields else fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            # From now on the phone's own name for this person does not replace it.
            obj.name_is_ours = bool(obj.name)
            super().save_model(request, obj, form, change)
        else:
            obj.pk = contact_by_phone(obj.unit, form.cleaned_data["phone"], obj.name).pk
            obj.refresh_from_db()

    @display(description=_("phone number"))
    def phone(self, contact: Contact) -> str:
        return shown(contact.phone_number)

    @display(
        description=_("campaigns"), label={"yes": "success", "no": "warning", "none": "danger", "group": "default"}
    )
    def can_be_written_to(self, contact: Any) -> tuple[str, str]:
        addresses = contact.addresses.all()
        if contact.is_group:
            return "group", gettext("Not for groups")
        if contact.opted_out:
            return "no", gettext("Opted out")
        if any(address.not_on_whatsapp_at for address in addresses):
            return "none", gettext("Not on WhatsApp")
        return "yes", gettext("Accepts")

    @action(
        description=_("Delete contact"),
        icon="delete",
        variant=ActionVariant.DANGER,
        permissions=["erase"],
        dialog={
            "title": _("Delete this contact?"),
            "description": _("The conversation and its messages are deleted with it, for good."),
            "form_submit_text": _("Delete for good"),
        },
    )
    def delete_for_good(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        contact = self.object_or_404(request, object_id)
        name = str(contact)
        self.log_deletions(request, [contact])
        delete_contact(contact)
        messages.success(request, _("The contact “%(name)s” was deleted.") % {"name": name})
        return self.leave_dialog(request, self.address("changelist"))
