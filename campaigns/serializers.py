"""Campaigns, as the API shows and takes them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns.audience import MOST_CHOSEN, MOST_DAYS, MOST_LISTED, REASONS
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, CampaignVariant, RecipientStatus
from campaigns.outlook import outlook
from messaging.serializers import ContactBriefSerializer, error_sentence

MAX_VARIANTS = 25


class HoldSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="disconnected, breaker, cap, warm_up, weekday, window, answer …")
    reason = serializers.CharField(help_text="Why nothing is sent now, in the language of the request.")
    until = serializers.DateTimeField(allow_null=True)


class ProgressSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    pending = serializers.IntegerField()
    queued = serializers.IntegerField()
    sending = serializers.IntegerField()
    sent = serializers.IntegerField()
    delivered = serializers.IntegerField()
    read = serializers.IntegerField()
    uncertain = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class AudienceSerializer(serializers.Serializer[Any]):
    """Who gets it: whoever is in any of the sources, without whoever is excluded. An id of another unit is unknown."""

    everyone = serializers.BooleanField(required=False)
    tags = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MOST_CHOSEN)
    segments = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MOST_CHOSEN)
    contacts = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MOST_LISTED)
    exclude_tags = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MOST_CHOSEN)
    exclude_contacted_within_days = serializers.IntegerField(required=False, min_value=0, max_value=MOST_DAYS)

    def to_internal_value(self, data: Any) -> Any:
        """Refuses names that are none: a mistyped exclusion would write to those who were to be left out."""
        told = super().to_internal_value(data)
        if unknown := sorted(set(map(str, data)) - set(self.fields)):
            said = {name[:100]: [_("There is no such field.")] for name in unknown}
            raise serializers.ValidationError(said, "unknown_field")
        return told

    def get_fields(self) -> dict[str, Any]:
        # A word of Python's own.
        return super().get_fields() | {
            "import": serializers.UUIDField(required=False, help_text="Whom a CSV import brought, by its tags.")
        }


class VariantSerializer(serializers.ModelSerializer[CampaignVariant]):
    label = serializers.CharField(source="__str__", read_only=True, help_text="B, C …; A is the campaign's own text.")  # type: ignore[assignment]

    class Meta:
        model = CampaignVariant
        fields = ["position", "label", "weight", "content", "attachment_id"]
        read_only_fields = fields


class CampaignSerializer(serializers.ModelSerializer[Campaign]):
    status = serializers.ChoiceField(choices=CampaignStatus.choices, read_only=True)
    status_label = serializers.CharField(source="get_status_display", read_only=True)

    class Meta:
        model = Campaign
        fields = [
            "id",
            "name",
            "content",
            "status",
            "status_label",
            "status_reason",
            "scheduled_at",
            "started_at",
            "finished_at",
            "archived_at",
            "created_at",
        ]
        read_only_fields = fields


class CampaignDetailSerializer(CampaignSerializer):
    """Besides: what it says to whom, how far it has come, what holds it, and when it ends if the pace goes on."""

    attachment_id = serializers.UUIDField(read_only=True, allow_null=True)
    variants = VariantSerializer(many=True, read_only=True)
    audience = AudienceSerializer(read_only=True)
    progress = serializers.SerializerMethodField()
    hold = serializers.SerializerMethodField()
    estimated_end = serializers.SerializerMethodField()

    class Meta(CampaignSerializer.Meta):
        fields = [
            *CampaignSerializer.Meta.fields,
            "attachment_id",
            "weight",
            "variants",
            "opt_out_line",
            "audience",
            "ends_at",
            "interval_seconds",
            "progress",
            "hold",
            "estimated_end",
        ]
        read_only_fields = fields

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, campaign: Campaign) -> dict[str, int]:
        return campaign.progress()

    def to_representation(self, instance: Campaign) -> dict[str, Any]:
        # Asked once for the two fields that tell it.
        self.outlook = outlook(instance)
        return super().to_representation(instance)

    @extend_schema_field(HoldSerializer(allow_null=True))
    def get_hold(self, campaign: Campaign) -> dict[str, Any] | None:
        held = self.outlook.hold
        return HoldSerializer(held).data if held else None

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_estimated_end(self, campaign: Campaign) -> Any:
        return self.outlook.ends_at


class NewVariantSerializer(serializers.Serializer[Any]):
    content = serializers.CharField(max_length=65_536, allow_blank=True)
    weight = serializers.IntegerField(required=False, default=1, min_value=1, max_value=1000)
    attachment_id = serializers.UUIDField(required=False, allow_null=True, default=None)


class EditCampaignSerializer(serializers.Serializer[Any]):
    """A draft's or a scheduled campaign's; of a paused one, for whoever has not got it. What is left out stays."""

    name = serializers.CharField(max_length=200, required=False)
    content = serializers.CharField(
        max_length=65_536,
        required=False,
        allow_blank=True,
        help_text="{{ nome | cliente }} is a variable with what stands for it when there is no value, {Oi|Olá} a "
        "choice. Empty only with a file.",
    )
    attachment_id = serializers.UUIDField(required=False, allow_null=True)
    weight = serializers.IntegerField(required=False, min_value=1, max_value=1000)
    variants = NewVariantSerializer(many=True, required=False, max_length=MAX_VARIANTS)  # type: ignore[call-arg]
    opt_out_line = serializers.CharField(max_length=300, required=False, allow_blank=True)
    audience = AudienceSerializer(required=False)
    ends_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Nothing is sent after.")
    interval_seconds = serializers.DecimalField(
        max_digits=8,
        decimal_places=3,
        min_value=1,
        max_value=86_400,
        required=False,
        allow_null=True,
        help_text="Slower than the number's own pace; null: as the number.",
    )


class NewCampaignSerializer(EditCampaignSerializer):
    """Who gets it: `audience`, and those of `contact_ids` and `phones` (in any notation), one by one."""

    MAX_LISTED = 5000

    name = serializers.CharField(max_length=200)
    content = serializers.CharField(max_length=65_536, allow_blank=True)
    contact_ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MAX_LISTED)
    phones = serializers.ListField(child=serializers.CharField(max_length=40), required=False, max_length=MAX_LISTED)
    everyone = serializers.BooleanField(required=False, default=False, help_text="Short for the audience's.")
    scheduled_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Start then; without it the campaign stays a draft."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not any(attrs.get(source) for source in ("contact_ids", "phones", "everyone", "audience")):
            raise serializers.ValidationError(
                _("Say who gets it: audience, contact_ids, phones or everyone."), "recipients"
            )
        return attrs


class ScheduleSerializer(serializers.Serializer[Any]):
    scheduled_at = serializers.DateTimeField()


class TestSendSerializer(serializers.Serializer[Any]):
    phone = serializers.CharField(max_length=40, help_text="In any notation.")
    variant = serializers.IntegerField(required=False, default=0, min_value=0, max_value=MAX_VARIANTS)


class RecipientSerializer(serializers.ModelSerializer[CampaignRecipient]):
    contact = ContactBriefSerializer(read_only=True)
    status = serializers.ChoiceField(choices=RecipientStatus.choices, read_only=True)
    status_label = serializers.CharField(source="get_status_display", read_only=True)
    message_id = serializers.UUIDField(read_only=True, allow_null=True)
    error_code = serializers.CharField(source="error_message", read_only=True, allow_null=True)
    error = serializers.SerializerMethodField(help_text="The code as a sentence, in the language of the request.")

    class Meta:
        model = CampaignRecipient
        fields = [
            "id",
            "contact",
            "status",
            "status_label",
            "variant",
            "message_id",
            "error_code",
            "error",
            "sent_at",
            "replied_at",
            "opted_out_at",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_error(self, recipient: CampaignRecipient) -> str | None:
        return str(reason_sentence(recipient.error_message)) if recipient.error_message else None


def reason_sentence(code: str) -> Any:
    """Why somebody was left out or did not get it, in the language of now."""
    return REASONS.get(code) or error_sentence(code)


# Who would get it, and what would happen


class ReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    label = serializers.CharField(help_text="In the language of the request.")  # type: ignore[assignment]
    people = serializers.IntegerField()


def reasons(counts: dict[str, int]) -> list[dict[str, Any]]:
    """As ReasonSerializer shows them."""
    return [{"code": code, "label": str(reason_sentence(code)), "people": people} for code, people in counts.items()]


class TallySerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField(help_text="Everybody given, each once.")
    people = serializers.IntegerField(help_text="Who gets it.")
    duplicates = serializers.IntegerField(help_text="How many times somebody was given once more.")
    excluded = serializers.SerializerMethodField()

    @extend_schema_field(ReasonSerializer(many=True))
    def get_excluded(self, tally: Any) -> list[dict[str, Any]]:
        return reasons(tally.excluded)


class FinishBySerializer(serializers.Serializer[Any]):
    finish_by = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Find the slowest pace that has reached everybody by then."
    )


class NewRehearsalSerializer(NewCampaignSerializer, FinishBySerializer):
    """A campaign that is not kept, as for creating one."""


class SampleSerializer(serializers.Serializer[Any]):
    contact = ContactBriefSerializer()
    variant = serializers.IntegerField()
    label = serializers.CharField(help_text="The variant's letter.")  # type: ignore[assignment]
    text = serializers.CharField()
    attachment_id = serializers.UUIDField(source="attachment.id", allow_null=True, default=None)
    problem = serializers.CharField(help_text="Why this person gets nothing: missing_value, too_long …; or empty.")


class DaySerializer(serializers.Serializer[Any]):
    date = serializers.DateField()
    people = serializers.IntegerField()
    cap = serializers.IntegerField(allow_null=True, help_text="Of all campaigns of the number; null: no limit.")


class FinishSerializer(serializers.Serializer[Any]):
    by = serializers.DateTimeField()
    possible = serializers.SerializerMethodField()
    interval_seconds = serializers.DecimalField(
        max_digits=12, decimal_places=3, allow_null=True, help_text="For the campaign; null: the number's own pace."
    )
    refusal = serializers.CharField(help_text="Why it is not possible, or empty.")
    earliest = serializers.DateTimeField(allow_null=True, help_text="The end at the number's own pace.")

    def get_possible(self, finish: Any) -> bool:
        return not finish.refusal


class BesideSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class TimingSerializer(serializers.Serializer[Any]):
    people = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    first_at = serializers.DateTimeField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True, help_text="null: not everybody is reached.")
    left_out = serializers.IntegerField(help_text="Who is not reached before it ends, or within three years.")
    days = DaySerializer(many=True)
    step_seconds = serializers.FloatField(help_text="From one message of the number to the next, on average.")
    answer_seconds = serializers.FloatField(help_text="What the WhatsApp server takes of that, as measured.")
    beside = BesideSerializer(many=True, help_text="Campaigns that share the number meanwhile.")
    finish = FinishSerializer(allow_null=True)


class MissingSerializer(serializers.Serializer[Any]):
    variable = serializers.CharField()
    people = serializers.IntegerField()


class RehearsalSerializer(serializers.Serializer[Any]):
    tally = TallySerializer()
    missing = serializers.SerializerMethodField(help_text="Who has no value for a variable without a fallback.")
    samples = SampleSerializer(many=True)
    timing = TimingSerializer(allow_null=True, help_text="null: the unit has no number.")
    hold = HoldSerializer(allow_null=True)

    @extend_schema_field(MissingSerializer(many=True))
    def get_missing(self, rehearsal: Any) -> list[dict[str, Any]]:
        return [{"variable": name, "people": people} for name, people in rehearsal.missing.items()]


# What came of it


class FiguresSerializer(ProgressSerializer):
    """People; who has read counts as delivered and sent as well."""

    replied = serializers.IntegerField()
    opted_out = serializers.IntegerField()


class RatesSerializer(serializers.Serializer[Any]):
    """From 0 to 1, of those sent to (`failed`: of those whose turn has come); null before there are any."""

    delivered = serializers.FloatField(allow_null=True)
    read = serializers.FloatField(allow_null=True)
    replied = serializers.FloatField(allow_null=True)
    opted_out = serializers.FloatField(allow_null=True)
    failed = serializers.FloatField(allow_null=True)


class VariantResultsSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField(allow_null=True, help_text="null: whoever has no text yet.")
    label = serializers.CharField()  # type: ignore[assignment]
    figures = FiguresSerializer()
    rates = RatesSerializer(source="figures.rates")


class TimeResultsSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    figures = FiguresSerializer()


class ResultsSerializer(serializers.Serializer[Any]):
    figures = FiguresSerializer()
    rates = RatesSerializer(source="figures.rates")
    variants = VariantResultsSerializer(many=True)
    step = serializers.ChoiceField(choices=[("hour", "hour"), ("day", "day")])
    over_time = TimeResultsSerializer(many=True, help_text="By when messages went out: what has become of them.")
    skipped = serializers.SerializerMethodField()
    failed = serializers.SerializerMethodField()

    @extend_schema_field(ReasonSerializer(many=True))
    def get_skipped(self, results: Any) -> list[dict[str, Any]]:
        return reasons(results.skipped)

    @extend_schema_field(ReasonSerializer(many=True))
    def get_failed(self, results: Any) -> list[dict[str, Any]]:
        return reasons(results.failed)
