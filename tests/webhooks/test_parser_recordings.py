"""What Evolution 2.3.6 sent us (tests/evolution/webhooks), and what each body has to mean."""

import json
from pathlib import Path

import pytest

from messaging import events as messages
from messaging.events import (
    CallChanged,
    Chat,
    ContactsChanged,
    GroupsChanged,
    MessageKind,
    MessageReceived,
    MessageStatus,
)
from units import events as line
from units.events import ConnectionState
from webhooks.parsers import events
from webhooks.parsers.events import Envelope, Ignored, IgnoreReason
from webhooks.parsers.evolution import normalised_event, parse

RECORDINGS = Path(__file__).parents[1] / "evolution" / "webhooks"


def recorded(name: str) -> Envelope:
    return parse(json.loads((RECORDINGS / f"{name}.json").read_text())["body"])


def message(name: str) -> MessageReceived:
    [event] = recorded(name).events
    assert isinstance(event, MessageReceived)
    return event


def upsert(content: object, **members: object) -> MessageReceived:
    data = {"key": {"id": "A", "remoteJid": "5511999991234@s.whatsapp.net"}, "message": content, **members}
    [event] = parse({"event": "messages.upsert", "data": data}).events
    assert isinstance(event, MessageReceived)
    return event


MARIA = {
    "chat.phone": "+5511977776666",
    "from_me": False,
    "push_name": "Maria",
    "status": MessageStatus.DELIVERY_ACK,
}

