"""What a WhatsApp message is and says: wrappers off, content found by what it is, not by its place.

Member names are those of Baileys' `proto.Message`; Evolution GO and other whatsmeow programs spell some with
capitals.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from messaging.events import Media, MessageKind
from webhooks.parsers import cards, menus
from webhooks.parsers.jids import key_id
from webhooks.parsers.media import read_media
from webhooks.parsers.raw import excerpt
from webhooks.parsers.values import EMPTY, JSONObject, compact, decimal, first, integer, items, lines, mapping, text

# Deeper than the deepest real nesting (ephemeral > view once > document with caption > edit > protocol > edit
# > content).
MAX_DEPTH = 10

# In the order in which they are opened when several stand side by side.
WRAPPERS = (
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "editedMessage",
    "deviceSentMessage",
    "groupMentionedMessage",
    "botInvokeMessage",
    "botForwardedMessage",
    "botTaskMessage",
    "lottieStickerMessage",
    "associatedChildMessage",
    "eventCoverImage",
    "pollCreationOptionImageMessage",
    "groupStatusMessage",
    "groupStatusMessageV2",
    "groupStatusMentionMessage",
    "statusMentionMessage",
    "statusAddYours",
    "limitSharingMessage",
    "questionMessage",
    "questionReplyMessage",
    "message",
)
_WRAPPER_ORDER = {name: order for order, name in enumerate(WRAPPERS)}
VIEW_ONCE = frozenset({"viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"})
# These stand beside the content and say nothing themselves.
BESIDE = frozenset(
    {
        "messageContextInfo",
        "contextInfo",
        "base64",
        "mediaUrl",
        "speechToText",
        "messageType",
        "quoted",
        "key",
        "id",
    }
)
# Keys, notices and settings: between apps. Of some WhatsApp shows a grey line in a group ("… pinned a message"), none
# is something that somebody said.
PROTOCOL = frozenset(
    {
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
        "pinInChatMessage",
        "keepInChatMessage",
        "stickerSyncRmrMessage",
        "messageHistoryBundle",
        "messageHistoryNotice",
        "statusNotificationMessage",
        "statusStickerInteractionMessage",
    }
)
# Only WhatsApp's apps can read these.
ENCRYPTED = frozenset({"secretEncryptedMessage", "encReactionMessage", "encCommentMessage", "encEventResponseMessage"})
MEDIA = {
    "imageMessage": MessageKind.IMAGE,
    "videoMessage": MessageKind.VIDEO,
    "ptvMessage": MessageKind.VIDEO,
    "audioMessage": MessageKind.AUDIO,
    "documentMessage": MessageKind.DOCUMENT,
    "stickerMessage": MessageKind.STICKER,
}
_REVOKE, _EDIT = frozenset({"0", "REVOKE"}), frozenset({"14", "MESSAGE_EDIT"})
# WhatsApp's AssociationType of a picture in an album, and of the better copy of a picture that has come already.
_IN_ALBUM = frozenset({"1", "MEDIA_ALBUM"})
_BETTER_COPY = frozenset({"5", "HD_VIDEO_DUAL_UPLOAD", "10", "HD_IMAGE_DUAL_UPLOAD", "19", "HEVC_VIDEO_DUAL_UPLOAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A message without its envelope; the members mean what they mean in `MessageReceived`.

    `beside`: details that do not depend on the kind.
    """

    kind: MessageKind
    text: str | None = None
    target_id: str | None = None
    media: Media | None = None
    details: dict[str, object] = field(default_factory=dict)
    context: JSONObject = EMPTY
    beside: dict[str, object] = field(default_factory=dict)
    raw_type: str = ""
    raw: dict[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """The member that decides, the message and the element around it, and the wrappers left to open."""

    name: str
    value: JSONObject = EMPTY
    message: JSONObject
    element: JSONObject
    depth: int = 0


type Reader = Callable[[Member], Content]


def protocol_kind(kind: object) -> MessageKind:
    """What a protocol message's `type`, number or word, asks for: EDIT, DELETE, or nothing (PROTOCOL)."""
    name = str(kind).upper() if isinstance(kind, int | str) and not isinstance(kind, bool) else ""
    if name in _REVOKE:
        return MessageKind.DELETE
    return MessageKind.EDIT if name in _EDIT else MessageKind.PROTOCOL


def read_content(message: object, element: JSONObject, *, depth: int = MAX_DEPTH) -> Content:
    """The content of `message`; `element` is what it lies in, with the hint `messageType`."""
    if isinstance(message, str):
        return Content(kind=MessageKind.TEXT, text=text(message), raw_type="message")
    content = _read_object(mapping(message), element, depth)
    hoisted = element.get("contextInfo")
    if hoisted and not content.context and isinstance(hoisted, dict):
        content = replace(content, context=hoisted)
    if content.kind is MessageKind.UNKNOWN and not content.raw_type:
        content = replace(content, raw_type=text(element.get("messageType")) or "")
    return content


def _read_object(message: JSONObject, element: JSONObject, depth: int) -> Content:
    wrappers = [name for name in message if name in _WRAPPER_ORDER]
    for name in sorted(wrappers, key=_WRAPPER_ORDER.__getitem__):
        inner = message[name]
        if isinstance(inner, dict) and depth:
            # "message" itself is a wrapper: `{"editedMessage": {"message": {...}}}` and imitations without it
            # both work.
            content = _read_object(inner, element, depth - 1)
            if content.kind is not MessageKind.UNKNOWN or content.raw_type:
                return _beside(_wrapped(content, name), message)
    found = [name for name in message if name in _READER_ORDER and _is_told(message[name])]
    if not found:
        return _beside(_without_reader(message, element, depth), message)
    hint = element.get("messageType")
    name = hint if hint in found else min(found, key=_READER_ORDER.__getitem__)
    value = message[name]
    content = READERS[name](
        Member(name=name, value=mapping(value) or {"text": value}, message=message, element=element, depth=depth)
    )
    context = mapping(mapping(value).get("contextInfo")) or mapping(message.get("contextInfo"))
    content = replace(content, context=context or content.context, raw_type=content.raw_type or name)
    if content.kind is MessageKind.UNKNOWN:
        content = replace(content, raw=excerpt({name: value}))
    return _beside(content, message)


def _is_told(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, str) and value != "")


