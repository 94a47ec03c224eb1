"""A receipt that came before its message is applied when the message is there."""

import pytest

from crm_whatsapp.db import ClockNow
from messaging.models import Message, MessageStatus
from messaging.services import settle
from tests import factories
from tests.webhooks.conftest import post
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
