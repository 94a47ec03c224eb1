"""What goes into a batch, what comes out, and what it has changed on the way."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zlib import crc32

from django.utils.translation import gettext_noop

from messaging import people
from messaging.events import (
    CallChanged,
    Chat,
    ChatAddress,
    ContactsChanged,
    GroupsChanged,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageStatusChanged,
)
from messaging.models import Direction, Message, MessageQuerySet
from units import live
from units.models import WhatsAppConnection

# Why an event had no effect, for staff.
DUPLICATE = gettext_noop("This message is here already.")
NOT_DIRECT = gettext_noop("Broadcasts, status posts and newsletters are not shown; groups only if the unit wants them.")
NO_ADDRESS = gettext_noop("The message does not tell whose it is.")
HOUSEKEEPING = gettext_noop("A notice between WhatsApp apps, not a message.")
SENDING = gettext_noop("A message of this number is being sent; this may be its echo.")
UNKNOWN_MESSAGE = gettext_noop("It speaks of a message that is not here.")
NO_RECEIPT = gettext_noop("This status says nothing about the delivery.")
NOBODY_KNOWN = gettext_noop("It tells of nobody who has a conversation here.")

type HandledEvent = (
    MessageReceived
    | MessageEdited
    | MessageDeleted
    | MessageStatusChanged
    | CallChanged
    | ContactsChanged
    | GroupsChanged
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told[E: HandledEvent]:
    """One thing that a gateway told.

    - `key`: the same whenever the same is told again; stands for the id of a message that has none.
    - `from_history`: from a sync of old messages, which nobody is to be notified about.
    """

    event: E
    received_at: datetime
    key: str
    from_history: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of it: `reason` is "" when it had its effect, else why it had none, for staff.

    - `not_yet`: what it speaks of may still come; it is to be told again later.
    - `awaits`: WhatsApp's id of the message without which it has no effect.
    """

    reason: str = ""
    not_yet: bool = False
    awaits: str = ""


DONE = Outcome()


@dataclass(slots=True)
class Heard:
    """Something that a person wrote to us just now in his own chat; `text` is empty for what is no text.

    `contact_id` None: whoever that conversation is with.
    """

    external_id: str
    conversation_id: UUID
    contact_id: UUID | None
    text: str
    happened_at: datetime


@dataclass(slots=True)
class Effects:
    """What a batch has changed and has still to do, collected: rows are locked in the order in which all lock them.

    Messages first, as they come; then, once for all of them, recipients (`moved`) and conversations (`touched`,
    `reopened`, `referrals`, `seen`); lanes (`wakes`) and the feed (`changes`) are left to whoever commits.
    """

    connection: WhatsAppConnection
    changes: list[live.Change] = field(default_factory=list)
    wakes: set[UUID] = field(default_factory=set)
    # WhatsApp's ids that are known from now on.
    arrived: set[str] = field(default_factory=set)
    # Outbound messages whose status has changed.
    moved: list[UUID] = field(default_factory=list)
    touched: set[UUID] = field(default_factory=set)
    reopened: set[UUID] = field(default_factory=set)
    # By conversation: when somebody came there by an advert, and what it says.
    referrals: dict[UUID, tuple[datetime, object]] = field(default_factory=dict)
    # By conversation: everything up to here has been seen on the phone.
    seen: dict[UUID, datetime] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)

    def follow_merges(self) -> None:
        """Carry over what was noted of a conversation that has been merged into another meanwhile."""
        told = [change for change in self.changes if change.kind == "conversation" and "merged_into" in change.data]
        became = {change.object_id: UUID(change.data["merged_into"]) for change in told}
        self.touched = {became.get(chat, chat) for chat in self.touched}
        self.reopened = {became.get(chat, chat) for chat in self.reopened}
        # Of two the later, so it is written last.
        adverts = sorted(self.referrals.items(), key=lambda item: item[1][0])
        self.referrals = {became.get(chat, chat): advert for chat, advert in adverts}
        seen = sorted(self.seen.items(), key=lambda item: item[1])
        self.seen = {became.get(chat, chat): until for chat, until in seen}
        for one in self.heard:
            one.conversation_id = became.get(one.conversation_id, one.conversation_id)

    def messages(self, direction: Direction | None = None) -> MessageQuerySet:
        """Messages of this connection, where an external id means one message in each direction."""
        rows = Message.objects.filter(connection=self.connection, provider=self.connection.provider)
        return rows.filter(direction=direction) if direction else rows

    def not_shown(self, chat: ChatAddress | None) -> str:
        """Why this chat is no conversation here; "" when it is one."""
        match chat:
            case None:
                return NO_ADDRESS
            case ChatAddress(kind=Chat.GROUP) if not self.connection.groups_enabled:
                return NOT_DIRECT
            case ChatAddress(kind=Chat.INDIVIDUAL | Chat.LID | Chat.GROUP):
                return "" if people.is_somebody(chat) else NO_ADDRESS
        return NOT_DIRECT


def moment(timestamp: int | None, otherwise: datetime) -> datetime:
    """Unix seconds as a time; what is impossible (before 2009, WhatsApp's first year, or far ahead) is not believed."""
    if timestamp is None or not 1_230_768_000 < timestamp < otherwise.timestamp() + 86_400:
        return otherwise
    return datetime.fromtimestamp(timestamp, UTC)


def within_its_second(stamped: datetime, received_at: datetime, external_id: str) -> datetime:
    """WhatsApp's times have whole seconds. What has just come in is put where it arrived within its second.

    Else an answer within the second of the question (there are programs on both sides) would stand before it. What
    comes later has its place by its id: the same in the list, in the thread and in any order of arrival.
    """
    if stamped <= received_at < stamped + timedelta(seconds=2):
        return min(received_at, stamped + timedelta(microseconds=999_999))
    return stamped + timedelta(microseconds=crc32(external_id.encode()) % 1000)