def _wrapped(content: Content, wrapper: str) -> Content:
    if wrapper in VIEW_ONCE and content.media:
        return replace(content, media=replace(content.media, is_view_once=True))
    if wrapper == "editedMessage" and content.kind not in (MessageKind.DELETE, MessageKind.PROTOCOL):
        return replace(content, kind=MessageKind.EDIT)
    return content


def _beside(content: Content, message: JSONObject) -> Content:
    """What `messageContextInfo` tells: the album that a picture belongs to, or the picture that it repeats."""
    info = message.get("messageContextInfo")
    association = info.get("messageAssociation") if isinstance(info, dict) else None
    if not isinstance(association, dict) or not content.media:
        return content
    kind = text(association.get("associationType")) or ""
    name = "album" if kind in _IN_ALBUM else "better_copy_of" if kind in _BETTER_COPY else ""
    parent = key_id(mapping(association.get("parentMessageKey")))
    return replace(content, beside=content.beside | {name: parent}) if name and parent else content


def _without_reader(message: JSONObject, element: JSONObject, depth: int) -> Content:
    hint = element.get("messageType")
    if isinstance(hint, str) and hint in MEDIA and ("mediaUrl" in message or "base64" in message):
        # The EVOLUTION channel sends the file without a member for it (evolution-send.message-image.json).
        return _read_media(Member(name=hint, message=message, element=element))
    if items(element.get("pollUpdates")):
        return _read_poll_vote(Member(name="pollUpdates", message=message, element=element))
    if "conversation" in message:
        return Content(kind=MessageKind.TEXT, raw_type="conversation")
    for name in ("text", "body"):
        if isinstance(message.get(name), str) and message[name]:
            return Content(kind=MessageKind.TEXT, text=text(message[name]), raw_type=name)
    told = [name for name, value in message.items() if name not in BESIDE and isinstance(value, dict)]
    # A group's first message brings the sender's key along: what stands beside it decides.
    name = next((name for name in told if name not in PROTOCOL), told[0] if told else "")
    value = mapping(message.get(name))
    if depth and isinstance(value.get("message"), dict):
        # WhatsApp announces what is new inside `{"message": {…}}`, so that old apps can say "update me": a wrapper
        # of tomorrow.
        content = _read_object(value, element, depth - 1)
        if content.kind is not MessageKind.UNKNOWN:
            return content
    target = key_id(mapping(value.get("targetMessageKey"))) or key_id(mapping(value.get("key")))
    if name in PROTOCOL or name in ENCRYPTED:
        kind = MessageKind.PROTOCOL if name in PROTOCOL else MessageKind.ENCRYPTED
        return Content(kind=kind, target_id=target, raw_type=name)
    rest = {name: value} if name else {name: value for name, value in message.items() if name not in BESIDE}
    return Content(
        kind=MessageKind.UNKNOWN,
        text=cards.read_unknown(value).text,
        target_id=target,
        raw_type=text(name) or "",
        raw=excerpt(rest) if rest else None,
    )


