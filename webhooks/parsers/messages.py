"""One element of messages.upsert, send.message or messages.set → a message, an edit or a deletion."""

from messaging.events import (
    MessageDeleted,
    MessageEdited,
    MessageEvent,
    MessageKind,
    MessageReceived,
    MessageStatus,
)
from webhooks.parsers.content import Content, read_content
from webhooks.parsers.events import Ignored, IgnoreReason
from webhooks.parsers.jids import author_of, chat_of, is_from_me, key_id, key_of
from webhooks.parsers.values import (
    JSONObject,
    compact,
    first,
    flag,
    identifier,
    integer,
    items,
    mapping,
    person_name,
    text,
    timestamp,
    word,
)

# WhatsApp's protocol enum; words in any case, the Business channel's (Meta's) among them.
_STATUSES = {
    "0": MessageStatus.ERROR,
    "1": MessageStatus.PENDING,
    "2": MessageStatus.SERVER_ACK,
    "3": MessageStatus.DELIVERY_ACK,
    "4": MessageStatus.READ,
    "5": MessageStatus.PLAYED,
    "error": MessageStatus.ERROR,
    "failed": MessageStatus.ERROR,
    "pending": MessageStatus.PENDING,
    "server_ack": MessageStatus.SERVER_ACK,
    "sent": MessageStatus.SERVER_ACK,
    "delivery_ack": MessageStatus.DELIVERY_ACK,
    "delivered": MessageStatus.DELIVERY_ACK,
    "read": MessageStatus.READ,
    "played": MessageStatus.PLAYED,
    "deleted": MessageStatus.DELETED,
}
# messageStubType of a message that the gateway could not decrypt.
_CIPHERTEXT = frozenset({"2", "CIPHERTEXT"})


def read_status(value: object) -> MessageStatus | None:
    """A message's status from a number or a word; None when it is neither or unknown."""
    number = integer(value)
    return _STATUSES.get(str(number) if number is not None else word(value) or "")


def external_id(element: JSONObject) -> str | None:
    """WhatsApp's id of the message. Never `messageId`: that is the row of Evolution's own database."""
    return key_id(key_of(element)) or identifier(element.get("keyId")) or key_id(element)


def read_message(
    element: object, *, event: str, own_phone: str | None, is_api_echo: bool = False
) -> MessageEvent | Ignored:
    """One message. Edits and deletions come as messages too, and leave as what they are."""
    outer = mapping(element)
    inner = mapping(outer.get("message"))
    if mapping(inner.get("key")) and "message" in inner:
        # Some forwarders put the whole message, key included, under `message`.
        outer = {**outer, **inner}
    if not outer:
        return Ignored(event=event, reason=IgnoreReason.NO_MESSAGE)

    content = read_content(outer.get("message", _loose_text(outer)), outer)
    if content.kind is MessageKind.UNKNOWN and not mapping(outer.get("message")):
        content = _stub(outer, content)
    own = is_from_me(outer)
    from_me = is_api_echo if own is None else own
    chat = chat_of(outer, own_phone=own_phone)
    author = author_of(outer, chat)
    sent_at = timestamp(first(outer, ("messageTimestamp", "timestamp")))

    if content.kind is MessageKind.EDIT:
        return MessageEdited(
            external_id=external_id(outer),
            target_id=content.target_id,
            from_me=from_me,
            chat=chat,
            author=author,
            text=content.text,
            timestamp=sent_at,
        )
    if content.kind is MessageKind.DELETE:
        return MessageDeleted(
            external_id=external_id(outer),
            target_id=content.target_id,
            from_me=from_me,
            chat=chat,
            author=author,
            timestamp=sent_at,
        )
    quoted = mapping(inner.get("quoted"))
    return MessageReceived(
        kind=content.kind,
        external_id=external_id(outer),
        from_me=from_me,
        is_api_echo=is_api_echo,
        chat=chat,
        author=author,
        # In echoes it is our own name, "Você" in a Portuguese Evolution.
        push_name=None if from_me else person_name(outer.get("pushName")),
        text=content.text,
        timestamp=sent_at,
        target_id=content.target_id,
        reply_to_id=identifier(first(content.context, ("stanzaId", "stanzaID"))) or key_id(quoted),
        is_forwarded=_is_forwarded(content.context),
        status=read_status(outer.get("status")),
        media=content.media,
        details=content.details | _circumstances(content.context),
        source=word(outer.get("source")),
        raw_type=content.raw_type,
    )


def _loose_text(outer: JSONObject) -> object:
    """Imitations of Evolution without `message` put the text beside the key."""
    return first(outer, ("text", "body"))


def _stub(outer: JSONObject, content: Content) -> Content:
    """A message without content whose `messageStubType` says why: not decrypted, or a notice of the app."""
    stub = text(outer.get("messageStubType"))
    if stub is None:
        return content
    kind = MessageKind.ENCRYPTED if stub.upper() in _CIPHERTEXT else MessageKind.PROTOCOL
    return Content(kind=kind, raw_type=f"messageStubType {stub}")


def _is_forwarded(context: JSONObject) -> bool:
    return bool(flag(context.get("isForwarded"))) or bool(integer(context.get("forwardingScore")))


def _circumstances(context: JSONObject) -> dict[str, object]:
    """Who was mentioned, and the advert that the person came from."""
    mentions = [jid for jid in map(identifier, items(first(context, ("mentionedJid", "mentionedJID")))) if jid]
    advert = mapping(context.get("externalAdReply"))
    referral = compact(
        title=text(advert.get("title")),
        body=text(advert.get("body")),
        source_id=identifier(first(advert, ("sourceId", "sourceID"))),
        source_url=text(first(advert, ("sourceUrl", "sourceURL"))),
        click_id=text(advert.get("ctwaClid")),
    )
    return compact(mentions=mentions or None, referral=referral or None)
