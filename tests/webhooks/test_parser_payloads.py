"""Bodies that other people's servers sent, against labels that a person gave them.

Where they come from and what the labels mean: tests/evolution/payloads/README.md.
"""

import json
from pathlib import Path

import pytest

from messaging import events as messages
from messaging.events import CallChanged, Chat, ChatAddress, ContactsChanged, GroupsChanged, MessageKind
from units import events as line
from webhooks.parsers import events
from webhooks.parsers.events import Ignored, IgnoreReason
from webhooks.parsers.evolution import parse

PAYLOADS = sorted((Path(__file__).parents[1] / "evolution" / "payloads").glob("*.json"))

KINDS = {
    messages.MessageStatusChanged: "status",
    messages.HistorySynced: "history",
    line.ConnectionChanged: "connection",
    line.QRCodeUpdated: "qrcode",
    line.InstanceLoggedOut: "instance",
    line.InstanceStatusChanged: "instance",
    line.InstanceRemoved: "instance",
    ContactsChanged: "contacts",
    events.ChatsChanged: "chats",
    events.PresenceChanged: "presence",
    CallChanged: "call",
    events.LabelChanged: "label",
    GroupsChanged: "group",
    events.GroupParticipantsChanged: "group_participants",
}
IGNORED_KINDS = {
    "application.startup": "startup",
    "instance.create": "instance",
    "typebot.start": "typebot",
    "typebot.change-status": "typebot",
}
# The wording of these is ours: the labels give only what must appear in it.
OWN_WORDING = {
    MessageKind.CONTACT,
    MessageKind.LOCATION,
    MessageKind.POLL,
    MessageKind.PRODUCT,
    MessageKind.ORDER,
    MessageKind.BUTTONS,
    MessageKind.LIST,
    MessageKind.TEMPLATE,
    MessageKind.INTERACTIVE,
}


def kind_of(event: events.ParsedEvent) -> str:
    if isinstance(event, Ignored):
        if event.reason is IgnoreReason.NO_MESSAGE:
            return "invalid"
        if event.reason is IgnoreReason.PROTOCOL_NOTICE:
            return "protocol"
        return IGNORED_KINDS.get(event.event, "unknown")
    if isinstance(event, messages.MessageReceived | messages.MessageEdited | messages.MessageDeleted):
        return event.kind
    return KINDS[type(event)]


def chat_of(event: events.ParsedEvent) -> ChatAddress | None:
    match event:
        case ContactsChanged(contacts=[one]):
            return one.address
        case events.ChatsChanged(chats=[one]):
            return one.address
        case GroupsChanged(groups=[one]):
            return one.address
        case events.GroupParticipantsChanged():
            return event.group
    return getattr(event, "chat", None)


def person_of(event: events.ParsedEvent) -> ChatAddress | None:
    chat = chat_of(event)
    if chat and chat.kind in (Chat.INDIVIDUAL, Chat.LID):
        return chat
    return getattr(event, "author", None) or getattr(event, "participant", None)


def labels(envelope: events.Envelope) -> dict[str, object]:
    """The first event in the vocabulary of the README."""
    event = envelope.events[0]
    chat, person = chat_of(event), person_of(event)
    return {
        "event": envelope.event,
        "kind": kind_of(event),
        "from_me": getattr(event, "from_me", None),
        "chat": chat.kind if chat else None,
        "text": getattr(event, "text", None),
        "phone_e164": person.phone if person else None,
        "external_id": getattr(event, "external_id", None),
        "target_id": getattr(event, "target_id", None),
        "status": getattr(event, "status", None),
        "state": getattr(event, "raw_state", None),
        "timestamp": getattr(event, "timestamp", None),
    }


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_a_payload_from_the_wild_is_read_as_a_person_reads_it(path: Path) -> None:
    case = json.loads(path.read_text())
    expected = case["expected"]
    found = labels(parse(case["payload"]))
    for word in expected.pop("text_contains", []):
        assert word in str(found["text"])
    if found["kind"] in OWN_WORDING:
        expected.pop("text", None)
    assert {name: found[name] for name in expected} == expected


def test_all_payloads_are_here() -> None:
    assert len(PAYLOADS) == 209
