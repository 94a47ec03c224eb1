"""What stands around a message: whom it quotes, what advert led here, who it is by any other name."""

import json
from typing import Any

import pytest

from messaging.events import (
    Chat,
    ChatAddress,
    ContactsChanged,
    GroupsChanged,
    HistorySynced,
    MessageKind,
    MessageReceived,
    MessageStatus,
    MessageStatusChanged,
    Quoted,
)
from webhooks.parsers.events import GroupParticipantsChanged, ParsedEvent
from webhooks.parsers.evolution import parse

OWN = "5511900000009@s.whatsapp.net"
MARIA = "5511977776666@s.whatsapp.net"
MARIA_LID = "905511977776666@lid"
OURS = ChatAddress(jid=OWN, kind=Chat.INDIVIDUAL, phone="+5511900000009")


def events(event: str, data: object) -> tuple[ParsedEvent, ...]:
    return parse({"event": event, "sender": OWN, "data": data}).events


def received(context: dict[str, Any], **key: Any) -> MessageReceived:
    message = {"extendedTextMessage": {"text": "sim", "contextInfo": context}}
    data = {"key": {"id": "A", "remoteJid": MARIA, "fromMe": False, **key}, "message": message}
    [event] = events("messages.upsert", data)
    assert isinstance(event, MessageReceived)
    return event


def test_a_quoted_message_of_ours_is_known_by_our_number() -> None:
    event = received({"stanzaId": "B", "participant": OWN, "quotedMessage": {"conversation": "Tudo bem?"}})
    assert event.reply_to_id == "B"
    assert event.quoted == Quoted(kind=MessageKind.TEXT, text="Tudo bem?", author=OURS)


def test_a_quoted_message_of_the_other_side_has_both_addresses() -> None:
    event = received({"participant": MARIA_LID, "quotedMessage": {"conversation": "?"}}, remoteJidAlt=MARIA_LID)
    assert event.quoted
    assert event.quoted.author == event.chat


def test_in_a_direct_chat_a_foreign_lid_is_ours() -> None:
    event = received({"participant": "11111@lid", "quotedMessage": {"conversation": "?"}}, remoteJidAlt=MARIA_LID)
    assert event.quoted
    assert event.quoted.author
    assert (event.quoted.author.phone, event.quoted.author.lid) == ("+5511900000009", "11111")


def test_in_a_group_the_quoted_author_is_whoever_is_named() -> None:
    context = {"participant": "11111@lid", "quotedMessage": {"imageMessage": {"caption": "olha"}}}
    event = received(context, remoteJid="120363000000000001@g.us", participant=MARIA)
    author = ChatAddress(jid="11111@lid", kind=Chat.LID, lid="11111")
    assert event.quoted == Quoted(kind=MessageKind.IMAGE, text="olha", author=author)


def test_of_a_long_quote_the_beginning_is_kept() -> None:
    quoted = received({"quotedMessage": {"conversation": "x" * 70_000}}).quoted
    assert quoted == Quoted(kind=MessageKind.TEXT, text="x" * 1_000)


def test_a_reply_that_brings_no_quoted_message_has_only_its_id() -> None:
    event = received({"stanzaId": "B", "quotedMessage": {}})
    assert (event.reply_to_id, event.quoted) == ("B", None)


@pytest.mark.parametrize(
    ("context", "referral"),
    [
        (
            {"entryPointConversionSource": "ctwa_ad", "entryPointConversionApp": "instagram"},
            {"source": "ctwa_ad", "app": "instagram"},
        ),
        ({"conversionSource": "FB_Ads"}, {"source": "FB_Ads"}),
        (
            {"externalAdReply": {"title": "Bolo", "sourceID": "12", "sourceURL": "https://fb.me/x", "ctwaClid": "c"}},
            {"title": "Bolo", "source_id": "12", "source_url": "https://fb.me/x", "click_id": "c"},
        ),
        ({"entryPointConversionSource": "global_search_new_chat", "entryPointConversionApp": "whatsapp"}, None),
        ({"externalAdReply": {"title": "cartão de um robô", "sourceUrl": "https://example.invalid"}}, None),
    ],
)
def test_an_advert_is_told_by_what_names_one(context: dict[str, Any], referral: dict[str, Any] | None) -> None:
    assert received(context).details.get("referral") == referral


