"""What people type into the console, checked before a service sees it: the log-in, a person, a time."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from messaging import people
from messaging.models import Contact
from messaging.phones import InvalidPhone
from units.models import Unit


class LoginForm(AuthenticationForm):
    """E-mail and password."""

    username = forms.EmailField(
        label=_("E-mail"), widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"})
    )
    error_messages = {
        "invalid_login": _("E-mail and password do not match. Check both and try again."),
        "inactive": _("This access was turned off. Ask whoever manages your unit."),
    }


class ForgottenPasswordForm(forms.Form):
    """Somebody who has forgotten the password."""

    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )


def phone_field() -> forms.CharField:
    return forms.CharField(
        label=_("Phone"),
        max_length=24,
        widget=forms.TextInput(
            attrs={"type": "tel", "inputmode": "tel", "autocomplete": "off", "placeholder": "(11) 90000-0142"}
        ),
        error_messages={"required": _("Type the number, with area code.")},
    )


class ContactForm(forms.Form):
    """A person by phone number. `save()` finds or makes the contact."""

    name = forms.CharField(
        label=_("Name (optional)"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    phone = phone_field()

    def save(self, unit: Unit) -> Contact | None:
        """The contact, or None with the reason beside the field when it is no phone number."""
        try:
            return people.contact_by_phone(unit, self.cleaned_data["phone"], self.cleaned_data["name"])
        except InvalidPhone as error:
            self.add_error("phone", error.message)
            return None


INPUT_FORMAT = "%Y-%m-%dT%H:%M"
LAST_YEAR = 2100


def local_input(moment: datetime) -> str:
    """As the browser's field for a day and a time wants it, in the unit's zone."""
    return timezone.localtime(moment).strftime(INPUT_FORMAT)


class _LocalTimeField(forms.DateTimeField):
    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        # In UTC it may be past what a calendar, or the database, knows.
        if moment and not 2000 <= moment.year <= LAST_YEAR:
            raise forms.ValidationError(self.error_messages["invalid"])
        return moment


def local_time_field(*, required: bool) -> forms.DateTimeField:
    """A day and a time in the unit's zone."""
    missing = _("Choose a day and a time.")
    return _LocalTimeField(
        label=_("Day and time"),
        required=required,
        input_formats=[INPUT_FORMAT],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=INPUT_FORMAT),
        error_messages={"invalid": missing, "required": missing},
    )


def time_of(text: str) -> datetime | None:
    """What such a field sends, as a time; None for anything else."""
    try:
        return cast("datetime | None", local_time_field(required=False).clean(text))
    except forms.ValidationError:
        return None


def uuid_of(text: str | None) -> UUID | None:
    """An id that a page sent; None for anything else."""
    try:
        return UUID(text or "")
    except ValueError:
        return None


def number_of(text: str | None, *, most: int = 999_999_999) -> int | None:
    """A number that a page sent, `most` at the most; None for anything else."""
    return min(int(text), most) if text and text.isdecimal() and len(text) < 10 else None


def not_past(moment: datetime) -> datetime:
    """`moment` itself. Raises ValidationError when it has passed."""
    if moment <= timezone.now():
        raise forms.ValidationError(_("This time has passed. Choose a later one."))
    return moment
