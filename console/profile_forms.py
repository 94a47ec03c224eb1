"""What people type about themselves."""

from typing import Any, cast

from django import forms
from django.contrib.auth.forms import PasswordChangeForm
from django.utils.translation import gettext_lazy as _

from units.models import Membership, Theme, User


class ProfileForm(forms.ModelForm):
    """Name, look and keys."""

    class Meta:
        model = User
        fields = ["first_name", "last_name", "theme", "has_shortcuts"]
        labels = {"first_name": _("First name"), "last_name": _("Last name")}
        widgets = {
            "first_name": forms.TextInput(attrs={"autocomplete": "given-name"}),
            "last_name": forms.TextInput(attrs={"autocomplete": "family-name"}),
            "theme": forms.RadioSelect,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # There is always one: nothing is no choice.
        cast("forms.TypedChoiceField", self.fields["theme"]).choices = Theme.choices


class PasswordForm(PasswordChangeForm):
    """A new password, for somebody who knows the old one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].label = _("Password now")
        self.fields["old_password"].widget.attrs.pop("autofocus", None)
        self.fields["new_password1"].help_text = _("At least 10 characters, not only digits, and no word that all use.")
        self.fields["new_password2"].help_text = ""


class MailForm(forms.Form):
    """From which of the person's units e-mails come."""

    units = forms.ModelMultipleChoiceField(
        queryset=Membership.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        rows = Membership.objects.filter(user=user).select_related("unit").order_by("unit__name")
        kwargs["initial"] = {"units": [row.pk for row in rows if row.gets_mail]}
        super().__init__(*args, **kwargs)
        self._user = user
        field: Any = self.fields["units"]
        field.queryset = rows
        field.label_from_instance = lambda row: row.unit.name

    def save(self) -> None:
        mine = Membership.objects.filter(user=self._user)
        chosen = [row.pk for row in self.cleaned_data["units"]]
        mine.filter(pk__in=chosen).update(gets_mail=True)
        mine.exclude(pk__in=chosen).update(gets_mail=False)