def test_an_advert_is_read_in_metas_words_too() -> None:
    referral = {
        "source_url": "https://fb.me/x",
        "source_id": "12",
        "source_type": "ad",
        "headline": "Bolo",
        "ctwa_clid": "c",
    }
    data = {"key": {"id": "A", "remoteJid": MARIA}, "message": {"conversation": "oi"}, "referral": referral}
    [event] = events("messages.upsert", data)
    assert isinstance(event, MessageReceived)
    assert event.details == {
        "referral": {"title": "Bolo", "source_id": "12", "source_url": "https://fb.me/x", "click_id": "c"}
    }


@pytest.mark.parametrize(
    "element",
    [
        {"id": MARIA_LID, "phoneNumber": MARIA},
        {"id": MARIA, "lid": MARIA_LID},
        {"id": "cmwrkhtfd005kam7", "lid": MARIA_LID, "jid": MARIA},
        {"remoteJid": MARIA_LID, "remoteJidAlt": MARIA},
        {"remoteJid": MARIA, "lid": "905511977776666"},
        {"remoteJid": MARIA_LID, "phoneNumber": "5511977776666"},
    ],
)
def test_a_contact_is_seen_under_both_its_addresses(element: dict[str, Any]) -> None:
    [event] = events("contacts.upsert", [element])
    assert isinstance(event, ContactsChanged)
    [seen] = event.contacts
    assert (seen.address.phone, seen.address.lid) == ("+5511977776666", "905511977776666")


@pytest.mark.parametrize("name", ["5511977776666", "+5511977776666", MARIA, MARIA_LID, "905511977776666", ".", ""])
def test_what_the_gateway_writes_in_place_of_a_name_is_none(name: str) -> None:
    [event] = events("contacts.update", {"remoteJid": MARIA, "pushName": name, "verifiedName": "Loja"})
    assert isinstance(event, ContactsChanged)
    assert (event.contacts[0].name, event.contacts[0].verified_name) == ("Loja", "Loja")


def test_a_participant_without_phone_does_not_get_his_lid_for_one() -> None:
    data = {
        "id": "120363000000000001@g.us",
        "action": "add",
        "participants": [MARIA_LID, "22222222222@lid"],
        "participantsData": [
            {"jid": MARIA_LID, "phoneNumber": MARIA},
            {"jid": "22222222222@lid", "phoneNumber": "22222222222"},
        ],
    }
    event, seen = events("group-participants.update", data)
    assert isinstance(event, GroupParticipantsChanged)
    assert isinstance(seen, ContactsChanged)
    assert [contact.address for contact in seen.contacts] == [event.participants[0]]
    assert [(one.phone, one.lid) for one in event.participants] == [
        ("+5511977776666", "905511977776666"),
        (None, "22222222222"),
    ]


def test_a_group_tells_which_phones_and_lids_are_one_person() -> None:
    people = [{"id": MARIA_LID, "phoneNumber": MARIA, "admin": None}, {"id": "5511955554444@s.whatsapp.net"}]
    group, seen = events("groups.upsert", [{"id": "120363000000000001@g.us", "participants": people}])
    assert isinstance(group, GroupsChanged)
    assert isinstance(seen, ContactsChanged)
    [maria] = seen.contacts
    assert (maria.address.phone, maria.address.lid) == ("+5511977776666", "905511977776666")


def test_a_history_brings_its_contacts() -> None:
    data = {"messages": [], "contacts": [{"id": MARIA, "notify": "Maria"}], "chats": []}
    synced, seen = events("messaging-history.set", data)
    assert synced == HistorySynced()
    assert isinstance(seen, ContactsChanged)
    assert seen.contacts[0].name == "Maria"


