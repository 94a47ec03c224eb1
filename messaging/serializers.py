"""Contacts, conversations and messages, as the API shows and takes them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from messaging.models import Contact, Conversation, ConversationStatus, Message, MessageStatus
from messaging.services import MAX_TEXT
from units.gateways.errors import SENTENCES


class ContactSerializer(serializers.ModelSerializer[Contact]):
    phone = serializers.CharField(
        source="phone_number", read_only=True, help_text="E.164; empty when only a LID is known."
    )

    class Meta:
        model = Contact
        fields = ["id", "name", "phone", "created_at"]
        read_only_fields = ["id", "phone", "created_at"]


class NewContactSerializer(serializers.Serializer[Any]):
    phone = serializers.CharField(max_length=40, help_text="In any notation; without a country code it is Brazilian.")
    name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class ContactBriefSerializer(serializers.ModelSerializer[Contact]):
    phone = serializers.CharField(source="phone_number", read_only=True)

    class Meta:
        model = Contact
        fields = ["id", "name", "phone"]


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    contact = ContactBriefSerializer(read_only=True)
    status = serializers.ChoiceField(choices=ConversationStatus.choices, read_only=True)

    class Meta:
        model = Conversation
        fields = [
            "id",
            "contact",
            "status",
            "unread_count",
            "waiting_since",
            "last_message_at",
            "last_message_preview",
            "created_at",
        ]
        read_only_fields = fields


class MessageErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField(help_text="What happened and what to do, in the language of the request.")


class MessageSerializer(serializers.ModelSerializer[Message]):
    status = serializers.ChoiceField(choices=MessageStatus.choices, read_only=True)
    status_label = serializers.CharField(source="get_status_display", read_only=True)
    contact = ContactBriefSerializer(source="conversation.contact", read_only=True)
    conversation_id = serializers.UUIDField(read_only=True)
    author_id = serializers.UUIDField(read_only=True, allow_null=True)
    error = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = [
            "id",
            "direction",
            "origin",
            "kind",
            "body",
            "details",
            "status",
            "status_label",
            "error",
            "provider",
            "external_id",
            "contact",
            "conversation_id",
            "author_id",
            "happened_at",
            "sent_at",
            "delivered_at",
            "read_at",
            "created_at",
        ]
        read_only_fields = fields

    @extend_schema_field(MessageErrorSerializer(allow_null=True))
    def get_error(self, message: Message) -> dict[str, Any] | None:
        if not message.error_code:
            return None
        return {"code": message.error_code, "message": str(error_sentence(message.error_code))}


class NewMessageSerializer(serializers.Serializer[Any]):
    """To whom: exactly one of `conversation_id`, `contact_id` and `phone`. What: `text`."""

    conversation_id = serializers.UUIDField(required=False)
    contact_id = serializers.UUIDField(required=False)
    phone = serializers.CharField(required=False, max_length=40)
    text = serializers.CharField(max_length=MAX_TEXT)
    reply_to = serializers.CharField(
        required=False, max_length=128, help_text="`external_id` of the message that is quoted."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(key in attrs for key in ("conversation_id", "contact_id", "phone")) != 1:
            raise serializers.ValidationError(
                _("Say to whom with exactly one of conversation_id, contact_id and phone."), "recipient"
            )
        return attrs


_OWN_SENTENCES = {
    "expired": _("Not sent: it waited longer than it was worth sending."),
    "opted_out": _("Not sent: this person does not want campaigns."),
    "no_address": _("Not sent: this contact has no number."),
    "not_sent_by_word": _("Not sent: somebody looked at the phone and it was not there."),
}


def error_sentence(code: str) -> Any:
    """A stored error code as a sentence, in the language of now; the code itself when it is from another time."""
    return SENTENCES.get(code) or _OWN_SENTENCES.get(code) or code