def _read_text(at: Member) -> Content:
    link = text(first(at.value, ("matchedText", "canonicalUrl")))
    if link is None:
        return Content(kind=MessageKind.TEXT, text=text(at.value.get("text")))
    preview = compact(url=link, title=text(at.value.get("title")), description=text(at.value.get("description")))
    return Content(kind=MessageKind.TEXT, text=text(at.value.get("text")), details={"preview": preview})


def _read_media(at: Member) -> Content:
    transcription = text(at.message.get("speechToText")) or text(at.element.get("speechToText"))
    return Content(
        kind=MEDIA[at.name],
        text=text(at.value.get("caption")),
        media=read_media(at.value, at.message, at.element),
        details=compact(transcription=transcription),
        raw_type=at.name,
    )


def _read_location(at: Member) -> Content:
    place, address = text(at.value.get("name")), text(at.value.get("address"))
    details = compact(
        latitude=decimal(at.value.get("degreesLatitude"), 90),
        longitude=decimal(at.value.get("degreesLongitude"), 180),
        name=place,
        address=address,
        url=text(at.value.get("url")),
        live=True if at.name == "liveLocationMessage" or at.value.get("isLive") is True else None,
    )
    spoken = text(at.value.get("caption")) or text(at.value.get("comment"))
    return Content(kind=MessageKind.LOCATION, text=lines(place, address, spoken), details=details)


def _read_contacts(at: Member) -> Content:
    shared = items(at.value.get("contacts"))[: menus.PARTS_MAX] or [at.value]
    found = [card for card in (menus.read_contact(mapping(card)) for card in shared) if card]
    parts = [part for card in found for part in (card.get("name"), *items(card.get("phones"))) if isinstance(part, str)]
    title = text(at.value.get("displayName")) if at.name == "contactsArrayMessage" else None
    return Content(kind=MessageKind.CONTACT, text=lines(title, *parts), details={"contacts": found})


def _read_reaction(at: Member) -> Content:
    return Content(
        kind=MessageKind.REACTION,
        text=text(at.value.get("text")),
        target_id=key_id(mapping(at.value.get("key"))),
    )


def _read_poll_vote(at: Member) -> Content:
    votes = menus.read_votes(at.value, at.element)
    target = mapping(first(at.value, ("pollCreationMessageKey", "key")))
    return Content(
        kind=MessageKind.POLL_VOTE,
        text=", ".join(votes) or None,
        target_id=key_id(target),
        details={"votes": votes},
    )


def _read_protocol(at: Member) -> Content:
    target = key_id(mapping(at.value.get("key")))
    edited = at.value.get("editedMessage")
    kind = MessageKind.EDIT if isinstance(edited, dict) else protocol_kind(at.value.get("type"))
    if kind is MessageKind.EDIT and not at.depth:
        # Nobody's edit lies this deep.
        return Content(kind=MessageKind.PROTOCOL, raw_type=at.name)
    if kind is MessageKind.EDIT:
        content = _read_object(mapping(edited), {}, at.depth - 1)
        return replace(content, kind=kind, target_id=target, raw_type=at.name)
    return Content(kind=kind, target_id=target, details=compact(type=text(at.value.get("type"))))


def _read_album(at: Member) -> Content:
    details = compact(
        images=integer(at.value.get("expectedImageCount")), videos=integer(at.value.get("expectedVideoCount"))
    )
    return Content(kind=MessageKind.ALBUM, details=details)


def _read_answer(at: Member) -> Content:
    """A comment on, or an answer to, another message: what it says, as a reply to that."""
    inner = at.value.get("message")
    content = _read_object(inner, at.element, at.depth - 1) if isinstance(inner, dict) and at.depth else None
    if content is None or content.kind is MessageKind.UNKNOWN:
        content = Content(kind=MessageKind.TEXT, text=text(at.value.get("text")))
    target = key_id(mapping(first(at.value, ("targetMessageKey", "key", "originalStatusId"))))
    return replace(content, context=content.context or compact(stanzaId=target), raw_type=at.name)


def _read_words(kind: MessageKind, read: Callable[[JSONObject], menus.Wording]) -> Reader:
    def reader(at: Member) -> Content:
        wording = read(at.value)
        return Content(kind=kind, text=wording.text, details=wording.details)

    return reader


