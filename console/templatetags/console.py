"""Template vocabulary of the console."""

import hashlib
from datetime import date, datetime, timedelta
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from console import presentation
from console.presentation import Look
from messaging.models import Contact, Conversation, Message
from messaging.phones import shown
from messaging.serializers import error_sentence
from units.models import WhatsAppConnection

register = template.Library()

AVATARS = 5
# After this long without an answer a conversation shows the hourglass.
ANSWER_GOAL = timedelta(minutes=30)


@register.simple_tag
def icon(name: str, size: int = 18) -> SafeString:
    """The icon `name` of the sprite, for beside a word or in a labelled button (15, 18, 22 or 32 px)."""
    return format_html(
        '<svg class="icon i{}" width="{}" height="{}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        str(size), str(size), str(size), static("console/icons.svg"), name,
    )  # fmt: skip


@register.filter
def phone(value: str) -> str:
    """A normal-form number as a person reads it: (11) 90000-0142; empty stays empty."""
    return shown(value) if value else ""


@register.filter
def called(contact: Contact) -> str:
    """The contact's name; without one, the phone number."""
    return contact.name or phone(contact.phone_number) or _("No name")


@register.filter
def first_name(contact: Contact) -> str:
    """As `called`, the first word of a name alone."""
    return (contact.name.split() or [called(contact)])[0]


@register.filter
def initials(name: str) -> str:
    """First letters of the first and the last word; `#` for a number or nothing."""
    words = [word for word in name.split() if word[0].isalpha()]
    if not words:
        return "#"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else words[0][1:2])).upper()


@register.filter
def avatar(key: Any) -> str:
    """One of the calm pairs of colours, always the same for the same person."""
    return f"av-{hashlib.sha256(str(key).encode()).digest()[0] % AVATARS}"


@register.filter
def look(thing: Any) -> Look:
    """How the status of a connection, message, campaign or recipient looks; `label` is always filled."""
    tables = {
        "WhatsAppConnection": presentation.CONNECTION,
        "Message": presentation.TICKS,
        "Campaign": presentation.CAMPAIGN,
        "CampaignRecipient": presentation.RECIPIENT,
    }
    found = tables[type(thing).__name__][thing.status]
    return Look(found.icon, found.tone, found.label or thing.get_status_display())


@register.filter
def tick(status: str) -> Look | None:
    """The tick of an outbound message's status; None for an inbound one."""
    return presentation.TICKS.get(status)


@register.filter
def kind(value: str) -> Look | None:
    """What a message is besides text; None for text."""
    return None if value == "text" else presentation.KINDS.get(value, presentation.UNSUPPORTED)


@register.filter
def message_kind(message: Message) -> Look | None:
    """As `kind`, and a recorded voice is told from other audio."""
    if message.kind == "audio" and (message.details.get("media") or {}).get("voice"):
        return presentation.VOICE
    return kind(message.kind)


@register.filter
def last_kind(row: Conversation) -> Look | None:
    """As `kind`, of the newest message of a row of the list."""
    last: dict[str, Any] = row.last or {}  # type: ignore[attr-defined]
    return presentation.VOICE if last.get("voice") else kind(last.get("kind", "text"))


@register.filter
def failure(code: str) -> str:
    """Why a message was not sent, in the reader's language. Server words never reach the page; a code may."""
    sentence = str(error_sentence(code))
    if sentence and sentence != code:
        return sentence
    return _("Not sent. Code for support: %(code)s") % {"code": code} if code else _("Not sent.")


@register.filter
def cause(connection: WhatsAppConnection) -> str:
    """Why the number is not connected; empty when there is nothing to say."""
    return str(connection.get_cause_display())


@register.filter
def clock(moment: datetime) -> str:
    """14:32, in the unit's zone."""
    return date_format(timezone.localtime(moment), "H:i")


@register.filter
def day_name(day: date) -> str:
    """Today, November 24 · Yesterday, … · November 24, with the year when it is another."""
    today = timezone.localdate()
    name = date_format(day, "MONTH_DAY_FORMAT" if day.year == today.year else "DATE_FORMAT")
    if (get_language() or "").startswith("pt"):
        # Django's Portuguese months are capitalised; within a sentence they are not.
        name = name.lower()
    if day == today:
        return _("Today, %(day)s") % {"day": name}
    if day == today - timedelta(days=1):
        return _("Yesterday, %(day)s") % {"day": name}
    return name


@register.filter
def short_time(moment: datetime) -> str:
    """For a list: 14:32 today, Yesterday, 19/11, 19/11/2025."""
    local, today = timezone.localtime(moment), timezone.localdate()
    if local.date() == today:
        return date_format(local, "H:i")
    if local.date() == today - timedelta(days=1):
        return _("Yesterday")
    return date_format(local, _("m/d") if local.year == today.year else "SHORT_DATE_FORMAT")


@register.filter
def when(moment: datetime) -> str:
    """In a sentence: today at 17:42, tomorrow 08:53, 19/11/2026 16:02."""
    local, today = timezone.localtime(moment), timezone.localdate()
    days = {
        -1: _("yesterday at %(time)s"),
        0: _("today at %(time)s"),
        1: _("tomorrow at %(time)s"),
    }
    text = days.get((local.date() - today).days, _("%(day)s at %(time)s"))
    return text % {"time": date_format(local, "H:i"), "day": date_format(local, "SHORT_DATE_FORMAT")}


@register.filter
def waited(since: datetime) -> str:
    """42 min ago, up to an hour; then the time."""
    minutes = int((timezone.now() - since).total_seconds() // 60)
    if minutes < 1:
        return _("now")
    if minutes < 60:
        return ngettext("%(count)d min ago", "%(count)d min ago", minutes) % {"count": minutes}
    return short_time(since)


@register.filter
def overdue(since: datetime | None) -> bool:
    """Whether somebody has waited longer than the goal."""
    return since is not None and timezone.now() - since > ANSWER_GOAL


@register.filter
def duration(seconds: int) -> str:
    """0:41"""
    return f"{seconds // 60}:{seconds % 60:02d}"


@register.filter
def badge(count: int) -> str:
    """The number in a badge: 99+ at most."""
    return str(count) if count < 100 else "99+"


@register.filter
def percent(part: int, whole: int) -> str:
    """79 % of `whole`, without decimals; empty when there is nothing to divide by."""
    return f"{part * 100 // whole} %" if whole else ""
