"""People, chats, groups and labels of the phone, who is online, and who calls."""

from messaging.events import CallChanged, Chat, ChatAddress, ContactSeen, GroupSeen
from webhooks.parsers.events import (
    ChatSeen,
    GroupParticipantsChanged,
    LabelChanged,
    Presence,
    PresenceChanged,
)
from webhooks.parsers.jids import lid_of, parse_jid, same_person
from webhooks.parsers.values import (
    INT_MAX,
    JSONObject,
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


def address_of(element: object) -> ChatAddress | None:
    """Whom an element is about: a bare JID, or `remoteJid`, or `id` (which may be a database id instead)."""
    if isinstance(element, str):
        return parse_jid(element)
    record = mapping(element)
    names = ("remoteJid", "jid", "id", "chatId", "remoteJidAlt", "phoneNumber", "senderPn")
    return same_person(
        *(record.get(name) for name in names), lid_of(record.get("lid")), lid_of(record.get("senderLid"))
    )


def read_contact_seen(element: object) -> ContactSeen | None:
    """A contact; None without address, as the Business channel's (business-contacts.upsert-in-text.json)."""
    address, record = address_of(element), mapping(element)
    if address is None:
        return None
    names = (person_name(record.get(name)) for name in ("pushName", "name", "notify"))
    picture = text(first(record, ("profilePicUrl", "profilePictureUrl", "imgUrl")))
    verified = person_name(record.get("verifiedName"))
    name = next(filter(None, names), None) or verified
    return ContactSeen(address=address, name=name, verified_name=verified, picture_url=picture)


def read_chat_seen(element: object) -> ChatSeen | None:
    """A chat; None without address, as when it is renamed (baileys-chats.upsert-name-changed.json)."""
    address, record = address_of(element), mapping(element)
    if address is None:
        return None
    return ChatSeen(
        address=address,
        name=person_name(record.get("name")) or person_name(record.get("pushName")),
        unread=integer(first(record, ("unreadCount", "unreadMessages")), high=INT_MAX),
        is_archived=flag(record.get("archived")),
    )


def read_group(element: object) -> GroupSeen | None:
    record = mapping(element)
    address = same_person(record.get("id"), record.get("jid"), record.get("remoteJid"))
    if address is None:
        return None
    return GroupSeen(
        address=address,
        subject=person_name(first(record, ("subject", "name"))),
        description=text(first(record, ("desc", "description"))),
    )


def read_pairs(element: object) -> list[ContactSeen]:
    """The participants of a group of whom it tells phone and LID: these are one person each."""
    record = mapping(element)
    told = map(address_of, [*items(record.get("participants")), *items(record.get("participantsData"))])
    return [ContactSeen(address=person) for person in told if person and person.phone and person.lid]


def _people(value: object, resolved: object) -> tuple[ChatAddress, ...]:
    """Members of a group: JIDs, or objects that also tell the phone of a LID; `resolved` are such objects besides."""
    known: dict[str, ChatAddress] = {}
    for person in map(address_of, [*items(value), *items(resolved)]):
        if person and (person.jid not in known or (person.phone and person.lid)):
            known[person.jid] = person
    return tuple(known.values())


def read_participants(data: JSONObject) -> GroupParticipantsChanged:
    """group-participants.update; some versions add who the participants are as `participantsData`."""
    author = mapping(data.get("author"))
    return GroupParticipantsChanged(
        group=same_person(data.get("id"), data.get("jid"), data.get("remoteJid")),
        action=word(data.get("action")),
        author=address_of(author or data.get("author")),
        participants=_people(data.get("participants"), data.get("participantsData")),
    )


def read_presence(data: JSONObject) -> PresenceChanged:
    """presence.update: per person in `presences` in reality, flat in guides."""
    chat = address_of(data)
    found = []
    for jid, told in mapping(data.get("presences")).items():
        address, record = parse_jid(jid), mapping(told)
        state = word(first(record, ("lastKnownPresence", "presence"))) or word(told)
        if address and state:
            found.append(Presence(address=address, state=state, last_seen=timestamp(record.get("lastSeen"))))
    state = word(first(data, ("presence", "lastKnownPresence")))
    if not found and chat and state:
        found.append(Presence(address=chat, state=state, last_seen=timestamp(data.get("lastSeen"))))
    return PresenceChanged(chat=chat, presences=tuple(found))


def read_call(data: JSONObject) -> CallChanged:
    """call: Baileys' event, or the raw `CB:call` packet with its attributes."""
    packet = mapping(data.get("packet"))
    attributes = mapping(packet.get("attrs"))
    kinds = (word(mapping(part).get("tag")) for part in items(packet.get("content")))
    names = ("from", "chatId", "callerPn", "remoteJid")
    chat = same_person(*(source.get(name) for source in (data, attributes) for name in names))
    return CallChanged(
        external_id=identifier(first(data, ("id", "callId"))) or identifier(attributes.get("id")),
        chat=chat,
        status=word(data.get("status")) or next(filter(None, kinds), None),
        is_video=bool(flag(data.get("isVideo"))),
        is_group=bool(flag(data.get("isGroup"))) or (chat is not None and chat.kind is Chat.GROUP),
        timestamp=timestamp(first(data, ("date", "timestamp"))) or timestamp(attributes.get("t")),
    )


def read_label(data: JSONObject) -> LabelChanged:
    """labels.edit and labels.association; the latter says what it did in `type` or in `action`."""
    association = mapping(data.get("association"))
    chat = same_person(data.get("chatId"), association.get("chatId"), data.get("remoteJid"))
    return LabelChanged(
        label_id=identifier(first(data, ("labelId", "id"))) or identifier(association.get("labelId")),
        name=text(data.get("name")),
        color=integer(data.get("color"), high=INT_MAX),
        is_deleted=bool(flag(data.get("deleted"))),
        chat=chat,
        action=word(first(data, ("action", "type"))),
    )
