"""The file of an image, video, audio, document or sticker message."""

import re

from messaging.events import Media
from webhooks.parsers.values import INT_MAX, JSONObject, first, flag, integer, text

# Of a data URI, before its comma; longer than any type with its parameters.
_PREFIX_MAX = 200
# Of a link with a signature; longer ones are nobody's.
_LINK_MAX = 8_192
# What follows the host begins with one of three, so that there is one way to match it: a stranger writes these.
_LINK = re.compile(r"https?://([^/?#\s]+)(?:[/?#]\S*)?", re.IGNORECASE)
# Meta's names for a file, which only the Business channel uses.
_OF_META = ("mime_type", "media")


def read_media(value: JSONObject, message: JSONObject, element: JSONObject) -> Media:
    """The media in `value`, with the file that may stand in it, beside it, or further out.

    The Business channel uses Meta's names (`mime_type`, `filename`, `voice`), `media` for a link or base64.

    The `url` of WhatsApp's own object is what its sender wrote there: never a link to follow.
    """
    link = first(value, ("url", "URL"))
    inline = value.get("media")
    links = [message.get("mediaUrl"), value.get("mediaUrl"), element.get("mediaUrl"), inline]
    if any(name in value for name in _OF_META):
        links.append(link)
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
        url=next(filter(None, map(_plain, links)), None),
        encrypted_url=_encrypted(link),
        base64=_base64(message) or _base64(value) or _base64(element) or _inline(inline),
    )


def _base64(source: JSONObject) -> str | None:
    return _inline(source.get("base64"))


def _inline(value: object) -> str | None:
    """The file itself in base64, without the "data:image/png;base64," that some put before it."""
    if not isinstance(value, str) or _LINK.match(value):
        return None
    if value.startswith("data:"):
        value = value[:_PREFIX_MAX].partition(",")[2] + value[_PREFIX_MAX:]
    return text(value, limit=None)


def _plain(value: object) -> str | None:
    host = _host(value)
    return text(value) if host and not _is_whatsapp(host) else None


def _encrypted(value: object) -> str | None:
    host = _host(value)
    return text(value) if host and _is_whatsapp(host) else None


def _host(value: object) -> str:
    """With its port; empty for what is no link."""
    found = _LINK.fullmatch(value) if isinstance(value, str) and len(value) <= _LINK_MAX else None
    return found[1] if found else ""


def _is_whatsapp(host: str) -> bool:
    return host.lower().endswith((".whatsapp.net", ".whatsapp.com"))
