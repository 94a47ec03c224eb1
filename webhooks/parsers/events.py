"""What a body turns out to be: the events of `messaging.events` and `units.events`, and those nobody acts on yet.

Every text in these events is free of NUL characters and lone surrogates (PostgreSQL refuses both), every
number is finite and fits a bigint, and None always means "the payload does not tell".
"""

from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext_noop

from messaging.events import (
    CallChanged,
    ChatAddress,
    ContactsChanged,
    GroupsChanged,
    HistorySynced,
    MessageEvent,
    MessageStatusChanged,
)
from units.events import (
    ConnectionChanged,
    InstanceLoggedOut,
    InstanceRemoved,
    InstanceStatusChanged,
    QRCodeUpdated,
)


class IgnoreReason(StrEnum):
    """Why a body or a part of one had no effect; read by staff, so each is also a msgid."""

    NO_MESSAGE = gettext_noop("There is no data where a message should be.")
    NO_ADDRESS = gettext_noop("It names no chat or contact that can be recognised.")
    NOT_USED = gettext_noop("This event is known and nothing follows from it.")
    PROTOCOL_NOTICE = gettext_noop("A notice between WhatsApp apps, not a message.")
    UNKNOWN_EVENT = gettext_noop("This event is not known.")
    NO_EVENT = gettext_noop("The body names no event, and its content does not reveal one.")
    OTHER_INSTANCE = gettext_noop("This part of the body belongs to another instance.")
    NOT_AN_OBJECT = gettext_noop("The body is not a JSON object.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSeen:
    """One chat of the phone's chat list."""

    address: ChatAddress
    name: str | None = None
    unread: int | None = None
    is_archived: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatsChanged:
    """Chats of the phone's list were added or changed, or, with `deleted`, removed from it."""

    chats: tuple[ChatSeen, ...] = ()
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """available, unavailable, composing, recording, paused or another word; `last_seen` in Unix seconds."""

    address: ChatAddress
    state: str
    last_seen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceChanged:
    """Who is online or typing in a chat."""

    chat: ChatAddress | None = None
    presences: tuple[Presence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChanged:
    """A label of the Business app: edited (`chat` None), or put on or off a chat (`action` add, remove)."""

    label_id: str | None = None
    name: str | None = None
    color: int | None = None
    is_deleted: bool = False
    chat: ChatAddress | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupParticipantsChanged:
    """`action`: add, remove, promote, demote, modify. `author` did it, when that is told."""

    group: ChatAddress | None = None
    action: str | None = None
    author: ChatAddress | None = None
    participants: tuple[ChatAddress, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Nothing follows from this. `event` is its normalised name ("" when unnamed), `chat` whom it is about,
    if told.
    """

    event: str
    reason: IgnoreReason
    chat: ChatAddress | None = None


type ParsedEvent = (
    MessageEvent
    | MessageStatusChanged
    | HistorySynced
    | ConnectionChanged
    | QRCodeUpdated
    | InstanceLoggedOut
    | InstanceStatusChanged
    | InstanceRemoved
    | ContactsChanged
    | ChatsChanged
    | PresenceChanged
    | CallChanged
    | LabelChanged
    | GroupsChanged
    | GroupParticipantsChanged
    | Ignored
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One body, read. `event` is the normalised dotted name or ""; `instance` the name the body gives, if
    any.
    """

    event: str
    instance: str | None
    events: tuple[ParsedEvent, ...]
