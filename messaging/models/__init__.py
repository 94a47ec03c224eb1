"""Contacts, conversations and messages of a unit, and the lane on which its number sends."""

from messaging.models.contacts import (
    AddressKind,
    Contact,
    ContactAddress,
    ContactMerge,
    OptOut,
    OptOutSource,
)
from messaging.models.conversations import Conversation, ConversationStatus
from messaging.models.imports import ContactImport, ImportStatus
from messaging.models.inbox import (
    CannedReply,
    ConversationEvent,
    ConversationEventKind,
    ConversationLabel,
    Label,
    Note,
)
from messaging.models.lanes import SendLane
from messaging.models.media import Attachment, MediaStatus, MessageMedia
from messaging.models.messages import (
    ActionKind,
    ActionStatus,
    ChatAction,
    Direction,
    FailedAttempt,
    Message,
    MessageQuerySet,
    MessageStatus,
    Origin,
)
from messaging.models.segments import AttributeDefinition, AttributeKind, ContactTag, Segment, Tag

__all__ = [
    "ActionKind",
    "ActionStatus",
    "AddressKind",
    "Attachment",
    "AttributeDefinition",
    "AttributeKind",
    "CannedReply",
    "ChatAction",
    "Contact",
    "ContactAddress",
    "ContactImport",
    "ContactMerge",
    "ContactTag",
    "Conversation",
    "ConversationEvent",
    "ConversationEventKind",
    "ConversationLabel",
    "ConversationStatus",
    "Direction",
    "FailedAttempt",
    "ImportStatus",
    "Label",
    "MediaStatus",
    "Message",
    "MessageMedia",
    "MessageQuerySet",
    "MessageStatus",
    "Note",
    "OptOut",
    "OptOutSource",
    "Origin",
    "Segment",
    "SendLane",
    "Tag",
]
