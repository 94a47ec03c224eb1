"""How states look and read: icon, tone and word for each, in one place.

Tones are classes of components.css: ok, warn, danger, info, accent, neutral.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.models import CampaignStatus, RecipientStatus
from messaging.models import Direction, MessageStatus
from units.models import ConnectionStatus


@dataclass(frozen=True, slots=True)
class Look:
    """An icon of the sprite, a tone, a word when the model's own is not the one to show, and what to do about it."""

    icon: str
    tone: str = "neutral"
    label: str | Promise = ""
    hint: str | Promise = ""


CONNECTION: dict[str, Look] = {
    ConnectionStatus.DISCONNECTED: Look("unplug", "danger"),
    ConnectionStatus.PREPARING: Look("loader", "info"),
    ConnectionStatus.AWAITING_SCAN: Look("loader", "warn"),
    ConnectionStatus.CONNECTING: Look("loader", "info"),
    ConnectionStatus.CONNECTED: Look("check", "ok"),
    ConnectionStatus.DISCONNECTING: Look("loader", "warn"),
}

# One tick is proof that it left, two that it arrived, two in blue that it was read; never one that we cannot prove.
TICKS: dict[str, Look] = {
    MessageStatus.QUEUED: Look("clock"),
    # Claimed is our own word for the moment between queue and wire.
    MessageStatus.CLAIMED: Look("clock", label=pgettext_lazy("message", "Queued")),
    MessageStatus.DISPATCHING: Look("clock"),
    MessageStatus.SENT: Look("check"),
    MessageStatus.DELIVERED: Look("check-check"),
    MessageStatus.READ: Look("check-check", "info"),
    MessageStatus.UNCERTAIN: Look("circle-question-mark", "warn"),
    MessageStatus.FAILED: Look("circle-alert", "danger"),
    MessageStatus.CANCELLED: Look("ban"),
    MessageStatus.EXPIRED: Look("timer-off"),
}

# Keyed by `Message.kind`; text has no look. What is not here gets UNSUPPORTED.
KINDS: dict[str, Look] = {
    "image": Look("image", label=_("Photo")),
    "video": Look("film", label=_("Video")),
    "audio": Look("mic", label=_("Audio")),
    "document": Look("file-text", label=_("Document")),
    "sticker": Look("sticker", label=_("Sticker")),
    "location": Look("map-pin", label=_("Location")),
    "contact": Look("contact-round", label=_("Contact card")),
    "reaction": Look("smile", label=_("Reaction")),
    "poll": Look("list-checks", label=_("Poll")),
    "poll_vote": Look("list-checks", label=_("Vote in a poll")),
    "button_reply": Look("reply", label=_("Chosen answer")),
    "list_reply": Look("reply", label=_("Chosen answer")),
    "interactive_reply": Look("reply", label=_("Chosen answer")),
    "interactive": Look("list", label=_("Message with options")),
    "buttons": Look("list", label=_("Message with options")),
    "list": Look("list", label=_("Message with options")),
    "template": Look("list", label=_("Message with options")),
    "order": Look("shopping-bag", label=_("Order")),
    "product": Look("shopping-bag", label=_("Product")),
    "group_invite": Look("users", label=_("Group invitation"), hint=_("It can be accepted on the phone.")),
}
VOICE = Look("mic", label=_("Voice message"))
GIF = Look("film", label=_("GIF"))
LIVE_LOCATION = Look("map-pin", label=_("Live location"))
UNSUPPORTED = Look("circle-question-mark", label=_("Unsupported message"), hint=_("Open it on the phone."))
DELETED = Look("ban", label=_("Message deleted"))