MESSAGES = {
    "baileys-messages.upsert-in-text-1st": MARIA
    | {
        "kind": "text",
        "text": "Oi, quero saber o preço",
        "external_id": "3A00000000000000T1",
        "timestamp": 1795335179,
    },
    "baileys-messages.upsert-in-extended-text-reply": MARIA
    | {"kind": "text", "text": "respondendo", "reply_to_id": "3EB0102276A5AB4104AB95"},
    "baileys-messages.upsert-in-ephemeral": MARIA | {"kind": "text", "text": "temporária"},
    "baileys-messages.upsert-in-no-pushname": {"push_name": None, "text": "sem nome"},
    "baileys-messages.upsert-in-text-with-lid-alt": MARIA
    | {"chat.kind": Chat.INDIVIDUAL, "chat.lid": "905511977776666"},
    "baileys-messages.upsert-in-text-from-lid": MARIA | {"chat.kind": Chat.LID, "chat.lid": "905511977776666"},
    "baileys-messages.upsert-in-text-from-lid-no-pn": {"chat.kind": Chat.LID, "chat.phone": None},
    "baileys-messages.upsert-in-from-me-phone": {"from_me": True, "is_api_echo": False, "push_name": None},
    "baileys-messages.upsert-in-from-me-phone-lid": {"from_me": True, "chat.phone": None},
    "baileys-messages.upsert-in-from-me-phone-lid-with-pn": {"from_me": True, "chat.phone": "+5511977776666"},
    "baileys-messages.upsert-in-group-text": {
        "chat.kind": Chat.GROUP,
        "chat.phone": None,
        "author.phone": "+5511977776666",
    },
    "baileys-messages.upsert-in-group-text-lid": {
        "chat.kind": Chat.GROUP,
        "author.phone": "+5511977776666",
        "author.lid": "905511977776666",
    },
    "baileys-messages.upsert-in-ad-click": MARIA
    | {
        "details": {
            "referral": {
                "title": "Promo",
                "body": "Compre",
                "source_id": "120000",
                "source_url": "https://example.invalid/ad",
                "click_id": "CLID",
                "source": "ctwa_ad",
            }
        }
    },
    "baileys-messages.upsert-in-image": MARIA
    | {
        "kind": "image",
        "text": "olha",
        "media.mime_type": "image/png",
        "media.size": 75,
        "media.width": 10,
        "media.url": None,
        "media.has_base64": False,
    },
    "baileys-messages.upsert-in-image-base64-on": {"kind": "image", "media.has_base64": True},
    "baileys-messages.upsert-in-video": {"kind": "video", "text": "vídeo", "media.seconds": 3},
    "baileys-messages.upsert-in-audio": {
        "kind": "audio",
        "text": None,
        "media.is_voice": True,
        "media.size": 18041,
    },
    "baileys-messages.upsert-in-document": {"kind": "document", "text": None, "media.file_name": "a.pdf"},
    "baileys-messages.upsert-in-document-with-caption": {"kind": "document", "text": "segue"},
    "baileys-messages.upsert-in-sticker": {"kind": "sticker", "media.mime_type": "image/webp"},
    "baileys-messages.upsert-in-view-once": {"kind": "image", "media.is_view_once": True},
    "baileys-messages.upsert-in-location": {
        "kind": "location",
        "text": "SP",
        "details": {"latitude": -23.5, "longitude": -46.6, "name": "SP"},
    },
    "baileys-messages.upsert-in-contact": {"kind": "contact"},
    "baileys-messages.upsert-in-reaction": {
        "kind": "reaction",
        "text": "❤️",
        "target_id": "3EB00AC04FA990B05C1FD5",
    },
    "baileys-messages.upsert-in-reaction-removed": {
        "kind": "reaction",
        "text": None,
        "target_id": "3EB0102276A5AB4104AB95",
    },
    "baileys-messages.upsert-in-button-reply": {
        "kind": "button_reply",
        "text": "Sim",
        "details": {"option_id": "b1"},
    },
    "baileys-messages.upsert-in-list-reply": {
        "kind": "list_reply",
        "text": "Plano A",
        "details": {"option_id": "r1"},
    },
    "baileys-messages.upsert-in-template-button-reply": {"kind": "button_reply", "text": "Quero"},
    "baileys-messages.upsert-in-poll-created": {"kind": "poll", "text": "Qual?\n• A\n• B"},
    "baileys-send.message-sendText": {
        "from_me": True,
        "is_api_echo": True,
        "status": MessageStatus.PENDING,
        "external_id": "3EB0102276A5AB4104AB95",
    },
    "baileys-send.message-sendMedia-image": {"kind": "image", "is_api_echo": True, "media.has_base64": True},
    "baileys-send.message-sendReaction": {"kind": "reaction", "target_id": "3A00000000000000L1"},
    "business-messages.upsert-in-audio": {"kind": "audio", "media.is_voice": True, "media.has_base64": True},
    "business-messages.upsert-in-document": {
        "media.file_name": "a.pdf",
        "media.mime_type": "application/pdf",
    },
    "business-messages.upsert-in-text-reply": {"reply_to_id": "wamid.FAKE000002"},
    "business-messages.upsert-in-interactive-list": {"kind": "text", "text": "Plano A"},
    "business-send.message-image-url": {
        "media.url": "http://127.0.0.1:8793/a.png",
        "media.has_base64": False,
    },
    "business-send.message-image-base64": {"media.url": None, "media.has_base64": True},
    "evolution-messages.upsert": {
        "chat.phone": "+5511988887777",
        "chat.kind": Chat.INDIVIDUAL,
        "text": "Oi, quero saber o preço",
    },
    "evolution-send.message-image": {"kind": "image", "media.url": "http://127.0.0.1:8793/a.png"},
    "evolution-send.message-document": {"kind": "document", "media.url": None},
    "evolution-send.message-text-quoted": {"reply_to_id": "deb15be4-fd27-4b29-921e-8ba12dd96b3d"},
    "evolution-send.message-malformed-number": {"chat": None, "text": "x"},
}


def member(event: object, path: str) -> object:
    for name in path.split("."):
        event = getattr(event, name)
    return event


@pytest.mark.parametrize(("name", "expected"), MESSAGES.items(), ids=MESSAGES.keys())
def test_a_recorded_message_means(name: str, expected: dict[str, object]) -> None:
    event = message(name)
    assert {path: member(event, path) for path in expected} == expected


def test_a_contact_card_gives_its_name_and_number() -> None:
    card = message("baileys-messages.upsert-in-contact")
    assert card.details["contacts"] == [{"name": "Zé", "phones": ["+5511911112222"]}]


