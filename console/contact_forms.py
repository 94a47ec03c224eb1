"""What people type about a contact, checked before a service sees it."""

import re
from typing import Any

from django import forms
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.forms import number_of
from console.presentation import CONSENT
from messaging.contacts.attributes import InvalidAttribute, definitions_of, parse, shown
from messaging.contacts.editing import edit
from messaging.contacts.segments import Filter
from messaging.contacts.tags import InvalidTag
from messaging.imports.services import told_apart
from messaging.models import AttributeDefinition, AttributeKind, Contact, ContactImport, Segment, Tag
from units.models import Unit

# To more people than this nothing is done before somebody has typed how many they are.
ASK_TO_TYPE = 1000


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


# What consent's choices ask for, as a segment does.
_CONSENT: dict[str, list[Filter]] = {
    "accepts": [
        {"field": "opted_out", "op": "is", "value": False},
        {"field": "blocked", "op": "is", "value": False},
        {"field": "is_on_whatsapp", "op": "is", "value": True},
    ],
    "out": [{"field": "opted_out", "op": "is", "value": True}],
    "blocked": [{"field": "blocked", "op": "is", "value": True}],
    "absent": [{"field": "is_on_whatsapp", "op": "is", "value": False}],
}


class FilterForm(forms.Form):
    """What the list of contacts can be asked for. `filters()` says the same as a segment does."""

    q = forms.CharField(
        label=_("Search by name or phone"),
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"type": "search", "class": "input", "placeholder": _("Name or phone"), "autocomplete": "off"}
        ),
    )
    tag = forms.ModelChoiceField(Tag.objects.none(), label=_("Tag"), required=False, empty_label=_("Tag"))
    consent = forms.ChoiceField(
        label=pgettext_lazy("contact", "Campaigns"),
        required=False,
        choices=[("", _("Consent")), *((key, look.label) for key, look in reversed(CONSENT.items()))],
    )
    wrote = forms.ChoiceField(
        label=_("Conversation"),
        required=False,
        choices=[
            ("", _("Conversation")),
            ("yes", _("Has written to us")),
            ("no", _("Has never written")),
        ],
    )
    segment = forms.ModelChoiceField(
        Segment.objects.none(), label=_("Segment"), required=False, empty_label=_("Segment")
    )

    def __init__(self, unit: Unit, data: Any) -> None:
        super().__init__(data)
        self.unit = unit
        # A keyword, which no attribute can be called.
        self.fields["import"] = forms.ModelChoiceField(
            ContactImport.objects.none(), label=_("Import"), required=False, empty_label=_("Import")
        )
        for name, rows in (
            ("tag", Tag.objects.filter(unit=unit).order_by(Lower("name"))),
            ("segment", Segment.objects.filter(unit=unit).order_by(Lower("name"))),
            ("import", told_apart(unit).order_by("-created_at")),
        ):
            field: Any = self.fields[name]
            field.queryset = rows
        for name in ("tag", "consent", "wrote", "segment", "import"):
            self.fields[name].widget.attrs |= {"class": "pill", "aria-label": self.fields[name].label}

    def filters(self) -> list[Filter]:
        """All but the words, which no segment asks for in the same way."""
        told = self.cleaned_data
        asked = list(_CONSENT.get(told["consent"], ()))
        if told["tag"]:
            asked.append({"field": "tag", "op": "is", "value": str(told["tag"].pk)})
        if told["wrote"]:
            asked.append({"field": "last_inbound", "op": "ever" if told["wrote"] == "yes" else "never"})
        if told["import"]:
            # Whoever came by it has all tags that it gave; one of them may be on many others.
            asked += [{"field": "tag", "op": "is", "value": name} for name in told["import"].tags]
        return asked + (told["segment"].filters if told["segment"] else [])

    def in_words(self) -> list[str]:
        """What was chosen, each as it is called."""
        told = self.cleaned_data
        words = [f"“{told['q']}”"] if told.get("q") else []
        for name, field in self.fields.items():
            if name != "q" and told.get(name):
                words.append(str(dict(getattr(field, "choices", ())).get(told[name]) or told[name]))
        return words


class BulkForm(forms.Form):
    """What to do to many at once; where they are very many, their number as well, so that nobody does it by mistake."""

    def __init__(self, count: int, data: Any = None) -> None:
        super().__init__(data)
        self.count = count
        if count > ASK_TO_TYPE:
            self.fields["typed"] = forms.CharField(
                label=_("Type the number of people to confirm"),
                widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
                error_messages={"required": _("Type the number that stands above.")},
            )

    def states_enough(self) -> bool:
        """Whether the dialog that was confirmed stated as many people as there are now; fewer do not matter."""
        stated = number_of(self.data.get("people"))
        return stated is not None and stated >= self.count

    def clean_typed(self) -> str:
        """Digits count, however they are grouped."""
        typed: str = self.cleaned_data["typed"]
        people = self.data["people"] if self.states_enough() else str(self.count)
        if re.sub(r"\D", "", typed) != people:
            raise forms.ValidationError(_("Type the number that stands above."))
        return typed


class TagManyForm(BulkForm):
    """A tag for many, or off many. `tag` is the list's filter, which is in the same form."""

    tag_name = forms.CharField(
        label=_("Tag"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "tags-there-are"}),
        error_messages={"required": _("Name the tag.")},
    )


class OptOutManyForm(BulkForm, ReasonForm):
    """Why many get no campaigns any more."""
