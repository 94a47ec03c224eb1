"""What became of a message: messages.update, messages.edited, messages.delete, send.message.update."""

from dataclasses import replace

from messaging.events import (
    Chat,
    ChatAddress,
    MessageDeleted,
    MessageEdited,
    MessageKind,
    MessageReceived,
    MessageStatus,
    MessageStatusChanged,
)
from webhooks.parsers.content import Content, protocol_kind, read_content
from webhooks.parsers.events import Ignored, IgnoreReason
from webhooks.parsers.jids import author_of, chat_of, is_from_me, key_id, parse_jid
from webhooks.parsers.menus import read_votes
from webhooks.parsers.messages import external_id, read_record_statuses, read_status
from webhooks.parsers.values import EMPTY, JSONObject, first, items, lines, mapping, text, timestamp

type Update = MessageStatusChanged | MessageEdited | MessageDeleted | MessageReceived | Ignored

_NOTHING = Content(kind=MessageKind.UNKNOWN)


# Where Evolution has a status to tell for something that is no receipt, it writes this one.
_NO_RECEIPT = (None, MessageStatus.SERVER_ACK)


def read_updates(element: object, *, event: str, own_phone: str | None) -> list[Update]:
    """messages.update: what one element tells; a list of statuses (`MessageUpdate`) is several receipts."""
    outer = mapping(element)
    if items(outer.get("MessageUpdate")) and "status" not in outer:
        return list(read_record_statuses(outer, own_phone=own_phone))
    return [read_update(outer, event=event, own_phone=own_phone)]


def read_update(outer: JSONObject, *, event: str, own_phone: str | None) -> Update:
    """A receipt; or, in some versions, an edit, a deletion or a poll vote."""
    if not outer:
        return Ignored(event=event, reason=IgnoreReason.NO_MESSAGE)
    update = mapping(outer.get("update"))
    status = read_status(outer.get("status")) or read_status(update.get("status"))
    content = _new_content(outer)
    if content.kind is MessageKind.DELETE or ("message" in update and update["message"] is None):
        return _deleted(outer, own_phone, content)
    if status in _NO_RECEIPT and content.kind is MessageKind.REACTION:
        # A reaction is a message; the key is that of the message reacted to.
        return _reaction(outer, own_phone, content)
    if content.kind is MessageKind.EDIT or (status is None and "message" in update and content.text):
        return _edited(outer, own_phone, content)
    votes = read_votes(EMPTY, outer) or read_votes(EMPTY, update)
    is_own = is_from_me(outer)
    chat = chat_of(outer, own_phone=own_phone)
    if votes and status in _NO_RECEIPT:
        voter = _voter(outer) or _voter(update)
        is_direct = chat is not None and chat.kind in (Chat.INDIVIDUAL, Chat.LID)
        return MessageReceived(
            kind=MessageKind.POLL_VOTE,
            # The key is the poll's: `fromMe` tells whose poll it is. Who is not known to be us is the other side.
            from_me=voter.phone == own_phone if voter and own_phone and voter.phone else not voter and bool(is_own),
            chat=chat,
            author=None if is_direct else voter or author_of(outer, chat),
            text=", ".join(votes),
            target_id=external_id(outer),
            details={"votes": votes},
            raw_type="pollUpdates",
        )
    return MessageStatusChanged(
        external_id=external_id(outer),
        status=status,
        from_me=is_own,
        chat=chat,
        participant=author_of(outer, chat),
        error=_error(outer) or _error(update),
        timestamp=_time(outer, update),
    )


def _reaction(outer: JSONObject, own_phone: str | None, content: Content) -> MessageReceived:
    chat = chat_of(outer, own_phone=own_phone)
    own_id = external_id(outer)
    return MessageReceived(
        kind=MessageKind.REACTION,
        external_id=own_id if own_id != content.target_id else None,
        from_me=bool(is_from_me(outer)),
        chat=chat,
        author=author_of(outer, chat),
        text=content.text,
        timestamp=_time(outer, mapping(outer.get("update"))),
        target_id=content.target_id or own_id,
        raw_type=content.raw_type,
    )


