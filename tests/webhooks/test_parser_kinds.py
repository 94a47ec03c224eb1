"""What becomes of each member that WhatsApp's own description of a message has."""

import json
import time
from typing import Any

import pytest

from messaging.events import MessageDeleted, MessageEdited, MessageKind, MessageReceived
from webhooks.parsers.evolution import parse
from webhooks.parsers.raw import RAW_MAX

K = MessageKind
KEY = {"id": "TARGET", "remoteJid": "5511977776666@s.whatsapp.net", "fromMe": False}
SAID = {"conversation": "oi"}
PICTURE = {"imageMessage": {"caption": "olha", "mimetype": "image/jpeg"}}

# Every member of `proto.Message` in Baileys 7.0.0-rc (WAProto), with content as WhatsApp fills it: kind and text.
MEMBERS: dict[str, tuple[object, MessageKind, str | None]] = {
    "conversation": ("oi", K.TEXT, "oi"),
    "senderKeyDistributionMessage": ({"groupId": "1@g.us"}, K.PROTOCOL, None),
    "imageMessage": ({"caption": "olha"}, K.IMAGE, "olha"),
    "contactMessage": ({"displayName": "Ana", "vcard": "BEGIN:VCARD"}, K.CONTACT, "Ana"),
    "locationMessage": ({"degreesLatitude": 1, "degreesLongitude": 2, "name": "Praça"}, K.LOCATION, "Praça"),
    "extendedTextMessage": ({"text": "oi"}, K.TEXT, "oi"),
    "documentMessage": ({"fileName": "a.pdf"}, K.DOCUMENT, None),
    "audioMessage": ({"ptt": True}, K.AUDIO, None),
    "videoMessage": ({"gifPlayback": True}, K.VIDEO, None),
    "call": ({"callKey": {"0": 1}}, K.CALL, None),
    "chat": ({"displayName": "Ana", "id": "x"}, K.UNKNOWN, None),
    "protocolMessage": ({"type": "EPHEMERAL_SETTING"}, K.PROTOCOL, None),
    "contactsArrayMessage": ({"displayName": "2 contatos", "contacts": []}, K.CONTACT, "2 contatos"),
    "highlyStructuredMessage": ({"hydratedHsm": {"hydratedTemplate": {"hydratedContentText": "oi"}}}, K.TEMPLATE, "oi"),
    "fastRatchetKeySenderKeyDistributionMessage": ({"groupId": "1@g.us"}, K.PROTOCOL, None),
    "sendPaymentMessage": ({"noteMessage": SAID, "requestMessageKey": KEY}, K.UNKNOWN, "oi"),
    "liveLocationMessage": ({"degreesLatitude": 1, "degreesLongitude": 2}, K.LOCATION, None),
    "requestPaymentMessage": (
        {"noteMessage": SAID, "currencyCodeIso4217": "BRL", "amount1000": {"low": 12500, "high": 0}},
        K.UNKNOWN,
        "BRL 12.50\noi",
    ),
    "declinePaymentRequestMessage": ({"key": KEY}, K.UNKNOWN, None),
    "cancelPaymentRequestMessage": ({"key": KEY}, K.UNKNOWN, None),
    "templateMessage": ({"hydratedTemplate": {"hydratedContentText": "oi"}}, K.TEMPLATE, "oi"),
    "stickerMessage": ({"isAnimated": True}, K.STICKER, None),
    "groupInviteMessage": ({"groupName": "Clube", "inviteCode": "x"}, K.GROUP_INVITE, "Clube"),
    "templateButtonReplyMessage": ({"selectedId": "1", "selectedDisplayText": "Sim"}, K.BUTTON_REPLY, "Sim"),
    "productMessage": ({"product": {"title": "Bolo"}}, K.PRODUCT, "Bolo"),
    "deviceSentMessage": ({"destinationJid": "x", "message": SAID}, K.TEXT, "oi"),
    "messageContextInfo": ({"messageSecret": "x"}, K.UNKNOWN, None),
    "listMessage": ({"title": "Menu"}, K.LIST, "Menu"),
    "viewOnceMessage": ({"message": PICTURE}, K.IMAGE, "olha"),
    "orderMessage": ({"orderId": "1", "message": "2 bolos"}, K.ORDER, "2 bolos"),
    "listResponseMessage": ({"title": "Sim"}, K.LIST_REPLY, "Sim"),
    "ephemeralMessage": ({"message": SAID}, K.TEXT, "oi"),
    "invoiceMessage": ({"note": "Fatura"}, K.UNKNOWN, "Fatura"),
    "buttonsMessage": ({"contentText": "Escolha"}, K.BUTTONS, "Escolha"),
    "buttonsResponseMessage": ({"selectedDisplayText": "Sim"}, K.BUTTON_REPLY, "Sim"),
    "paymentInviteMessage": ({"serviceType": 3}, K.UNKNOWN, None),
    "interactiveMessage": ({"body": {"text": "Escolha"}}, K.INTERACTIVE, "Escolha"),
    "reactionMessage": ({"key": KEY, "text": "👍"}, K.REACTION, "👍"),
    "stickerSyncRmrMessage": ({"filehash": ["x"]}, K.PROTOCOL, None),
    "interactiveResponseMessage": ({"body": {"text": "Sim"}}, K.INTERACTIVE_REPLY, "Sim"),
    "pollCreationMessage": ({"name": "Quando?"}, K.POLL, "Quando?"),
    "pollUpdateMessage": ({"pollCreationMessageKey": KEY, "vote": {"encPayload": "x"}}, K.POLL_VOTE, None),
    "keepInChatMessage": ({"key": KEY}, K.PROTOCOL, None),
    "documentWithCaptionMessage": ({"message": {"documentMessage": {"caption": "veja"}}}, K.DOCUMENT, "veja"),
    "requestPhoneNumberMessage": ({}, K.UNKNOWN, None),
    "viewOnceMessageV2": ({"message": PICTURE}, K.IMAGE, "olha"),
    "encReactionMessage": ({"targetMessageKey": KEY}, K.ENCRYPTED, None),
    "viewOnceMessageV2Extension": ({"message": {"audioMessage": {}}}, K.AUDIO, None),
    "pollCreationMessageV2": ({"name": "Quando?"}, K.POLL, "Quando?"),
    "scheduledCallCreationMessage": ({"title": "Reunião", "callType": "VIDEO"}, K.CALL, "Reunião"),
    "groupMentionedMessage": ({"message": SAID}, K.TEXT, "oi"),
    "pinInChatMessage": ({"key": KEY, "type": 1}, K.PROTOCOL, None),
    "pollCreationMessageV3": ({"name": "Quando?"}, K.POLL, "Quando?"),
    "scheduledCallEditMessage": ({"key": KEY, "editType": 1}, K.CALL, None),
    "ptvMessage": ({"seconds": 3}, K.VIDEO, None),
    "botInvokeMessage": ({"message": SAID}, K.TEXT, "oi"),
    "callLogMesssage": ({"isVideo": False, "callOutcome": "MISSED"}, K.CALL, None),
    "messageHistoryBundle": ({"mimetype": "x"}, K.PROTOCOL, None),
    "encCommentMessage": ({"targetMessageKey": KEY}, K.ENCRYPTED, None),
    "bcallMessage": ({"sessionId": "x", "caption": "ao vivo"}, K.CALL, "ao vivo"),
    "lottieStickerMessage": ({"message": {"stickerMessage": {}}}, K.STICKER, None),
    "eventMessage": (
        {"name": "Festa", "startTime": "1794000000", "location": {"name": "Praça"}},
        K.UNKNOWN,
        "Festa\n2026-11-06 21:20 UTC\nPraça",
    ),
    "encEventResponseMessage": ({"eventCreationMessageKey": KEY}, K.ENCRYPTED, None),
    "commentMessage": ({"message": SAID, "targetMessageKey": KEY}, K.TEXT, "oi"),
    "newsletterAdminInviteMessage": ({"newsletterName": "Ofertas"}, K.UNKNOWN, "Ofertas"),
    "placeholderMessage": ({"type": 0}, K.UNKNOWN, None),
    "secretEncryptedMessage": ({"targetMessageKey": KEY}, K.ENCRYPTED, None),
    "albumMessage": ({"expectedImageCount": 2}, K.ALBUM, None),
    "eventCoverImage": ({"message": PICTURE}, K.IMAGE, "olha"),
    "stickerPackMessage": ({"name": "Gatos", "publisher": "Ana"}, K.UNKNOWN, "Gatos\nAna"),
    "statusMentionMessage": ({"message": {"protocolMessage": {"type": 25}}}, K.PROTOCOL, None),
    "pollResultSnapshotMessage": (
        {"name": "Quando?", "pollVotes": [{"optionName": "Hoje", "optionVoteCount": "3"}]},
        K.POLL,
        "Quando?\n• Hoje: 3",
    ),
    "pollCreationOptionImageMessage": ({"message": PICTURE}, K.IMAGE, "olha"),
    "associatedChildMessage": ({"message": PICTURE}, K.IMAGE, "olha"),
    "groupStatusMentionMessage": ({"message": {"protocolMessage": {"type": 25}}}, K.PROTOCOL, None),
    "pollCreationMessageV4": ({"message": {"pollCreationMessageV3": {"name": "Quando?"}}}, K.POLL, "Quando?"),
    "statusAddYours": ({"message": PICTURE}, K.IMAGE, "olha"),
    "groupStatusMessage": ({"message": SAID}, K.TEXT, "oi"),
    "richResponseMessage": ({"submessages": [{"messageText": "oi"}, {"messageType": 3}]}, K.UNKNOWN, "oi"),
    "statusNotificationMessage": ({"type": 1}, K.PROTOCOL, None),
    "limitSharingMessage": ({"message": {"protocolMessage": {"type": "LIMIT_SHARING"}}}, K.PROTOCOL, None),
    "botTaskMessage": ({"message": SAID}, K.TEXT, "oi"),
    "questionMessage": ({"message": SAID}, K.TEXT, "oi"),
    "messageHistoryNotice": ({}, K.PROTOCOL, None),
    "groupStatusMessageV2": ({"message": SAID}, K.TEXT, "oi"),
    "botForwardedMessage": ({"message": SAID}, K.TEXT, "oi"),
    "statusQuestionAnswerMessage": ({"key": KEY, "text": "oi"}, K.TEXT, "oi"),
    "questionReplyMessage": ({"message": SAID}, K.TEXT, "oi"),
    "questionResponseMessage": ({"key": KEY, "text": "oi"}, K.TEXT, "oi"),
    "statusQuotedMessage": ({"text": "oi", "originalStatusId": KEY}, K.TEXT, "oi"),
    "statusStickerInteractionMessage": ({"key": KEY}, K.PROTOCOL, None),
    "pollCreationMessageV5": ({"name": "Quando?"}, K.POLL, "Quando?"),
    "newsletterFollowerInviteMessageV2": ({"newsletterName": "Ofertas"}, K.UNKNOWN, "Ofertas"),
    "pollResultSnapshotMessageV3": ({"name": "Quando?"}, K.POLL, "Quando?"),
}


