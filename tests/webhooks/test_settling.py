"""Uncertain messages: the gateway is asked what became of them, and believed only as far as it can know."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from crm_whatsapp.db import ClockNow
from messaging.models import Message, MessageStatus, SendLane
from messaging.settling import settle
from tests import factories
from tests.sandbox_process import Sandbox
from tests.webhooks.conftest import Clock
from units.models import ConnectionStatus, WhatsAppConnection
from units.services import ConnectionService
from webhooks.drain import drain
from webhooks.settling import settle_due

pytestmark = pytest.mark.django_db(transaction=True)

S = MessageStatus
CUSTOMER = "5511977776666"


def sent(connection: WhatsAppConnection, text: str, *, to: str = CUSTOMER) -> str:
    """It reached WhatsApp, and nobody here was told. Returns WhatsApp's id."""
    return ConnectionService(connection.unit).gateway.send_message(to, text).external_id


def uncertain(
    connection: WhatsAppConnection, text: str = "Está pronto", *, to: str = CUSTOMER, **fields: Any
) -> Message:
    """Its call began now, and nobody knows how it ended."""
    message = factories.reply(connection.unit, text, factories.conversation(connection.unit, phone=f"+{to}"))
    values = {"status": S.UNCERTAIN, "dispatched_at": ClockNow(), "look_up_due_at": ClockNow()} | fields
    Message.objects.filter(pk=message.pk).update(error_code="unconfirmed", **values)
    return message


def look_up(message: Message) -> Message:
    settle_due()
    drain(seconds=5)
    message.refresh_from_db()
    return message


@pytest.fixture
def quiet(paired: WhatsAppConnection, later: Clock) -> WhatsAppConnection:
    """A number that has been connected for long, and has sent something that is known."""
    witness = factories.reply(paired.unit, "Bom dia", factories.conversation(paired.unit, phone="+5511900000777"))
    external_id = sent(paired, "Bom dia", to="5511900000777")
    Message.objects.filter(pk=witness.pk).update(
        status=S.SENT, external_id=external_id, dispatched_at=ClockNow(), sent_at=ClockNow()
    )
    later("1 hour")
    return paired


def not_found(message: Message, later: Clock, *, times: int = 2) -> Message:
    """Look for it `times`, long after the gateway could act."""
    for number in range(times):
        later(f"1 hour {10 + 2 * number} minutes")
        look_up(message)
    return message


def test_what_is_found_counts_at_once(paired: WhatsAppConnection) -> None:  # I3
    message = uncertain(paired)
    external_id = sent(paired, "Está pronto")
    assert (look_up(message).status, message.external_id) == (S.SENT, external_id)


def test_of_two_equal_texts_to_one_chat_one_record_settles_one(paired: WhatsAppConnection) -> None:  # I3
    first, second = uncertain(paired), uncertain(paired)
    external_id = sent(paired, "Está pronto")
    look_up(first)
    Message.objects.update(look_up_due_at=ClockNow())
    look_up(second)
    first.refresh_from_db()
    assert [(row.status, row.external_id) for row in (first, second)] == [(S.SENT, external_id), (S.UNCERTAIN, None)]


def test_of_two_equal_texts_the_open_one_is_settled_before_one_that_a_person_has(paired: WhatsAppConnection) -> None:
    # Else it would be taken for not sent, and sent twice by whoever retries it.  # I3
    first = settle(uncertain(paired), was_sent=True)
    second = uncertain(paired)
    external_id = sent(paired, "Está pronto")
    assert (look_up(second).status, second.external_id) == (S.SENT, external_id)
    first.refresh_from_db()
    assert (first.status, first.external_id) == (S.SENT, None)


def test_two_records_settle_two_equal_texts_in_their_order(paired: WhatsAppConnection) -> None:
    rows = [uncertain(paired), uncertain(paired)]
    ids = [sent(paired, "Está pronto") for _ in rows]
    for row in rows:
        look_up(row)
    assert [row.external_id for row in rows] == ids


def test_a_record_that_is_another_messages_already_does_not_count(paired: WhatsAppConnection) -> None:
    known = factories.reply(paired.unit, "Está pronto", factories.conversation(paired.unit, phone=f"+{CUSTOMER}"))
    Message.objects.filter(pk=known.pk).update(status=S.SENT, external_id=sent(paired, "Está pronto"))
    assert look_up(uncertain(paired)).status == S.UNCERTAIN


def test_it_is_found_under_the_jid_that_whatsapp_uses(paired: WhatsAppConnection) -> None:
    message = uncertain(paired, to="5531999991234")
    sent(paired, "Está pronto", to="5531999991234")
    assert look_up(message).status == S.SENT


def test_two_look_ups_that_find_nothing_say_that_it_was_not_sent(quiet: WhatsAppConnection, later: Clock) -> None:  # I4
    message = uncertain(quiet)
    assert (not_found(message, later, times=1).status, message.look_ups) == (S.UNCERTAIN, 1)
    later("1 hour 12 minutes")
    assert (look_up(message).status, message.error_code) == (S.FAILED, "unconfirmed_not_sent")
    assert SendLane.objects.get().due_at is not None


def test_the_second_look_up_comes_a_minute_later_at_the_soonest(quiet: WhatsAppConnection, later: Clock) -> None:
    message = not_found(uncertain(quiet), later, times=1)
    later("1 hour 11 minutes")
    assert (look_up(message).status, message.look_ups) == (S.UNCERTAIN, 1)


