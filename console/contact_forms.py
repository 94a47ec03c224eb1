"""What people type about a contact, checked before a service sees it."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from messaging.contacts.attributes import InvalidAttribute, definitions_of, parse, shown
from messaging.contacts.editing import edit
from messaging.contacts.tags import InvalidTag
from messaging.models import AttributeDefinition, AttributeKind, Contact


class AttributeField(forms.CharField):
    """A value of an attribute; cleaned: in the form in which it is kept, None for nothing."""

    def __init__(self, definition: AttributeDefinition) -> None:
        examples = {
            AttributeKind.NUMBER: _("A number, such as 1234,50."),
            AttributeKind.DATE: _("A date, such as 22/11/2026."),
            AttributeKind.BOOLEAN: _("Yes or no."),
        }
        self.definition = definition
        example = examples.get(AttributeKind(definition.kind), "")
        super().__init__(label=definition.name, required=False, help_text=example)
        self.widget.attrs["autocomplete"] = "off"

    def clean(self, value: Any) -> Any:
        try:
            return parse(self.definition, super().clean(value))
        except InvalidAttribute as error:
            raise forms.ValidationError(error.message) from error


class ContactDetailsForm(forms.Form):
    """Name, tags and attributes of a contact that is there. `save()` writes what was changed."""

    name = forms.CharField(
        label=_("Name"), max_length=200, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=2000,
        help_text=_("Separated by commas. A new one is made."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, contact: Contact, data: Any = None) -> None:
        names = sorted((tag.name for tag in contact.tags.all()), key=str.casefold)
        initial: dict[str, Any] = {"name": contact.name, "tags": ", ".join(names)}
        self.contact = contact
        definitions = definitions_of(contact.unit)
        for key, definition in definitions.items():
            value = contact.attributes.get(key)
            initial[f"attribute_{key}"] = "" if value is None else shown(definition, value)
        super().__init__(data, initial=initial)
        for key, definition in definitions.items():
            self.fields[f"attribute_{key}"] = AttributeField(definition)

    def save(self) -> bool:
        """Whether it was written; otherwise the reason stands beside the field."""
        told, changed = self.cleaned_data, set(self.changed_data)
        attributes = {name for name in changed if name.startswith("attribute_")}
        try:
            edit(
                self.contact,
                name=told["name"] if "name" in changed else None,
                tag_names=[name for name in told["tags"].split(",") if name.strip()] if "tags" in changed else None,
                values={name.removeprefix("attribute_"): told[name] for name in attributes} or None,
            )
        except InvalidTag as error:
            self.add_error("tags", error.message)
            return False
        except InvalidAttribute as error:
            # Its definition has gone since the page was opened.
            self.add_error(None, error.message)
            return False
        return True


class ReasonForm(forms.Form):
    """Why somebody is opted out, blocked, or neither any more."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Say why, for whoever looks at it later.")},
    )
