"""Conversations as they are steered, notes, labels, canned replies and merges, as the API shows and takes them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from messaging.models import CannedReply, ContactMerge, ConversationEvent, ConversationStatus, Label, Note
from messaging.serializers import ColleagueSerializer, ContactBriefSerializer


@extend_schema_serializer(
    examples=[
        OpenApiExample("take over", {"assigned_to": "0199a3c2-7f00-7abc-8def-0123456789ab"}, request_only=True),
        OpenApiExample("resolve", {"status": "resolved"}, request_only=True),
        OpenApiExample(
            "snooze",
            {"status": "snoozed", "snoozed_until": "2026-12-01T11:00:00Z"},
            request_only=True,
        ),
    ]
)
class SteeringSerializer(serializers.Serializer[Any]):
    """What is not named stays."""

    assigned_to = serializers.UUIDField(
        required=False, allow_null=True, help_text="Id of a person who works in the unit; null: nobody."
    )
    status = serializers.ChoiceField(choices=ConversationStatus.choices, required=False)
    snoozed_until = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="With the status `snoozed`: when it opens again by itself, in the future. Without it, it opens when "
        "the contact writes, which opens any.",
    )


class CountsSerializer(serializers.Serializer[Any]):
    unread = serializers.IntegerField(help_text="Conversations with something unread, whatever their status.")
    mine = serializers.IntegerField(help_text="Open and pending ones that are assigned to the caller.")
    unassigned = serializers.IntegerField(help_text="Open and pending ones that are nobody's.")
    waiting = serializers.IntegerField(help_text="Open and pending ones whose contact waits for an answer.")


class NoteSerializer(serializers.ModelSerializer[Note]):
    """What colleagues tell each other in a conversation. The customer never sees it."""

    author = ColleagueSerializer(read_only=True, allow_null=True, help_text="null: somebody who is here no more.")
    edited_at = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = Note
        fields = ["id", "body", "author", "edited_at", "created_at"]
        read_only_fields = ["id", "author", "edited_at", "created_at"]


class ConversationEventSerializer(serializers.ModelSerializer[ConversationEvent]):
    """A line in the thread: what a colleague did with the conversation, or that its time was over."""

    author = ColleagueSerializer(
        read_only=True,
        allow_null=True,
        help_text="null: somebody who is here no more; of `opened` also that the time of snoozing was over.",
    )
    assignee = ColleagueSerializer(read_only=True, allow_null=True, help_text="Of `assigned`; null: nobody.")
    until = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Of `snoozed`; null: until the contact writes."
    )

    class Meta:
        model = ConversationEvent
        fields = ["id", "kind", "author", "assignee", "until", "created_at"]
        read_only_fields = fields


@extend_schema_serializer(examples=[OpenApiExample("label", {"name": "Orçamento", "color": "#1fa855"})])
class LabelSerializer(serializers.ModelSerializer[Label]):
    """What conversations are about. Upper and lower case of a name are one."""

    conversations = serializers.IntegerField(
        source="conversation_count", read_only=True, default=0, help_text="How many have it."
    )

    class Meta:
        model = Label
        fields = ["id", "name", "color", "conversations", "created_at"]
        read_only_fields = ["id", "conversations", "created_at"]
        extra_kwargs = {"color": {"help_text": "As in #1fa855; grey if it is not given."}}


@extend_schema_serializer(
    examples=[
        OpenApiExample("canned reply", {"shortcut": "horario", "body": "Abrimos de segunda a sábado, 9h às 18h."})
    ]
)
class CannedReplySerializer(serializers.ModelSerializer[CannedReply]):
    """A text that is often needed. Upper and lower case of a shortcut are one."""

    class Meta:
        model = CannedReply
        fields = ["id", "shortcut", "body", "created_at"]
        read_only_fields = ["id", "created_at"]


class NewMergeSerializer(serializers.Serializer[Any]):
    kept_id = serializers.UUIDField(help_text="Id of the contact that stays.")
    absorbed_id = serializers.UUIDField(
        help_text="Id of the contact that is no more afterwards: its addresses, messages, campaigns and labels are the "
        "other's."
    )


class MergeSerializer(serializers.ModelSerializer[ContactMerge]):
    """Two contacts that became one, by hand or because WhatsApp told that they are one person."""

    kept = ContactBriefSerializer(read_only=True)
    absorbed_id = serializers.UUIDField(read_only=True, help_text="The id is in use again once the merge is undone.")
    absorbed_name = serializers.CharField(read_only=True)
    undone_at = serializers.DateTimeField(read_only=True, allow_null=True, help_text="null: they are one.")
    undone_by = ColleagueSerializer(read_only=True, allow_null=True)

    class Meta:
        model = ContactMerge
        fields = ["id", "kept", "absorbed_id", "absorbed_name", "undone_at", "undone_by", "created_at"]
        read_only_fields = fields
