"""What people type into the settings, checked before a service sees it."""

from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console import time_zones
from messaging.models import CannedReply, Label
from units.models import AuditAction, Unit
from units.models.units import validate_time_zone
from units.roles import ALLOWED, Action, Role

_TAKEN = _("This is taken already.")
_LASTS = [("30", _("30 days")), ("90", _("90 days")), ("365", _("1 year")), ("", _("Until it is revoked"))]


class UnitForm(forms.ModelForm):
    """Name, place and goal of the unit."""

    time_zone = forms.CharField(
        label=_("Time zone"),
        max_length=100,
        widget=forms.TextInput(attrs={"list": "time-zones", "autocomplete": "off"}),
        help_text=_("In it are all times, days and sending windows. Empty the field to see all, or type a city."),
        error_messages={"required": _("Choose a time zone from the list.")},
    )
    answer_goal = forms.IntegerField(
        label=_("Answer within (minutes)"),
        min_value=1,
        max_value=10_080,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        help_text=_("Who waits longer stands out in the inbox."),
        error_messages={"min_value": _("At least one minute."), "max_value": _("At most a week: 10,080 minutes.")},
    )

    class Meta:
        model = Unit
        fields = ["name", "time_zone", "answer_goal"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kept = self.instance.time_zone
        self.initial["time_zone"] = time_zones.name_of(self.kept)

    def clean_time_zone(self) -> str:
        told: str = self.cleaned_data["time_zone"]
        # Several zones may have one name: what was not touched stays.
        zone = self.kept if told == self.initial["time_zone"] else time_zones.zone_of(told)
        try:
            validate_time_zone(zone)
        except forms.ValidationError:
            raise forms.ValidationError(_("Choose a time zone from the list.")) from None
        return zone

    @property
    def zones(self) -> list[str]:
        """What the field offers while somebody types."""
        return time_zones.offered()


class RoleForm(forms.Form):
    """A role of those that the unit's person may give."""

    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, *args: Any, unit: Unit, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.ChoiceField", self.fields["role"])
        field.choices = [(role.value, role.label) for role in Role if ALLOWED[role] <= unit.allowed]


class MemberForm(RoleForm):
    """A person who is to work in the unit."""

    email = forms.EmailField(label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    name = forms.CharField(
        label=_("Name (optional)"),
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("For a new account; others keep theirs."),
    )
    field_order = ["email", "name", "role"]

    def clean_email(self) -> str:
        # The programs of units have such addresses.
        if self.cleaned_data["email"].lower().endswith(".invalid"):
            raise forms.ValidationError(_("No mail arrives at this address."))
        return cast("str", self.cleaned_data["email"])


class TokenForm(forms.Form):
    """What a new token is called, may do, and how long it opens."""

    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("What it is for, so that you know it again."))
    lasts = forms.ChoiceField(label=_("Opens for"), choices=_LASTS, required=False, initial="90")
    scopes = forms.MultipleChoiceField(
        label=pgettext_lazy("token", "May"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one thing that it may do.")},
    )

    def __init__(self, *args: Any, allowed: frozenset[Action], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.MultipleChoiceField", self.fields["scopes"])
        field.choices = [(action.value, action.label) for action in Action if action in allowed]

    @property
    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["lasts"]
        return timezone.now() + timedelta(days=int(days)) if days else None

    @property
    def wanted(self) -> frozenset[Action]:
        return frozenset(Action(scope) for scope in self.cleaned_data["scopes"])


class ProgramForm(TokenForm):
    """A program that shall work in the unit, with its first token."""

    role = forms.ChoiceField(label=_("Role"))
    field_order = ["name", "role", "lasts", "scopes"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.ChoiceField", self.fields["role"])
        field.choices = [(role.value, role.label) for role in Role if ALLOWED[role] <= kwargs["allowed"]]

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        role = told.get("role")
        if role and (beyond := [a for a in told.get("scopes", []) if Action(a) not in ALLOWED[Role(role)]]):
            labels = ", ".join(str(Action(action).label) for action in beyond)
            self.add_error("scopes", _("This role may not: %(what)s.") % {"what": labels})
        return told


class _OnceInUnit(forms.ModelForm):
    """What has one name in a unit, in upper or lower case. `save_in` says whether it was free."""

    name_field: str

    def save_in(self, unit: Unit) -> bool:
        self.instance.unit = unit
        try:
            with transaction.atomic():
                # What was removed meanwhile does not come back.
                self.instance.save(force_update=not self.instance._state.adding)
        except IntegrityError:
            self.add_error(self.name_field, _TAKEN)
            return False
        return True


class CannedReplyForm(_OnceInUnit):
    """A text that is often needed."""

    name_field = "shortcut"

    class Meta:
        model = CannedReply
        fields = ["shortcut", "body"]
        widgets = {
            "shortcut": forms.TextInput(attrs={"autocomplete": "off", "placeholder": "horario"}),
            "body": forms.Textarea(attrs={"rows": 5}),
        }
        help_texts = {
            "shortcut": _("What is typed after the “/”: letters, digits, - and _."),
            # Not to be taken for a placeholder of gettext's.
            "body": format_lazy(
                "{} {}", _("These are filled in for each contact:"), "{{ primeiro_nome }}, {{ nome }}, {{ telefone }}."
            ),
        }

    def clean_shortcut(self) -> str:
        return cast("str", self.cleaned_data["shortcut"]).removeprefix("/")


class LabelForm(_OnceInUnit):
    """What conversations are about."""

    name_field = "name"

    class Meta:
        model = Label
        fields = ["name", "color"]
        labels = {"color": _("Colour")}
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "off"}),
            "color": forms.TextInput(attrs={"type": "color"}),
        }

    def clean_color(self) -> str:
        return cast("str", self.cleaned_data["color"]).lower()


class AuditForm(forms.Form):
    """Which entries of the audit log."""

    action = forms.ChoiceField(label=_("What"), required=False)
    actor = forms.ChoiceField(label=_("Who"), required=False)

    def __init__(self, *args: Any, people: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ChoiceField", self.fields["action"]).choices = [("", _("Everything")), *AuditAction.choices]
        cast("forms.ChoiceField", self.fields["actor"]).choices = [("", _("Everybody")), *people]
