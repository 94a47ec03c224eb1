"""Units and their connection, as the API shows them."""

from typing import Any

from rest_framework import serializers

from units.models import ConnectionStatus, LiveEvent, Unit, WhatsAppConnection


class UnitSerializer(serializers.ModelSerializer[Unit]):
    class Meta:
        model = Unit
        fields = ["id", "name", "time_zone", "created_at"]


class ConnectionSerializer(serializers.ModelSerializer[WhatsAppConnection]):
    """The number of a unit. `status_label` and `cause` are for people, in the language of the request."""

    status = serializers.ChoiceField(choices=ConnectionStatus.choices, read_only=True)
    status_label = serializers.CharField(source="get_status_display", read_only=True)
    cause = serializers.CharField(source="get_cause_display", read_only=True)
    qr_code = serializers.CharField(
        read_only=True,
        allow_null=True,
        help_text="`data:` URI of a PNG; null when there is nothing to scan, or for who may not connect the number.",
    )
    expires_at = serializers.DateTimeField(source="qr_expires_at", read_only=True, allow_null=True)
    complete_since = serializers.DateTimeField(
        source="completeness.complete_since",
        read_only=True,
        allow_null=True,
        default=None,
        help_text="Every message that WhatsApp told the gateway from then on is here; null when that is not known.",
    )
    last_event_at = serializers.DateTimeField(
        source="completeness.heard_at",
        read_only=True,
        allow_null=True,
        default=None,
        help_text="When the gateway last told anything about this number.",
    )

    class Meta:
        model = WhatsAppConnection
        fields = [
            "status",
            "status_label",
            "status_changed_at",
            "cause",
            "phone_number",
            "profile_name",
            "qr_code",
            "pairing_code",
            "expires_at",
            "complete_since",
            "last_event_at",
        ]
        read_only_fields = fields
        extra_kwargs = {key: {"allow_null": True} for key in ("qr_code", "pairing_code", "phone_number")}

    def to_representation(self, instance: WhatsAppConnection) -> dict[str, object]:
        shown = super().to_representation(instance)
        return shown | {key: shown[key] or None for key in ("qr_code", "pairing_code", "phone_number")}


class ConnectSerializer(serializers.Serializer[Any]):
    phone_number = serializers.RegexField(
        r"^[+\d\s().-]{8,25}$",
        required=False,
        help_text="The number of the phone, with country code, to get a pairing code besides the QR code.",
    )


class ChangeSerializer(serializers.ModelSerializer[LiveEvent]):
    id = serializers.UUIDField(source="object_id", read_only=True)

    class Meta:
        model = LiveEvent
        fields = ["seq", "kind", "id", "data", "created_at"]


class ChangesSerializer(serializers.Serializer[Any]):
    results = ChangeSerializer(many=True)
    last_seq = serializers.IntegerField(help_text="Ask with `after=` this next.")
    reset = serializers.BooleanField(help_text="Changes after `after` are no longer kept: load everything anew.")
