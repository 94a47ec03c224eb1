"""The file of an image, video, audio, document or sticker message."""

import re

from messaging.events import Media
from webhooks.parsers.values import INT_MAX, JSONObject, first, flag, integer, text

_LINK = re.compile(r"https?://([^/?#\s]+)\S*", re.IGNORECASE)


def read_media(value: JSONObject, message: JSONObject, element: JSONObject) -> Media:
    """The media in `value`, with the file that may stand in it, beside it, or further out.

    The Business channel uses Meta's names (`mime_type`, `filename`, `voice`), `media` for a link or base64.
    """
    link = first(value, ("url", "URL"))
    inline = value.get("media")
    return Media(
        mime_type=text(first(value, ("mimetype", "mime_type"))),
        file_name=text(first(value, ("fileName", "filename", "title"))),
        size=integer(first(value, ("fileLength", "file_size"))),
        seconds=integer(value.get("seconds"), high=INT_MAX),
        is_voice=bool(flag(first(value, ("ptt", "PTT", "voice")))),
        is_gif=bool(flag(value.get("gifPlayback"))),
        is_view_once=bool(flag(value.get("viewOnce"))),
        width=integer(value.get("width"), high=INT_MAX),
        height=integer(value.get("height"), high=INT_MAX),
        url=_plain(message.get("mediaUrl")) or _plain(value.get("mediaUrl")) or _plain(inline) or _plain(link),
        encrypted_url=_encrypted(link),
        base64=_base64(message) or _base64(value) or _base64(element) or _inline(inline),
    )


def _base64(source: JSONObject) -> str | None:
    return text(source.get("base64")) if isinstance(source.get("base64"), str) else None


def _inline(value: object) -> str | None:
    return text(value) if isinstance(value, str) and not _LINK.match(value) else None


def _plain(value: object) -> str | None:
    found = _LINK.fullmatch(value) if isinstance(value, str) else None
    return text(value) if found and not _is_whatsapp(found[1]) else None


def _encrypted(value: object) -> str | None:
    found = _LINK.fullmatch(value) if isinstance(value, str) else None
    return text(value) if found and _is_whatsapp(found[1]) else None


def _is_whatsapp(host: str) -> bool:
    return host.lower().endswith((".whatsapp.net", ".whatsapp.com"))
