"""Evolution API's webhook bodies → typed events. `parse()` takes any JSON value and raises on none.

Old versions, forks, n8n and loggers wrap, rename and damage the bodies; every variation handled here was seen
in the wild or recorded from Evolution 2.3.6, and lies in tests/evolution/.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from messaging.events import ContactsChanged, GroupsChanged, HistorySynced
from units.events import InstanceLoggedOut, InstanceRemoved
from webhooks.parsers.directory import (
    address_of,
    read_call,
    read_chat_seen,
    read_contact_seen,
    read_group,
    read_label,
    read_pairs,
    read_participants,
    read_presence,
)
from webhooks.parsers.events import (
    ChatsChanged,
    Envelope,
    Ignored,
    IgnoreReason,
    ParsedEvent,
)
from webhooks.parsers.instances import read_connection, read_instance_status, read_qrcode
from webhooks.parsers.jids import parse_jid
from webhooks.parsers.messages import read_message
from webhooks.parsers.updates import read_delete, read_edit, read_updates
from webhooks.parsers.values import EMPTY, JSONObject, first, identifier, items, loads, mapping

# n8n inside a logger inside a forwarder is three.
_MAX_WRAPPERS = 5
# The inbox keeps no longer name.
_EVENT_MAX = 80
# Members that show that a body without `data` is the data itself.
_MESSAGE_MEMBERS = frozenset({"key", "keyId", "message", "messages", "editedMessage", "update"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event of a body: its normalised name, its `data` (any JSON value), the phone of its line."""

    event: str
    data: object
    own_phone: str | None

    def elements(self, *names: str) -> list[object]:
        """`data` as the list it is or stands for: `data.messages` (or another of `names`), an array, or one object."""
        if isinstance(self.data, dict):
            for name in names or ("messages", "keys"):
                if isinstance(self.data.get(name), list | dict):
                    inner = self.data[name]
                    return list(inner) if isinstance(inner, list) else [inner]
            return [self.data] if self.data else []
        return list(items(self.data))

    def records(self) -> list[JSONObject]:
        """The objects in `data`, or one empty object, for events that mean something without."""
        return [record for record in map(mapping, self.elements()) if record] or [EMPTY]


type Reader = Callable[[Delivery], Iterable[ParsedEvent]]


def _messages(delivery: Delivery) -> Iterable[ParsedEvent]:
    is_echo = delivery.event == "send.message"
    for element in delivery.elements() or [None]:
        yield read_message(element, event=delivery.event, own_phone=delivery.own_phone, is_api_echo=is_echo)


def _history(delivery: Delivery) -> Iterable[ParsedEvent]:
    found = [
        read_message(element, event=delivery.event, own_phone=delivery.own_phone) for element in delivery.elements()
    ]
    yield HistorySynced(messages=tuple(message for message in found if not isinstance(message, Ignored)))
    yield from (message for message in found if isinstance(message, Ignored))
    if isinstance(delivery.data, dict) and items(delivery.data.get("contacts")):
        # The library's own event brings the address book along.
        yield from _contacts(delivery)


def _updates(delivery: Delivery) -> Iterable[ParsedEvent]:
    for element in delivery.elements() or [None]:
        yield from read_updates(element, event=delivery.event, own_phone=delivery.own_phone)


def _changes(read: Callable[..., ParsedEvent]) -> Reader:
    def reader(delivery: Delivery) -> Iterable[ParsedEvent]:
        for element in delivery.elements() or [None]:
            yield read(element, event=delivery.event, own_phone=delivery.own_phone)

    return reader


def _each(read: Callable[[JSONObject], ParsedEvent]) -> Reader:
    return lambda delivery: [read(record) for record in delivery.records()]


def _contacts(delivery: Delivery) -> Iterable[ParsedEvent]:
    seen = [read_contact_seen(element) for element in delivery.elements("contacts")]
    yield ContactsChanged(contacts=tuple(contact for contact in seen if contact))
    yield from _without_address(delivery, seen)


def _chats(delivery: Delivery) -> Iterable[ParsedEvent]:
    seen = [read_chat_seen(element) for element in delivery.elements("chats")]
    yield ChatsChanged(chats=tuple(chat for chat in seen if chat), deleted=delivery.event == "chats.delete")
    yield from _without_address(delivery, seen)


def _groups(delivery: Delivery) -> Iterable[ParsedEvent]:
    seen = [read_group(element) for element in delivery.elements("groups")]
    yield GroupsChanged(groups=tuple(group for group in seen if group))
    yield from _without_address(delivery, seen)
    yield from _pairs(delivery.elements("groups"))


def _participants(delivery: Delivery) -> Iterable[ParsedEvent]:
    yield from (read_participants(record) for record in delivery.records())
    yield from _pairs(delivery.records())


def _pairs(elements: Iterable[object]) -> Iterable[ParsedEvent]:
    """Which phone and which LID are one person, by the members of a group; the group itself is of no use here."""
    if pairs := [pair for element in elements for pair in read_pairs(element)]:
        yield ContactsChanged(contacts=tuple(pairs))


def _without_address(delivery: Delivery, seen: Iterable[object]) -> Iterable[ParsedEvent]:
    return (Ignored(event=delivery.event, reason=IgnoreReason.NO_ADDRESS) for one in seen if one is None)


def _unused(delivery: Delivery) -> Iterable[ParsedEvent]:
    chat = address_of(delivery.records()[0])
    yield Ignored(event=delivery.event, reason=IgnoreReason.NOT_USED, chat=chat)


