"""What a provider tells about messages, in our own words.

Every text in these events is free of NUL characters and lone surrogates (PostgreSQL refuses both), every number is
finite and fits a bigint, and None always means "not told".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar


class MessageKind(StrEnum):
    """What a message is, once its wrappers (view once, disappearing, document with caption) are off."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACT = "contact"
    REACTION = "reaction"
    POLL = "poll"
    POLL_VOTE = "poll_vote"
    BUTTON_REPLY = "button_reply"
    LIST_REPLY = "list_reply"
    INTERACTIVE = "interactive"
    INTERACTIVE_REPLY = "interactive_reply"
    BUTTONS = "buttons"
    LIST = "list"
    TEMPLATE = "template"
    ORDER = "order"
    PRODUCT = "product"
    GROUP_INVITE = "group_invite"
    CALL = "call"
    ALBUM = "album"
    EDIT = "edit"
    DELETE = "delete"
    ENCRYPTED = "encrypted"
    PROTOCOL = "protocol"
    UNKNOWN = "unknown"

    @property
    def is_housekeeping(self) -> bool:
        """Sent by apps to apps (album headers, keys, sync notices, settings): nothing to show."""
        return self in (MessageKind.ALBUM, MessageKind.ENCRYPTED, MessageKind.PROTOCOL)


class Chat(StrEnum):
    """Where a JID leads. `lid` even when the phone behind it is known too."""

    INDIVIDUAL = "individual"
    GROUP = "group"
    BROADCAST = "broadcast"
    NEWSLETTER = "newsletter"
    LID = "lid"


