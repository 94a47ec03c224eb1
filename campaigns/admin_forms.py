"""Forms of the campaign admin: who gets a campaign, and the questions asked before it moves."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BaseInlineFormSet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.fields import UnfoldAdminAutocompleteModelChoiceField, UnfoldAdminMultipleAutocompleteModelChoiceField
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campaigns import audience, content
from campaigns.drafting import VariantText
from campaigns.models import Campaign, CampaignStatus
from campaigns.refusals import NotPossible
from messaging.models import Attachment, Contact, ContactImport, Segment, Tag
from messaging.outgoing.attachments import attach
from messaging.outgoing.errors import CannotQueue
from messaging.people import contacts_by_phone
from messaging.phones import InvalidPhone, parse_phone, split_phones
from units.models import Unit

# Of a paused one it holds for whoever has not got it.
EDITABLE = frozenset({CampaignStatus.DRAFT, CampaignStatus.SCHEDULED, CampaignStatus.PAUSED})


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

    everyone = forms.BooleanField(label=_("All contacts of the unit"), required=False, widget=UnfoldBooleanSwitchWidget)
    tags = UnfoldAdminMultipleAutocompleteModelChoiceField(
        "admin:campaigns_campaign_tags",
        label=_("Whoever has one of the tags"),
        queryset=Tag.objects.select_related("unit"),
        required=False,
    )
    segments = UnfoldAdminMultipleAutocompleteModelChoiceField(
        "admin:campaigns_campaign_segments",
        label=_("Whoever is in one of the segments"),
        queryset=Segment.objects.select_related("unit"),
        required=False,
    )
    from_import = UnfoldAdminAutocompleteModelChoiceField(
        "admin:campaigns_campaign_imports",
        label=_("Whoever came with an import"),
        queryset=ContactImport.objects.select_related("unit"),
        required=False,
        help_text=_("Imports that gave their contacts a tag."),
    )
    phones = PhoneListField(
        label=_("Phone numbers"),
        required=False,
        help_text=_("One per line, or separated by commas. New numbers become contacts of the unit."),
    )
    exclude_tags = UnfoldAdminMultipleAutocompleteModelChoiceField(
        "admin:campaigns_campaign_tags",
        label=_("But nobody who has one of these tags"),
        queryset=Tag.objects.select_related("unit"),
        required=False,
    )
    exclude_contacted_within_days = forms.IntegerField(
        label=_("Nor whom another campaign wrote to in the last days"),
        required=False,
        min_value=0,
        max_value=audience.MOST_DAYS,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    # Fields, by what an audience calls them.
    SPEC = {
        "everyone": "everyone",
        "tags": "tags",
        "segments": "segments",
        "import": "from_import",
        "exclude_tags": "exclude_tags",
        "exclude_contacted_within_days": "exclude_contacted_within_days",
    }

    def contacts(self, unit: Unit) -> list[Contact]:
        """The contacts of `unit` with the typed numbers; makes those that are new."""
        return contacts_by_phone(unit, self.cleaned_data["phones"])

    def spec(self, unit: Unit) -> dict[str, Any]:
        """The chosen audience, for `Campaign.audience`. Raises ValidationError for what is of another unit."""
        chosen = {name: self.cleaned_data.get(field) for name, field in self.SPEC.items()}
        if chosen["import"]:
            chosen["import"] = str(chosen["import"].pk)
        lists = {name: [str(row.pk) for row in chosen[name] or ()] for name in ("tags", "segments", "exclude_tags")}
        try:
            return audience.validate(unit, {name: value for name, value in (chosen | lists).items() if value})
        except NotPossible as refusal:
            raise ValidationError(str(refusal.message)) from refusal


class CampaignForm(AudienceForm, forms.ModelForm):
    """All that a campaign is made of but its other texts, which are rows below it."""

    file = forms.FileField(
        label=_("File"),
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text=_("Picture, video, sound or document that goes with the text."),
    )
    # What `clean` made of it.
    attachment: Attachment | None = None
    audience: dict[str, Any]

    class Meta:
        model = Campaign
        fields = ["name", "content", "weight", "opt_out_line", "ends_at", "interval_seconds"]
        widgets = {"name": UnfoldAdminTextInputWidget, "opt_out_line": UnfoldAdminTextInputWidget}
        help_texts = {
            "content": _("{{ nome | cliente }} puts a value in, or what stands for it. {Oi|Olá} is a choice of words."),
            "interval_seconds": _("Slower than the number's own pace. Empty: as the number."),
            "ends_at": _("Nothing is sent after."),
        }

    def clean(self) -> None:
        super().clean()
        if self.errors:
            return
        unit = self.cleaned_data.get("unit") or self.instance.unit
        self.audience = self.spec(unit)
        has_file = bool(self.cleaned_data.get("file")) or self.instance.attachment_id is not None
        line = self.cleaned_data.get("opt_out_line", "")
        for problem in content.check(unit, self.cleaned_data.get("content", ""), caption=has_file, opt_out_line=line):
            self.add_error("content", str(problem.message))
        if self.cleaned_data.get("file") and not self.errors:
            file = self.cleaned_data["file"]
            try:
                self.attachment = attach(unit, file.read(), name=file.name)
            except CannotQueue as refusal:
                self.add_error("file", str(refusal.message))

    def spec(self, unit: Unit) -> dict[str, Any]:
        """With those whom a program chose one by one, whom no field shows."""
        listed = None if self.instance._state.adding else self.instance.audience.get("contacts")
        return super().spec(unit) | ({"contacts": listed} if listed else {})

    def changes(self) -> dict[str, Any]:
        """What CampaignService takes, after `is_valid()`."""
        changes = {name: self.cleaned_data[name] for name in CampaignForm.Meta.fields if name in self.cleaned_data}
        if self.attachment is not None:
            changes["attachment"] = self.attachment
        return changes | {"audience": self.audience}


class NewCampaignForm(CampaignForm):
    class Meta(CampaignForm.Meta):
        fields = ["unit", *CampaignForm.Meta.fields, "scheduled_at"]

    def clean_scheduled_at(self) -> Any:
        return in_the_future(self.cleaned_data["scheduled_at"])


class ChangeCampaignForm(CampaignForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        chosen = kwargs["instance"].audience if kwargs.get("instance") else {}
        known = {field: chosen.get(name) for name, field in self.SPEC.items()}
        kwargs["initial"] = known | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        if "ends_at" in self.fields:
            zone = _("Time zone: %(name)s") % {"name": timezone.get_current_timezone_name()}
            self.fields["ends_at"].help_text = f"{self.fields['ends_at'].help_text} {zone}"

    def clean(self) -> None:
        """A campaign that has started since the form was opened keeps the text that it started with."""
        status = Campaign.objects.select_for_update(no_key=True).values_list("status", flat=True)
        if status.get(pk=self.instance.pk) not in EDITABLE:
            raise ValidationError(_("The campaign has started in the meantime. Its text stays as it is."))
        super().clean()


class VariantFormSet(BaseInlineFormSet):
    """The other texts of a campaign, checked as its own is."""

    def clean(self) -> None:
        super().clean()
        if self.instance.unit_id is None:
            return
        for form in self.forms:
            if form.has_changed() or form.instance.pk:
                text = form.cleaned_data.get("content", "") if not form.cleaned_data.get("DELETE") else None
                if text is None:
                    continue
                for problem in content.check(self.instance.unit, text, caption=bool(form.instance.attachment_id)):
                    form.add_error("content", str(problem.message))

    def texts(self) -> list[VariantText]:
        """All of them, in their order, after `is_valid()`."""
        kept = [form for form in self.forms if form.cleaned_data.get("content") and not form.cleaned_data.get("DELETE")]
        return [
            VariantText(form.cleaned_data["content"], form.cleaned_data["weight"], form.instance.attachment)
            for form in kept
        ]


def in_the_future(at: Any) -> Any:
    """`at` itself, or None. Raises ValidationError when it has passed."""
    if at is not None and at <= timezone.now():
        raise ValidationError(_("This time has passed already."))
    return at
