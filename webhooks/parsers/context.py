"""What stands around a message: the one it quotes, who is mentioned, the advert that led here."""

import re

from messaging.events import Chat, ChatAddress, Quoted
from webhooks.parsers.content import Content, read_content
from webhooks.parsers.jids import key_id, parse_jid
from webhooks.parsers.values import (
    EMPTY,
    JSONObject,
    compact,
    first,
    flag,
    identifier,
    integer,
    items,
    mapping,
    text,
)

# A quoted message is shown as a line or two; its own wrappers are few.
_QUOTE_MAX, _QUOTE_DEPTH = 1_000, 4
# A group has at most 1,024 members.
_MENTIONS_MAX = 1_024
# Words of `conversionSource` and `entryPointConversionSource` that mean an advert: "FB_Ads", "ctwa_ad", "IG_Post".
# The others tell where a chat was opened: "global_search_new_chat", "click_to_chat_link".
_ADVERT = re.compile(r"ctwa|(^|_)ads?($|_)|^(fb|ig)_", re.IGNORECASE)


def is_forwarded(context: JSONObject) -> bool:
    return bool(flag(context.get("isForwarded"))) or bool(integer(context.get("forwardingScore")))


def reply_target(context: JSONObject, message: JSONObject) -> str | None:
    """The id of the quoted message; echoes of the Business channel have it in `message.quoted`."""
    if not context and "quoted" not in message:
        return None
    return identifier(first(context, ("stanzaId", "stanzaID"))) or key_id(mapping(message.get("quoted")))


def read_quoted(context: JSONObject, chat: ChatAddress | None, own_phone: str | None) -> Quoted | None:
    """What is told of the quoted message; None when that is no more than its id, or nothing."""
    message = context.get("quotedMessage")
    if not isinstance(message, dict) or not message:
        return None
    quoted = read_content(message, EMPTY, depth=_QUOTE_DEPTH)
    said = quoted.text[:_QUOTE_MAX] if quoted.text else None
    return Quoted(kind=quoted.kind, text=said, author=_author(context.get("participant"), chat, own_phone))


def _author(participant: object, chat: ChatAddress | None, own_phone: str | None) -> ChatAddress | None:
    """Who wrote the quoted message. In a direct chat whoever is not the other side is us, LID or not."""
    author = parse_jid(participant)
    if author is None or author.kind not in (Chat.INDIVIDUAL, Chat.LID):
        return None
    if chat is None or chat.kind not in (Chat.INDIVIDUAL, Chat.LID):
        return author
    if (author.phone and author.phone == chat.phone) or (author.lid and author.lid == chat.lid):
        return chat
    is_other = bool((author.phone and chat.phone) or (author.lid and chat.lid))
    if own_phone and (author.phone == own_phone or (author.lid and is_other)):
        return ChatAddress(jid=f"{own_phone[1:]}@s.whatsapp.net", kind=Chat.INDIVIDUAL, phone=own_phone, lid=author.lid)
    return author


def circumstances(context: JSONObject, outer: JSONObject, content: Content) -> dict[str, object]:
    """Who was mentioned, the advert that the person came from, and the album that a picture belongs to."""
    told = content.beside
    if context:
        mentioned = items(first(context, ("mentionedJid", "mentionedJID")))[:_MENTIONS_MAX]
        told = told | compact(mentions=[jid for jid in map(identifier, mentioned) if jid] or None)
    if (context or "referral" in outer) and (referral := _referral(context, outer)):
        told = told | {"referral": referral}
    return told


def _referral(context: JSONObject, outer: JSONObject) -> dict[str, object]:
    """The advert, from WhatsApp's own words or, as `referral`, from Meta's.

    Bots decorate messages with an `externalAdReply` of their own: without anything that names an advert it is a mere
    card.
    """
    meta = mapping(outer.get("referral")) or mapping(context.get("referral"))
    advert = mapping(context.get("externalAdReply")) or meta
    sources = (text(context.get(name)) for name in ("entryPointConversionSource", "conversionSource"))
    source = next((word for word in sources if word and _ADVERT.search(word)), None)
    source_id = identifier(first(advert, ("sourceId", "sourceID", "source_id")))
    click_id = text(first(advert, ("ctwaClid", "ctwa_clid")))
    if not (source_id or click_id or source or text(first(advert, ("sourceType", "source_type")))):
        return {}
    return compact(
        title=text(first(advert, ("title", "headline"))),
        body=text(advert.get("body")),
        source_id=source_id,
        source_url=text(first(advert, ("sourceUrl", "sourceURL", "source_url"))),
        click_id=click_id,
        source=source,
        app=text(advert.get("sourceApp")) or text(context.get("entryPointConversionApp")),
    )
