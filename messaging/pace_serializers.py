"""A number's pace, what holds it, and what waits for a choice, as the API shows and takes them."""

import re
from datetime import time
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from messaging import stale
from messaging.holds import HoldCode, holds_of
from messaging.pace import NEVER, standing_of
from units import pacing
from units.models import Weekday, WhatsAppConnection

LOCAL_TIME = re.compile(r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$")


# Not of the format `time`, whose times have a zone.
@extend_schema_field({"type": "string", "pattern": LOCAL_TIME.pattern, "example": "08:00:00"})
class LocalTimeField(serializers.TimeField):
    """`08:00` or `08:00:00`, in the unit's time zone."""

    def to_internal_value(self, value: Any) -> time:
        if isinstance(value, str) and not LOCAL_TIME.fullmatch(value):
            self.fail("invalid", format="08:00")
        return super().to_internal_value(value)


class NumberHoldSerializer(serializers.Serializer[Any]):
    code = serializers.ChoiceField(choices=HoldCode.choices)
    reason = serializers.CharField(help_text="For people, in the language of the request.")
    until = serializers.DateTimeField(allow_null=True, help_text="Null: until that changes.")
    holds_campaigns = serializers.BooleanField()
    holds_replies = serializers.BooleanField()


class WarmUpSerializer(serializers.Serializer[Any]):
    from_day = serializers.IntegerField(help_text="Of the number's use; its first day is 1.")
    most = serializers.IntegerField(allow_null=True, help_text="Campaign messages a day; null: no limit.")


class PaceSerializer(serializers.ModelSerializer[WhatsAppConnection]):
    """The rules by which a number sends campaigns, and where it stands today, in the unit's time zone."""

    daily_cap = serializers.IntegerField(
        min_value=1, max_value=1_000_000, allow_null=True, required=False, help_text="Null: no limit of your own."
    )
    window_start = LocalTimeField(allow_null=True, required=False, help_text="Both ends, or none: all day.")
    window_end = LocalTimeField(
        allow_null=True, required=False, help_text="Before the start: on the next day. The window is its start's day's."
    )
    window_days = serializers.ListField(
        child=serializers.ChoiceField(choices=Weekday.choices),
        min_length=1,
        max_length=7,
        required=False,
        help_text="ISO weekdays: 1 is Monday.",
    )

    class Meta:
        model = WhatsAppConnection
        fields = [
            "interval_seconds",
            "jitter_seconds",
            "daily_cap",
            "window_start",
            "window_end",
            "window_days",
            "in_use_since",
        ]

    def validate_window_days(self, days: list[int]) -> list[int]:
        return sorted(set(days))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """By the rules of the model, which the admin keeps too."""
        connection = WhatsAppConnection.objects.select_related("unit").get(pk=self.instance.pk)  # type: ignore[union-attr]
        for name, value in attrs.items():
            setattr(connection, name, value)
        try:
            connection.clean()
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.message_dict) from error
        return attrs

    def update(self, instance: WhatsAppConnection, validated_data: dict[str, Any]) -> WhatsAppConnection:
        """Only the columns that were given."""
        return pacing.change(instance, validated_data)


class StandingSerializer(PaceSerializer):
    """With where the number stands."""

    warm_up = serializers.SerializerMethodField(help_text="The installation's table; empty: no warm-up.")
    day_of_use = serializers.IntegerField(help_text="Today, by `in_use_since`; 1 for a number never seen connected.")
    cap_today = serializers.IntegerField(allow_null=True, help_text="The smaller of cap and warm-up; null: no limit.")
    sent_today = serializers.IntegerField(help_text="Campaign messages.")
    opens_at = serializers.DateTimeField(
        allow_null=True, help_text="When the next campaign message may go at the earliest; null: a person has to act."
    )
    holds = NumberHoldSerializer(many=True, help_text="What keeps it from sending now, the strongest first.")
    waiting = serializers.IntegerField(help_text="Messages that wait for a choice: see `/whatsapp/waiting`.")

    class Meta(PaceSerializer.Meta):
        fields = [
            *PaceSerializer.Meta.fields,
            "warm_up",
            "day_of_use",
            "cap_today",
            "sent_today",
            "opens_at",
            "holds",
            "waiting",
        ]
        read_only_fields = fields

    @extend_schema_field(WarmUpSerializer(many=True))
    def get_warm_up(self, connection: WhatsAppConnection) -> list[dict[str, Any]]:
        return [{"from_day": from_day, "most": most} for from_day, most in settings.CAMPAIGN_WARM_UP]

    def to_representation(self, instance: WhatsAppConnection) -> dict[str, Any]:
        now, pace = standing_of(instance.pk)
        today, opens_at = pace.today(now), pace.opens_at(now)
        standing: Any = instance
        standing.day_of_use, standing.cap_today = pace.day_of_use(today), pace.cap_on(today)
        standing.sent_today, standing.opens_at = pace.sent_on(today), None if opens_at == NEVER else opens_at
        standing.holds, standing.waiting = holds_of(instance), stale.waiting(instance).count()
        return super().to_representation(instance)


class ChoiceSerializer(serializers.Serializer[Any]):
    """What becomes of the messages that wait."""

    action = serializers.ChoiceField(choices=["send", "reschedule", "drop"])
    at = serializers.DateTimeField(required=False, help_text="With `reschedule`: when to send them.")
    message_ids = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=1000,
        help_text="Only these; without it all that wait. What waits no more is left alone.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["action"] == "reschedule") != ("at" in attrs):
            raise serializers.ValidationError({"at": _("A time goes with “reschedule”, and with nothing else.")})
        return attrs


class ChosenSerializer(serializers.Serializer[Any]):
    changed = serializers.IntegerField(help_text="Messages that the choice was made for.")
    waiting = serializers.IntegerField(help_text="Messages that still wait.")
