"""Records of findMessages, read as the webhooks they stand for."""

import json
from pathlib import Path
from typing import Any

import pytest

from messaging.events import MessageDeleted, MessageKind, MessageReceived, MessageStatus, MessageStatusChanged
from webhooks.parsers.events import Ignored
from webhooks.parsers.evolution import parse, read_stored_message

REQUESTS = Path(__file__).parents[1] / "evolution" / "requests"


def records(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((REQUESTS / f"{name}.json").read_text())["response"]["body"]["messages"][
        "records"
    ]
    return found


def test_a_record_tells_its_message_and_each_status_it_has_had() -> None:
    [record] = records("baileys-findMessages-by-key-id")
    message, *statuses = read_stored_message(record)
    assert isinstance(message, MessageReceived)
    assert (message.external_id, message.from_me, message.is_api_echo) == ("3EB0102276A5AB4104AB95", True, True)
    assert statuses == [
        MessageStatusChanged(external_id="3EB0102276A5AB4104AB95", status=status, from_me=True, chat=message.chat)
        for status in (MessageStatus.DELIVERY_ACK, MessageStatus.READ, MessageStatus.PLAYED)
    ]


def test_statuses_come_in_the_order_of_progress_and_once() -> None:
    updates = [{"status": "READ"}, {"status": "DELIVERY_ACK"}, {"status": "READ"}, {"status": "EDITED"}, None, 7]
    _, *statuses = read_stored_message({"key": {"id": "A", "fromMe": True}, "MessageUpdate": updates})
    told = [event.status for event in statuses if isinstance(event, MessageStatusChanged)]
    assert told == [MessageStatus.DELIVERY_ACK, MessageStatus.READ]


def test_a_record_that_lost_its_content_was_deleted() -> None:
    [record] = records("baileys-findMessages-deleted-and-edited")
    message, deleted = read_stored_message(record)
    assert isinstance(message, MessageReceived)
    assert isinstance(deleted, MessageDeleted)
    assert deleted.target_id == message.external_id == "3A00000000000000T2"


def test_a_record_called_deleted_that_still_has_its_content_was_not() -> None:
    record = {"key": {"id": "A"}, "message": {"conversation": "oi"}, "MessageUpdate": [{"status": "DELETED"}]}
    [message] = read_stored_message(record)
    assert isinstance(message, MessageReceived)


@pytest.mark.parametrize(("source", "is_echo"), [("web", True), ("unknown", True), ("ios", False), ("android", False)])
def test_own_records_are_echoes_unless_a_phone_wrote_them(source: str, is_echo: bool) -> None:
    record = {"key": {"id": "A", "fromMe": True}, "message": {"conversation": "oi"}, "source": source}
    [message] = read_stored_message(record)
    assert isinstance(message, MessageReceived)
    assert message.is_api_echo is is_echo


def test_an_inbound_record_is_what_its_webhook_was() -> None:
    data = {
        "key": {"id": "A", "fromMe": False, "remoteJid": "5511977776666@s.whatsapp.net"},
        "message": {"conversation": "oi"},
        "messageTimestamp": 1795335325,
    }
    assert (
        read_stored_message({**data, "MessageUpdate": []}) == parse({"event": "messages.upsert", "data": data}).events
    )


@pytest.mark.parametrize("record", [None, "", 7, [], {}])
def test_what_is_no_record_is_ignored(record: object) -> None:
    [event] = read_stored_message(record)
    assert isinstance(event, Ignored)


def test_every_recorded_record_is_read() -> None:
    for path in REQUESTS.glob("*findMessages*.json"):
        body = json.loads(path.read_text())["response"]["body"]
        found = body.get("messages") if isinstance(body, dict) else None
        for record in found["records"] if isinstance(found, dict) else []:
            message, *_ = read_stored_message(record)
            assert isinstance(message, MessageReceived)
            assert message.kind is not MessageKind.UNKNOWN or record["message"] is None
