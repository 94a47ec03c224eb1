"""What a bubble of the thread says of its message, and what a person may do with it."""

from typing import Any, Final
from uuid import uuid4

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from console import presentation
from console.presentation import Look
from console.templatetags.console import clock, when
from messaging.events import MessageKind
from messaging.inbox.timeline import Happening, Moment
from messaging.models import ConversationEvent, ConversationEventKind, Direction, Message, MessageStatus
from messaging.outgoing import attachments
from messaging.outgoing.asking import DELETABLE, EDITABLE
from messaging.outgoing.contents import MAX_CAPTION
from messaging.serializers import error_sentence

register = template.Library()

# A text of more lines, or of as many characters as fill them, is cut with "Read all".
LINES: Final = 24
CHARACTERS: Final = 1800
QUICK: Final = ("👍", "❤️", "😂", "😮", "😢", "🙏")

_SENT: Final = (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ)
_HAPPENED: Final[dict[str, Look]] = {
    Happening.RECEIVED: Look("arrow-down", "ok"),
    Happening.QUEUED: presentation.TICKS[MessageStatus.QUEUED],
    Happening.ATTEMPT_FAILED: Look("circle-alert", "warn"),
    Happening.DISPATCHED: Look("send-horizontal"),
    Happening.SENT: presentation.TICKS[MessageStatus.SENT],
    Happening.DELIVERED: presentation.TICKS[MessageStatus.DELIVERED],
    Happening.READ: presentation.TICKS[MessageStatus.READ],
    Happening.PLAYED: Look("mic", "info"),
    Happening.UNCERTAIN: presentation.TICKS[MessageStatus.UNCERTAIN],
    Happening.FAILED: presentation.TICKS[MessageStatus.FAILED],
    Happening.CANCELLED: presentation.TICKS[MessageStatus.CANCELLED],
    Happening.EXPIRED: presentation.TICKS[MessageStatus.EXPIRED],
    Happening.EDIT_REQUESTED: Look("pencil"),
    Happening.EDITED: Look("pencil"),
    Happening.DELETION_REQUESTED: Look("ban"),
    Happening.DELETED: Look("ban"),
}


@register.filter
def event_words(event: ConversationEvent) -> str:
    """What a line of the thread says: who did what with the conversation."""
    who = event.author.shown_name if event.author else _("Somebody")
    if event.kind == ConversationEventKind.ASSIGNED:
        return _assigned(event) % {"who": who, "whom": event.assignee.shown_name if event.assignee else ""}
    if event.kind == ConversationEventKind.OPENED and event.author is None:
        return _("Reopened: the time of snoozing was over")
    if event.kind == ConversationEventKind.SNOOZED and event.until:
        return _("Snoozed by %(who)s until %(time)s") % {"who": who, "time": when(event.until)}
    words = {
        ConversationEventKind.OPENED: _("Reopened by %(who)s"),
        ConversationEventKind.PENDING: _("Set to pending by %(who)s"),
        ConversationEventKind.SNOOZED: _("Snoozed by %(who)s until the customer writes"),
        ConversationEventKind.RESOLVED: _("Resolved by %(who)s"),
    }
    return words[ConversationEventKind(event.kind)] % {"who": who}


def _assigned(event: ConversationEvent) -> str:
    if event.assignee_id is None:
        return _("%(who)s left it to nobody") if event.author_id else _("It is nobody's now")
    if event.author_id is None:
        return _("Given to %(whom)s")
    taken = event.author_id == event.assignee_id
    return _("%(who)s took the conversation") if taken else _("%(who)s gave it to %(whom)s")


@register.filter
def is_long(text: str) -> bool:
    return len(text) > CHARACTERS or text.count("\n") >= LINES


@register.filter
def may(message: Message) -> str:
    """What the menu of a message offers, as words: copy, quote, react, edit, delete. The server asks again."""
    if message.deleted_at:
        return ""
    offered = ["copy"] if message.body else []
    if message.external_id and not message.external_id.startswith("~"):
        offered += ["quote", "react"]
        if message.direction == Direction.OUTBOUND and message.status in _SENT and message.sent_at:
            age = timezone.now() - message.sent_at
            offered += ["edit"] if message.kind == "text" and age < EDITABLE else []
            offered += ["delete"] if age < DELETABLE else []
    return " ".join(offered)


@register.filter
def ticked(message: Message) -> str:
    """How far a message of ours has come and when, for hovering: Sent 14:30 · Delivered 14:31 · Read 14:40."""
    reached = [
        (MessageStatus.SENT, message.sent_at),
        (MessageStatus.DELIVERED, message.delivered_at),
        (MessageStatus.READ, message.read_at),
    ]
    steps = [f"{status.label} {clock(at)}" for status, at in reached if at]
    last = str(presentation.TICKS[message.status].label or message.get_status_display())
    if message.status not in _SENT or not steps:
        steps.append(last)
    return " · ".join(steps)


@register.filter
def happened(moment: Moment) -> Look:
    """How a step in the life of a message looks."""
    found = _HAPPENED.get(moment.what, Look("info"))
    return Look(found.icon, found.tone, moment.what.label)


@register.filter
def exact_time(moment: Any) -> str:
    """14:32:05, and the day where it is not today."""
    local = timezone.localtime(moment)
    time = date_format(local, "H:i:s")
    if local.date() == timezone.localdate():
        return time
    return _("%(day)s at %(time)s") % {"day": date_format(local, "SHORT_DATE_FORMAT"), "time": time}


@register.filter
def explained(moment: Moment) -> str:
    """Why a step failed, as a sentence; empty without one. What the server said is for support, not for here."""
    sentence = str(error_sentence(moment.code)) if moment.code else ""
    return "" if sentence == moment.code else sentence


@register.simple_tag
def new_key() -> str:
    """For what is sent from this page without a script: pressed twice, it is sent once."""
    return str(uuid4())


@register.simple_tag
def limits() -> str:
    """How large a file may be, for the composer's script: `image:16777216 …`."""
    return " ".join(f"{kind}:{min(most, settings.MEDIA_MAX_BYTES)}" for kind, most in attachments.MAX_BYTES.items())


@register.simple_tag
def largest(kind: str) -> int:
    """The bytes that a file of `kind` may have."""
    return min(attachments.MAX_BYTES[MessageKind(kind)], settings.MEDIA_MAX_BYTES)


@register.simple_tag
def longest_caption() -> int:
    return MAX_CAPTION


@register.simple_tag
def quick_reactions() -> tuple[str, ...]:
    """Those that WhatsApp itself offers first."""
    return QUICK
