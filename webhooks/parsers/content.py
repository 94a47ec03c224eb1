"""What a WhatsApp message is and says: wrappers off, content found by what it is, not by its place.

Member names are those of Baileys' `proto.Message`; Evolution GO and other whatsmeow programs spell some with
capitals.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from messaging.events import Media, MessageKind
from webhooks.parsers import menus
from webhooks.parsers.jids import key_id
from webhooks.parsers.media import read_media
from webhooks.parsers.values import JSONObject, compact, decimal, first, integer, items, lines, mapping, text

# Deeper than the deepest real nesting (ephemeral > view once > document with caption > edit > protocol > edit
# > content).
MAX_DEPTH = 10

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
    "lottieStickerMessage",
    "associatedChildMessage",
    "groupStatusMessage",
    "groupStatusMessageV2",
    "statusMentionMessage",
    "message",
)
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
# A group's keys, pins and settings: between apps.
PROTOCOL = frozenset(
    {
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
        "pinInChatMessage",
        "keepInChatMessage",
        "stickerSyncRmrMessage",
        "requestPhoneNumberMessage",
    }
)
# Kinds of which nothing is read but the member's name. "callLogMesssage" is the library's own spelling.
_SILENT = {
    **dict.fromkeys(
        ("secretEncryptedMessage", "encReactionMessage", "encCommentMessage", "encEventResponseMessage"),
        MessageKind.ENCRYPTED,
    ),
    **dict.fromkeys(("call", "callLogMesssage", "callLogMessage", "scheduledCallCreationMessage"), MessageKind.CALL),
    **dict.fromkeys(PROTOCOL, MessageKind.PROTOCOL),
}
MEDIA = {
    "imageMessage": MessageKind.IMAGE,
    "videoMessage": MessageKind.VIDEO,
    "ptvMessage": MessageKind.VIDEO,
    "audioMessage": MessageKind.AUDIO,
    "documentMessage": MessageKind.DOCUMENT,
    "stickerMessage": MessageKind.STICKER,
}
_REVOKE, _EDIT = frozenset({"0", "REVOKE"}), frozenset({"14", "MESSAGE_EDIT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A message without its envelope; the members mean what they mean in `MessageReceived`."""

    kind: MessageKind
    text: str | None = None
    target_id: str | None = None
    media: Media | None = None
    details: dict[str, object] = field(default_factory=dict)
    context: JSONObject = field(default_factory=dict)
    raw_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """The member that decides, the message and the element around it, and the wrappers left to open."""

    name: str
    value: JSONObject = field(default_factory=dict)
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
    hoisted = mapping(element.get("contextInfo"))
    if hoisted and not content.context:
        content = replace(content, context=hoisted)
    if content.kind is MessageKind.UNKNOWN and not content.raw_type:
        content = replace(content, raw_type=text(element.get("messageType")) or "")
    return content


def _read_object(message: JSONObject, element: JSONObject, depth: int) -> Content:
    for name in WRAPPERS:
        inner = message.get(name)
        if isinstance(inner, dict) and depth:
            # "message" itself is a wrapper: `{"editedMessage": {"message": {...}}}` and imitations without it
            # both work.
            content = _read_object(inner, element, depth - 1)
            if content.kind is not MessageKind.UNKNOWN or content.raw_type:
                return _wrapped(content, name)
    found = [name for name in READERS if _is_told(message.get(name))]
    if found:
        hint = element.get("messageType")
        name = hint if isinstance(hint, str) and hint in found else found[0]
        value = message[name]
        content = READERS[name](
            Member(
                name=name,
                value=mapping(value) or {"text": value},
                message=message,
                element=element,
                depth=depth,
            )
        )
        context = mapping(mapping(value).get("contextInfo")) or mapping(message.get("contextInfo"))
        return replace(content, context=context or content.context, raw_type=content.raw_type or name)
    return _without_reader(message, element)


def _is_told(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, str) and value != "")