def read(message: object, **element: Any) -> MessageReceived:
    key = {"id": "A", "remoteJid": "5511977776666@s.whatsapp.net", "fromMe": False}
    [event] = parse({"event": "messages.upsert", "data": {"key": key, "message": message, **element}}).events
    assert isinstance(event, MessageReceived)
    return event


@pytest.mark.parametrize("name", MEMBERS)
def test_each_member_of_a_message_has_its_kind(name: str) -> None:
    value, kind, text = MEMBERS[name]
    event = read({name: value, "messageContextInfo": {"messageSecret": "x"}})
    assert (event.kind, event.text) == (kind, text)


@pytest.mark.parametrize(
    "name", [name for name, (_, kind, _) in MEMBERS.items() if kind is K.UNKNOWN and name != "messageContextInfo"]
)
def test_an_unknown_kind_names_its_member_and_keeps_what_it_said(name: str) -> None:
    value = MEMBERS[name][0]
    event = read({name: value})
    assert event.raw_type == name
    assert list(event.raw or {}) == [name]


def test_what_is_kept_of_an_unknown_kind_is_small_and_without_keys() -> None:
    thumbnail = {str(index): 255 for index in range(9_000)}
    inner = {
        "jpegThumbnail": thumbnail,
        "mediaKey": "CANARY",
        "apikey": "CANARY",
        "hash": thumbnail,
        "name": "x" * 9_000,
    }
    event = read({"futureMessage": {**inner, "rows": [inner] * 500, "deep": [[[[[[[[[[["end"]]]]]]]]]]]}})
    kept = json.dumps(event.raw)
    assert len(kept) <= RAW_MAX
    assert "CANARY" not in kept
    assert "(9000 bytes)" in kept


