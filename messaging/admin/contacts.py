"""Admin of contacts."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from messaging.admin.forms import (
    AddressForm,
    AddressFormSet,
    ContactForm,
    ContactTagForm,
    NewContactForm,
    OfContactFormSet,
    ReasonForm,
    attribute_fields,
)
from messaging.contacts import consent
from messaging.contacts.editing import edit
from messaging.models import Contact, ContactAddress, ContactTag, OptOut, OptOutSource
from messaging.people import contact_by_phone, delete_contact
from messaging.phones import shown
from units.model_admin import ModelAdmin, ReadOnlyAdmin
from units.models import User


def contacts_matching(term: str) -> QuerySet[Contact]:
    """Contacts whose name contains `term`, or one of whose addresses contains its digits."""
    found = Q(name__icontains=term)
    digits = "".join(filter(str.isdigit, term))
    if len(digits) >= 4:
        found |= Q(id__in=ContactAddress.objects.filter(value__contains=digits).values("contact"))
    return Contact.objects.filter(found)


def _moment(at: datetime) -> str:
    return date_format(localtime(at), "SHORT_DATETIME_FORMAT")


def _in_words(row: OptOut) -> str:
    """An opt-out in a line: address, since when and until when, by whom and why."""
    said = " · ".join(filter(None, [row.get_source_display(), str(row.by or ""), row.reason]))
    line = f"{row.value}: {_moment(row.created_at)} ({said})"
    if row.lifted_at is None:
        return line
    why = " · ".join(filter(None, [str(row.lifted_by or ""), row.lifted_reason]))
    return gettext("%(opt_out)s, lifted %(at)s (%(why)s)") % {"opt_out": line, "at": _moment(row.lifted_at), "why": why}


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


class TagInline(TabularInline):
    model = ContactTag
    form = ContactTagForm
    formset: type[BaseInlineFormSet] = OfContactFormSet
    extra = 0
    fields = ["tag"]
    autocomplete_fields = ["tag"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ContactTag]:
        return super().get_queryset(request).select_related("tag")


def with_reason(
    do: Callable[[Contact, str, User], Any],
    *,
    description: str | Promise,
    icon: str,
    title: str | Promise,
    meaning: str | Promise,
    variant: ActionVariant = ActionVariant.DEFAULT,
) -> Any:
    """An action on a contact's page that asks why, does it as the member of the staff, and notes it in the history."""

    @action(
        description=description,
        icon=icon,
        variant=variant,
        permissions=["act"],
        dialog={
            "title": title,
            "description": meaning,
            "form_class": ReasonForm,
            "form_submit_text": description,
        },
    )
    def act(self: ModelAdmin, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        contact, reason = self.object_or_404(request, object_id), form.cleaned_data["reason"]
        do(contact, reason, cast("User", request.user))
        self.log_change(request, contact, f"{description}: {reason}")
        return self.leave_dialog(request, self.address("change", object_id))

    return act


@admin.register(Contact)
class ContactAdmin(ModelAdmin):
    sortable_by = ReadOnlyAdmin.sortable_by
    list_display = ["__str__", "phone", "unit", "can_be_written_to", "tag_names", "is_group", "created_at"]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("contact_tags__tag", AutocompleteSelectFilter),
        "is_group",
        ("blocked_at", RangeDateTimeFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_select_related = ["unit"]
    search_fields = ["name"]
    search_help_text = _("Name, or at least four digits of the number")
    autocomplete_fields = ["unit"]
    ordering = ["-id"]
    actions_detail = ["opt_out", "lift_opt_out", "block", "unblock", "delete_for_good"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        # Autocompletes elsewhere, too, show the number of a contact without a name.
        opted_out = Exists(ContactAddress.objects.filter(contact=OuterRef("pk")).opted_out())
        return super().get_queryset(request).prefetch_related("addresses", "tags").annotate(opted_out=opted_out)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        if search_term:
            queryset = queryset.filter(id__in=contacts_matching(search_term).values("id"))
        return queryset, False

    def get_fields(self, request: HttpRequest, obj: Contact | None = None) -> list[str]:
        if obj is None:
            return ["unit", "name", "phone"]
        attributes = attribute_fields(obj.unit) if self.has_change_permission(request, obj) else {}
        return ["unit", "name", *attributes, "blocked_since", "consent_history"]

    def get_readonly_fields(self, request: HttpRequest, obj: Contact | None = None) -> list[str]:
        return ["unit", "blocked_since", "consent_history"] if obj else []

    def get_form(self, request: HttpRequest, obj: Contact | None = None, **kwargs: Any) -> Any:
        kwargs["form"] = ContactForm.for_unit(obj.unit) if obj else NewContactForm
        return super().get_form(request, obj, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Contact | None) -> list[type[TabularInline]]:
        return [AddressInline, TagInline] if obj else []

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[UnfoldAction]:
        """Of each pair the one that changes something."""
        contact: Any = self.get_object(request, str(object_id))
        hidden = {"opt_out", "lift_opt_out", "block", "unblock"}
        if contact is not None and not contact.is_group:
            hidden = {
                "opt_out" if contact.opted_out else "lift_opt_out",
                "block" if contact.blocked_at else "unblock",
            }
        every = super().get_actions_detail(request, object_id)
        return [one for one in every if one.action_name.removeprefix("messaging_contact_") not in hidden]

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

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change:
            # Last, since it tells of all that was changed here.
            name = form.instance.name if "name" in form.changed_data else None
            edit(form.instance, name=name, values=form.changed_attributes())

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
        if contact.blocked_at:
            return "none", gettext("Blocked")
        if contact.opted_out:
            return "no", gettext("Opted out")
        if any(address.not_on_whatsapp_at for address in addresses):
            return "none", gettext("Not on WhatsApp")
        return "yes", gettext("Accepts")

    @display(description=_("tags"))
    def tag_names(self, contact: Contact) -> str:
        return " · ".join(sorted((tag.name for tag in contact.tags.all()), key=str.casefold))

    @display(description=_("blocked"))
    def blocked_since(self, contact: Contact) -> str:
        if contact.blocked_at is None:
            return gettext("No")
        return f"{_moment(contact.blocked_at)} · {contact.blocked_reason}"

    @display(description=_("campaigns"))
    def consent_history(self, contact: Contact) -> str:
        """Every opt-out of the contact's addresses, the latest first."""
        lines = ((_in_words(row),) for row in consent.history(contact))
        return format_html("<ul>{}</ul>", found) if (found := format_html_join("", "<li>{}</li>", lines)) else "–"

    opt_out = with_reason(
        lambda contact, reason, by: consent.opt_out(contact, source=OptOutSource.STAFF, reason=reason, by=by),
        description=_("Opt out"),
        icon="notifications_off",
        title=_("No more campaigns to this contact?"),
        meaning=_("It holds for all addresses. People can still be answered in their chat."),
    )
    lift_opt_out = with_reason(
        lambda contact, reason, by: consent.lift(contact, reason=reason, by=by),
        description=_("Allow campaigns"),
        icon="notifications_active",
        title=_("Campaigns to this contact again?"),
        meaning=_("Only when the person has asked for it. The reason is kept."),
    )
    block = with_reason(
        lambda contact, reason, by: consent.block(contact, reason=reason, by=by),
        description=_("Block"),
        icon="block",
        title=_("Block this contact?"),
        meaning=_("Neither campaigns nor replies are sent to it any more. What it writes still comes in."),
        variant=ActionVariant.DANGER,
    )
    unblock = with_reason(
        lambda contact, reason, by: consent.unblock(contact, reason=reason, by=by),
        description=_("Unblock"),
        icon="lock_open",
        title=_("Unblock this contact?"),
        meaning=_("It can be written to again."),
    )

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
        return self.erase_row(request, object_id, delete_contact)
