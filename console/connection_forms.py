"""What people type about the unit's number, checked before a service sees it."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext_lazy as _

from console.forms import local_time_field
from units import pacing
from units.models import Weekday, WhatsAppConnection

MOST_A_DAY = 1_000_000


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


class LaterForm(forms.Form):
    """When what waited shall be sent."""

    at = local_time_field(required=True)


class PaceForm(forms.ModelForm):
    """How fast and when the number sends campaigns, by the rules that the model keeps. `save()` writes what changed."""

    daily_cap = forms.IntegerField(
        label=_("Campaign messages per day"),
        help_text=_("Empty: no limit."),
        required=False,
        min_value=1,
        max_value=MOST_A_DAY,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        error_messages={
            "invalid": _("A whole number, or empty for no limit."),
            "min_value": _("At least 1, or empty for no limit. To stop campaigns, pause them."),
            "max_value": _("At most 1,000,000, or empty for no limit."),
        },
    )
    window_days = forms.TypedMultipleChoiceField(
        label=_("Send campaigns on"),
        choices=Weekday,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one day of the week. To stop campaigns, pause them.")},
    )

    class Meta:
        model = WhatsAppConnection
        fields = [
            "interval_seconds",
            "jitter_seconds",
            "daily_cap",
            "in_use_since",
            "window_start",
            "window_end",
            "window_days",
        ]
        widgets = {
            # Any step: the browser would take 2.5 for an error beside a step of 1.
            "interval_seconds": forms.NumberInput(attrs={"min": "1", "max": "3600", "step": "any"}),
            "jitter_seconds": forms.NumberInput(attrs={"min": "0", "max": "600", "step": "any"}),
            "in_use_since": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "window_start": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "window_end": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        }
        labels = {"window_start": _("Campaigns from"), "window_end": _("Campaigns until")}
        _seconds = {
            "required": _("How many seconds?"),
            "invalid": _("A number of seconds, such as 2 or 2.5."),
            "min_value": _("At least %(limit_value)s s."),
            "max_value": _("At most %(limit_value)s s."),
            "max_decimal_places": _("At most three decimal places."),
        }
        error_messages = {"interval_seconds": _seconds, "jitter_seconds": _seconds}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("interval_seconds", "jitter_seconds"):
            # 2.500 is how the column has it, not a person.
            self.initial[name] = f"{Decimal(self.initial[name]).normalize():f}"

    @property
    def days(self) -> list[tuple[Any, Any]]:
        """The days of the week as boxes, each with its short name."""
        return list(zip(self["window_days"].subwidgets, WEEKDAYS_ABBR.values(), strict=True))

    def save(self, commit: bool = True) -> WhatsAppConnection:
        """Only the columns that were changed."""
        return pacing.change(self.instance, {name: self.cleaned_data[name] for name in self.changed_data})
