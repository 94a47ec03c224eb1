"""Forms of contacts and conversations: numbers in their normal form, what a unit keeps of people, reasons, whose."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm, PaginationInlineFormSet
from unfold.widgets import UnfoldAdminTextInputWidget

from messaging.contacts.attributes import InvalidAttribute, definitions_of, parse, shown
from messaging.models import AddressKind, AttributeDefinition, Contact, ContactAddress, ContactTag, Conversation, Tag
from messaging.phones import InvalidPhone, parse_phone
from units.models import Unit, User


class NewContactForm(forms.ModelForm):
    """A contact with a phone number; one that is known already is not made twice."""

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


class AttributeField(forms.CharField):
    """A value of an attribute, as a person types it; cleaned: in the form in which it is kept, None for nothing."""

    widget = UnfoldAdminTextInputWidget

    def __init__(self, definition: AttributeDefinition) -> None:
        super().__init__(label=definition.name, required=False, help_text=definition.get_kind_display())
        self.definition = definition

    def prepare_value(self, value: Any) -> Any:
        # What was typed is shown as it was typed.
        return value if value is None or isinstance(value, str) else shown(self.definition, value)

    def clean(self, value: Any) -> Any:
        try:
            return parse(self.definition, super().clean(value))
        except InvalidAttribute as error:
            raise ValidationError(str(error.message)) from error


def attribute_fields(unit: Unit) -> dict[str, AttributeField]:
    """A field for each attribute of the unit, by the name that it has in the contact's form."""
    return {f"attribute_{key}": AttributeField(definition) for key, definition in definitions_of(unit).items()}


class ContactForm(forms.ModelForm):
    """A contact that is there, with the attributes of its unit; `for_unit` makes the form that has them."""

    class Meta:
        model = Contact
        fields = ["name"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, AttributeField):
                value = self.instance.attributes.get(name.removeprefix("attribute_"))
                self.initial[name] = None if value is None else shown(field.definition, value)

    @classmethod
    def for_unit(cls, unit: Unit) -> type[forms.ModelForm]:
        return type("ContactForm", (cls,), dict(attribute_fields(unit)))

    def changed_attributes(self) -> dict[str, Any]:
        """Values by key, of those that were edited."""
        return {
            name.removeprefix("attribute_"): self.cleaned_data[name]
            for name, field in self.fields.items()
            if isinstance(field, AttributeField) and name in self.changed_data
        }


class ConversationForm(forms.ModelForm):
    """Whose a conversation is: somebody who works in its unit."""

    class Meta:
        model = Conversation
        fields = ["status", "assigned_to"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "assigned_to" in self.fields:
            people = User.objects.filter(memberships__unit=self.instance.unit_id, is_active=True)
            # Whoever has it now stays in the list, even if no longer allowed to log in.
            people |= User.objects.filter(pk=self.instance.assigned_to_id)
            self.fields["assigned_to"].queryset = people.distinct()  # type: ignore[attr-defined]


class ReasonForm(BaseDialogForm):
    """Why somebody is opted out, blocked, or neither any more."""

    reason = forms.CharField(label=_("reason"), max_length=500, widget=UnfoldAdminTextInputWidget)


class ContactTagForm(forms.ModelForm):
    class Meta:
        model = ContactTag
        fields = ["tag"]

    def clean_tag(self) -> Tag:
        tag: Tag = self.cleaned_data["tag"]
        if tag.unit_id != self.instance.unit_id:
            raise ValidationError(_("This tag is another unit's."))
        return tag


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


class OfContactFormSet(PaginationInlineFormSet):
    """What hangs on a contact belongs to its unit: the database refuses any other."""

    def _construct_form(self, i: int, **kwargs: Any) -> forms.ModelForm:
        form = super()._construct_form(i, **kwargs)
        if form.instance._state.adding:
            form.instance.unit_id = self.instance.unit_id
        return form


class AddressFormSet(OfContactFormSet):
    """What staff add is a phone number."""

    def _construct_form(self, i: int, **kwargs: Any) -> forms.ModelForm:
        form = super()._construct_form(i, **kwargs)
        if form.instance._state.adding:
            form.instance.kind = AddressKind.PHONE
        return form

    @property
    def empty_form(self) -> forms.ModelForm:
        form = super().empty_form
        form.instance.kind = AddressKind.PHONE
        return form