@pytest.mark.parametrize(
    ("vcard", "phones"),
    [
        ("BEGIN:VCARD\r\nitem1.TEL;waid=5511988887777:+55 11 98888-7777\r\nEND:VCARD", ["+5511988887777"]),
        ("TEL;type=WORK:(11) 3333-4444\nTEL:190", ["(11) 3333-4444", "190"]),
        ("NOTE:TEL me\nTEL;" + "TEL " * 50_000, None),
    ],
)
def test_the_numbers_of_a_contact_card_are_read(vcard: str, phones: list[str] | None) -> None:
    received = upsert({"contactMessage": {"displayName": "Zé", "vcard": vcard}})
    card = {"name": "Zé"} | ({"phones": phones} if phones else {})
    assert received.details["contacts"] == [card]


CHANGES = {
    "baileys-messages.update-delivered": (MessageStatus.DELIVERY_ACK, "3EB0102276A5AB4104AB95", True),
    "baileys-messages.update-read": (MessageStatus.READ, "3EB0102276A5AB4104AB95", True),
    "baileys-messages.update-played": (MessageStatus.PLAYED, "3EB0102276A5AB4104AB95", True),
    "baileys-messages.update-ack-error": (MessageStatus.ERROR, "3EB0093DE106F5C13746DA", True),
    "baileys-messages.update-read-on-own-phone": (MessageStatus.READ, "3A00000000000000L1", False),
    "business-messages.update-sent": (MessageStatus.SERVER_ACK, "wamid.FAKE000002", False),
    "business-messages.update-delivered": (MessageStatus.DELIVERY_ACK, "wamid.FAKE000002", False),
    "business-messages.update-failed": (MessageStatus.ERROR, "wamid.FAKE000002", False),
}


@pytest.mark.parametrize(("name", "expected"), CHANGES.items(), ids=CHANGES.keys())
def test_a_recorded_receipt_means(name: str, expected: tuple[object, ...]) -> None:
    [event] = recorded(name).events
    assert isinstance(event, messages.MessageStatusChanged)
    assert (event.status, event.external_id, event.from_me) == expected


@pytest.mark.parametrize(
    ("name", "text", "target"),
    [
        ("baileys-messages.edited-in-edit", "alô? (editado)", "3A00000000000000T2"),
        ("baileys-messages.edited-in-edit-of-from-me-wrapped", "Oi (editado)", "3A00000000000000T1"),
        ("baileys-send.message.update-api-edit", "editada", "3EB0E377F54332C49658D8"),
    ],
)
def test_a_recorded_edit_means(name: str, text: str, target: str) -> None:
    [event] = recorded(name).events
    assert isinstance(event, messages.MessageEdited)
    assert (event.text, event.target_id) == (text, target)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("baileys-messages.delete-in-revoke", "3A00000000000000T2"),
        ("baileys-messages.delete-api-delete", "3EB05BBFB812613A8C69EE"),
        ("baileys-messages.edited-BUT-IT-IS-A-REVOKE", "3A00000000000000T2"),
    ],
)
def test_a_recorded_deletion_means(name: str, target: str) -> None:
    [event] = recorded(name).events
    assert isinstance(event, messages.MessageDeleted)
    assert event.target_id == target


def test_a_history_sync_notice_is_no_edit() -> None:
    [event] = recorded("baileys-messages.edited-BUT-IT-IS-A-HISTORY-SYNC-NOTICE").events
    assert event == Ignored(event="messages.edited", reason=IgnoreReason.PROTOCOL_NOTICE)


def test_history_is_apart_from_new_messages() -> None:
    [event] = recorded("baileys-messages.set-history-sync").events
    assert isinstance(event, messages.HistorySynced)
    assert [(one.external_id, one.from_me) for one in event.messages] == [("HIST1", False), ("HIST2", True)]


@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        ("baileys-connection.update-open", ConnectionState.OPEN, 200),
        ("baileys-connection.update-connecting", ConnectionState.CONNECTING, 200),
        ("baileys-connection.update-api-logout", ConnectionState.CLOSE, 401),
        ("baileys-connection.update-refused", ConnectionState.REFUSED, 428),
    ],
)
def test_a_recorded_connection_state_means(name: str, state: ConnectionState, reason: int) -> None:
    [event] = recorded(name).events
    assert isinstance(event, line.ConnectionChanged)
    assert (event.state, event.reason) == (state, reason)


