"""Confirming a step of a campaign, and how many people it is for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django import forms
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from campaigns import audience, content
from campaigns.models import Campaign
from console.forms import local_time_field, not_past, number_of

# By these more people get it: they go by the number and the edition that the dialog showed.
STATED = ("start", "schedule", "resume", "retry")
# More people than this: the confirmation also asks to type how many.
TYPED_ABOVE = 1000


@dataclass(frozen=True, slots=True)
class Reach:
    """How many people get a campaign by a step. `new`: those of them whom nobody has confirmed before."""

    people: int
    new: int

    @classmethod
    def of(cls, campaign: Campaign, action: str, *, left: int) -> Self:
        """Counted now. `left`: of one that has begun, who has not got it, or is tried again."""
        if action == "retry":
            return cls(left, 0)
        if action == "resume":
            coming = audience.still_to_come(campaign)
            return cls(left + coming, coming)
        people = content.tally(campaign).people
        return cls(people, people)

    def is_within(self, stated: str) -> bool:
        """Whether a dialog with the number `stated` said enough: those who dropped out since stop nobody else."""
        said = number_of(stated)
        return said is not None and said >= self.people

    def asked_again(self) -> str:
        """What is said when fewer were confirmed."""
        sentence = ngettext(
            "It is for %(people)s person now. Confirm it once more.",
            "It is for %(people)s people now. Confirm it once more.",
            self.people,
        )
        return sentence % {"people": number_format(self.people, force_grouping=True)}

    @property
    def to_type(self) -> int | None:
        """The number to be typed, where there are many."""
        return self.people if self.new and self.people > TYPED_ABOVE else None


class ConfirmForm(forms.Form):
    """Confirms a step: many people have to be typed as a number, scheduling wants a time, a test a phone."""

    # What the dialog stated: how many people, and which edition of the campaign (`campaigns.editions`).
    people = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    seen = forms.CharField(required=False, max_length=32, widget=forms.HiddenInput)
    at = local_time_field(required=True)
    typed = forms.CharField(
        max_length=12,
        error_messages={"required": _("Type the number to go on.")},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    phone = forms.CharField(
        label=_("Number of the phone"),
        max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "inputmode": "tel", "placeholder": "(11) 90000-0142"}),
        error_messages={"required": _("Type the number, with area code.")},
    )

    def __init__(
        self, *args: Any, typed: int | None, needs_time: bool, needs_phone: bool = False, **kwargs: Any
    ) -> None:
        """`typed`: how many people must be typed; None: nothing."""
        super().__init__(*args, **kwargs)
        self.wanted = typed
        if typed is None:
            del self.fields["typed"]
        else:
            self.fields["typed"].label = _("Type %(people)d to confirm") % {"people": typed}
        if not needs_time:
            del self.fields["at"]
        if not needs_phone:
            del self.fields["phone"]

    def clean_at(self) -> datetime:
        return not_past(self.cleaned_data["at"])

    def clean_typed(self) -> str:
        typed = self.cleaned_data["typed"]
        if "".join(char for char in typed if char.isdigit()) != str(self.wanted):
            raise forms.ValidationError(_("The number does not match."))
        return typed


class FinishForm(forms.Form):
    """When a campaign shall have reached everybody."""

    by = local_time_field(required=True)
