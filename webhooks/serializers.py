"""Events that could not be handled, as the API shows them."""

from typing import Any

from django.utils.translation import gettext
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from webhooks import reading
from webhooks.models import EventStatus, WebhookEvent

# What is listed and replayed over HTTP. What was handled is millions of rows, of all units, and needs neither.
SETTLED_BADLY = [(status.value, status.label) for status in (EventStatus.DEAD, EventStatus.IGNORED)]


class WebhookEventSerializer(serializers.ModelSerializer[WebhookEvent]):
    """Takes events annotated with `size` and `beginning`, of which neither the body nor the hash is loaded."""

    status = serializers.ChoiceField(choices=EventStatus.choices, read_only=True)
    reason = serializers.SerializerMethodField(help_text="Why it had no effect: a sentence, or an error of ours.")
    attempts = serializers.IntegerField(read_only=True, help_text="How often it was tried.")
    failures = serializers.IntegerField(read_only=True, help_text="Attempts that ended with an error.")
    size = serializers.IntegerField(read_only=True, help_text="Bytes of the body as it is kept.")
    summary = serializers.SerializerMethodField(
        help_text="The beginning of the body with texts and numbers masked; not always whole JSON."
    )

    class Meta:
        model = WebhookEvent
        fields = [
            "id",
            "event",
            "status",
            "reason",
            "attempts",
            "failures",
            "size",
            "summary",
            "created_at",
            "settled_at",
        ]
        read_only_fields = fields

    def get_reason(self, event: WebhookEvent) -> str:
        return gettext(event.reason) if event.reason else ""

    def get_summary(self, event: Any) -> str:
        return reading.summary(event.beginning)


class WebhookEventDetailSerializer(WebhookEventSerializer):
    """One event with its body, as it is kept: without secrets. Takes one with `shown` and `left_out` (`reading`)."""

    body = serializers.CharField(
        source="shown",
        read_only=True,
        help_text="Indented JSON, long texts cut, at most 100,000 characters; what was no JSON is as it came.",
    )
    left_out = serializers.IntegerField(read_only=True, help_text="Characters of `body` that are not shown.")

    class Meta(WebhookEventSerializer.Meta):
        fields = [*WebhookEventSerializer.Meta.fields, "body", "left_out"]
        read_only_fields = fields


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "what died that day",
            {"since": "2026-11-22T03:00:00Z", "until": "2026-11-23T03:00:00Z"},
            request_only=True,
        )
    ]
)
class ReplaySerializer(serializers.Serializer[Any]):
    """Which events: all that died (or were ignored) in a time; without one, whenever it was."""

    since = serializers.DateTimeField(required=False, help_text="That came then or later.")
    until = serializers.DateTimeField(required=False, help_text="That came before then.")
    status = serializers.ChoiceField(
        choices=SETTLED_BADLY,
        default=EventStatus.DEAD.value,
        required=False,
    )


class ReplayedSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="Events that are handled again.")
