"""The questions that are asked before a campaign moves, each with the number of people it is about."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import INPUT_CLASSES, UnfoldAdminTextInputWidget

from campaigns import audience, content
from campaigns.admin_forms import PhoneListField, in_the_future
from campaigns.editions import edition_of
from campaigns.models import Campaign, RecipientStatus
from campaigns.rehearsal import timing
from campaigns.services import CampaignService
from messaging.contacts.segments import InvalidFilter
from messaging.holds import hold_of_campaigns

# To more people than these nothing goes without their number being typed.
TYPED_ABOVE = 1_000


class CampaignDialog(BaseDialogForm):
    """A question about one campaign, which says how many people it is about."""

    form_before_template = "admin/campaigns/before_action.html"
    what = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.campaign = Campaign.objects.filter(pk=self.object_id).select_related("unit__connection").first()
        # Of a segment that asks for what is no more nobody knows it; then the service says so.
        self.number: int | None = None
        if self.campaign is not None:
            try:
                self.number = self.count(self.campaign)
            except InvalidFilter as error:
                self.problem = str(error.message)

    def count(self, campaign: Campaign) -> int:
        """How many people the question is about: those who have not got it yet."""
        return sum(campaign.progress()[status] for status in (RecipientStatus.PENDING, RecipientStatus.QUEUED))

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {
            "what": self.what,
            "campaign": self.campaign,
            "people": self.number,
            "problem": getattr(self, "problem", ""),
        }


class StatedDialog(CampaignDialog):
    """By it more people get the campaign: it goes by the number and the edition (`campaigns.editions`) that it showed.

    To many only when their number is typed.
    """

    people = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    seen = forms.CharField(required=False, max_length=32, widget=forms.HiddenInput)
    typed = forms.CharField(
        max_length=12,
        error_messages={"required": _("Type the number to go on.")},
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    # Whether there are more people now than were stated.
    has_more = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.campaign is not None:
            self.initial |= {"people": self.number, "seen": edition_of(self.campaign)}
        if not self.asks_to_type():
            del self.fields["typed"]
        else:
            self.fields["typed"].label = _("Type %(people)d to confirm") % {"people": self.number or 0}

    def asks_to_type(self) -> bool:
        """Whether the people are many."""
        return self.number is not None and self.number > TYPED_ABOVE

    def count(self, campaign: Campaign) -> int:
        return content.tally(campaign).people

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"]
        stated = self.cleaned_data.get("people") or self.number
        if "".join(filter(str.isdigit, typed)) != str(stated):
            raise ValidationError(_("The number does not match."))
        return typed

    def clean(self) -> None:
        super().clean()
        stated = self.cleaned_data.get("people")
        # Those who have dropped out since stop nobody else.
        self.has_more = self.number is not None and (stated is None or stated < self.number)
        if self.has_more:
            self.add_error(None, "")
            # What is shown now is what the next yes is to.
            form: Any = self
            form.data = form.data.copy()
            form.data.update(self.initial)

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return super().get_before_template_context(request, object_id) | {"has_more": self.has_more}


class StartDialog(StatedDialog):
    what = "start"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        context = super().get_before_template_context(request, object_id)
        if self.campaign is not None and self.number and hasattr(self.campaign.unit, "connection"):
            context["hold"] = hold = hold_of_campaigns(self.campaign.unit.connection)
            # It starts now, whenever it was scheduled for. When a number is back nobody knows.
            self.campaign.scheduled_at = None
            if hold is None or hold.until:
                context["ends_at"] = timing(self.campaign, self.number).last_at
        return context


class PauseDialog(CampaignDialog):
    what = "pause"


class ResumeDialog(StatedDialog):
    what = "resume"

    def count(self, campaign: Campaign) -> int:
        self.coming = audience.still_to_come(campaign)
        return CampaignDialog.count(self, campaign) + self.coming

    def asks_to_type(self) -> bool:
        # Nobody has confirmed yet those who were added while it was paused.
        return super().asks_to_type() and bool(self.coming)


class RetryDialog(StatedDialog):
    what = "retry"

    def count(self, campaign: Campaign) -> int:
        return CampaignService(campaign).may_be_retried().count()

    def asks_to_type(self) -> bool:
        # They were confirmed when it started.
        return False


class CancelDialog(CampaignDialog):
    """Asked once, whatever changes meanwhile: stopping must not be put off."""

    what = "cancel"

    def count(self, campaign: Campaign) -> int:
        if campaign.started_at is None:
            return content.tally(campaign).people
        return super().count(campaign) + audience.still_to_come(campaign)

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        context = super().get_before_template_context(request, object_id)
        if self.campaign is not None:
            context["handled"] = self.campaign.progress()["total"] - CampaignDialog.count(self, self.campaign)
        return context


class LocalDateTimeInput(forms.DateTimeInput):
    """The browser's own picker: the admin's is set up when a page loads, not in a dialog."""

    input_type = "datetime-local"


class ScheduleDialog(StatedDialog):
    what = "schedule"
    at = forms.DateTimeField(
        label=_("Send on"),
        widget=LocalDateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"class": " ".join(INPUT_CLASSES)}),
    )
    field_order = ["at", "typed"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["at"].help_text = _("Time zone: %(name)s") % {"name": timezone.get_current_timezone_name()}

    def clean_at(self) -> Any:
        return in_the_future(self.cleaned_data["at"])


class PhonesDialog(BaseDialogForm):
    """Recipients for a campaign that exists, one by one."""

    phones = PhoneListField(
        label=_("Phone numbers"),
        help_text=_("One per line, or separated by commas. New numbers become contacts of the unit."),
    )


class TestDialog(BaseDialogForm):
    """To whom a test goes."""

    phone = forms.CharField(
        label=_("Phone number"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("It gets the text as everybody would, at once. It counts nowhere."),
    )