def test_that_nothing_is_found_counts_for_nothing_while_the_gateway_may_act(
    quiet: WhatsAppConnection, later: Clock
) -> None:  # I3
    message = uncertain(quiet)
    assert (look_up(message).status, message.look_ups) == (S.UNCERTAIN, 0)
    assert message.dispatched_at
    assert message.look_up_due_at
    assert message.look_up_due_at - message.dispatched_at == timedelta(seconds=140)


def test_nothing_is_concluded_when_the_number_was_away_meanwhile(quiet: WhatsAppConnection, later: Clock) -> None:
    message = uncertain(quiet)
    WhatsAppConnection.objects.update(status_changed_at=ClockNow() + timedelta(seconds=1))
    assert (not_found(message, later).status, message.look_ups) == (S.UNCERTAIN, 0)


@pytest.mark.parametrize(
    ("connected_anew", "same_text", "status"),
    [
        (timedelta(minutes=-5), False, S.FAILED),
        (timedelta(seconds=5), False, S.UNCERTAIN),
        (timedelta(minutes=-5), True, S.UNCERTAIN),
    ],
)
def test_a_restart_of_the_gateway_or_a_record_that_may_be_it_leaves_it_open(
    connection: WhatsAppConnection,
    http: HTTPServer,
    later: Clock,
    connected_anew: timedelta,
    same_text: bool,
    status: str,
) -> None:  # I3
    """By recorded answers: the sandbox's own clock cannot be set."""
    WhatsAppConnection.objects.update(status_changed_at=ClockNow() - timedelta(days=1))
    witness = factories.reply(connection.unit, "Bom dia", factories.conversation(connection.unit))
    message = uncertain(connection)
    message.refresh_from_db()
    assert message.dispatched_at
    Message.objects.filter(pk=witness.pk).update(
        status=S.SENT, external_id="3EB0A1", dispatched_at=message.dispatched_at
    )
    texts = {"3EB0A1": "Bom dia"} | ({"3EB0A2": "Está pronto"} if same_text else {})
    # What was typed into WhatsApp Web is here, as somebody else's.
    for external_id in texts.keys() - {"3EB0A1"}:
        factories.message(
            factories.conversation(connection.unit), "Está pronto", out=True, external_id=external_id, origin="gateway"
        )
    instance = factories.recording("requests", "baileys-fetchInstances-open")["response"]["body"][0]
    updated_at = (message.dispatched_at + connected_anew).isoformat()
    told = instance | {"name": connection.instance_name, "updatedAt": updated_at}
    http.expect_request("/instance/fetchInstances", method="GET").respond_with_json([told])
    found = factories.recording("requests", "baileys-findMessages-did-my-send-go-out")["response"]["body"]
    record = found["messages"]["records"][0]
    records = [
        record | {"key": record["key"] | {"id": pk}, "message": {"conversation": text}, "MessageUpdate": []}
        for pk, text in texts.items()
    ]
    page = {"messages": found["messages"] | {"records": records, "pages": 1}}
    http.expect_request(f"/chat/findMessages/{connection.instance_name}", method="POST").respond_with_json(page)
    for ahead in ("10 minutes", "12 minutes"):
        later(ahead)
        Message.objects.filter(status=S.UNCERTAIN).update(look_up_due_at=ClockNow())
        look_up(message)
    assert message.status == status


def test_nothing_is_concluded_from_a_gateway_that_keeps_nothing(paired: WhatsAppConnection, later: Clock) -> None:
    later("1 hour")
    assert not_found(uncertain(paired), later).status == S.UNCERTAIN


def test_nothing_is_concluded_from_a_gateway_with_another_clock(quiet: WhatsAppConnection, later: Clock) -> None:
    Message.objects.update(dispatched_at=ClockNow() - timedelta(minutes=50))
    assert not_found(uncertain(quiet), later).status == S.UNCERTAIN


def test_nothing_is_concluded_while_the_inbox_has_something_to_tell(quiet: WhatsAppConnection, later: Clock) -> None:
    message = uncertain(quiet)
    quiet.webhook_events.create(event="messages.update", body="{}", fingerprint=b"1", status="dead")
    assert not_found(message, later).status == S.UNCERTAIN


def test_nobody_is_asked_while_the_number_is_away(quiet: WhatsAppConnection, later: Clock) -> None:
    message = uncertain(quiet)
    WhatsAppConnection.objects.update(status=ConnectionStatus.CONNECTING)
    later("1 hour 10 minutes")
    before = look_up(message).look_up_due_at
    assert (before, settle_due()) == (message.look_up_due_at, 0)


def test_in_the_end_a_person_decides(paired: WhatsAppConnection, later: Clock) -> None:  # I4
    message = uncertain(paired)
    for ahead in ("5 minutes", "11 minutes", "61 minutes", "6 hours 1 minute", "24 hours 1 minute"):
        later(ahead)
        look_up(message)
    assert (message.status, message.error_code, message.look_up_due_at) == (S.UNCERTAIN, "undecided", None)


def test_a_gateway_that_does_not_answer_is_asked_again(
    sandbox: Sandbox, quiet: WhatsAppConnection, later: Clock
) -> None:
    message = uncertain(quiet)
    sandbox.server("down")
    assert not_found(message, later, times=1).status == S.UNCERTAIN
    assert message.look_up_due_at is not None


def test_what_was_settled_meanwhile_is_not_looked_up(quiet: WhatsAppConnection) -> None:
    message = uncertain(quiet, status=S.DELIVERED)
    assert settle_due() == 0
    message.refresh_from_db()
    assert message.look_up_due_at is None


def test_the_same_text_to_somebody_else_settles_nothing(paired: WhatsAppConnection) -> None:  # I3
    message = uncertain(paired)
    sent(paired, "Está pronto", to="5511900000888")
    assert look_up(message).status == S.UNCERTAIN
