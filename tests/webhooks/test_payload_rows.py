"""Real payloads through the real endpoint: the rows they become, against the labels that a person gave them."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from messaging.events import MessageKind
from messaging.models import Direction, Message, MessageStatus
from messaging.phones import normal_form
from tests.factories import conversation, hook
from tests.webhooks.test_parser_payloads import OWN_WORDING, PAYLOADS
from units.models import WhatsAppConnection
from webhooks.drain import drain
from webhooks.models import EventStatus, WebhookEvent
from webhooks.parsers.evolution import parse

pytestmark = pytest.mark.django_db

CASES = [(path, json.loads(path.read_text())) for path in PAYLOADS]
ROWS = {kind for kind in MessageKind if not kind.is_housekeeping} - {MessageKind.EDIT, MessageKind.DELETE}
STATUSES = {"DELIVERY_ACK": "delivered", "READ": "read", "PLAYED": "read", "ERROR": "failed"}


def those(*kinds: str) -> Any:
    """The payloads of these kinds that say where they belong."""
    chosen = [
        (path.stem, case)
        for path, case in CASES
        if case["expected"].get("kind") in kinds and case["expected"].get("chat") in ("individual", "lid", "group")
    ]
    return pytest.mark.parametrize("case", [case for _name, case in chosen], ids=[name for name, _case in chosen])


@pytest.fixture
def groups(connection: WhatsAppConnection) -> WhatsAppConnection:
    """A number that shows its groups, too."""
    WhatsAppConnection.objects.update(groups_enabled=True)
    return connection


def deliver(connection: WhatsAppConnection, payload: Any) -> WebhookEvent:
    """Post the payload as it is, from the instance that it names."""
    if instance := parse(payload).instance:
        WhatsAppConnection.objects.filter(pk=connection.pk).update(instance_name=instance[:64])
    answer = Client().post(hook(connection), json.dumps(payload), content_type="application/json")
    assert answer.status_code == 200
    drain(seconds=5)
    return WebhookEvent.objects.get()


def known_message(connection: WhatsAppConnection, external_id: str, direction: Direction, **fields: Any) -> Message:
    """A message that the payload speaks of."""
    return Message.objects.create(
        unit=connection.unit,
        connection=connection,
        conversation=conversation(connection.unit),
        direction=direction,
        external_id=external_id,
        origin="reply" if direction == Direction.OUTBOUND else "contact",
        body="antes",
        **fields,
    )


@those(*ROWS)
def test_a_message_becomes_the_row_that_a_person_reads_in_it(groups: WhatsAppConnection, case: dict[str, Any]) -> None:
    expected = case["expected"]
    event = deliver(groups, case["payload"])
    if event.status == EventStatus.IGNORED:
        # Somebody has made it unreadable: "...@g.us".
        assert not re.fullmatch(r"[\d:.-]*\d@.*", parse(case["payload"]).events[0].chat.jid), event.reason  # type: ignore[union-attr]
        return
    message = Message.objects.select_related("conversation__contact", "sender").order_by("happened_at", "id")[0]
    assert message.kind == expected["kind"]
    if "from_me" in expected:
        assert message.direction == (Direction.OUTBOUND if expected["from_me"] else Direction.INBOUND)
    if "text" in expected and message.kind not in OWN_WORDING:
        assert message.body == (expected["text"] or "")
    for word in expected.get("text_contains", []):
        assert word in message.body
    if expected.get("external_id"):
        assert message.external_id == expected["external_id"]
    if expected.get("target_id"):
        assert message.target_external_id == expected["target_id"]
    if expected.get("timestamp"):
        assert int(message.happened_at.timestamp()) == expected["timestamp"]
    contact = message.conversation.contact
    assert contact.is_group == (expected["chat"] == "group")
    person = message.sender if contact.is_group else contact
    if phone := expected.get("phone_e164"):
        assert person
        assert person.phone_number == normal_form(phone)


@those("status")
def test_a_receipt_moves_the_message_that_it_names(groups: WhatsAppConnection, case: dict[str, Any]) -> None:
    expected = case["expected"]
    [told, *_] = parse(case["payload"]).events
    external_id = getattr(told, "external_id", None)
    if external_id is None or expected.get("status") not in STATUSES:
        return
    sent = {"status": MessageStatus.SENT, "sent_at": "2020-01-01T00:00:00Z"}
    message = known_message(groups, external_id, Direction.OUTBOUND, **sent)
    deliver(groups, case["payload"])
    message.refresh_from_db()
    assert message.status == STATUSES[expected["status"]]


@those("edit", "delete")
def test_an_edit_or_a_deletion_reaches_the_message_that_it_names(
    groups: WhatsAppConnection, case: dict[str, Any]
) -> None:
    expected = case["expected"]
    target = expected.get("target_id") or expected.get("external_id")
    if target is None:
        return
    [told, *_] = parse(case["payload"]).events
    direction = Direction.OUTBOUND if getattr(told, "from_me", False) else Direction.INBOUND
    message = known_message(groups, target, direction, status=MessageStatus.RECEIVED)
    deliver(groups, case["payload"])
    message.refresh_from_db()
    if expected["kind"] == "delete":
        assert message.deleted_at
    else:
        assert message.edited_at
        assert message.body == (expected.get("text") or "antes")


def test_most_payloads_are_among_these() -> None:
    assert len([case for _path, case in CASES if case["expected"].get("kind") in ROWS]) > 100
