"""Forms of the unit admin: people by their e-mail, and what is asked before a unit or its number changes."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.forms import BaseDialogForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from units import members
from units.models import Action, ApiToken, Membership, Role, Unit, User, Weekday, WhatsAppConnection


class EmailIsLowerCase(forms.ModelForm):
    """People are found by their e-mail in lower case (`UserManager`)."""

    def clean_email(self) -> str:
        return self.cleaned_data["email"].lower()


class NewUserForm(EmailIsLowerCase, UserCreationForm):
    class Meta:
        model = User
        fields = ("email",)


class ChangeUserForm(EmailIsLowerCase, UserChangeForm):
    class Meta:
        model = User
        fields = [
            "email",
            "password",
            "first_name",
            "last_name",
            "is_active",
            "is_staff",
            "is_superuser",
            "groups",
        ]


class DeleteUnitForm(BaseDialogForm):
    """Everything of a unit goes at once, so its name is typed first."""

    name = forms.CharField(label=_("Type the unit's name to confirm"), widget=UnfoldAdminTextInputWidget)

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip()
        if not Unit.objects.filter(pk=self.object_id, name=name).exists():
            raise ValidationError(_("This is not the unit's name. Nothing was deleted."))
        return name


class MembershipForm(forms.ModelForm):
    """Who works in a unit. Another person is another membership."""

    class Meta:
        model = Membership
        fields = ["user", "role"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["user"].disabled = True

    def clean_user(self) -> User:
        user: User = self.cleaned_data["user"]
        if user.is_integration and self.instance._state.adding:
            # It would end with its place here, also for the unit that made it.
            raise ValidationError(_("A program works in the unit that made it alone."))
        return user


class MembershipFormSet(BaseInlineFormSet):
    """The people of a unit, of whom one stays its owner."""

    def clean(self) -> None:
        """Raises ValidationError when a unit would lose its owners. Until it is saved nobody else changes that."""
        super().clean()
        if self.instance._state.adding or any(self.errors):
            return
        members.lock(self.instance)
        if members.owners(self.instance).exists() and not any(self._owns(form) for form in self.forms):
            raise ValidationError(members.LAST_OWNER)

    def _owns(self, form: Any) -> bool:
        told = form.cleaned_data
        if not told.get("user") or told.get("DELETE") or told.get("role") != Role.OWNER:
            return False
        return bool(told["user"].is_active and not told["user"].is_integration)


class TokenForm(forms.ModelForm):
    """A new token, with a box for each thing that it may do."""

    scopes = forms.MultipleChoiceField(
        label=pgettext_lazy("token", "May"),
        choices=Action,
        initial=Action.values,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("What the role of the person does not allow stays forbidden."),
    )

    class Meta:
        model = ApiToken
        fields = ["user", "unit", "name", "scopes", "expires_at"]

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        user, unit = told.get("user"), told.get("unit")
        if user and unit and not Membership.objects.filter(user=user, unit=unit).exists():
            self.add_error("unit", _("This person does not work in this unit."))
        return told


class ConnectForm(BaseDialogForm):
    phone_number = forms.CharField(
        label=_("Phone number"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Only for a pairing code, to type on the phone. Leave empty to scan a QR code."),
    )


class DisconnectForm(BaseDialogForm):
    """Says which number it is."""

    form_before_template = "admin/units/before_disconnect.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {"connection": WhatsAppConnection.objects.select_related("unit").filter(pk=object_id).first()}


class PaceForm(forms.ModelForm):
    """A number's pace, with a box for each day of the week."""

    window_days = forms.TypedMultipleChoiceField(
        label=_("Send campaigns on"),
        choices=Weekday,
        coerce=int,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = WhatsAppConnection
        fields = ["window_days"]
