"""The file of a message, as the API shows it."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from messaging.media.naming import cleaned
from messaging.models import MediaStatus, MessageMedia
from units.gateways.errors import SENTENCES

# Why a file is not here. The gateway's own codes have their sentences in `units.gateways.errors`.
_SENTENCES = {
    "too_large": _("The file is too large to be kept here. It is on the phone."),
    "program": _("The file is a program. Programs are not kept, so that nobody opens one by mistake."),
    "deleted": _("The message was deleted for everyone."),
    "media_gone": _("WhatsApp no longer has this file. Ask for it to be sent again."),
    "empty_file": _("The file came without content. Ask for it to be sent again."),
    "not_stored": _("The file could not be saved here. We try again by ourselves."),
    "not_loaded": _("The file could not be loaded."),
    "disconnected": _("It comes once the number is connected."),
    "instance_missing": _("It comes once the number is connected."),
    "server_unavailable": _("The WhatsApp server did not hand the file over. Try again in a moment."),
}


def media_sentence(code: str) -> Any:
    """Why a file is not here, in the language of now; empty without a code."""
    return (_SENTENCES.get(code) or SENTENCES.get(code) or _SENTENCES["not_loaded"]) if code else ""


class MediaErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField(help_text="What happened and what to do, in the language of the request.")


class MediaSerializer(serializers.ModelSerializer[MessageMedia]):
    """Read with `messaging.media.files()` prefetched; `media.message` is then at hand."""

    status = serializers.ChoiceField(choices=MediaStatus.choices, read_only=True)
    url = serializers.SerializerMethodField(help_text="Where the file is, with the same log-in; null until it is.")
    thumbnail_url = serializers.SerializerMethodField(help_text="A small WebP, of images.")
    mime_type = serializers.CharField(read_only=True, help_text="By its own bytes; empty until it is here.")
    file_name = serializers.SerializerMethodField(help_text="As the sender called it.")
    size = serializers.SerializerMethodField(help_text="Bytes; until it is here as announced, if it was.")
    seconds = serializers.SerializerMethodField(help_text="Playing time, as announced.")
    width = serializers.IntegerField(read_only=True, allow_null=True, help_text="Pixels, of images.")
    height = serializers.IntegerField(read_only=True, allow_null=True)
    error = serializers.SerializerMethodField()

    class Meta:
        model = MessageMedia
        fields = [
            "status",
            "url",
            "thumbnail_url",
            "mime_type",
            "file_name",
            "size",
            "seconds",
            "width",
            "height",
            "error",
        ]
        read_only_fields = fields

    def get_url(self, media: MessageMedia) -> str | None:
        return self._address("message-media", media) if media.file else None

    def get_thumbnail_url(self, media: MessageMedia) -> str | None:
        return self._address("message-thumbnail", media) if media.thumbnail else None

    def get_file_name(self, media: MessageMedia) -> str:
        return cleaned(str(self._announced(media).get("file_name") or ""))

    def get_size(self, media: MessageMedia) -> int | None:
        return media.size if media.size is not None else self._announced(media).get("size")

    def get_seconds(self, media: MessageMedia) -> int | None:
        return self._announced(media).get("seconds")

    @extend_schema_field(MediaErrorSerializer(allow_null=True))
    def get_error(self, media: MessageMedia) -> dict[str, Any] | None:
        if not media.error_code:
            return None
        return {"code": media.error_code, "message": str(media_sentence(media.error_code))}

    @staticmethod
    def _announced(media: MessageMedia) -> dict[str, Any]:
        return media.message.details.get("media") or {}

    @staticmethod
    def _address(name: str, media: MessageMedia) -> str:
        return reverse(name, args=[media.unit_id, media.message_id])
