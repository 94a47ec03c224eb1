"""Forms of the contact admin: phone numbers in their one normal form, each once in a unit."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminTextInputWidget

from messaging.models import AddressKind, Contact, ContactAddress
from messaging.phones import InvalidPhone, parse_phone


class NewContactForm(forms.ModelForm):
    """A contact is who has a phone number; one that is known already is not made twice."""

    phone = forms.CharField(label=_("phone number"), widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = Contact
        fields = ["unit", "name"]

    def clean_phone(self) -> str:
        try:
            return parse_phone(self.cleaned_data["phone"])
        except InvalidPhone as error:
            raise ValidationError(str(error.message)) from error

    def clean(self) -> None:
        super().clean()
        unit, phone = self.cleaned_data.get("unit"), self.cleaned_data.get("phone")
        if unit and phone and ContactAddress.objects.filter(unit=unit, kind=AddressKind.PHONE, value=phone).exists():
            self.add_error("phone", _("The unit has a contact with this number already."))


class AddressForm(forms.ModelForm):
    """A further phone number of a contact; what was recorded of an address stays with it."""

    class Meta:
        model = ContactAddress
        fields = ["value"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["value"].disabled = True

    def clean_value(self) -> str:
        value = self.cleaned_data["value"]
        if not self.instance._state.adding:
            return value
        try:
            value = parse_phone(value)
        except InvalidPhone as error:
            raise ValidationError(str(error.message)) from error
        same = ContactAddress.objects.filter(unit=self.instance.unit, kind=AddressKind.PHONE, value=value)
        if same.exists():
            raise ValidationError(_("A contact of the unit has this number already."))
        return value


class AddressFormSet(PaginationInlineFormSet):
    """Addresses belong to their contact's unit: the database refuses any other."""

    def _construct_form(self, i: int, **kwargs: Any) -> forms.ModelForm:
        form = super()._construct_form(i, **kwargs)
        if form.instance._state.adding:
            form.instance.unit_id = self.instance.unit_id
            form.instance.kind = AddressKind.PHONE
        return form

    @property
    def empty_form(self) -> forms.ModelForm:
        form = super().empty_form
        form.instance.kind = AddressKind.PHONE
        return form