def _voter(source: JSONObject) -> ChatAddress | None:
    """The voter of a vote that `pollUpdates` lists."""
    voters = (voter for option in items(source.get("pollUpdates")) for voter in items(mapping(option).get("voters")))
    return next(filter(None, map(parse_jid, voters)), None)


def read_edit(element: object, *, event: str, own_phone: str | None) -> Update:
    """messages.edited and send.message.update: an edit, or any other protocol message.

    Evolution 2.3 sends every protocol message under this event: revokes, history sync notices, and more
    (baileys-messages.edited-BUT-IT-IS-A-REVOKE.json).
    """
    outer = mapping(element)
    if not outer:
        return Ignored(event=event, reason=IgnoreReason.NO_MESSAGE)
    content = _new_content(outer)
    kind = content.kind if outer.get("type") is None else protocol_kind(outer["type"])
    is_ours = event == "send.message.update"
    if kind is MessageKind.DELETE:
        return replace(_deleted(outer, own_phone, content), is_attributed=is_ours)
    if kind is MessageKind.PROTOCOL and content.text is None and "editedMessage" not in outer:
        chat = chat_of(outer, own_phone=own_phone)
        return Ignored(event=event, reason=IgnoreReason.PROTOCOL_NOTICE, chat=chat)
    return replace(_edited(outer, own_phone, content), is_attributed=is_ours)


def read_delete(element: object, *, event: str, own_phone: str | None) -> Update:
    """messages.delete: a contact's revoke (flat), or a deletion through the API (with `key`)."""
    outer = mapping(element)
    if not outer:
        return Ignored(event=event, reason=IgnoreReason.NO_MESSAGE)
    content = read_content(outer.get("message"), EMPTY)
    return _deleted(outer, own_phone, content if content.kind is MessageKind.DELETE else _NOTHING)


def _new_content(outer: JSONObject) -> Content:
    """What the message says now, wherever this version puts it."""
    update = mapping(outer.get("update"))
    for source in (outer, update):
        if isinstance(source.get("editedMessage"), dict | str):
            return read_content(source["editedMessage"], EMPTY)
    for source in (update, outer):
        if isinstance(source.get("message"), dict):
            return read_content(source["message"], EMPTY)
    loose = first(outer, ("text", "newText", "newMessage", "content"))
    return read_content(loose, EMPTY) if isinstance(loose, str | dict) else _NOTHING


def _edited(outer: JSONObject, own_phone: str | None, content: Content) -> MessageEdited:
    chat = chat_of(outer, own_phone=own_phone)
    return MessageEdited(
        external_id=external_id(outer),
        target_id=content.target_id or external_id(outer),
        from_me=bool(is_from_me(outer)),
        chat=chat,
        author=author_of(outer, chat),
        text=content.text,
        timestamp=_time(outer, mapping(outer.get("update"))),
    )


def _deleted(outer: JSONObject, own_phone: str | None, content: Content) -> MessageDeleted:
    chat = chat_of(outer, own_phone=own_phone)
    # Baileys gives the id of the revoked message in a key inside the update.
    inner = key_id(mapping(mapping(outer.get("update")).get("key")))
    return MessageDeleted(
        external_id=external_id(outer),
        target_id=content.target_id or external_id(outer) or inner,
        from_me=bool(is_from_me(outer)),
        chat=chat,
        author=author_of(outer, chat),
        timestamp=_time(outer, mapping(outer.get("update"))),
    )


def _time(outer: JSONObject, update: JSONObject) -> int | None:
    names = ("messageTimestamp", "timestampMs", "editedTimestamp", "timestamp", "datetime")
    return timestamp(first(outer, names)) or timestamp(first(update, names))


def _error(source: JSONObject) -> str | None:
    """WhatsApp's reason for a refusal: Baileys' stub parameters (a code such as "463"), or what others call
    error.
    """
    codes = (text(code) for code in items(source.get("messageStubParameters")))
    error = source.get("error")
    told = first(mapping(error), ("message", "title", "code")) if isinstance(error, dict) else error
    return lines(*codes, text(told))
