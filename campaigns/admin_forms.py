"""Forms of the campaign admin: who gets a campaign, and the questions asked before it moves."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from messaging.models import Contact
from messaging.people import contact_by_phone
from messaging.phones import InvalidPhone, parse_phone, split_phones
from units.models import Unit

# While nothing has gone out, what goes out and to whom may change.
EDITABLE = frozenset({CampaignStatus.DRAFT, CampaignStatus.SCHEDULED})


class PhoneListField(forms.CharField):
    """Pasted phone numbers, separated by lines, commas or semicolons; cleaned: each once, in E.164."""

    # Each becomes a contact within the request; longer lists are imported as contacts first.
    MOST = 2_000
    widget = UnfoldAdminTextareaWidget

    def clean(self, value: Any) -> list[str]:
        typed = split_phones(super().clean(value))
        if len(typed) > self.MOST:
            raise ValidationError(
                _("These are %(count)d numbers; at most %(most)d fit here. Import the contacts first."),
                params={"count": len(typed), "most": self.MOST},
            )
        phones: dict[str, None] = {}
        refused = []
        for text in typed:
            try:
                phones[parse_phone(text)] = None
            except InvalidPhone:
                refused.append(text)
        if refused:
            sentence = ngettext(
                "%(count)d number cannot be read: %(numbers)s",
                "%(count)d numbers cannot be read: %(numbers)s",
                len(refused),
            )
            raise ValidationError(sentence % {"count": len(refused), "numbers": " · ".join(refused[:10])})
        return list(phones)


class AudienceForm(forms.Form):
    """Who gets the campaign."""

    phones = PhoneListField(
        label=_("Phone numbers"),
        required=False,
        help_text=_("One per line, or separated by commas. New numbers become contacts of the unit."),
    )
    everyone = forms.BooleanField(label=_("All contacts of the unit"), required=False, widget=UnfoldBooleanSwitchWidget)

    def contacts(self, unit: Unit) -> QuerySet[Contact]:
        """The chosen contacts of `unit`; makes those that are new."""
        chosen = [contact_by_phone(unit, phone).pk for phone in self.cleaned_data["phones"]]
        contacts = Contact.objects.people().filter(unit=unit)
        return contacts if self.cleaned_data["everyone"] else contacts.filter(pk__in=chosen)


class NewCampaignForm(AudienceForm, forms.ModelForm):
    class Meta:
        model = Campaign
        fields = ["unit", "name", "content", "scheduled_at"]
        widgets = {"name": UnfoldAdminTextInputWidget}

    def clean_scheduled_at(self) -> Any:
        return _in_the_future(self.cleaned_data["scheduled_at"])


class ChangeCampaignForm(forms.ModelForm):
    class Meta:
        model = Campaign
        fields = ["name", "content"]
        widgets = {"name": UnfoldAdminTextInputWidget}

    def clean(self) -> None:
        """A campaign that has started since the form was opened keeps the text that it started with."""
        super().clean()
        status = Campaign.objects.select_for_update(no_key=True).values_list("status", flat=True)
        if status.get(pk=self.instance.pk) not in EDITABLE:
            raise ValidationError(_("The campaign has started in the meantime. Its text stays as it is."))


class CampaignDialog(BaseDialogForm):
    """A question about one campaign, which shows where it stands."""

    form_before_template = "admin/campaigns/before_action.html"
    what = ""

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        campaign = Campaign.objects.filter(pk=object_id).select_related("unit__connection").first()
        if campaign is None:
            return {}
        progress = campaign.progress()
        waiting = progress[RecipientStatus.PENDING] + progress[RecipientStatus.QUEUED]
        return {
            "what": self.what,
            "campaign": campaign,
            "total": progress["total"],
            "waiting": waiting,
            "handled": progress["total"] - waiting,
        }


class StartDialog(CampaignDialog):
    what = "start"


class CancelDialog(CampaignDialog):
    what = "cancel"


class LocalDateTimeInput(forms.DateTimeInput):
    """The browser's own picker: the admin's is set up when a page loads, not in a dialog."""

    input_type = "datetime-local"


class ScheduleDialog(BaseDialogForm):
    at = forms.DateTimeField(
        label=_("Send on"),
        widget=LocalDateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"class": " ".join(INPUT_CLASSES)}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["at"].help_text = _("Time zone: %(name)s") % {"name": timezone.get_current_timezone_name()}

    def clean_at(self) -> Any:
        return _in_the_future(self.cleaned_data["at"])


class AudienceDialog(BaseDialogForm, AudienceForm):
    """Recipients for a campaign that exists."""

    def clean(self) -> None:
        super().clean()
        if not self.errors and not self.cleaned_data["phones"] and not self.cleaned_data["everyone"]:
            raise ValidationError(_("Nobody was chosen."))


def _in_the_future(at: Any) -> Any:
    if at is not None and at <= timezone.now():
        raise ValidationError(_("This time has passed already."))
    return at