def _read_payment(at: Member) -> Content:
    """A payment, sent or asked for; its note is a message of its own."""
    note = at.value.get("noteMessage")
    content = _read_object(note, EMPTY, at.depth - 1) if isinstance(note, dict) and at.depth else None
    target = key_id(mapping(first(at.value, ("requestMessageKey", "key"))))
    return Content(
        kind=MessageKind.UNKNOWN,
        text=lines(cards.read_amount(at.value), content.text if content else None),
        target_id=target,
        context=content.context if content else EMPTY,
    )


# In order of precedence when several stand side by side: an answer may bring the text `conversation` along.
READERS: dict[str, Reader] = {
    "protocolMessage": _read_protocol,
    "reactionMessage": _read_reaction,
    "pollUpdateMessage": _read_poll_vote,
    "buttonsResponseMessage": _read_words(MessageKind.BUTTON_REPLY, menus.read_reply),
    "templateButtonReplyMessage": _read_words(MessageKind.BUTTON_REPLY, menus.read_reply),
    "listResponseMessage": _read_words(MessageKind.LIST_REPLY, menus.read_reply),
    "interactiveResponseMessage": _read_words(MessageKind.INTERACTIVE_REPLY, menus.read_interactive_reply),
    **dict.fromkeys(MEDIA, _read_media),
    "locationMessage": _read_location,
    "liveLocationMessage": _read_location,
    "contactMessage": _read_contacts,
    "contactsArrayMessage": _read_contacts,
    **dict.fromkeys(
        ("pollCreationMessage", *(f"pollCreationMessageV{version}" for version in range(2, 8))),
        _read_words(MessageKind.POLL, menus.read_poll),
    ),
    "pollResultSnapshotMessage": _read_words(MessageKind.POLL, menus.read_poll_result),
    "pollResultSnapshotMessageV3": _read_words(MessageKind.POLL, menus.read_poll_result),
    "buttonsMessage": _read_words(MessageKind.BUTTONS, menus.read_buttons),
    "listMessage": _read_words(MessageKind.LIST, menus.read_list),
    "templateMessage": _read_words(MessageKind.TEMPLATE, menus.read_template),
    "highlyStructuredMessage": _read_words(MessageKind.TEMPLATE, menus.read_template),
    "interactiveMessage": _read_words(MessageKind.INTERACTIVE, menus.read_interactive),
    "orderMessage": _read_words(MessageKind.ORDER, menus.read_order),
    "productMessage": _read_words(MessageKind.PRODUCT, menus.read_product),
    "groupInviteMessage": _read_words(MessageKind.GROUP_INVITE, menus.read_group_invite),
    "albumMessage": _read_album,
    # "callLogMesssage" is the library's own spelling.
    **dict.fromkeys(
        ("callLogMesssage", "callLogMessage", "bcallMessage", "call"),
        _read_words(MessageKind.CALL, cards.read_call),
    ),
    "scheduledCallCreationMessage": _read_words(MessageKind.CALL, cards.read_call),
    "scheduledCallEditMessage": _read_words(MessageKind.CALL, cards.read_call),
    **dict.fromkeys(
        ("commentMessage", "questionResponseMessage", "statusQuestionAnswerMessage", "statusQuotedMessage"),
        _read_answer,
    ),
    "sendPaymentMessage": _read_payment,
    "requestPaymentMessage": _read_payment,
    "declinePaymentRequestMessage": _read_payment,
    "cancelPaymentRequestMessage": _read_payment,
    "eventMessage": _read_words(MessageKind.UNKNOWN, cards.read_event),
    "newsletterAdminInviteMessage": _read_words(MessageKind.UNKNOWN, cards.read_newsletter_invite),
    "newsletterFollowerInviteMessage": _read_words(MessageKind.UNKNOWN, cards.read_newsletter_invite),
    "newsletterFollowerInviteMessageV2": _read_words(MessageKind.UNKNOWN, cards.read_newsletter_invite),
    "stickerPackMessage": _read_words(MessageKind.UNKNOWN, cards.read_sticker_pack),
    "invoiceMessage": _read_words(MessageKind.UNKNOWN, cards.read_invoice),
    "richResponseMessage": _read_words(MessageKind.UNKNOWN, cards.read_rich_response),
    "extendedTextMessage": _read_text,
    "conversation": _read_text,
}
_READER_ORDER = {name: order for order, name in enumerate(READERS)}
