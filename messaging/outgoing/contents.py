"""What a person can send: one frozen value for each kind, with WhatsApp's limits for it.

The limits are WhatsApp's own (https://developers.facebook.com/documentation/business-messaging/whatsapp/messages), but
for those of a poll: WhatsApp takes twelve answers, Evolution ten.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from django.utils.translation import gettext_lazy as _

from messaging.events import MessageKind
from messaging.models import Attachment, Message
from messaging.outgoing.errors import CannotQueue
from messaging.phones import InvalidPhone, parse_phone

MAX_TEXT: Final = 65_536
MAX_CAPTION: Final = 1_024
MAX_PLACE: Final = 1_000
MAX_NAME: Final = 100
MAX_QUESTION: Final = 255
MAX_OPTION: Final = 100
OPTIONS: Final = range(2, 11)

# One emoji: a flag, a keycap, or a picture with skin tone, tags and others joined to it.
_PICTURE: Final = (
    "(?:[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff]"
    "[\ufe0f\U0001f3fb-\U0001f3ff]{0,2}[\U000e0020-\U000e007f]*)"
)
_EMOJI: Final = re.compile(f"[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\ufe0f?\u20e3|{_PICTURE}(?:\u200d{_PICTURE}){{0,8}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What of a content stands in its message; the shapes of `details` are those of `messaging.events`."""

    kind: MessageKind
    body: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    attachment: Attachment | None = None
    # What it hangs on.
    target: Message | None = None
    can_quote: bool = True


class Content(Protocol):
    """Anything that can be queued."""

    def row(self) -> Row:
        """Raises CannotQueue for what WhatsApp would not take."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """Without `link_preview` WhatsApp shows no picture of a link in it."""

    text: str
    link_preview: bool = True

    def row(self) -> Row:
        text = self.text.strip()
        if not text:
            raise CannotQueue(_("The message has no text. Write something and send it again."))
        if len(text) > MAX_TEXT:
            raise CannotQueue(_("The message is too long for WhatsApp: at most 65,536 characters."))
        return Row(kind=MessageKind.TEXT, body=text, details={} if self.link_preview else {"link_preview": False})


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A file (`messaging.outgoing.attachments`), with words; `voice`: a sound that plays as one that was spoken."""

    attachment: Attachment
    caption: str = ""
    voice: bool = False

    def row(self) -> Row:
        file, caption = self.attachment, self.caption.strip()
        kind = MessageKind(file.kind)
        if len(caption) > MAX_CAPTION:
            raise CannotQueue(_("The caption is too long for WhatsApp: at most 1,024 characters."))
        if caption and kind in (MessageKind.AUDIO, MessageKind.STICKER):
            raise CannotQueue(_("Sounds and stickers have no caption. Send the text as a message of its own."))
        if self.voice and kind is not MessageKind.AUDIO:
            raise CannotQueue(_("Only a sound can be sent as a voice note."))
        announced = {
            "mime_type": file.mime_type,
            "file_name": file.name or None,
            "size": file.size,
            "voice": self.voice,
        }
        # The gateway leaves the quote of a voice note out.
        return Row(kind=kind, body=caption, details={"media": announced}, attachment=file, can_quote=not self.voice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place on the map, in degrees."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""

    def row(self) -> Row:
        if not (_is_within(self.latitude, 90) and _is_within(self.longitude, 180)):
            raise CannotQueue(_("This is no place: latitude goes from -90 to 90, longitude from -180 to 180."))
        words = [self.name.strip(), self.address.strip()]
        if max(map(len, words)) > MAX_PLACE:
            raise CannotQueue(_("The name or address of the place is too long: at most 1,000 characters."))
        told = {name: word for name, word in zip(("name", "address"), words, strict=True) if word}
        place = {"latitude": self.latitude, "longitude": self.longitude}
        return Row(kind=MessageKind.LOCATION, body=_lines(*words), details=place | told)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactCard:
    """Somebody's name and number."""

    name: str
    phone: str

    def row(self) -> Row:
        name = self.name.strip()
        if not name:
            raise CannotQueue(_("The contact has no name."))
        if len(name) > MAX_NAME:
            raise CannotQueue(_("The contact's name is too long: at most 100 characters."))
        try:
            phone = parse_phone(self.phone)
        except InvalidPhone as error:
            raise CannotQueue(error.message) from error
        card = {"name": name, "phones": [phone]}
        return Row(kind=MessageKind.CONTACT, body=_lines(name, phone), details={"contacts": [card]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """A question with answers to choose from; `selectable`: how many, 0 for as many as one likes."""

    question: str
    options: tuple[str, ...]
    selectable: int = 1

    def row(self) -> Row:
        question, options = self.question.strip(), [option.strip() for option in self.options]
        if not question or len(question) > MAX_QUESTION:
            raise CannotQueue(_("A poll needs a question of at most 255 characters."))
        if len(options) not in OPTIONS or len(set(options)) != len(options):
            raise CannotQueue(_("A poll needs 2 to 10 answers, and no two the same."))
        if not all(0 < len(option) <= MAX_OPTION for option in options):
            raise CannotQueue(_("Each answer of a poll needs 1 to 100 characters."))
        if not 0 <= self.selectable <= len(options):
            raise CannotQueue(_("A poll cannot take more choices than it has answers."))
        details = {
            "options": [{"title": option} for option in options],
            "selectable": self.selectable,
            "question": question,
        }
        return Row(
            kind=MessageKind.POLL, body=_lines(question, *(f"• {option}" for option in options)), details=details
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """An emoji on a message of the chat; "" takes ours back."""

    target: Message
    emoji: str

    def row(self) -> Row:
        if self.emoji and not _EMOJI.fullmatch(self.emoji):
            raise CannotQueue(_("A reaction is one emoji, or nothing to take it back."))
        return Row(kind=MessageKind.REACTION, body=self.emoji, target=self.target, can_quote=False)


def _is_within(degrees: float, most: int) -> bool:
    return math.isfinite(degrees) and -most <= degrees <= most


def _lines(*parts: str) -> str:
    """As the parser of what comes in puts them: one a line, none twice."""
    return "\n".join(dict.fromkeys(part for part in parts if part))
