"""What people see and say of messages that nobody confirmed."""

from typing import Any

from rest_framework import serializers

from messaging.serializers import MessageSerializer


class UncertainMessageSerializer(MessageSerializer):
    """A message, when its sending began, and when the gateway is asked about it next (null: a person decides)."""

    dispatched_at = serializers.DateTimeField(read_only=True, allow_null=True)
    next_look_up_at = serializers.DateTimeField(source="look_up_due_at", read_only=True, allow_null=True)

    class Meta(MessageSerializer.Meta):
        fields = [*MessageSerializer.Meta.fields, "dispatched_at", "next_look_up_at"]


class SettlementSerializer(serializers.Serializer[Any]):
    """Whether the message arrived, as somebody has seen on the phone."""

    sent = serializers.BooleanField()