def test_an_unknown_wrapper_is_opened() -> None:
    event = read({"wrapperOfTomorrow": {"message": {"imageMessage": {"caption": "olha"}}}})
    assert (event.kind, event.text) == (K.IMAGE, "olha")


def test_words_of_an_unknown_kind_are_shown() -> None:
    event = read({"messageOfTomorrow": {"caption": "olha só"}})
    assert (event.kind, event.text, event.raw_type) == (K.UNKNOWN, "olha só", "messageOfTomorrow")


@pytest.mark.parametrize(
    ("stub", "video"), [(40, False), ("CALL_MISSED_VIDEO", True), ("46", True), ("call_missed_group_voice", False)]
)
def test_a_missed_call_is_a_call(stub: object, video: bool) -> None:
    event = read(None, messageStubType=stub)
    assert (event.kind, event.details) == (K.CALL, {"status": "timeout", "video": video})


@pytest.mark.parametrize(("stub", "kind"), [(2, K.ENCRYPTED), ("CIPHERTEXT", K.ENCRYPTED), (27, K.PROTOCOL)])
def test_other_stubs_are_notices(stub: object, kind: MessageKind) -> None:
    assert read(None, messageStubType=stub).kind is kind


def test_a_revoked_stub_is_a_deletion_of_the_message_it_stands_for() -> None:
    data = {"key": {"id": "A"}, "messageStubType": "REVOKE", "messageStubParameters": ["B"]}
    [event] = parse({"event": "messages.set", "data": [data]}).events
    [deleted] = event.messages  # type: ignore[union-attr]
    assert isinstance(deleted, MessageDeleted)
    assert deleted.target_id == "A"


