"""Outgoing webhooks, as the API shows and takes them."""

from typing import Any

from rest_framework import serializers

from outgoing_webhooks import services, words
from outgoing_webhooks.models import OutgoingWebhook


class WebhookSerializer(serializers.ModelSerializer[OutgoingWebhook]):
    """A webhook. Its secret is not shown."""

    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=services.KINDS), read_only=True, help_text="Empty: all."
    )
    switched_off = serializers.SerializerMethodField(
        help_text="It failed for three days, or wanted no more (410), and nobody has switched it on again since."
    )
    error = serializers.SerializerMethodField(help_text="Why the last attempt failed; empty when it did not.")
    error_code = serializers.CharField(source="last_error", read_only=True)
    next_attempt_at = serializers.SerializerMethodField(help_text="After a failure: when it is tried again.")

    class Meta:
        model = OutgoingWebhook
        fields = [
            "id",
            "url",
            "kinds",
            "is_active",
            "switched_off",
            "after_seq",
            "failures",
            "error",
            "error_code",
            "next_attempt_at",
            "last_success_at",
            "created_at",
        ]
        read_only_fields = fields

    def get_switched_off(self, webhook: OutgoingWebhook) -> bool:
        return not webhook.is_active and webhook.failures > 0

    def get_error(self, webhook: OutgoingWebhook) -> str:
        return words.why(webhook)

    def get_next_attempt_at(self, webhook: OutgoingWebhook) -> Any:
        field = serializers.DateTimeField()
        return field.to_representation(webhook.due_at) if webhook.is_active and webhook.failures else None


class MadeWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(read_only=True, help_text="Shown this once: keep it now.")

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]
        read_only_fields = fields


class ChangeWebhookSerializer(serializers.Serializer[Any]):
    url = serializers.URLField(max_length=2000, required=False, help_text="Public, and https.")
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=services.KINDS),
        required=False,
        max_length=len(services.KINDS),
        help_text="Of live events; empty or left out: all.",
    )
    is_active = serializers.BooleanField(required=False)
    after_seq = serializers.IntegerField(
        required=False, min_value=0, help_text="What came after this number is posted, once more or for the first time."
    )

    def validate_url(self, url: str) -> str:
        try:
            services.check(url)
        except services.InvalidAddress as error:
            raise serializers.ValidationError(services.PUBLIC_ONLY) from error
        return url


class NewWebhookSerializer(ChangeWebhookSerializer):
    url = serializers.URLField(max_length=2000, help_text="Public, and https.")
    is_active = None  # type: ignore[assignment]
    after_seq = None  # type: ignore[assignment]


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Shown this once: keep it now.")


class TestedSerializer(serializers.Serializer[Any]):
    delivered = serializers.BooleanField()
    error = serializers.CharField(help_text="Why it was not taken; empty when it was.")
    error_code = serializers.CharField()
