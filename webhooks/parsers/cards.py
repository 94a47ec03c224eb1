"""What WhatsApp shows as a card or a grey line and we only in words: payments, events, invitations, calls."""

from datetime import UTC, datetime

from webhooks.parsers.menus import PARTS_MAX, Wording
from webhooks.parsers.values import (
    INT_MAX,
    JSONObject,
    compact,
    first,
    flag,
    integer,
    items,
    lines,
    mapping,
    text,
    timestamp,
)

# WhatsApp's CallOutcome, number or word, in the words of its call events.
_OUTCOMES = {
    "0": "accept",
    "CONNECTED": "accept",
    "1": "timeout",
    "MISSED": "timeout",
    "2": "terminate",
    "FAILED": "terminate",
    "3": "reject",
    "REJECTED": "reject",
    "4": "accept",
    "ACCEPTED_ELSEWHERE": "accept",
    "5": "accept",
    "ONGOING": "accept",
    "6": "timeout",
    "SILENCED_BY_DND": "timeout",
    "7": "timeout",
    "SILENCED_UNKNOWN_CALLER": "timeout",
}
_VIDEO = frozenset({"2", "VIDEO"})


def read_unknown(value: JSONObject) -> Wording:
    """Of a member that nobody knows: the words that such members usually have."""
    for name in ("text", "caption", "body"):
        if found := text(value.get(name)) or text(mapping(value.get(name)).get("text")):
            return Wording(text=found)
    return Wording(text=None)


def read_amount(value: JSONObject) -> str | None:
    """The sum of a payment, as "BRL 12.50"."""
    money = mapping(value.get("amount"))
    thousandths = integer(first(value, ("amount1000",))) or integer(money.get("value"))
    if thousandths is None:
        return None
    # `amount` counts in units of its own `offset`, 1000 unless it tells another.
    unit = integer(money.get("offset")) if money and value.get("amount1000") is None else 1000
    currency = text(first(value, ("currencyCodeIso4217",))) or text(money.get("currencyCode")) or ""
    return f"{currency} {thousandths / (unit or 1000):.2f}".strip()


def read_event(value: JSONObject) -> Wording:
    """An invitation to an event: its name, when (UTC), where and how to join."""
    place = mapping(value.get("location"))
    starts = timestamp(value.get("startTime"))
    when = datetime.fromtimestamp(starts, UTC).strftime("%Y-%m-%d %H:%M UTC") if starts else None
    return Wording(
        text=lines(
            text(value.get("name")),
            when,
            text(place.get("name")),
            text(place.get("address")),
            text(value.get("description")),
            text(value.get("joinLink")),
        ),
        details=compact(starts_at=starts, canceled=True if flag(value.get("isCanceled")) else None),
    )


def read_newsletter_invite(value: JSONObject) -> Wording:
    return Wording(text=lines(text(value.get("newsletterName")), text(value.get("caption"))))


def read_sticker_pack(value: JSONObject) -> Wording:
    return Wording(text=lines(text(value.get("name")), text(value.get("publisher")), text(value.get("caption"))))


def read_invoice(value: JSONObject) -> Wording:
    return Wording(text=text(value.get("note")))


def read_rich_response(value: JSONObject) -> Wording:
    """An answer of Meta's assistant, which comes in parts."""
    parts = (text(mapping(part).get("messageText")) for part in items(value.get("submessages"))[:PARTS_MAX])
    return Wording(text=lines(*parts))


def read_call(value: JSONObject) -> Wording:
    """A call in the history of a chat, or one that was arranged: status, video, seconds, starts_at."""
    outcome = text(value.get("callOutcome")) or ""
    kind = (text(value.get("callType")) or text(value.get("mediaType")) or "").upper()
    is_video = flag(value.get("isVideo"))
    return Wording(
        text=lines(text(value.get("title")), text(value.get("caption"))),
        details=compact(
            status=_OUTCOMES.get(outcome.upper()),
            video=kind in _VIDEO if is_video is None else is_video,
            seconds=integer(value.get("durationSecs"), high=INT_MAX),
            starts_at=timestamp(value.get("scheduledTimestampMs")),
        ),
    )