def test_statuses_in_a_list_are_receipts() -> None:
    data = {"keyId": "A", "fromMe": True, "MessageUpdate": [{"status": "READ"}, {"status": 3}]}
    told = [one.status for one in events("messages.update", data) if isinstance(one, MessageStatusChanged)]
    assert told == [MessageStatus.DELIVERY_ACK, MessageStatus.READ]


@pytest.mark.parametrize(("voter", "from_me"), [(MARIA, False), (OWN, True), ("11111@lid", False)])
def test_a_vote_in_an_update_is_the_voters(voter: str, from_me: bool) -> None:
    votes = [{"name": "Hoje", "voters": [voter]}, {"name": "Amanhã", "voters": []}]
    data = {"keyId": "POLL", "remoteJid": MARIA, "fromMe": True, "status": "SERVER_ACK", "pollUpdates": votes}
    [event] = events("messages.update", data)
    assert isinstance(event, MessageReceived)
    assert (event.kind, event.text, event.target_id, event.from_me) == (MessageKind.POLL_VOTE, "Hoje", "POLL", from_me)


@pytest.mark.parametrize(
    "update",
    [
        {"vote": ["Hoje", "Amanhã"]},
        {"vote": {"selectedOptions": ["Hoje", {"optionName": "Amanhã"}]}, "pollUpdateMessageKey": {"id": "X"}},
    ],
)
def test_a_vote_with_its_options_is_read(update: dict[str, Any]) -> None:
    data = {"key": {"id": "POLL", "remoteJid": MARIA}, "update": {"pollUpdates": [update]}}
    [event] = events("messages.update", [data])
    assert isinstance(event, MessageReceived)
    assert (event.text, event.target_id) == ("Hoje, Amanhã", "POLL")


def test_a_reaction_in_an_update_edits_nothing() -> None:
    reaction = {"reactionMessage": {"key": {"id": "TARGET"}, "text": "⚡"}}
    data = {"key": {"id": "A", "remoteJid": MARIA, "fromMe": True}, "update": {"message": reaction, "pollUpdates": []}}
    [event] = events("messages.update", [data])
    assert isinstance(event, MessageReceived)
    assert (event.kind, event.text, event.target_id) == (MessageKind.REACTION, "⚡", "TARGET")


def test_the_participant_of_a_direct_chat_tells_the_phone() -> None:
    key = {"id": "A", "remoteJid": MARIA_LID, "participant": MARIA_LID, "participantPn": MARIA}
    [event] = events("messages.upsert", {"key": key, "message": {"conversation": "oi"}})
    assert isinstance(event, MessageReceived)
    assert event.chat == ChatAddress(jid=MARIA_LID, kind=Chat.LID, phone="+5511977776666", lid="905511977776666")


@pytest.mark.parametrize("from_me", [True, False])
@pytest.mark.parametrize("member", ["remoteJidAlt", "senderPn"])
def test_our_own_number_completes_nobody(member: str, from_me: bool) -> None:
    key = {"id": "A", "remoteJid": MARIA_LID, "fromMe": from_me, member: OWN}
    [event] = events("messages.upsert", {"key": key, "message": {"conversation": "oi"}})
    assert isinstance(event, MessageReceived)
    assert event.chat == ChatAddress(jid=MARIA_LID, kind=Chat.LID, lid="905511977776666")


def test_data_and_bodies_in_quotes_are_read() -> None:
    data = {"key": {"id": "A", "remoteJid": MARIA}, "message": {"conversation": "oi"}}
    plain = events("messages.upsert", data)
    assert events("messages.upsert", json.dumps(data)) == plain
    body = json.dumps({"event": "messages.upsert", "sender": OWN, "data": json.dumps(data)})
    assert parse(body).events == parse({"body": body}).events == plain


def test_a_file_in_a_data_uri_is_bare_base64() -> None:
    message = {"imageMessage": {"mimetype": "image/png"}, "base64": "data:image/png;base64,iVBORw0KGgo="}
    [event] = events("messages.upsert", {"key": {"id": "A", "remoteJid": MARIA}, "message": message})
    assert isinstance(event, MessageReceived)
    assert event.media
    assert event.media.base64 == "iVBORw0KGgo="