def test_an_open_connection_tells_whose_line_it_is() -> None:
    [event] = recorded("baileys-connection.update-open").events
    assert isinstance(event, line.ConnectionChanged)
    assert (event.phone, event.profile_name) == ("+5511900000009", "Loja Teste")


def test_a_qr_code_is_an_image_for_the_browser() -> None:
    [event] = recorded("baileys-qrcode.updated-pairing-code").events
    assert isinstance(event, line.QRCodeUpdated)
    assert str(event.image).startswith("data:image/png;base64,")
    assert event.pairing_code == "9EVGEKZX"
    assert not event.limit_reached


def test_the_end_of_qr_codes_is_told() -> None:
    [event] = recorded("baileys-qrcode.updated-limit-reached").events
    assert event == line.QRCodeUpdated(limit_reached=True)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("baileys-logout.instance-api-logout", line.InstanceLoggedOut),
        ("baileys-status.instance-logged-out-by-whatsapp-401", line.InstanceStatusChanged),
        ("baileys-instance.delete", line.InstanceRemoved),
        ("baileys-remove.instance", line.InstanceRemoved),
        ("baileys-call-offer", CallChanged),
        ("baileys-presence.update-presence-composing", events.PresenceChanged),
        ("baileys-group-participants.update-group-add", events.GroupParticipantsChanged),
        ("reconstructed-groups.upsert", GroupsChanged),
        ("reconstructed-labels.association", events.LabelChanged),
        ("baileys-chats.update", events.ChatsChanged),
        ("baileys-contacts.update-lid", ContactsChanged),
        ("error-webhook", Ignored),
        ("baileys-instance.create", Ignored),
    ],
)
def test_a_recorded_event_is_a(name: str, kind: type) -> None:
    assert isinstance(recorded(name).events[0], kind)


def test_the_instance_is_named() -> None:
    assert recorded("baileys-messages.upsert-in-text-1st").instance == "loja1"
    assert recorded("error-webhook").instance is None


@pytest.mark.parametrize(
    "spelling",
    ["messages.upsert", "MESSAGES_UPSERT", "messages-upsert", "Messages.Upsert", " messages_upsert "],
)
def test_an_event_has_one_name_in_all_spellings(spelling: str) -> None:
    assert normalised_event(spelling) == "messages.upsert"


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("GROUP_UPDATE", "groups.update"),
        ("GROUP_UPSERT", "groups.upsert"),
        ("groups-update", "groups.update"),
        ("GROUP_PARTICIPANTS_UPDATE", "group-participants.update"),
        ("group-participants-update", "group-participants.update"),
        ("TYPEBOT_CHANGE_STATUS", "typebot.change-status"),
        ("SOMETHING_NEW", "something.new"),
        (None, ""),
        (7, ""),
    ],
)
def test_an_odd_event_name_is_normalised(spelling: object, name: str) -> None:
    assert normalised_event(spelling) == name


def test_the_event_of_the_url_counts_when_the_body_has_none() -> None:
    body = {"instance": "a", "data": {"state": "open"}}
    assert parse(body, path_event="connection-update").event == "connection.update"
    assert parse({**body, "event": "call"}, path_event="connection-update").event == "call"