class MessageStatus(StrEnum):
    """WhatsApp's own words for how far a message has come."""

    ERROR = "ERROR"
    PENDING = "PENDING"
    SERVER_ACK = "SERVER_ACK"
    DELIVERY_ACK = "DELIVERY_ACK"
    READ = "READ"
    PLAYED = "PLAYED"
    # Some Evolution 2.3 releases announce an edit by this word (their issue #2010): alone it deletes nothing.
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAddress:
    """Who or where: a JID, and what else the payload tells about the same person.

    `jid` is as given, without device suffix; `phone` is "+" and the digits of the phone JID, no ninth digit
    added or taken away; `lid` is the digits of the LID. Groups, broadcasts and newsletters have neither.
    """

    jid: str
    kind: Chat
    phone: str | None = None
    lid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A file that came with a message: `size` in bytes, `seconds` of playing time, pixels.

    `url` is a plain link to the file (Evolution with S3), not yet checked for where it leads; `encrypted_url`
    is WhatsApp's encrypted copy, useless without its keys. With neither `url` nor `base64`, ask the gateway.
    """

    mime_type: str | None = None
    file_name: str | None = None
    size: int | None = None
    seconds: int | None = None
    is_voice: bool = False
    is_gif: bool = False
    is_view_once: bool = False
    width: int | None = None
    height: int | None = None
    url: str | None = None
    encrypted_url: str | None = None
    base64: str | None = field(default=None, repr=False)

    @property
    def has_base64(self) -> bool:
        return self.base64 is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """What WhatsApp told of a quoted message, which may not be here: shown until it is.

    `author`: who wrote it, if told (our own number for a message of ours).
    """

    kind: MessageKind
    text: str | None = None
    author: ChatAddress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """A message in a chat.

    - `from_me`: ours, typed on the phone or, with `is_api_echo`, sent through the API.
    - `external_id`: None when the payload has none; then there is nothing to make idempotent.
    - `author`: who wrote in a group or broadcast; None in direct chats.
    - `push_name`: the name the other person chose; None when it is empty, mere punctuation, or our own.
    - `text`: what a person would read: text, caption, chosen option, emoji; at most 65,536 characters. A reaction
      without text is taken back.
    - `target_id`: the message that is reacted to or voted on; `reply_to_id`: the quoted one, `quoted` what is told
      of it.
    - `raw`: of a kind that is not known, the part that decided it, at most 4 KiB of JSON without keys and
      bytes; None for any other kind.
    - `details`: JSON values only, each member only if told. Of any kind: mentions [jid]; referral {title, body,
      source_id, source_url, click_id, source, app} of the advert that led here. By kind:
      text: preview {url, title, description}
      image, video, audio, document, sticker: transcription; album (id of the album's header); better_copy_of (id of
      the same picture or video, which has come already in lower quality)
      location: latitude, longitude, name, address, url, live
      contact: contacts [{name, phones}]
      poll: options [{title, votes}], selectable; poll_vote: votes
      button_reply, list_reply, interactive_reply: option_id, description, answers {field: text} of a form
      buttons, list, template, interactive: options [{id, title}]
      order, product: id, price_1000, currency, items
      group_invite: group, code
      call: status (as in CallChanged), video, seconds, starts_at
      album: images, videos; protocol: type
    - `raw_type`: the member that decided the kind, to say "unsupported message (type)".
    """

    kind: MessageKind
    external_id: str | None = None
    from_me: bool = False
    is_api_echo: bool = False
    chat: ChatAddress | None = None
    author: ChatAddress | None = None
    push_name: str | None = None
    text: str | None = None
    timestamp: int | None = None
    target_id: str | None = None
    reply_to_id: str | None = None
    quoted: Quoted | None = None
    is_forwarded: bool = False
    status: MessageStatus | None = None
    media: Media | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    source: str | None = None
    raw_type: str = ""
    raw: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEdited:
    """A message has a new text: `target_id` is to be changed, `external_id` is what the event carries.

    They are equal unless the edit came as a message of its own. `text` None: edited, but the new text is not
    told. `target_id` None (an `editedMessage` around plain content): which message it was is not told.
    `is_attributed`: `from_me` and `chat` are of whoever made the edit. False for `messages.edited`, whose key is the
    one inside the notice, as its sender wrote it (baileys-messages.edited-in-edit.json).
    """

    kind: ClassVar[MessageKind] = MessageKind.EDIT

    external_id: str | None = None
    target_id: str | None = None
    from_me: bool = False
    chat: ChatAddress | None = None
    author: ChatAddress | None = None
    text: str | None = None
    timestamp: int | None = None
    is_attributed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeleted:
    """A message was deleted for everyone. Ids as in `MessageEdited`."""

    kind: ClassVar[MessageKind] = MessageKind.DELETE

    external_id: str | None = None
    target_id: str | None = None
    from_me: bool = False
    chat: ChatAddress | None = None
    author: ChatAddress | None = None
    timestamp: int | None = None
    is_attributed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStatusChanged:
    """A receipt: match by `external_id` alone, only ever move forward.

    `status` None: not told, or only as a bare `ack` number, which programs count differently. `from_me` False
    with READ is the contact's message read on our own phone (on the Business channel it is always False and
    tells nothing).
    """

    external_id: str | None = None
    status: MessageStatus | None = None
    from_me: bool | None = None
    chat: ChatAddress | None = None
    participant: ChatAddress | None = None
    error: str | None = None
    timestamp: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChanged:
    """A call; `status` is offer, ringing, timeout, reject, accept, terminate, or another word as sent."""

    external_id: str | None = None
    chat: ChatAddress | None = None
    status: str | None = None
    is_video: bool = False
    is_group: bool = False
    timestamp: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSeen:
    """One contact or group. A group's `name` here is the last speaker's: do not use it.

    `verified_name`: of a business, as WhatsApp has checked it; `name` too, where no other is told.
    """

    address: ChatAddress
    name: str | None = None
    verified_name: str | None = None
    picture_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactsChanged:
    """Contacts were added or changed, at the sync after a pairing or around every message."""

    contacts: tuple[ContactSeen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSeen:
    """A group; None means not told, not "emptied"."""

    address: ChatAddress
    subject: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsChanged:
    """Groups were joined or changed."""

    groups: tuple[GroupSeen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySynced:
    """Old messages after a pairing, perhaps thousands. Nobody is to be notified about them."""

    messages: tuple["MessageReceived | MessageEdited | MessageDeleted", ...] = ()


type MessageEvent = MessageReceived | MessageEdited | MessageDeleted