def _wrapped(content: Content, wrapper: str) -> Content:
    if wrapper in VIEW_ONCE and content.media:
        return replace(content, media=replace(content.media, is_view_once=True))
    if wrapper == "editedMessage" and content.kind not in (MessageKind.DELETE, MessageKind.PROTOCOL):
        return replace(content, kind=MessageKind.EDIT)
    return content


def _without_reader(message: JSONObject, element: JSONObject) -> Content:
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
    target = key_id(mapping(mapping(message.get(name)).get("targetMessageKey")))
    return Content(kind=_SILENT.get(name, MessageKind.UNKNOWN), target_id=target, raw_type=text(name) or "")


def _read_text(at: Member) -> Content:
    return Content(kind=MessageKind.TEXT, text=text(at.value.get("text")))


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
    cards = [menus.read_contact(mapping(card)) for card in (items(at.value.get("contacts")) or [at.value])]
    cards = [card for card in cards if card]
    parts = [part for card in cards for part in (card.get("name"), *items(card.get("phones"))) if isinstance(part, str)]
    title = text(at.value.get("displayName")) if at.name == "contactsArrayMessage" else None
    return Content(kind=MessageKind.CONTACT, text=lines(title, *parts), details={"contacts": cards})


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
    if kind is MessageKind.EDIT:
        content = _read_object(mapping(edited), {}, max(at.depth - 1, 0))
        return replace(content, kind=kind, target_id=target, raw_type=at.name)
    return Content(kind=kind, target_id=target, details=compact(type=text(at.value.get("type"))))


def _read_album(at: Member) -> Content:
    details = compact(
        images=integer(at.value.get("expectedImageCount")), videos=integer(at.value.get("expectedVideoCount"))
    )
    return Content(kind=MessageKind.ALBUM, details=details)


def _read_menu(kind: MessageKind, read: Callable[[JSONObject], menus.Wording]) -> Reader:
    def reader(at: Member) -> Content:
        wording = read(at.value)
        return Content(kind=kind, text=wording.text, details=wording.details)

    return reader


# In order of precedence when several stand side by side: an answer may bring the text `conversation` along.
READERS: dict[str, Reader] = {
    "protocolMessage": _read_protocol,
    "reactionMessage": _read_reaction,
    "pollUpdateMessage": _read_poll_vote,
    "buttonsResponseMessage": _read_menu(MessageKind.BUTTON_REPLY, menus.read_reply),
    "templateButtonReplyMessage": _read_menu(MessageKind.BUTTON_REPLY, menus.read_reply),
    "listResponseMessage": _read_menu(MessageKind.LIST_REPLY, menus.read_reply),
    "interactiveResponseMessage": _read_menu(MessageKind.INTERACTIVE_REPLY, menus.read_interactive_reply),
    **dict.fromkeys(MEDIA, _read_media),
    "locationMessage": _read_location,
    "liveLocationMessage": _read_location,
    "contactMessage": _read_contacts,
    "contactsArrayMessage": _read_contacts,
    **dict.fromkeys(
        ("pollCreationMessage", *(f"pollCreationMessageV{version}" for version in range(2, 7))),
        _read_menu(MessageKind.POLL, menus.read_poll),
    ),
    "buttonsMessage": _read_menu(MessageKind.BUTTONS, menus.read_buttons),
    "listMessage": _read_menu(MessageKind.LIST, menus.read_list),
    "templateMessage": _read_menu(MessageKind.TEMPLATE, menus.read_template),
    "highlyStructuredMessage": _read_menu(MessageKind.TEMPLATE, menus.read_template),
    "interactiveMessage": _read_menu(MessageKind.INTERACTIVE, menus.read_interactive),
    "orderMessage": _read_menu(MessageKind.ORDER, menus.read_order),
    "productMessage": _read_menu(MessageKind.PRODUCT, menus.read_product),
    "groupInviteMessage": _read_menu(MessageKind.GROUP_INVITE, menus.read_group_invite),
    "albumMessage": _read_album,
    "extendedTextMessage": _read_text,
    "conversation": _read_text,
}
