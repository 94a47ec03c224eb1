"""JIDs: WhatsApp's addresses, and which of the many in a payload is whose."""

import re

from messaging.events import Chat, ChatAddress
from webhooks.parsers.values import JSONObject, flag, identifier, mapping

_KINDS = {
    "s.whatsapp.net": Chat.INDIVIDUAL,
    "c.us": Chat.INDIVIDUAL,
    "hosted": Chat.INDIVIDUAL,
    "g.us": Chat.GROUP,
    "broadcast": Chat.BROADCAST,
    "newsletter": Chat.NEWSLETTER,
    "lid": Chat.LID,
    "hosted.lid": Chat.LID,
}
_DEVICE = re.compile(r"(?:_\d+)?:\d+$", re.ASCII)
_DIGITS = re.compile(r"\d{1,20}", re.ASCII)
# Shorter ones are row numbers of somebody's database, longer ones are no phone (E.164 ends at 15 digits).
_BARE_PHONE = re.compile(r"\+?(\d{7,15})", re.ASCII)
_BARE_GROUP = re.compile(r"\d{7,15}-\d{9,11}", re.ASCII)


def parse_jid(value: object) -> ChatAddress | None:
    """One address, or None for anything else (a database id, a name, nothing).

    A LID is not a phone. Bare digits, as the EVOLUTION channel and imitations send them, are a phone.
    """
    jid = identifier(value)
    if jid is None:
        return None
    user, at, server = jid.rpartition("@")
    if not at:
        if bare := _BARE_PHONE.fullmatch(jid):
            return ChatAddress(jid=jid, kind=Chat.INDIVIDUAL, phone=f"+{bare[1]}")
        return ChatAddress(jid=jid, kind=Chat.GROUP) if _BARE_GROUP.fullmatch(jid) else None
    kind = _KINDS.get(server.lower())
    if kind is None:
        return None
    user = _DEVICE.sub("", user)
    digits = user.removeprefix("+")
    known = digits if _DIGITS.fullmatch(digits) else None
    return ChatAddress(
        jid=f"{user}@{server}",
        kind=kind,
        phone=f"+{known}" if known and kind is Chat.INDIVIDUAL else None,
        lid=known if kind is Chat.LID else None,
    )


def same_person(*candidates: object, own_phone: str | None = None) -> ChatAddress | None:
    """The first address among the candidates, completed with the phone and the LID that the others tell.

    What completes another's address is never our own phone.
    """
    address = phone = lid = None
    for candidate in candidates:
        # Nearly always: most of the members do not exist in this version.
        if candidate is None or (found := parse_jid(candidate)) is None:
            continue
        if address is None:
            address = found
        elif own_phone and found.phone == own_phone:
            continue
        phone, lid = phone or found.phone, lid or found.lid
    if address is None or address.kind not in (Chat.INDIVIDUAL, Chat.LID):
        return address
    if phone and lid and phone[1:] == lid:
        # Evolution cuts "@lid" off where it knows no phone (`participantsData` of group-participants.update).
        phone, lid = address.phone, address.lid
    if phone == address.phone and lid == address.lid:
        return address
    return ChatAddress(jid=address.jid, kind=address.kind, phone=phone, lid=lid)


def lid_of(value: object) -> object:
    """The value of a member that can only be a LID: bare digits are one, and no phone."""
    return f"{value}@lid" if isinstance(value, str) and _DIGITS.fullmatch(value) else value


def key_of(element: JSONObject) -> JSONObject:
    """The `key` of a message; Evolution 1.x has its members beside the rest."""
    return mapping(element.get("key")) or element


def key_id(key: JSONObject) -> str | None:
    """The id in a key; whatsmeow programs write it in capitals."""
    return identifier(key.get("id")) or identifier(key.get("ID"))


def is_from_me(element: JSONObject) -> bool | None:
    """Whether a message is ours; None when that is not told."""
    own = flag(mapping(element.get("key")).get("fromMe"))
    return flag(element.get("fromMe")) if own is None else own


def chat_of(element: JSONObject, *, own_phone: str | None) -> ChatAddress | None:
    """The chat of a message: `remoteJid`, completed with the phone and the LID of the other side.

    Where they stand depends on the version: nowhere (1.8, some 2.3), `senderPn` and `senderLid` (2.3.0 to
    2.3.2), `remoteJidAlt` (2.3.4 on, in the key or beside it), `previousRemoteJid` (a LID, rewritten).
    """
    key = key_of(element)
    remote = [key.get("remoteJid"), key.get("remoteJID"), element.get("remoteJid")]
    others: list[object] = [key.get("remoteJidAlt"), element.get("remoteJidAlt")]
    if is_from_me(element):
        # The sender is us: neither our LID nor our phone may become the contact's.
        others += [key.get("recipientPn"), lid_of(key.get("recipientLid"))]
        if own_phone:
            others.append(key.get("senderPn"))
    else:
        others += [key.get("senderPn"), element.get("senderPn")]
        others += [lid_of(key.get("senderLid")), lid_of(element.get("senderLid"))]
        if (named := parse_jid(key.get("participant"))) is None or named == parse_jid(key.get("remoteJid")):
            # Of a direct chat some versions name the other side as participant too.
            others += [key.get("participantPn"), key.get("participantAlt")]
    others += [key.get("previousRemoteJid"), element.get("previousRemoteJid")]
    return same_person(*remote, *others, own_phone=own_phone)


def author_of(element: JSONObject, chat: ChatAddress | None) -> ChatAddress | None:
    """Who wrote in a group. Direct chats have no author: some imitations fill `participant` there."""
    if chat is None or chat.kind in (Chat.INDIVIDUAL, Chat.LID):
        return None
    names = ["participant", "participantAlt", "participantPn", "participantLid"]
    if not is_from_me(element):
        names += ["senderPn", "senderLid"]
    key = key_of(element)
    return same_person(*(source.get(name) for name in names for source in (key, element)))
