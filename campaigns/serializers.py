"""Campaigns, as the API shows and takes them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from campaigns.services import outlook
from messaging.serializers import ContactBriefSerializer, error_sentence


class HoldSerializer(serializers.Serializer[Any]):
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
            "created_at",
        ]
        read_only_fields = fields


class CampaignDetailSerializer(CampaignSerializer):
    """Besides: how far it has come, what holds it, and when it ends if the pace goes on."""

    progress = serializers.SerializerMethodField()
    hold = serializers.SerializerMethodField()
    estimated_end = serializers.SerializerMethodField()

    class Meta(CampaignSerializer.Meta):
        fields = [*CampaignSerializer.Meta.fields, "progress", "hold", "estimated_end"]
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
        return {"reason": str(held.reason), "until": held.until} if held else None

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_estimated_end(self, campaign: Campaign) -> Any:
        return self.outlook.ends_at


class NewCampaignSerializer(serializers.Serializer[Any]):
    """Who gets it: `contact_ids`, `phones` (in any notation), or `everyone`."""

    MAX_LISTED = 5000

    name = serializers.CharField(max_length=200)
    content = serializers.CharField(max_length=65_536)
    contact_ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MAX_LISTED)
    phones = serializers.ListField(child=serializers.CharField(max_length=40), required=False, max_length=MAX_LISTED)
    everyone = serializers.BooleanField(required=False, default=False)
    scheduled_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Start then; without it the campaign stays a draft."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not (attrs.get("contact_ids") or attrs.get("phones") or attrs["everyone"]):
            raise serializers.ValidationError(_("Say who gets it: contact_ids, phones or everyone."), "recipients")
        return attrs


class ScheduleSerializer(serializers.Serializer[Any]):
    scheduled_at = serializers.DateTimeField()


class RecipientSerializer(serializers.ModelSerializer[CampaignRecipient]):
    contact = ContactBriefSerializer(read_only=True)
    status = serializers.ChoiceField(choices=RecipientStatus.choices, read_only=True)
    status_label = serializers.CharField(source="get_status_display", read_only=True)
    message_id = serializers.UUIDField(read_only=True, allow_null=True)
    error = serializers.SerializerMethodField()

    class Meta:
        model = CampaignRecipient
        fields = ["id", "contact", "status", "status_label", "message_id", "error", "sent_at"]
        read_only_fields = fields

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_error(self, recipient: CampaignRecipient) -> str | None:
        return str(error_sentence(recipient.error_message)) if recipient.error_message else None