# Their words to ours, as in Evolution's documentation; other spellings are folded to these.
EVENTS: dict[str, Reader] = {
    "messages.upsert": _messages,
    "send.message": _messages,
    "messages.set": _history,
    "messaging-history.set": _history,
    "messages.update": _updates,
    "messages.edited": _changes(read_edit),
    "send.message.update": _changes(read_edit),
    "messages.delete": _changes(read_delete),
    "connection.update": _each(read_connection),
    "qrcode.updated": _each(read_qrcode),
    "status.instance": _each(read_instance_status),
    "logout.instance": lambda delivery: [InstanceLoggedOut()],
    "remove.instance": lambda delivery: [InstanceRemoved()],
    "instance.delete": lambda delivery: [InstanceRemoved()],
    "instance.create": _unused,
    "application.startup": _unused,
    "contacts.set": _contacts,
    "contacts.upsert": _contacts,
    "contacts.update": _contacts,
    "chats.set": _chats,
    "chats.upsert": _chats,
    "chats.update": _chats,
    "chats.delete": _chats,
    "groups.upsert": _groups,
    "groups.update": _groups,
    "group-participants.update": _participants,
    "labels.edit": _each(read_label),
    "labels.association": _each(read_label),
    "presence.update": _each(read_presence),
    "call": _each(read_call),
    "typebot.start": _unused,
    "typebot.change-status": _unused,
    "chama-ai.action": _unused,
    "creds.update": _unused,
    "error": _unused,
    "errors": _unused,
}


def _fold(name: str) -> str:
    return name.strip().lower().replace("_", ".").replace("-", ".")


# MESSAGES_UPSERT, messages-upsert and messages.upsert are one; the constant of groups.update is GROUP_UPDATE.
_NAMES = {_fold(name): name for name in EVENTS} | {
    "group.update": "groups.update",
    "group.upsert": "groups.upsert",
}


def normalised_event(value: object) -> str:
    """Evolution's dotted name of an event in any spelling; an unknown one with its separators as dots; "" for
    none.
    """
    name = identifier(value) if isinstance(value, str) else None
    if name is None:
        return ""
    folded = _fold(name)
    return _NAMES.get(folded, folded)[:_EVENT_MAX]


def parse(body: object, *, path_event: str | None = None) -> Envelope:
    """Everything a body says. `path_event` is the suffix of the by-event URL, for a body that names no event.

    A list is read element by element; an element that names another instance than the first is ignored.
    """
    bodies = _unwrapped(body, _MAX_WRAPPERS)
    if not bodies:
        name = normalised_event(path_event)
        return Envelope(event=name, instance=None, events=(Ignored(event=name, reason=IgnoreReason.NOT_AN_OBJECT),))
    names = [normalised_event(_event_of(one)) or normalised_event(path_event) for one in bodies]
    instance = _instance_of(bodies[0])
    events: list[ParsedEvent] = []
    for name, one in zip(names, bodies, strict=True):
        other = _instance_of(one)
        if other is not None and other != instance:
            events.append(Ignored(event=name, reason=IgnoreReason.OTHER_INSTANCE))
        else:
            events.extend(_events(name, one))
    return Envelope(event=names[0], instance=instance, events=tuple(events))


def _decoded(value: object) -> object:
    """The JSON in a text, for relays that put a body, or its `data`, in quotes; else the value as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return loads(value)
    except (ValueError, RecursionError):
        return value


def _unwrapped(body: object, depth: int) -> list[JSONObject]:
    """The bodies inside n8n items, arrays and loggers' records."""
    body = _decoded(body)
    if isinstance(body, list) and depth:
        return [found for one in body for found in _unwrapped(one, depth - 1)]
    if not isinstance(body, dict):
        return []
    if _event_of(body) or "data" in body or "key" in body:
        return [body]
    inner = _decoded(first(body, ("body", "json", "payload")))
    return _unwrapped(inner, depth - 1) if isinstance(inner, dict | list) and depth else [body]


def _event_of(body: JSONObject) -> str | None:
    event = body.get("event")
    return event if isinstance(event, str) else None


def _instance_of(body: JSONObject) -> str | None:
    """The instance's name: a string, in an object, or under another member; else its id."""
    data = mapping(body.get("data"))
    for value in (
        body.get("instance"),
        body.get("instanceName"),
        body.get("connectionId"),
        data.get("instanceName"),
    ):
        named = first(mapping(value), ("instanceName", "name", "instanceId")) if isinstance(value, dict) else value
        if name := identifier(named):
            return name
    return None


def _events(name: str, body: JSONObject) -> Iterable[ParsedEvent]:
    data = _decoded(body.get("data"))
    if "data" not in body and (not name.startswith(("messages.", "send.")) or _MESSAGE_MEMBERS & body.keys()):
        data = body
    sender = parse_jid(body.get("sender"))
    own_phone = sender.phone if sender else None
    event = name or _inferred(data)
    reader = EVENTS.get(event)
    if reader is None:
        reason = IgnoreReason.UNKNOWN_EVENT if name else IgnoreReason.NO_EVENT
        return [Ignored(event=name, reason=reason)]
    return reader(Delivery(event=event, data=data, own_phone=own_phone))


def _inferred(data: object) -> str:
    """What a body without an event is, by its content; "" when that does not tell."""
    elements = Delivery(event="", data=data, own_phone=None).elements()
    told = mapping(elements[0]).keys() if elements else frozenset()
    for members, event in (
        ({"keyId"}, "messages.update"),
        ({"key", "update"}, "messages.update"),
        ({"key", "editedMessage"}, "messages.edited"),
        ({"key"}, "messages.upsert"),
        ({"message"}, "messages.upsert"),
        ({"qrcode"}, "qrcode.updated"),
        ({"presences"}, "presence.update"),
        ({"state", "statusReason"}, "connection.update"),
    ):
        if members <= told:
            return event
    return ""
