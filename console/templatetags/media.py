"""How the file of a message is shown."""

from typing import Any

from django import template

from messaging.media.naming import cleaned
from messaging.media.serializers import media_sentence
from messaging.media.sniffing import UNKNOWN, by_mime_type
from messaging.models import Message, MessageMedia

register = template.Library()

# The longest edge of a picture in a bubble, in pixels.
PICTURE = 280
# A file's name is shown by its beginning and its ending.
NAME_START, NAME_END = 26, 12


@register.filter
def shown_as(media: MessageMedia, kind: str) -> str:
    """image, sticker, video, audio or file: what a message of `kind` claims to be, as far as its bytes agree."""
    found = by_mime_type(media.mime_type)
    if not found.inline or kind == "document":
        return "file"
    family = found.mime_type.partition("/")[0]
    if family == "image":
        if kind == "sticker":
            return "sticker"
        return "image" if media.thumbnail else "file"
    # A sound may come in a container that could hold a film as well.
    return "audio" if kind == "audio" else family


@register.filter
def picture_width(media: MessageMedia) -> int:
    """Of the picture in a bubble: it is there before it is loaded, so nothing jumps."""
    return _fitted(media)[0]


@register.filter
def picture_height(media: MessageMedia) -> int:
    return _fitted(media)[1]


def _fitted(media: MessageMedia) -> tuple[int, int]:
    width, height = media.width or PICTURE, media.height or PICTURE
    scale = min(1.0, PICTURE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


@register.filter
def file_name(message: Message) -> str:
    """The announced name, its middle left out when it is long; empty without one."""
    name = cleaned(str(_announced(message).get("file_name") or ""))
    return name if len(name) <= NAME_START + NAME_END + 1 else f"{name[:NAME_START]}…{name[-NAME_END:]}"


@register.filter
def file_size(media: MessageMedia) -> int | None:
    """Bytes, as announced until it is here; None when nobody knows."""
    size = media.size if media.size is not None else _announced(media.message).get("size")
    return size if isinstance(size, int) and size > 0 else None


@register.filter
def file_kind(media: MessageMedia) -> str:
    """PDF, DOCX …: by the file's own bytes; empty when they say nothing."""
    found = by_mime_type(media.mime_type)
    return "" if found is UNKNOWN else found.extension.upper()


@register.filter
def media_error(media: MessageMedia) -> str:
    """Why the file is not here, in the reader's language."""
    return str(media_sentence(media.error_code))


def _announced(message: Message) -> dict[str, Any]:
    return message.details.get("media") or {}
