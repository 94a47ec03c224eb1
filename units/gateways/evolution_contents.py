"""What can be sent, and the request that Evolution wants for it.

Each request is as it was recorded (the files named are in `tests/evolution/requests`); only the sticker's was never
recorded and follows Evolution's documentation (https://doc.evolution-api.com, "Send Sticker") and its schema.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar, Final, Literal, Protocol

# A file travels inside a JSON body. Longer than this it may not take: half of what the pace waits for a gateway that
# does not answer (SEND_GRACE). What has not ended has not been read as a request, so nothing was sent.
UPLOAD_SECONDS: Final = 30.0
# Whole groups of three bytes, so that the pieces of base64 fit together.
_PIECE_BYTES: Final = 48 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A message at WhatsApp: its id, its chat, whose it is; in a group, who wrote it."""

    external_id: str
    jid: str
    from_me: bool
    participant: str = ""

    def as_json(self) -> dict[str, Any]:
        key: dict[str, Any] = {"remoteJid": self.jid, "fromMe": self.from_me, "id": self.external_id}
        return key | ({"participant": self.participant} if self.participant else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The message that is answered: `message` is what of it stands in the quote, as a WhatsApp message object.

    By its id alone the gateway looks it up, and what it does not know goes out without a quote, without an error
    (baileys-sendText-quoted-unknown.json); with the message it needs to know nothing
    (baileys-sendText-quoted-with-message.json).
    """

    key: Key
    message: Mapping[str, Any]


class Content(Protocol):
    """Something that can be sent; `body` is the request to `route`, for the number or JID `to`."""

    @property
    def route(self) -> str: ...

    def body(self, to: str) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Without `link_preview` the gateway does not fetch links in the text (baileys-sendText-linkPreview-false.json)."""

    route: ClassVar[str] = "/message/sendText"
    text: str
    link_preview: bool = True

    def body(self, to: str) -> dict[str, Any]:
        body: dict[str, Any] = {"number": to, "text": self.text}
        return body if self.link_preview else body | {"linkPreview": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Bytes to send: `content` is read once, from where it stands, `size` bytes of it."""

    content: IO[bytes] = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture, film, document or sound with its name (baileys-sendMedia-image-base64.json).

    A document must have a name (sendMedia-base64-document-without-filename.json), and its extension decides over the
    type. Pictures are always re-encoded, as JPEG.
    """

    route: ClassVar[str] = "/message/sendMedia"
    kind: Literal["image", "video", "document", "audio"]
    file: File
    mime_type: str
    name: str
    caption: str = ""

    def body(self, to: str) -> dict[str, Any]:
        body = {"number": to, "mediatype": self.kind, "media": self.file, "fileName": self.name}
        return body | {"mimetype": self.mime_type} | ({"caption": self.caption} if self.caption else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceNote:
    """A sound that was spoken: any format, converted by the gateway; it cannot quote, the gateway leaves that out
    (baileys-sendWhatsAppAudio-base64.json)."""

    route: ClassVar[str] = "/message/sendWhatsAppAudio"
    file: File

    def body(self, to: str) -> dict[str, Any]:
        return {"number": to, "audio": self.file}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sticker:
    """A WebP of 512 by 512 pixels. Not recorded."""

    route: ClassVar[str] = "/message/sendSticker"
    file: File

    def body(self, to: str) -> dict[str, Any]:
        return {"number": to, "sticker": self.file}


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place; both texts must be there (sendLocation-missing-fields.json), and may be empty."""

    route: ClassVar[str] = "/message/sendLocation"
    latitude: float
    longitude: float
    name: str = ""
    address: str = ""

    def body(self, to: str) -> dict[str, Any]:
        place = {"latitude": self.latitude, "longitude": self.longitude}
        return {"number": to, **place, "name": self.name, "address": self.address}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacts:
    """Visiting cards: (name, phone as "+" and digits) (baileys-sendContact.json)."""

    route: ClassVar[str] = "/message/sendContact"
    cards: tuple[tuple[str, str], ...]

    def body(self, to: str) -> dict[str, Any]:
        cards = [{"fullName": name, "wuid": phone.lstrip("+"), "phoneNumber": phone} for name, phone in self.cards]
        return {"number": to, "contact": cards}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """An emoji on a message; an empty one takes it back (baileys-sendReaction.json, …-remove.json)."""

    route: ClassVar[str] = "/message/sendReaction"
    target: Key
    emoji: str

    def body(self, to: str) -> dict[str, Any]:
        return {"key": self.target.as_json(), "reaction": self.emoji}


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """A question with 2 to 10 answers; `selectable` 0: as many as one likes (baileys-sendPoll.json)."""

    route: ClassVar[str] = "/message/sendPoll"
    name: str
    options: tuple[str, ...]
    selectable: int = 1

    def body(self, to: str) -> dict[str, Any]:
        return {"number": to, "name": self.name, "selectableCount": self.selectable, "values": list(self.options)}


class FileUnreadable(Exception):
    """The file of a message ended early, or could not be read: the request is broken off, and nothing is sent."""


class UploadTooSlow(Exception):
    """The request did not get through in its time: it is broken off, and nothing is sent."""


class Upload:
    """A JSON body with one file in it, made while it is sent: a film is never in memory, let alone three times.

    In pieces: the time-out of the socket is then for each of them, and not for all (`socket.sendall` counts it for the
    whole). `is_complete`: the last byte got out, so that the gateway may act. Once: a file is not read again.
    """

    def __init__(self, body: Mapping[str, Any], *, seconds: float = UPLOAD_SECONDS) -> None:
        files = [value for value in body.values() if isinstance(value, File)]
        (self._file,) = files
        mark = secrets.token_hex(16)
        text = json.dumps({name: mark if value is self._file else value for name, value in body.items()})
        head, _, tail = text.partition(mark)
        self._size = len(head.encode()) + -(-self._file.size // 3) * 4 + len(tail.encode())
        self._pieces = self._made(head.encode(), tail.encode())
        self._until = time.monotonic() + seconds
        self.is_complete = False

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Raises FileUnreadable and UploadTooSlow."""
        for piece in self._pieces:
            if time.monotonic() > self._until:
                raise UploadTooSlow
            yield piece
        self.is_complete = True

    def _made(self, head: bytes, tail: bytes) -> Iterator[bytes]:
        yield head
        left = self._file.size
        while left:
            wanted = min(left, _PIECE_BYTES)
            try:
                piece = self._file.content.read(wanted)
            except Exception as error:  # noqa: BLE001 - a disk or a bucket: each storage has errors of its own
                raise FileUnreadable(type(error).__name__) from None
            if len(piece) != wanted:
                raise FileUnreadable("the file is shorter than it was")
            left -= wanted
            yield base64.b64encode(piece)
        yield tail


def request_body(body: Mapping[str, Any]) -> Mapping[str, Any] | Upload:
    """The body as it is, or as an Upload when there is a file in it."""
    return Upload(body) if any(isinstance(value, File) for value in body.values()) else body