def test_an_edit_inside_wrappers_is_an_edit() -> None:
    edited = {"protocolMessage": {"key": KEY, "type": 14, "editedMessage": {"ephemeralMessage": {"message": SAID}}}}
    data = {"key": {"id": "A"}, "message": {"ephemeralMessage": {"message": {"editedMessage": {"message": edited}}}}}
    [event] = parse({"event": "messages.upsert", "data": data}).events
    assert isinstance(event, MessageEdited)
    assert (event.target_id, event.text) == ("TARGET", "oi")


@pytest.mark.parametrize(
    ("kind", "name"),
    [("MEDIA_ALBUM", "album"), (1, "album"), ("HD_IMAGE_DUAL_UPLOAD", "better_copy_of"), (5, "better_copy_of")],
)
def test_a_picture_names_its_album_or_the_picture_that_it_repeats(kind: object, name: str) -> None:
    info = {"messageAssociation": {"associationType": kind, "parentMessageKey": KEY}}
    inner = {**PICTURE, "messageContextInfo": info}
    assert read(inner).details == {name: "TARGET"}
    assert read({"associatedChildMessage": {"message": inner}}).details == {name: "TARGET"}


def test_a_comment_is_a_reply() -> None:
    assert read({"commentMessage": {"message": SAID, "targetMessageKey": KEY}}).reply_to_id == "TARGET"


def test_a_call_in_the_log_tells_how_it_ended() -> None:
    event = read({"callLogMesssage": {"isVideo": True, "callOutcome": 3, "durationSecs": {"low": 9, "high": 0}}})
    assert event.details == {"status": "reject", "video": True, "seconds": 9}


