"""Forms of the unit admin: people by their e-mail, and what is asked before a unit or its number changes."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from units.models import Unit, User, Weekday, WhatsAppConnection


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


class ConnectForm(BaseDialogForm):
    phone_number = forms.CharField(
        label=_("Phone number"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Only for a pairing code, to type on the phone. Leave empty to scan a QR code."),
    )


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
