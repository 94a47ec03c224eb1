"""One element of messages.upsert, send.message or messages.set → a message, an edit or a deletion."""

from messaging.events import (
    MessageDeleted,
    MessageEdited,
    MessageEvent,
    MessageKind,
    MessageReceived,
    MessageStatus,
    MessageStatusChanged,
)
from webhooks.parsers.content import Content, read_content
from webhooks.parsers.context import circumstances, is_forwarded, read_quoted, reply_target
from webhooks.parsers.events import Ignored, IgnoreReason
from webhooks.parsers.jids import author_of, chat_of, is_from_me, key_id, key_of
from webhooks.parsers.values import (
    JSONObject,
    first,
    identifier,
    integer,
    items,
    mapping,
    person_name,
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
# messageStubType of a message that the gateway could not decrypt. It is not shown: the same id comes again once the
# sender's phone has repeated it, and what stands in its place would make that a duplicate. Evolution posts none.
_CIPHERTEXT = frozenset({"2", "CIPHERTEXT"})
_REVOKED = frozenset({"1", "REVOKE"})
# Calls that nobody answered, and whether they were with video.
_MISSED_CALLS = {
    "40": False,
    "CALL_MISSED_VOICE": False,
    "41": True,
    "CALL_MISSED_VIDEO": True,
    "45": False,
    "CALL_MISSED_GROUP_VOICE": False,
    "46": True,
    "CALL_MISSED_GROUP_VIDEO": True,
    "169": False,
    "SILENCED_UNKNOWN_CALLER_AUDIO": False,
    "170": True,
    "SILENCED_UNKNOWN_CALLER_VIDEO": True,
}


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
    return MessageReceived(
        kind=content.kind,
        external_id=external_id(outer),
        from_me=from_me,
        is_api_echo=is_api_echo,
        chat=chat,
        author=author,
        # In echoes it is our own name, "Você" in a Portuguese Evolution.
        push_name=None if from_me else person_name(outer.get("pushName")) or person_name(outer.get("verifiedBizName")),
        text=content.text,
        timestamp=sent_at,
        target_id=content.target_id,
        reply_to_id=reply_target(content.context, inner),
        quoted=read_quoted(content.context, chat, own_phone) if content.context else None,
        is_forwarded=is_forwarded(content.context),
        status=read_status(outer.get("status")),
        media=content.media,
        details=content.details | circumstances(content.context, outer, content),
        source=word(outer.get("source")),
        raw_type=content.raw_type,
        raw=content.raw,
    )


def _loose_text(outer: JSONObject) -> object:
    """Imitations of Evolution without `message` put the text beside the key."""
    return first(outer, ("text", "body"))


def _stub(outer: JSONObject, content: Content) -> Content:
    """A message without content whose `messageStubType` says why: deleted, a missed call, not decrypted, a notice."""
    stub = (identifier(outer.get("messageStubType")) or "").upper()
    if stub in ("", "0", "UNKNOWN"):
        return content
    raw_type = f"messageStubType {stub}"
    if stub in _REVOKED:
        return Content(kind=MessageKind.DELETE, target_id=external_id(outer), raw_type=raw_type)
    if stub in _MISSED_CALLS:
        call = {"status": "timeout", "video": _MISSED_CALLS[stub]}
        return Content(kind=MessageKind.CALL, details=call, raw_type=raw_type)
    kind = MessageKind.ENCRYPTED if stub in _CIPHERTEXT else MessageKind.PROTOCOL
    return Content(kind=kind, raw_type=raw_type)


def read_record_statuses(record: object, *, own_phone: str | None) -> list[MessageStatusChanged]:
    """The receipts in a record's `MessageUpdate`, each once, in the order of progress: the list has no order."""
    outer = mapping(record)
    told = {read_status(mapping(update).get("status")) for update in items(outer.get("MessageUpdate"))}
    chat = chat_of(outer, own_phone=own_phone)
    return [
        MessageStatusChanged(
            external_id=external_id(outer),
            status=status,
            from_me=is_from_me(outer),
            chat=chat,
            participant=author_of(outer, chat),
        )
        for status in MessageStatus
        if status in told and status is not MessageStatus.DELETED
    ]