def test_parts_without_end_are_cut() -> None:
    options = [{"optionName": str(index)} for index in range(5_000)]
    assert len(read({"pollCreationMessage": {"name": "?", "options": options}}).details["options"]) == 256  # type: ignore[arg-type]
    mentioned = {"extendedTextMessage": {"text": "@", "contextInfo": {"mentionedJid": ["1@s.whatsapp.net"] * 40_000}}}
    assert len(read(mentioned).details["mentions"]) == 1_024  # type: ignore[arg-type]


def test_a_text_longer_than_whatsapp_allows_is_cut() -> None:
    assert len(read({"conversation": "ꦾ" * 1_000_000}).text or "") == 65_536
    places = {"name": "x" * 60_000, "address": "y" * 60_000}
    assert len(read({"locationMessage": places}).text or "") == 65_536


def test_a_link_brings_its_preview() -> None:
    event = read(
        {"extendedTextMessage": {"text": "veja x.com", "matchedText": "x.com", "title": "X", "jpegThumbnail": "/9j"}}
    )
    assert (event.text, event.details) == ("veja x.com", {"preview": {"url": "x.com", "title": "X"}})


def test_the_answers_to_a_form_are_kept() -> None:
    params = json.dumps({"screen_0_TextInput_0": "Ana", "screen_0_OptIn_1": True, "flow_token": "CANARY"})
    flow = {"name": "flow", "paramsJson": params}
    event = read({"interactiveResponseMessage": {"body": {"text": "Sent"}, "nativeFlowResponseMessage": flow}})
    assert event.details == {"answers": {"screen_0_TextInput_0": "Ana"}}


def test_the_cards_of_a_carousel_are_read() -> None:
    cards = [{"header": {"title": "Bolo"}, "body": {"text": "de milho"}}, {"body": {"text": "Torta"}}]
    event = read({"interactiveMessage": {"body": {"text": "Hoje"}, "carouselMessage": {"cards": cards}}})
    assert event.text == "Hoje\nBolo\nde milho\nTorta"


@pytest.mark.parametrize("place", ["in", "beside", "outside"])
def test_a_link_to_the_file_is_found_wherever_it_stands(place: str) -> None:
    link = {"mediaUrl": "https://files.invalid/a.jpg"}
    image = {"mimetype": "image/jpeg"} | (link if place == "in" else {})
    event = read({"imageMessage": image} | (link if place == "beside" else {}), **(link if place == "outside" else {}))
    assert event.media
    assert event.media.url == "https://files.invalid/a.jpg"


def test_a_link_that_the_sender_wrote_is_not_followed() -> None:
    event = read({"imageMessage": {"mimetype": "image/jpeg", "url": "https://files.invalid/a.jpg"}})
    assert event.media
    assert (event.media.url, event.media.encrypted_url) == (None, None)


def test_a_link_of_the_business_channel_is() -> None:
    event = read({"imageMessage": {"mime_type": "image/jpeg", "url": "https://files.invalid/a.jpg"}})
    assert event.media
    assert event.media.url == "https://files.invalid/a.jpg"


@pytest.mark.parametrize("link", ["https://" + "a" * 400_000 + " ", "https://" * 50_000, "https://a/" + " /" * 200_000])
def test_a_link_without_end_costs_nothing(link: str) -> None:
    started = time.process_time()
    assert read({"imageMessage": {"mediaUrl": link, "url": link, "media": link}}).media
    assert time.process_time() - started < 0.5


def test_edits_within_edits_end_somewhere() -> None:
    message: dict[str, Any] = {"conversation": "x"}
    for _ in range(900):
        message = {"protocolMessage": {"editedMessage": message}}
    [event] = parse({"event": "messages.upsert", "data": {"key": KEY, "message": message}}).events
    assert isinstance(event, MessageEdited)
    assert event.text is None


def test_what_is_kept_of_an_unknown_kind_does_not_tell_what_it_quotes() -> None:
    context = {"stanzaId": "A", "quotedMessage": {"conversation": "CANARY"}}
    event = read({"newThingMessage": {"title": "x", "contextInfo": context}})
    assert "CANARY" not in json.dumps(event.raw)
