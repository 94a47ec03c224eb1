"""What can be sent, as the API takes it and shows it."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from messaging.models import Attachment, ChatAction
from messaging.outgoing.attachments import KINDS
from messaging.outgoing.contents import MAX_PLACE, MAX_TEXT

# Exactly one of these says what is sent.
CONTENTS: Final = ("text", "media", "location", "contact_card", "poll", "reaction")
_RECIPIENTS: Final = ("conversation_id", "contact_id", "phone")
_KIND_HELP: Final = "As what; without it, as what its content is. Anything can be a document."


class NewMediaSerializer(serializers.Serializer[Any]):
    """A file: one that was uploaded, or one to fetch now."""

    attachment_id = serializers.UUIDField(required=False)
    url = serializers.CharField(required=False, max_length=2_048, help_text="https, on the public internet.")
    kind = serializers.ChoiceField(choices=KINDS, required=False, help_text=f"With `url`. {_KIND_HELP}")
    caption = serializers.CharField(required=False, allow_blank=True, default="", help_text="Up to 1,024 characters.")
    voice = serializers.BooleanField(required=False, default=False, help_text="A sound, as a voice note.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("attachment_id" in attrs) == ("url" in attrs):
            raise serializers.ValidationError(_("Name the file with exactly one of attachment_id and url."))
        return attrs


class NewLocationSerializer(serializers.Serializer[Any]):
    latitude = serializers.FloatField(min_value=-90, max_value=90)
    longitude = serializers.FloatField(min_value=-180, max_value=180)
    name = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_PLACE)
    address = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_PLACE)


class NewContactCardSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Up to 100 characters.")
    phone = serializers.CharField(max_length=40, help_text="In any notation; without a country code it is Brazilian.")


class NewPollSerializer(serializers.Serializer[Any]):
    question = serializers.CharField(help_text="Up to 255 characters.")
    options = serializers.ListField(child=serializers.CharField(), help_text="2 to 10, of up to 100 characters.")
    selectable = serializers.IntegerField(
        required=False, default=1, help_text="How many may be chosen; 0: as many as one likes."
    )


class NewReactionSerializer(serializers.Serializer[Any]):
    message_id = serializers.UUIDField(help_text="A message of the same conversation.")
    emoji = serializers.CharField(allow_blank=True, max_length=40, help_text="One; empty takes ours back.")


class NewMessageSerializer(serializers.Serializer[Any]):
    """To whom: exactly one of `conversation_id`, `contact_id` and `phone`; what: exactly one of `text`, `media`,
    `location`, `contact_card`, `poll` and `reaction`."""

    conversation_id = serializers.UUIDField(required=False)
    contact_id = serializers.UUIDField(required=False)
    phone = serializers.CharField(required=False, max_length=40)
    text = serializers.CharField(required=False, max_length=MAX_TEXT)
    media = NewMediaSerializer(required=False)
    location = NewLocationSerializer(required=False)
    contact_card = NewContactCardSerializer(required=False)
    poll = NewPollSerializer(required=False)
    reaction = NewReactionSerializer(required=False)
    reply_to = serializers.CharField(
        required=False,
        max_length=128,
        help_text="The message of the same conversation that is quoted: its `id` or `external_id`.",
    )
    link_preview = serializers.BooleanField(required=False, default=True, help_text="Whether a link shows a picture.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(name in attrs for name in _RECIPIENTS) != 1:
            raise serializers.ValidationError(
                _("Say to whom with exactly one of conversation_id, contact_id and phone."), "recipient"
            )
        if (given := sum(name in attrs for name in CONTENTS)) != 1:
            sentence = _("Say what with exactly one of text, media, location, contact_card, poll and reaction.")
            raise serializers.ValidationError(sentence if given else {"text": [sentence]}, "content")
        return attrs

    @property
    def what(self) -> str:
        """Which of CONTENTS it is."""
        return next(name for name in CONTENTS if name in self.validated_data)

    @property
    def fingerprint(self) -> str:
        """The same for the same content, whoever it goes to."""
        content = {name: value for name, value in self.validated_data.items() if name not in _RECIPIENTS}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


class NewAttachmentSerializer(serializers.Serializer[Any]):
    """A file as multipart (`file`), or as JSON where it is to be fetched (`url`)."""

    file = serializers.FileField(required=False, allow_empty_file=True)
    url = serializers.CharField(required=False, max_length=2_048, help_text="https, on the public internet.")
    kind = serializers.ChoiceField(choices=KINDS, required=False, help_text=_KIND_HELP)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("file" in attrs) == ("url" in attrs):
            raise serializers.ValidationError(_("Give exactly one of file and url."))
        return attrs


class AttachmentSerializer(serializers.ModelSerializer[Attachment]):
    """A file to send. It is kept for a week, and for as long as a message or campaign has it."""

    kind = serializers.ChoiceField(choices=KINDS, read_only=True, help_text="What it is sent as.")
    url = serializers.SerializerMethodField(help_text="Where the file is, with the same log-in.")
    thumbnail_url = serializers.SerializerMethodField(help_text="A small WebP, of images.")

    class Meta:
        model = Attachment
        fields = ["id", "kind", "mime_type", "size", "name", "width", "height", "url", "thumbnail_url", "created_at"]
        read_only_fields = fields

    def get_url(self, attachment: Attachment) -> str:
        return reverse("attachment-file", args=[attachment.unit_id, attachment.pk])

    def get_thumbnail_url(self, attachment: Attachment) -> str | None:
        if not attachment.thumbnail:
            return None
        return reverse("attachment-thumbnail", args=[attachment.unit_id, attachment.pk])


class EditSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=MAX_TEXT)


class ChatActionSerializer(serializers.ModelSerializer[ChatAction]):
    """What was asked for; the message changes once WhatsApp's server has accepted it."""

    kind = serializers.CharField(read_only=True, help_text="edit or delete.")
    status = serializers.CharField(read_only=True, help_text="queued, done, failed or expired.")
    message_id = serializers.UUIDField(read_only=True)

    class Meta:
        model = ChatAction
        fields = ["id", "kind", "status", "message_id", "expires_at", "created_at"]
        read_only_fields = fields
