"""What people type into the console, checked before a service sees it."""

from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from messaging import people, services
from messaging.models import Contact
from messaging.phones import InvalidPhone, parse_phone, split_phones
from units.models import Unit, WhatsAppConnection

# A campaign's text: what a phone shows before "read more" many times over.
MAX_CAMPAIGN_TEXT = 4096
# A pasted list is worked through in the request; longer lists are contacts to import first.
MAX_PASTED = 1000


class LoginForm(AuthenticationForm):
    """E-mail and password."""

    username = forms.EmailField(
        label=_("E-mail"), widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"})
    )
    error_messages = {
        "invalid_login": _("E-mail and password do not match. Check both and try again."),
        "inactive": _("This access was turned off. Ask whoever manages your unit."),
    }


class MessageForm(forms.Form):
    """One reply."""

    text = forms.CharField(
        max_length=services.MAX_TEXT,
        error_messages={"required": _("Write something before sending.")},
    )


class PhoneForm(forms.Form):
    """The number that asks for a pairing code; empty: a QR code."""

    phone_number = forms.CharField(
        label=_("Number of the phone"),
        max_length=24,
        required=False,
        widget=forms.TextInput(
            attrs={"type": "tel", "inputmode": "tel", "autocomplete": "tel", "placeholder": "(11) 90000-0142"}
        ),
    )


class GroupsForm(forms.ModelForm):
    """Whether the number's groups become conversations."""

    class Meta:
        model = WhatsAppConnection
        fields = ["groups_enabled"]


class ContactForm(forms.Form):
    """A person by phone number. `save()` finds or makes the contact."""

    name = forms.CharField(
        label=_("Name (optional)"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    phone = forms.CharField(
        label=_("Phone"),
        max_length=24,
        widget=forms.TextInput(
            attrs={"type": "tel", "inputmode": "tel", "autocomplete": "off", "placeholder": "(11) 90000-0142"}
        ),
        error_messages={"required": _("Type the number, with area code.")},
    )

    def save(self, unit: Unit) -> Contact | None:
        """The contact, or None with the reason beside the field when it is no phone number."""
        try:
            return people.contact_by_phone(unit, self.cleaned_data["phone"], self.cleaned_data["name"])
        except InvalidPhone as error:
            self.add_error("phone", error.message)
            return None


INPUT_FORMAT = "%Y-%m-%dT%H:%M"


def local_input(moment: datetime) -> str:
    """As the browser's field for a day and a time wants it, in the unit's zone."""
    return timezone.localtime(moment).strftime(INPUT_FORMAT)


def local_time_field(*, required: bool) -> forms.DateTimeField:
    """A day and a time in the unit's zone."""
    missing = _("Choose a day and a time.")
    return forms.DateTimeField(
        label=_("Day and time"),
        required=required,
        input_formats=[INPUT_FORMAT],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=INPUT_FORMAT),
        error_messages={"invalid": missing, "required": missing},
    )


def not_past(moment: datetime) -> datetime:
    """`moment` itself. Raises ValidationError when it has passed."""
    if moment <= timezone.now():
        raise forms.ValidationError(_("This time has passed. Choose a later one."))
    return moment


class ConfirmForm(forms.Form):
    """The yes to a step of a campaign: with the number of people typed when they are many, with a time to schedule."""

    at = local_time_field(required=True)
    typed = forms.CharField(
        max_length=12,
        error_messages={"required": _("Type the number to go on.")},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, people: int | None, needs_time: bool, **kwargs: Any) -> None:
        """`people`: how many must be typed; None: nothing."""
        super().__init__(*args, **kwargs)
        self.people = people
        if people is None:
            del self.fields["typed"]
        else:
            self.fields["typed"].label = _("Type %(people)d to confirm") % {"people": people}
        if not needs_time:
            del self.fields["at"]

    def clean_at(self) -> datetime:
        return not_past(self.cleaned_data["at"])

    def clean_typed(self) -> str:
        typed = self.cleaned_data["typed"]
        if "".join(char for char in typed if char.isdigit()) != str(self.people):
            raise forms.ValidationError(_("The number does not match."))
        return typed


class CampaignForm(forms.Form):
    """What to say, to whom, and when. `audience()` gives the people."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        help_text=_("Only your team sees it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Give the campaign a name, to find it later.")},
    )
    content = forms.CharField(
        label=_("Text"),
        max_length=MAX_CAMPAIGN_TEXT,
        widget=forms.Textarea(attrs={"rows": 6, "maxlength": MAX_CAMPAIGN_TEXT}),
        error_messages={"required": _("Write the message.")},
    )
    to = forms.ChoiceField(
        label=_("Who receives it"),
        choices=[
            ("all", _("All contacts")),
            ("chosen", _("Contacts I choose")),
            ("pasted", _("A list of phone numbers")),
        ],
        widget=forms.RadioSelect,
        initial="all",
    )
    contacts = forms.ModelMultipleChoiceField(Contact.objects.none(), required=False)
    phones = forms.CharField(
        label=_("Phone numbers, one per line"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "inputmode": "tel", "placeholder": "(11) 90000-0142\n(11) 90000-0208"}),
    )
    when = forms.ChoiceField(
        label=_("When"),
        choices=[("now", _("Start when I confirm")), ("later", _("Schedule"))],
        widget=forms.RadioSelect,
        initial="now",
    )
    scheduled_at = local_time_field(required=False)

    def __init__(self, unit: Unit, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unit = unit
        self.everybody = Contact.objects.people().filter(unit=unit)
        cast(forms.ModelMultipleChoiceField, self.fields["contacts"]).queryset = self.everybody
        self.pasted: list[str] = []

    def clean_scheduled_at(self) -> datetime | None:
        at = self.cleaned_data["scheduled_at"]
        if self.data.get("when") != "later":
            return None
        if at is None:
            raise forms.ValidationError(_("Choose a day and a time."))
        return not_past(at)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        to = data.get("to")
        if to == "chosen" and not data.get("contacts"):
            self.add_error("contacts", _("Choose at least one contact."))
        if to == "all" and not self.everybody.exists():
            self.add_error("to", _("There are no contacts yet. Add some, or paste phone numbers."))
        if to == "pasted" and not self.errors:
            self._clean_phones(split_phones(data.get("phones", "")))
        return data

    def _clean_phones(self, numbers: list[str]) -> None:
        if not numbers:
            self.add_error("phones", _("Paste at least one phone number."))
            return
        if len(numbers) > MAX_PASTED:
            self.add_error("phones", _("Up to 1,000 numbers at a time."))
            return
        refused = []
        for number in numbers:
            try:
                self.pasted.append(parse_phone(number))
            except InvalidPhone as error:
                refused.append(f"{number}: {error.message}")
        if refused:
            count = len(refused)
            summary = ngettext("%(count)d number was not understood:", "%(count)d numbers were not understood:", count)
            for reason in [summary % {"count": count}, *refused[:5]]:
                self.add_error("phones", reason)

    def audience(self) -> QuerySet[Contact] | list[Contact]:
        """Who receives it, after `is_valid()`. People of a pasted list become contacts here."""
        match self.cleaned_data["to"]:
            case "chosen":
                return self.cleaned_data["contacts"]
            case "pasted":
                return [people.contact_by_phone(self.unit, number) for number in self.pasted]
            case _:
                return self.everybody
