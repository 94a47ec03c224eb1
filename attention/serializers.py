"""What needs a person, as the API shows it."""

from typing import Any

from rest_framework import serializers

from attention.concern import Item
from attention.kinds import CAN_WAIT
from attention.models import Kind


class AboutSerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=["unit", "number", "campaign", "webhook"])
    id = serializers.UUIDField()
    name = serializers.CharField(help_text="Empty for who may not see it.")


class NeedSerializer(serializers.Serializer[Any]):
    """Something that needs a person."""

    id = serializers.UUIDField(source="episode.id")
    kind = serializers.ChoiceField(source="episode.kind", choices=Kind.choices)
    kind_label = serializers.CharField(source="episode.get_kind_display")
    is_now = serializers.SerializerMethodField(help_text="It counts in a badge; the others are for when there is time.")
    about = AboutSerializer()
    count = serializers.IntegerField(help_text="Of messages, files or events: how many; else 1.")
    since = serializers.DateTimeField(source="episode.created_at")

    def get_is_now(self, need: Item) -> bool:
        return need.episode.kind not in CAN_WAIT
