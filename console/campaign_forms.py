"""What people type about a campaign, checked before a service sees it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from campaigns import audience, content
from campaigns.drafting import MOST_VARIANTS
from campaigns.models import Campaign
from console.forms import local_input, local_time_field, not_past
from messaging import people
from messaging.imports.services import told_apart
from messaging.models import Attachment, Contact, ContactImport, Segment, Tag
from messaging.outgoing.attachments import attach
from messaging.outgoing.errors import CannotQueue
from messaging.phones import InvalidPhone, parse_phone, split_phones
from units.models import Unit

# A campaign's text: what a phone shows before "read more" many times over.
MAX_CAMPAIGN_TEXT = 4096
# A pasted list is worked through in the request; longer lists are contacts to import first.
MAX_PASTED = 1000
# More that were chosen elsewhere are not listed one by one.
MOST_PICKED = 200

# So long ago somebody may have got another campaign.
DAYS: list[tuple[str, Any]] = [
    ("0", _("nobody for that reason")),
    ("1", _("in the last day")),
    ("7", _("in the last 7 days")),
    ("30", _("in the last 30 days")),
]


class TextForm(forms.Form):
    """One more text of a campaign, with its file: of its own, the first text's, or none. Left empty, it is none."""

    content = forms.CharField(
        label=_("Another text"),
        max_length=MAX_CAMPAIGN_TEXT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "maxlength": MAX_CAMPAIGN_TEXT}),
    )
    same_file = forms.BooleanField(
        label=_("With the file of the first text, if it has one"), required=False, initial=True
    )
    # What it has of its own. Of the unit, or unknown (I7).
    attachment = forms.ModelChoiceField(Attachment.objects.none(), required=False, widget=forms.HiddenInput)
    no_file = forms.BooleanField(label=_("Remove this file"), required=False)
    file = forms.FileField(label=_("A file of its own (optional)"), required=False)
    weight = forms.IntegerField(required=False, initial=1, min_value=1, max_value=1000, widget=forms.HiddenInput)

    def __init__(self, *args: Any, unit: Unit, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unit = unit
        cast(forms.ModelChoiceField, self.fields["attachment"]).queryset = Attachment.objects.filter(unit=unit)
        self.own: Attachment | None = None

    @property
    def kept(self) -> Attachment | None:
        """The file of its own that the page shows."""
        if self["attachment"].errors or not (pk := self["attachment"].value()):
            return None
        return Attachment.objects.filter(unit=self.unit, pk=pk).first()

    @property
    def is_text(self) -> bool:
        """Whether it is a text at all: not the empty one that stands ready, nor one that was removed."""
        data = self.cleaned_data
        written = bool(data.get("content") or data.get("file") or data.get("attachment"))
        return not data.get("DELETE") and (written or not self.empty_permitted)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self.own = None if data.get("no_file") else data.get("attachment")
        if data.get("file") and not data.get("DELETE"):
            self.own = attached(self, self.unit, data["file"]) or self.own
        return data


def attached(form: forms.Form, unit: Unit, file: Any) -> Attachment | None:
    """The uploaded file, kept; None with the reason beside the field when it cannot be sent."""
    try:
        return attach(unit, file.read(), name=file.name)
    except CannotQueue as refusal:
        form.add_error("file", str(refusal.message))
        return None


TextFormSet = forms.formset_factory(TextForm, extra=1, can_delete=True, max_num=MOST_VARIANTS, validate_max=True)


class CampaignForm(forms.Form):
    """What to say, to whom, and when. After `is_valid()`: `changes()` is what CampaignService takes, `people()` whom it
    adds one by one.
    """

    # A new one's id, so that a form that is sent twice makes one; of another the edition that the page shows.
    key = forms.UUIDField(required=False, widget=forms.HiddenInput)
    seen = forms.CharField(required=False, max_length=32, widget=forms.HiddenInput)
    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        help_text=_("Only your team sees it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Give the campaign a name, to find it later.")},
    )
    content = forms.CharField(
        label=_("Text"),
        max_length=MAX_CAMPAIGN_TEXT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "maxlength": MAX_CAMPAIGN_TEXT}),
    )
    file = forms.FileField(
        label=_("File (optional)"), required=False, help_text=_("Picture, video or document that goes with the text.")
    )
    no_file = forms.BooleanField(label=_("Remove this file"), required=False)
    opt_out_line = forms.CharField(
        label=_("How to opt out"),
        max_length=300,
        required=False,
        help_text=_("The last line of the message. Empty: no such line."),
        initial=_("Reply SAIR to stop receiving these messages."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    to = forms.ChoiceField(label=_("Who receives it"), widget=forms.RadioSelect, initial="all")
    tags = forms.ModelMultipleChoiceField(Tag.objects.none(), required=False, widget=forms.CheckboxSelectMultiple)
    segments = forms.ModelMultipleChoiceField(
        Segment.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )
    file_of = forms.ModelChoiceField(
        ContactImport.objects.none(), label=_("Whom a file brought"), required=False, empty_label=_("No file")
    )
    contacts = forms.ModelMultipleChoiceField(Contact.objects.none(), required=False)
    phones = forms.CharField(
        label=_("Phone numbers, one per line"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "inputmode": "tel", "placeholder": "(11) 90000-0142\n(11) 90000-0208"}),
    )
    exclude_tags = forms.ModelMultipleChoiceField(
        Tag.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )
    days = forms.TypedChoiceField(
        label=_("Leave out who got another campaign"),
        choices=DAYS,
        coerce=int,
        empty_value="",
        required=False,
        initial="0",
    )
    when = forms.ChoiceField(
        label=_("When"),
        choices=[("now", _("Start when I confirm")), ("later", _("Schedule"))],
        widget=forms.RadioSelect,
        initial="now",
    )
    scheduled_at = local_time_field(required=False)
    ends_at = local_time_field(required=False)

    def __init__(self, unit: Unit, *args: Any, campaign: Campaign | None = None, **kwargs: Any) -> None:
        if campaign is not None:
            kwargs["initial"] = self._initial_of(campaign)
        super().__init__(*args, **kwargs)
        self.unit, self.campaign = unit, campaign
        self.fields["ends_at"].label = _("Nothing is sent after (optional)")
        sent: dict[str, Any] = dict(zip(("data", "files"), args, strict=False))
        texts = self._texts_of(campaign) if campaign else None
        self.texts = TextFormSet(**sent, prefix="texts", initial=texts, form_kwargs={"unit": unit})
        self.everybody = Contact.objects.people().filter(unit=unit)
        for name, rows in (
            ("contacts", self.everybody),
            ("tags", Tag.objects.filter(unit=unit).order_by("name")),
            ("exclude_tags", Tag.objects.filter(unit=unit).order_by("name")),
            ("file_of", told_apart(unit).order_by("-created_at")),
            ("segments", Segment.objects.filter(unit=unit).order_by("name")),
        ):
            cast(forms.ModelChoiceField, self.fields[name]).queryset = rows
        self._allow_days(self.initial.get("days"))
        choices = [
            ("all", _("All contacts")),
            ("groups", _("Tags, segments or a file")),
            ("chosen", _("Contacts I choose")),
        ]
        # Of a list only its people are kept; what they were chosen by is not asked again.
        choices.append(("kept", _("Those already chosen")) if campaign else ("pasted", _("A list of phone numbers")))
        cast(forms.ChoiceField, self.fields["to"]).choices = choices
        self.pasted: list[str] = []
        self.attachment: Attachment | None = campaign.attachment if campaign else None

    def _allow_days(self, days: int | None) -> None:
        """Whatever the API has set stays, until somebody chooses anew."""
        if days and str(days) not in dict(DAYS):
            shown = ngettext("in the last %(count)d day", "in the last %(count)d days", days) % {"count": days}
            cast(forms.TypedChoiceField, self.fields["days"]).choices = [*DAYS, (str(days), shown)]

    @staticmethod
    def _initial_of(campaign: Campaign) -> dict[str, Any]:
        chosen = campaign.audience
        given = {source for source in audience.SOURCES if chosen.get(source)}
        simple = {"all": {"everyone"}, "groups": {"tags", "segments", "import"}, "chosen": {"contacts"}}
        # What this form cannot say (several kinds at once, a file, a long list) stays as it is.
        to = next((name for name, kinds in simple.items() if given and given <= kinds), "kept")
        contacts = chosen.get("contacts", [])
        has_added = campaign.started_at is None and campaign.recipients.exists()
        if len(contacts) > MOST_PICKED or has_added:
            to = "kept"
        return {
            "name": campaign.name,
            "content": campaign.content,
            "opt_out_line": campaign.opt_out_line,
            "to": to,
            "tags": chosen.get("tags", []),
            "segments": chosen.get("segments", []),
            "file_of": chosen.get("import"),
            "contacts": audience.listed(campaign) if contacts else [],
            "exclude_tags": chosen.get("exclude_tags", []),
            "days": chosen.get("exclude_contacted_within_days", 0),
            "ends_at": campaign.ends_at,
        }

    @staticmethod
    def _texts_of(campaign: Campaign) -> list[dict[str, Any]]:
        texts = []
        for variant in campaign.variants.order_by("position"):
            same = variant.attachment_id is not None and variant.attachment_id == campaign.attachment_id
            own = None if same else variant.attachment_id
            texts.append({"content": variant.content, "weight": variant.weight, "same_file": same, "attachment": own})
        return texts

    def is_valid(self) -> bool:
        """Both the form and its further texts."""
        return super().is_valid() and self.texts.is_valid() and not any(form.errors for form in self.texts)

    def clean_scheduled_at(self) -> datetime | None:
        at = self.cleaned_data["scheduled_at"]
        if self.data.get("when") != "later":
            return None
        if at is None:
            raise forms.ValidationError(_("Choose a day and a time."))
        return not_past(at)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        to = data.get("to")
        if to == "chosen" and not data.get("contacts"):
            self.add_error("contacts", _("Choose at least one contact."))
        if to == "groups" and not any(data.get(name) for name in ("tags", "segments", "file_of")):
            self.add_error("to", _("Choose at least one tag, segment or file."))
        if to == "all" and not self.everybody.exists():
            self.add_error("to", _("There are no contacts yet. Add some, or paste phone numbers."))
        if to == "pasted" and not self.errors:
            self._clean_phones(split_phones(data.get("phones", "")))
        if data.get("no_file"):
            self.attachment = None
        if data.get("file") and not self.errors:
            self.attachment = attached(self, self.unit, data["file"]) or self.attachment
        self._clean_texts(data)
        return data

    def _clean_texts(self, data: dict[str, Any]) -> None:
        line, has_file = data.get("opt_out_line", ""), self.attachment is not None or bool(data.get("file"))
        texts: list[tuple[forms.Form, str, bool]] = [(self, data.get("content", ""), has_file)]
        for form in self._further():
            own = form.own is not None or (form.cleaned_data["same_file"] and has_file)
            texts.append((form, form.cleaned_data["content"], own))
        for where, text, caption in texts:
            for problem in content.check(self.unit, text, caption=caption, opt_out_line=line):
                where.add_error("content", _("Write the message.") if problem.code == "empty" else str(problem.message))

    def _further(self) -> list[TextForm]:
        """The other texts that are any, of a form that was sent."""
        return [form for form in self.texts if form.is_valid() and form.is_text] if self.texts.is_bound else []

    def changes(self) -> dict[str, Any]:
        """What CampaignService takes."""
        data = self.cleaned_data
        changes = {name: data[name] for name in ("name", "content", "opt_out_line")}
        changes |= {"attachment": self.attachment, "variants": [self._variant(form) for form in self._further()]}
        before: dict[str, Any] = self.campaign.audience if self.campaign else {}
        chosen = chosen_audience(data)
        if data["to"] == "kept":
            chosen |= {source: before[source] for source in audience.SOURCES if source in before}
        # Whoever was merged or deleted since he was chosen is no change that somebody made here.
        known = before | ({"contacts": self.initial["contacts"]} if before.get("contacts") else {})
        if _as_sets(chosen) not in (_as_sets(before), _as_sets(known)):
            changes["audience"] = chosen
        ends_at = self.campaign.ends_at if self.campaign else None
        # The field knows minutes only: an end that was not touched stays to the second.
        if (data["ends_at"] and local_input(data["ends_at"])) != (ends_at and local_input(ends_at)):
            changes["ends_at"] = data["ends_at"]
        return changes

    @property
    def keeps_added(self) -> bool:
        """Whether those who were added one by one, as from a pasted list, are still meant."""
        return self.data.get("to") == "kept"

    def _variant(self, form: TextForm) -> dict[str, Any]:
        data = form.cleaned_data
        attachment = form.own or (self.attachment if data["same_file"] else None)
        return {"content": data["content"], "weight": data["weight"] or 1, "attachment": attachment}

    def people(self) -> list[Contact]:
        """People of a pasted list become contacts here."""
        return people.contacts_by_phone(self.unit, self.pasted)

    def _clean_phones(self, numbers: list[str]) -> None:
        if not numbers:
            self.add_error("phones", _("Paste at least one phone number."))
            return
        if len(numbers) > MAX_PASTED:
            self.add_error("phones", _("Up to 1,000 numbers at a time."))
            return
        refused = []
        for number in numbers:
            try:
                self.pasted.append(parse_phone(number))
            except InvalidPhone as error:
                refused.append(f"{number}: {error.message}")
        if refused:
            count = len(refused)
            summary = ngettext("%(count)d number was not understood:", "%(count)d numbers were not understood:", count)
            for reason in [summary % {"count": count}, *refused[:5]]:
                self.add_error("phones", reason)


def _as_sets(spec: Mapping[str, Any]) -> dict[str, Any]:
    """An audience whatever its lists' order."""
    return {name: frozenset(value) if isinstance(value, list) else value for name, value in spec.items()}


def chosen_audience(data: Mapping[str, Any]) -> dict[str, Any]:
    """What was chosen on the form, as `Campaign.audience` has it; nobody for a pasted list, whose people are added."""
    spec: dict[str, Any] = {}
    match data.get("to"):
        case "all":
            spec["everyone"] = True
        case "groups":
            spec |= {name: [str(row.pk) for row in data[name]] for name in ("tags", "segments") if data.get(name)}
            if data.get("file_of"):
                spec["import"] = str(data["file_of"].pk)
        case "chosen":
            spec["contacts"] = [str(row.pk) for row in data.get("contacts") or ()]
    if data.get("exclude_tags"):
        spec["exclude_tags"] = [str(row.pk) for row in data["exclude_tags"]]
    if data.get("days"):
        spec["exclude_contacted_within_days"] = data["days"]
    return spec
