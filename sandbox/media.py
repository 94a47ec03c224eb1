"""Media messages: the WhatsApp message object for a file, with the fields a phone's upload would give it."""

import hashlib
import mimetypes
import secrets
import time

from sandbox.state import Json

DEFAULT_MIMETYPES = {
    "image": "image/png",
    "video": "video/mp4",
    "audio": "audio/ogg; codecs=opus",
    "document": "application/octet-stream",
    "sticker": "image/webp",
}


def media_content(
    kind: str,
    content: bytes,
    *,
    file_name: str | None,
    mimetype: str | None,
    caption: str | None,
    voice: bool = False,
) -> Json:
    """``{"imageMessage": {...}}`` and its like for ``kind`` image, video, audio, document or sticker.

    The mimetype follows the file name's extension, if there is a file name. Bytes are objects keyed by
    position and long numbers ``{low, high, unsigned}``, as recorded. ``url`` is WhatsApp's encrypted file and
    useless as is.
    """
    guessed = mimetypes.guess_type(file_name)[0] if file_name else None
    upload = secrets.token_hex(20)
    part: Json = {"interactiveAnnotations": [], "scanLengths": [], "annotations": []} if kind == "image" else {}
    part |= {
        "url": f"https://mmg.whatsapp.net/d/{upload}",
        "mimetype": guessed or mimetype or DEFAULT_MIMETYPES[kind],
        "fileSha256": _indexed(hashlib.sha256(content).digest()),
        "fileLength": {"low": len(content), "high": 0, "unsigned": True},
        "mediaKey": _indexed(secrets.token_bytes(32)),
        "fileEncSha256": _indexed(secrets.token_bytes(32)),
        "directPath": f"/d/{upload}",
        "mediaKeyTimestamp": {"low": int(time.time()), "high": 0, "unsigned": False},
    }
    if kind == "audio":
        part |= {"seconds": max(1, len(content) // 9000), "ptt": voice}
    if voice:
        part["waveform"] = _indexed(bytes(64))
    if kind == "document":
        part |= {"title": file_name, "fileName": file_name}
    if caption and kind in ("image", "video", "document"):
        part["caption"] = caption
    return {f"{kind}Message": part}


def _indexed(raw: bytes) -> Json:
    return {str(position): byte for position, byte in enumerate(raw)}
