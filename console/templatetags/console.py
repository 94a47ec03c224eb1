"""Template vocabulary of the console."""

import hashlib
import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from console import presentation, time_zones
from console.contacts import Filters, standing
from console.markup import to_html
from console.presentation import Look
from messaging import names
from messaging.models import Contact, Conversation, Message
from messaging.phones import shown
from messaging.serializers import error_sentence
from messaging.threads import Quote, Reaction
from units.models import WhatsAppConnection
from units.roles import Action

register = template.Library()
register.filter("consent_look", standing)
register.filter("marked_up", to_html)
register.filter("zone_name", time_zones.name_of)

AVATARS = 5
# Turn the direction of writing: of a name, and of what stands after it.
_TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


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
    name = contact.name.translate(_TURNING)
    if contact.is_group:
        return name or _("Group without a name")
    return name or phone(contact.phone_number) or _("No name")


@register.filter
def first_name(contact: Contact) -> str:
    """As `called`, the first name of a person alone."""
    if contact.is_group:
        return called(contact)
    return names.first_name(contact.name) or called(contact)


@register.filter
def first_word(text: str) -> str:
    """Of a colleague's name, where there is no room for more."""
    return (text.split() or [""])[0]


@register.filter
def number_beside(contact: Contact) -> str:
    """The phone number, to stand beside the name; empty where the name is the number already."""
    number = contact.phone_number
    digits = re.sub(r"\D", "", contact.name)
    is_name = bool(contact.name) and not (len(digits) >= 8 and number.endswith(digits))
    return phone(number) if is_name else ""


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
    if type(thing).__name__ == "CampaignRecipient" and thing.replied_at:
        return presentation.REPLIED
    found = tables[type(thing).__name__][thing.status]
    return Look(found.icon, found.tone, found.label or thing.get_status_display())


@register.simple_tag
def sorted_query(filters: Filters, key: str) -> str:
    """The query of the list of contacts in the order of `key`; once more: the other way round."""
    falls = f"-{key}"
    first, other = (falls, key) if key in ("talked", "since") else (key, falls)
    return urlencode([*filters.chosen, ("sort", other if filters.sort == first else first)])


@register.filter
def tick(status: str) -> Look | None:
    """The tick of an outbound message's status; None for an inbound one."""
    return presentation.TICKS.get(status)


@register.filter
def message_kind(message: Message) -> Look | None:
    """What a message is besides text; None for text."""
    return presentation.kind_look(message.kind, message.details, message.direction)


@register.filter
def quote_kind(quote: Quote) -> Look | None:
    """As `message_kind`, of a quoted message, which may not be here."""
    if quote.is_deleted:
        return presentation.DELETED
    return message_kind(quote.message) if quote.message else presentation.kind_look(quote.kind, {})


@register.filter
def last_kind(row: Conversation) -> Look | None:
    """As `message_kind`, of the newest message of a row of the list."""
    last: dict[str, Any] = row.last or {}  # type: ignore[attr-defined]
    if last.get("deleted"):
        return presentation.DELETED
    return presentation.kind_look(last["kind"], last["details"], last["direction"]) if last else None


@register.filter
def last_speaker(row: Conversation) -> str:
    """Who spoke last in a group, by first name or number; empty in other chats, and for ourselves."""
    last: dict[str, Any] = row.last or {}  # type: ignore[attr-defined]
    name = (last.get("sender") or "").split()
    return name[0] if name else phone(last.get("number") or "")


@register.filter
def spoken(message: Message) -> str:
    """A message's text without the lines that its card shows: names, addresses, options."""
    details = message.details
    shown = {details.get("name"), details.get("address")} if message.kind == "location" else set()
    for card in details.get("contacts") or []:
        shown |= {card.get("name"), *(card.get("phones") or [])}
    for option in details.get("options") or []:
        shown.add(f"• {option.get('title')}")
    return "\n".join(line for line in message.body.split("\n") if line not in shown)


@register.filter
def said(message: Message) -> str:
    """A message in a few words, for those who hear it instead of seeing it."""
    if message.deleted_at:
        return str(presentation.DELETED.label)
    what = message_kind(message)
    words = [str(what.label) if what else "", " ".join(message.body.split())]
    return Truncator(": ".join(filter(None, words))).chars(200)


@register.filter
def map_url(place: dict[str, Any]) -> str:
    """Where a location is shown on a map; empty without coordinates."""
    latitude, longitude = place.get("latitude"), place.get("longitude")
    if not (isinstance(latitude, int | float) and isinstance(longitude, int | float)):
        return ""
    return f"https://www.google.com/maps/search/?api=1&query={latitude:.6f},{longitude:.6f}"


@register.filter
def web_address(value: str | None) -> str:
    """An address of a stranger that may become a link: http or https, else empty."""
    return value if value and re.match(r"https?://[^\s/]", value, re.IGNORECASE) else ""


@register.filter
def price(goods: dict[str, Any]) -> str:
    """R$ 50,00 · BOB 50,00; empty when no price is told."""
    if not isinstance(goods.get("price_1000"), int):
        return ""
    currency = goods.get("currency") or ""
    amount = number_format(Decimal(goods["price_1000"]) / 1000, decimal_pos=2, force_grouping=True)
    return f"{'R$' if currency == 'BRL' else currency}\N{NO-BREAK SPACE}{amount}".strip()


@register.filter
def item_count(goods: dict[str, Any]) -> int:
    """How many things were ordered; 0 when it is not told. A template would take a dict's own `items`."""
    count = goods.get("items")
    return count if isinstance(count, int) else 0


@register.filter
def poll_options(message: Message) -> list[dict[str, Any]]:
    """Options of a poll, {title, votes} each: in their order, then those voted for that the poll does not tell."""
    counted = dict(message.around.votes)  # type: ignore[attr-defined]
    found: dict[str, int] = {}
    for option in message.details.get("options") or []:
        title, told = option.get("title", ""), option.get("votes")
        # A result that somebody shared tells its votes, and each title ends with them.
        found[title.removesuffix(f": {told}")] = max(counted.pop(title, 0), told or 0)
    return [{"title": title, "votes": votes} for title, votes in (found | counted).items()]


@register.filter
def grouped(reactions: Sequence[Reaction]) -> list[dict[str, Any]]:
    """Reactions as they hang on a bubble: {emoji, count, who, mine} each, in the order of their first."""
    groups: dict[str, list[str]] = {}
    mine = {reaction.emoji for reaction in reactions if reaction.from_me}
    for reaction in reactions:
        who = called(reaction.contact) if reaction.contact else _("You")
        # What is sent as a reaction is the sender's to choose.
        groups.setdefault(Truncator(reaction.emoji).chars(12), []).append(who)
    return [
        {"emoji": emoji, "count": len(who), "who": ", ".join(who), "mine": emoji in mine}
        for emoji, who in groups.items()
    ]


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
def overdue(since: datetime | None, goal: int) -> bool:
    """Whether somebody has waited longer than the unit's goal, in minutes."""
    return since is not None and timezone.now() - since > timedelta(minutes=goal)


@register.filter
def what_is_allowed(scopes: list[str]) -> list[str]:
    """What a token may do, in words."""
    return [str(action.label) for action in Action if action in scopes]


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
