"""A receipt that came before its message is applied when the message is there."""

from typing import Any

import pytest
from django.db import connection as database

from crm_whatsapp.db import ClockNow
from messaging.models import Message, MessageStatus
from messaging.settling import settle
from tests import factories
from tests.webhooks.conftest import Clock, post
from units.models import WhatsAppConnection
from units.services import create_unit
from webhooks.awaiting import wake_awaiting
from webhooks.drain import drain
from webhooks.models import EventStatus, WebhookEvent

pytestmark = pytest.mark.django_db(transaction=True)


def early_receipt(connection: WhatsAppConnection, external_id: str = "3EB0A") -> WebhookEvent:
    """A receipt that gave up waiting."""
    data = {"keyId": external_id, "fromMe": True, "status": "READ"}
    body = {"event": "messages.update", "instance": connection.instance_name, "data": data}
    post(factories.hook(connection), body)
    WebhookEvent.objects.update(status=EventStatus.IGNORED, awaits=[external_id], attempts=12, settled_at=ClockNow())
    return WebhookEvent.objects.get(connection=connection)


def test_it_is_due_when_a_message_of_ours_gets_its_id(connection: WhatsAppConnection) -> None:  # I6
    early_receipt(connection)
    message = factories.reply(connection.unit)
    Message.objects.update(status=MessageStatus.UNCERTAIN, external_id="3EB0A", dispatched_at=ClockNow())
    settle(message, was_sent=True)
    drain(seconds=5)
    message.refresh_from_db()
    assert message.status == MessageStatus.READ


def test_it_is_due_when_the_message_comes_in(connection: WhatsAppConnection) -> None:  # I6
    early_receipt(connection)
    body = factories.inbound_text(connection, phone="5511977776666", text="Oi", external_id="3EB0A")
    body["data"]["key"]["fromMe"] = True
    post(factories.hook(connection), body)
    drain(seconds=5)
    assert Message.objects.get().status == MessageStatus.READ


def test_it_waits_for_its_own_connection_alone(connection: WhatsAppConnection) -> None:  # I7
    event = early_receipt(connection)
    assert wake_awaiting(create_unit("Clínica do Saulo").connection.id, ["3EB0A"]) == 0
    assert wake_awaiting(connection.id, ["3EB0A", "3EB0B"]) == 1
    event.refresh_from_db()
    assert (event.status, event.attempts, event.settled_at) == (EventStatus.RECEIVED, 0, None)


@pytest.mark.parametrize("status", ["handled", "dead"])
def test_what_is_done_or_failed_at_something_else_is_left(connection: WhatsAppConnection, status: str) -> None:
    early_receipt(connection)
    WebhookEvent.objects.update(status=status)
    assert wake_awaiting(connection.id, ["3EB0A"]) == 0


def own(connection: WhatsAppConnection, external_id: str) -> dict[str, Any]:
    """What was written on the unit's phone."""
    body = factories.inbound_text(connection, phone="5511977776666", text="Oi", external_id=external_id)
    body["data"]["key"]["fromMe"] = True
    return body


def receipts(connection: WhatsAppConnection, *ids: str) -> dict[str, Any]:
    data = [{"keyId": external_id, "fromMe": True, "status": "READ"} for external_id in ids]
    return {"event": "messages.update", "instance": connection.instance_name, "data": data}


def wait_in_vain(later: Clock) -> None:
    for minute in range(1, 30):
        later(f"{minute} minutes")
        drain(seconds=2)


def test_a_body_with_two_receipts_waits_for_both(connection: WhatsAppConnection, later: Clock) -> None:  # I6
    post(factories.hook(connection), receipts(connection, "3EB0A", "3EB0B"))
    wait_in_vain(later)
    for external_id in ("3EB0B", "3EB0A"):
        post(factories.hook(connection), own(connection, external_id))
        drain(seconds=2)
        assert Message.objects.get(external_id=external_id).status == MessageStatus.READ


@pytest.mark.parametrize(
    "secret_of", [("installation", "installation"), ("installation", "own"), ("own", "installation")]
)
def test_it_waits_by_whichever_secret_the_two_come(
    connection: WhatsAppConnection, settings: Any, later: Clock, secret_of: tuple[str, str]
) -> None:  # I6
    settings.EVOLUTION_GLOBAL_WEBHOOK_SECRET = "g" * 40
    urls = {"own": factories.hook(connection), "installation": "/webhooks/whatsapp/evolution/" + "g" * 40}
    post(urls[secret_of[0]], receipts(connection, "3EB0A"))
    wait_in_vain(later)
    assert WebhookEvent.objects.get().awaits == ["3EB0A"]
    post(urls[secret_of[1]], own(connection, "3EB0A"))
    drain(seconds=2)
    assert Message.objects.get().status == MessageStatus.READ


def test_what_waits_long_does_not_die_at_its_first_error(connection: WhatsAppConnection) -> None:
    body = receipts(connection, "3EB0A")
    post(factories.hook(connection), body)
    WebhookEvent.objects.update(attempts=10, awaits=["3EB0A"], body='{"data"')
    drain(seconds=2)
    event = WebhookEvent.objects.get()
    assert (event.status, event.failures, event.awaits) == (EventStatus.RECEIVED, 1, ["3EB0A"])


def test_a_wait_is_found_by_its_index(db: None) -> None:
    with database.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT FROM webhook_events e WHERE e.awaits && ARRAY['A']::varchar[] AND e.awaits <> '{}'"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "webhook_events_awaiting" in plan