def test_a_list_cannot_smuggle_in_another_instance() -> None:
    data = {"state": "close"}
    bodies = [{"event": "connection.update", "instance": name, "data": data} for name in ("a", "b")]
    mine, other = parse(bodies).events
    assert isinstance(mine, line.ConnectionChanged)
    assert other == Ignored(event="connection.update", reason=IgnoreReason.OTHER_INSTANCE)


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        ({"liveLocationMessage": {"degreesLatitude": 1, "caption": "indo"}}, "location", "indo"),
        ({"ptvMessage": {"seconds": 3}}, "video", None),
        ({"lottieStickerMessage": {"message": {"stickerMessage": {}}}}, "sticker", None),
        ({"deviceSentMessage": {"message": {"conversation": "oi"}}}, "text", "oi"),
        ({"senderKeyDistributionMessage": {"groupId": "g"}, "conversation": "oi"}, "text", "oi"),
        ({"senderKeyDistributionMessage": {"groupId": "g"}}, "protocol", None),
        ({"senderKeyDistributionMessage": {}, "eventMessage": {"name": "Festa"}}, "unknown", "Festa"),
        ({"messageContextInfo": {}}, "unknown", None),
        ({"interactiveResponseMessage": {"body": {"text": "Pronto"}}}, "interactive_reply", "Pronto"),
        (
            {"interactiveResponseMessage": {"nativeFlowResponseMessage": {"paramsJson": '{"id":"x1"}'}}},
            "interactive_reply",
            "x1",
        ),
        ({"buttonsResponseMessage": {"Response": {"SelectedDisplayText": "Sim"}}}, "button_reply", "Sim"),
        ({"buttonsResponseMessage": {"selectedButtonText": "Sim"}}, "button_reply", "Sim"),
        ({"templateButtonReplyMessage": {"selectedID": "b7"}}, "button_reply", "b7"),
        ({"listResponseMessage": {"singleSelectReply": {"selectedRowID": "r7"}}}, "list_reply", "r7"),
        ({"pollUpdateMessage": {"vote": {"selectedOptions": ["Azul", "Verde"]}}}, "poll_vote", "Azul, Verde"),
        ({"documentWithCaptionMessage": {"message": {"listMessage": {"title": "Menu"}}}}, "list", "Menu"),
        ({"groupInviteMessage": {"groupName": "Clientes"}}, "group_invite", "Clientes"),
        ({"callLogMesssage": {"isVideo": False}}, "call", None),
        ({"protocolMessage": {"type": "HISTORY_SYNC_NOTIFICATION"}}, "protocol", None),
        ({"conversation": ""}, "text", None),
    ],
)
def test_content_is_found_by_what_it_is(content: object, kind: str, text: str | None) -> None:
    event = upsert(content)
    assert (event.kind, event.text) == (kind, text)


def test_a_vote_is_read_from_the_poll_as_it_stands() -> None:
    polls = [{"name": "Azul", "voters": []}, {"name": "Verde", "voters": ["1@lid"]}]
    vote = upsert({"pollUpdateMessage": {"pollCreationMessageKey": {"id": "P"}}}, pollUpdates=polls)
    assert (vote.kind, vote.text, vote.target_id) == (MessageKind.POLL_VOTE, "Verde", "P")


@pytest.mark.parametrize("revoke", [0, "REVOKE", "revoke", "0"])
def test_a_revoke_is_a_deletion_in_every_spelling(revoke: object) -> None:
    data = {"key": {"id": "A"}, "message": {"protocolMessage": {"key": {"id": "B"}, "type": revoke}}}
    [event] = parse({"event": "messages.upsert", "data": data}).events
    assert isinstance(event, messages.MessageDeleted)
    assert (event.external_id, event.target_id) == ("A", "B")


def test_an_update_with_a_null_message_is_a_deletion() -> None:
    data = {"key": {"id": "A"}, "update": {"message": None, "messageStubType": 1}}
    [event] = parse({"event": "messages.update", "data": data}).events
    assert isinstance(event, messages.MessageDeleted)


def test_our_own_number_never_becomes_the_contacts() -> None:
    key = {
        "id": "A",
        "fromMe": True,
        "remoteJid": "77@lid",
        "senderPn": "5511900000009@s.whatsapp.net",
        "senderLid": "9@lid",
    }
    body = {
        "event": "messages.upsert",
        "sender": "5511900000009@s.whatsapp.net",
        "data": {"key": key, "message": {}},
    }
    [event] = parse(body).events
    assert isinstance(event, MessageReceived)
    assert event.chat == messages.ChatAddress(jid="77@lid", kind=Chat.LID, lid="77")


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (1795335179, 1795335179),
        ("1795335179", 1795335179),
        (1795335179123, 1795335179),
        ({"low": 38635272, "high": 418, "unsigned": False}, 1795334965),
        ({"low": -1, "high": 0}, None),
        ({"low": 123}, None),
        ("2026-11-22T08:20:35.000Z", 1795335635),
        ("2026-11-22T08:20:35", None),
        (True, None),
        (None, None),
    ],
)
def test_a_time_is_read_in_every_form(given: object, seconds: int | None) -> None:
    assert upsert({"conversation": "x"}, messageTimestamp=given).timestamp == seconds
