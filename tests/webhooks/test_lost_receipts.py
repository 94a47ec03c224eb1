"""Messages that stay `sent`: the gateway is asked, less and less often."""

from datetime import timedelta

import pytest

from crm_whatsapp.db import ClockNow
from messaging.models import Message, MessageStatus
from tests import factories
from tests.sandbox_process import Sandbox
from tests.webhooks.conftest import Clock
from units.models import ConnectionStatus, WhatsAppConnection
from units.services import ConnectionService, create_unit
from webhooks.drain import drain
from webhooks.lost_receipts import longest_due, look_up_due
from webhooks.models import WebhookEvent

pytestmark = pytest.mark.django_db(transaction=True)

CUSTOMER = "5511977776666"


def sent_by_us(connection: WhatsAppConnection, text: str = "Está pronto") -> Message:
    """A message that went out just now and whose receipts are asked for at once."""
    message = factories.reply(connection.unit, text, factories.conversation(connection.unit, phone=f"+{CUSTOMER}"))
    sent = ConnectionService(connection.unit).gateway.send_message(CUSTOMER, text)
    Message.objects.filter(pk=message.pk).update(
        status=MessageStatus.SENT, external_id=sent.external_id, sent_at=ClockNow(), receipt_due_at=ClockNow()
    )
    message.refresh_from_db()
    return message


def look_up(message: Message) -> Message:
    look_up_due()
    drain(seconds=5)
    message.refresh_from_db()
    return message


@pytest.mark.parametrize(("told", "status"), [("DELIVERY_ACK", "delivered"), ("READ", "read"), ("ERROR", "failed")])
def test_a_receipt_that_was_lost_is_found(
    sandbox: Sandbox, paired: WhatsAppConnection, told: str, status: str
) -> None:  # I6
    message = sent_by_us(paired)
    sandbox.receipt(paired.instance_name, str(message.external_id), told)
    assert look_up(message).status == status


def test_an_error_that_was_followed_by_a_receipt_is_none(sandbox: Sandbox, paired: WhatsAppConnection) -> None:  # I6
    message = sent_by_us(paired)
    for word in ("ERROR", "DELIVERY_ACK"):
        sandbox.receipt(paired.instance_name, str(message.external_id), word)
    assert look_up(message).status == MessageStatus.DELIVERED


def test_without_one_it_is_asked_less_and_less_often(paired: WhatsAppConnection, later: Clock) -> None:
    message = sent_by_us(paired)
    assert message.sent_at
    waits = []
    for ahead in ("1 minute", "61 minutes", "6 hours 1 minute"):
        later(ahead)
        due_at = look_up(message).receipt_due_at
        assert due_at
        waits.append(due_at - message.sent_at)
    assert waits == [timedelta(hours=1), timedelta(hours=6), timedelta(hours=24)]
    later("24 hours 1 minute")
    assert look_up(message).receipt_due_at is None


def test_one_look_up_is_for_all_that_were_sent_together(sandbox: Sandbox, paired: WhatsAppConnection) -> None:
    messages = [sent_by_us(paired, f"Aviso {number}") for number in range(5)]
    sandbox.read(paired.instance_name, CUSTOMER)
    look_up(messages[0])
    assert set(Message.objects.values_list("status", flat=True)) == {MessageStatus.READ}


def test_a_number_that_is_away_is_asked_when_it_is_back(sandbox: Sandbox, paired: WhatsAppConnection) -> None:
    message = sent_by_us(paired)
    due_at = message.receipt_due_at
    WhatsAppConnection.objects.update(status=ConnectionStatus.CONNECTING)
    assert look_up(message).receipt_due_at == due_at


def test_whoever_has_waited_longest_is_asked_first(connection: WhatsAppConnection) -> None:
    numbers = [connection, create_unit("Clínica do Saulo").connection]
    WhatsAppConnection.objects.update(status=ConnectionStatus.CONNECTED)
    for minutes, number in enumerate(numbers):
        factories.reply(number.unit)
        due_at = ClockNow() - timedelta(minutes=minutes)
        Message.objects.filter(connection=number).update(status="sent", external_id="3EB0A", receipt_due_at=due_at)
    assert longest_due(timedelta(0)) == numbers[1]


def test_a_gateway_that_is_away_is_asked_again(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    message = sent_by_us(paired)
    sandbox.receipt(paired.instance_name, str(message.external_id), "READ")
    sandbox.server("down")
    assert look_up(message).status == MessageStatus.SENT
    sandbox.server("up")
    later("6 minutes")
    assert look_up(message).status == MessageStatus.READ


def test_nothing_new_puts_nothing_into_the_inbox(paired: WhatsAppConnection) -> None:
    look_up(sent_by_us(paired))
    assert not WebhookEvent.objects.exists()


def test_our_disconnect_asks_a_last_time(sandbox: Sandbox, paired: WhatsAppConnection) -> None:
    message = sent_by_us(paired)
    Message.objects.update(receipt_due_at=ClockNow() + timedelta(hours=1), sent_at=ClockNow())
    sandbox.receipt(paired.instance_name, str(message.external_id), "DELIVERY_ACK")
    ConnectionService(paired.unit).disconnect()
    drain(seconds=5)
    message.refresh_from_db()
    assert message.status == MessageStatus.DELIVERED


def test_that_a_voice_note_was_played_is_found(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    message = sent_by_us(paired)
    for word in ("READ", "PLAYED"):
        sandbox.receipt(paired.instance_name, str(message.external_id), word)
    assert look_up(message).played_at is not None


def test_old_messages_that_a_sync_brought_are_not_looked_up(sandbox: Sandbox, paired: WhatsAppConnection) -> None:
    message = sent_by_us(paired)
    sandbox.receipt(paired.instance_name, str(message.external_id), "READ")
    Message.objects.update(sent_at=ClockNow() - timedelta(days=30))
    assert look_up_due() == 0
    message.refresh_from_db()
    assert message.receipt_due_at is None