# Keyed by how the call ended, in WhatsApp's words, and whether it was a video call. A call that we made and that
# nobody took is no missed one.
CALLS: dict[tuple[str, bool], Look] = {
    ("accept", False): Look("phone", "ok", _("Answered voice call")),
    ("accept", True): Look("video", "ok", _("Answered video call")),
    ("reject", False): Look("phone-off", "warn", _("Declined voice call")),
    ("reject", True): Look("video-off", "warn", _("Declined video call")),
    ("missed", False): Look("phone-missed", "danger", _("Missed voice call")),
    ("missed", True): Look("video-off", "danger", _("Missed video call")),
    ("unanswered", False): Look("phone-off", label=_("Unanswered voice call")),
    ("unanswered", True): Look("video-off", label=_("Unanswered video call")),
    ("", False): Look("phone", label=_("Voice call")),
    ("", True): Look("video", label=_("Video call")),
}
_NOT_TAKEN = ("timeout", "terminate")


def kind_look(kind: str, details: Mapping[str, Any], direction: str = Direction.INBOUND) -> Look | None:
    """What a message is besides text, None for text. `details` and `direction` as in `Message`."""
    media = details.get("media") or {}
    if kind == "text":
        return None
    if kind == "call":
        status = details.get("status") or ""
        if status in _NOT_TAKEN:
            status = "missed" if direction == Direction.INBOUND else "unanswered"
        video = bool(details.get("video"))
        return CALLS.get((status, video), CALLS["", video])
    if kind == "audio" and media.get("voice"):
        return VOICE
    if kind == "video" and media.get("gif"):
        return GIF
    if kind == "location" and details.get("live"):
        return LIVE_LOCATION
    if kind in KINDS:
        return KINDS[kind]
    # WhatsApp's own word for it is what a search, or the support, knows.
    name = details.get("type") or kind
    return Look(UNSUPPORTED.icon, label=f"{UNSUPPORTED.label} ({name})", hint=UNSUPPORTED.hint)


CAMPAIGN: dict[str, Look] = {
    CampaignStatus.DRAFT: Look("pencil"),
    CampaignStatus.SCHEDULED: Look("calendar-clock", "accent"),
    CampaignStatus.PROCESSING: Look("loader", "info"),
    CampaignStatus.PAUSED: Look("pause", "warn"),
    CampaignStatus.COMPLETED: Look("check", "ok"),
    CampaignStatus.CANCELLED: Look("ban"),
    CampaignStatus.FAILED: Look("circle-alert", "danger"),
}

RECIPIENT: dict[str, Look] = {
    # To a person, a recipient not fed to the queue yet waits like one that is in it.
    RecipientStatus.PENDING: Look("clock", label=pgettext_lazy("recipient", "Queued")),
    RecipientStatus.QUEUED: Look("clock"),
    RecipientStatus.SENDING: Look("loader", "info"),
    RecipientStatus.SENT: Look("check"),
    RecipientStatus.DELIVERED: Look("check-check"),
    RecipientStatus.READ: Look("check-check", "info"),
    RecipientStatus.UNCERTAIN: Look("circle-question-mark", "warn"),
    RecipientStatus.FAILED: Look("circle-alert", "danger"),
    RecipientStatus.SKIPPED: Look("ban"),
    RecipientStatus.CANCELLED: Look("ban"),
}

# Whether campaigns go to a contact; keyed by `console.contacts.standing`.
CONSENT: dict[str, Look] = {
    "blocked": Look("ban", "danger", _("Blocked")),
    "out": Look("ban", "neutral", pgettext_lazy("consent", "Opted out")),
    "absent": Look("phone-off", "warn", pgettext_lazy("consent", "Not on WhatsApp")),
    "accepts": Look("check", "ok", pgettext_lazy("consent", "Accepts")),
}

# A campaign's recipient who has answered, whatever the ticks say.
REPLIED = Look("reply", "ok", pgettext_lazy("recipient", "Replied"))

LOOKS = [
    *CONNECTION.values(),
    *TICKS.values(),
    *KINDS.values(),
    VOICE,
    GIF,
    LIVE_LOCATION,
    UNSUPPORTED,
    DELETED,
    *CALLS.values(),
    *CAMPAIGN.values(),
    *RECIPIENT.values(),
    *CONSENT.values(),
]
