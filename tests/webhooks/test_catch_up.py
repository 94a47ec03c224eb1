"""What the gateway stored and nobody heard of is filled in, once."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from crm_whatsapp.db import ClockNow
from messaging.models import Conversation, Direction, Message, MessageStatus, Origin
from tests import factories
from tests.sandbox_process import Sandbox
from tests.webhooks.conftest import Clock, pair, post
from units.models import ConnectionStatus, WhatsAppConnection
from units.services import ConnectionService
from webhooks import tasks
from webhooks.completeness import catch_up_due, everything_is_due
from webhooks.drain import drain
from webhooks.models import Completeness, EventStatus, WebhookEvent

pytestmark = pytest.mark.django_db(transaction=True)

CUSTOMER = "5511977776666"


def catch_up() -> int:
    """Everything is due; the number of events that it put into the inbox."""
    before = WebhookEvent.objects.count()
    everything_is_due()
    catch_up_due()
    put = WebhookEvent.objects.count() - before
    drain(seconds=5)
    return put


def standing() -> Completeness:
    return Completeness.objects.get()


def complete_since() -> datetime:
    since = standing().complete_since
    assert since is not None
    return since


def checked_until() -> datetime:
    until = standing().checked_until
    assert until is not None
    return until


def test_what_nobody_heard_is_filled_in(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Alguém aí?")
    sandbox.own(paired.instance_name, CUSTOMER, "Já respondo")
    later("6 minutes")
    catch_up()
    assert set(Message.objects.values_list("body", "origin")) == {
        ("Alguém aí?", Origin.CONTACT),
        ("Já respondo", Origin.PHONE),
    }


def test_it_counts_as_unread(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Alguém aí?")
    later("6 minutes")
    catch_up()
    assert Conversation.objects.get().unread_count == 1


def test_what_is_here_is_not_put_in_again(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:  # I2
    sandbox.inbound(paired.instance_name, CUSTOMER, "Oi")
    later("6 minutes")
    assert catch_up() == 1
    WebhookEvent.objects.all().delete()
    assert catch_up() == 0


def test_a_webhook_that_comes_after_all_changes_nothing(
    sandbox: Sandbox, paired: WhatsAppConnection, later: Clock
) -> None:  # I2
    external_id = sandbox.inbound(paired.instance_name, CUSTOMER, "Oi")
    later("6 minutes")
    catch_up()
    body = factories.inbound_text(paired, phone=CUSTOMER, text="Oi", external_id=external_id)
    post(factories.hook(paired), body)
    drain(seconds=5)
    assert Message.objects.count() == 1


def test_what_is_not_shown_is_not_put_in(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    sandbox.inbound(paired.instance_name, "120363000000000001@g.us", "Bom dia, grupo")
    later("6 minutes")
    assert catch_up() == 0


def test_more_than_a_page_is_filled_in(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    for number in range(210):
        sandbox.inbound(paired.instance_name, CUSTOMER, f"Mensagem {number}")
    later("6 minutes")
    assert catch_up() == 210
    assert Message.objects.count() == 210


def test_a_send_of_unknown_outcome_is_settled_by_what_is_found(
    sandbox: Sandbox, paired: WhatsAppConnection, later: Clock
) -> None:  # I3
    message = factories.reply(paired.unit, to=factories.conversation(paired.unit, phone=f"+{CUSTOMER}"))
    Message.objects.update(status=MessageStatus.UNCERTAIN, dispatched_at=ClockNow())
    ConnectionService(paired.unit).gateway.send_message(CUSTOMER, message.body)
    later("6 minutes")
    catch_up()
    message.refresh_from_db()
    assert (message.status, Message.objects.count()) == (MessageStatus.SENT, 1)
    assert message.external_id is not None


def test_a_receipt_that_was_lost_is_filled_in(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    external_id = sandbox.own(paired.instance_name, CUSTOMER, "Está pronto")
    later("6 minutes")
    catch_up()
    sandbox.receipt(paired.instance_name, external_id, "DELIVERY_ACK")
    sandbox.receipt(paired.instance_name, external_id, "READ")
    later("12 minutes")
    assert catch_up() == 1
    assert Message.objects.get().status == MessageStatus.READ


def test_a_message_that_was_read_on_the_phone_is_not_unread(
    sandbox: Sandbox, paired: WhatsAppConnection, later: Clock
) -> None:
    external_id = sandbox.inbound(paired.instance_name, CUSTOMER, "Oi")
    sandbox.receipt(paired.instance_name, external_id, "READ")
    later("6 minutes")
    catch_up()
    assert Conversation.objects.get().unread_count == 0


def test_the_last_minute_is_left_to_the_webhooks(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Oi")
    assert catch_up() == 0


def test_webhooks_that_wait_in_the_inbox_go_first(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Oi")
    post(factories.hook(paired), factories.webhook("baileys-messages.upsert-in-text-1st", paired))
    later("6 minutes")
    everything_is_due()
    catch_up_due()
    assert WebhookEvent.objects.count() == 1


def test_a_new_number_is_complete_since_it_was_connected(paired: WhatsAppConnection) -> None:
    assert abs(complete_since() - paired.status_changed_at) < timedelta(seconds=1)


def test_a_line_that_broke_leaves_no_gap(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    since = standing().complete_since
    line = ConnectionService(paired.unit)
    sandbox.offline(paired.instance_name)
    line.refresh()
    sandbox.inbound(paired.instance_name, CUSTOMER, "Vocês sumiram?")
    later("2 hours")
    sandbox.online(paired.instance_name)
    line.refresh()
    assert WhatsAppConnection.objects.get().status == ConnectionStatus.CONNECTED
    catch_up_due()
    drain(seconds=5)
    assert Message.objects.get().body == "Vocês sumiram?"
    assert standing().complete_since == since


def test_what_whatsapp_hands_over_late_is_looked_for_again(
    sandbox: Sandbox, paired: WhatsAppConnection, later: Clock
) -> None:
    Completeness.objects.update(checked_until=ClockNow() - timedelta(hours=2))
    before = checked_until()
    catch_up()
    assert checked_until() == before
    later("6 minutes")
    catch_up()
    assert checked_until() > before + timedelta(hours=2)


def test_a_new_session_is_complete_from_its_own_beginning(
    sandbox: Sandbox, paired: WhatsAppConnection, later: Clock
) -> None:
    ConnectionService(paired.unit).disconnect()
    later("1 hour")
    pair(sandbox, paired)
    paired.refresh_from_db()
    assert complete_since() >= paired.status_changed_at


def test_a_gap_that_is_too_old_is_admitted(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    later("9 days")
    catch_up()
    moved = complete_since() - paired.status_changed_at
    assert timedelta(days=1, hours=23) < moved < timedelta(days=2, hours=1)


def put_in_and_let_die() -> WebhookEvent:
    """What the next comparison finds, of which nothing can be made."""
    everything_is_due()
    catch_up_due()
    WebhookEvent.objects.filter(status=EventStatus.RECEIVED).update(status=EventStatus.DEAD)
    return WebhookEvent.objects.get()


def test_what_could_not_be_handled_is_put_in_again(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Alguém aí?")
    later("6 minutes")
    put_in_and_let_die()
    later("8 minutes")
    catch_up()
    assert Message.objects.get().body == "Alguém aí?"


def test_nothing_is_complete_before_a_message_that_could_not_be_handled(
    sandbox: Sandbox, paired: WhatsAppConnection, later: Clock
) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Alguém aí?")
    later("6 minutes")
    event = put_in_and_let_die()
    assert complete_since() < event.created_at
    later("40 minutes")
    catch_up()
    assert complete_since() == event.created_at


def test_webhooks_of_the_installation_s_secret_go_first_as_well(
    sandbox: Sandbox, paired: WhatsAppConnection, later: Clock, settings: Any
) -> None:
    settings.EVOLUTION_GLOBAL_WEBHOOK_SECRET = "g" * 40
    body = factories.inbound_text(paired, phone=CUSTOMER, text="Oi", external_id="A1")
    later("6 minutes")
    post("/webhooks/whatsapp/evolution/" + "g" * 40, body)
    later("8 minutes")
    before = checked_until()
    everything_is_due()
    catch_up_due()
    assert checked_until() == before


def test_our_disconnect_takes_what_is_not_here_yet(sandbox: Sandbox, paired: WhatsAppConnection) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Última mensagem")
    ConnectionService(paired.unit).disconnect()
    drain(seconds=5)
    assert paired.instance_name not in sandbox.instances()
    assert Message.objects.get().body == "Última mensagem"


def test_a_gateway_that_is_away_is_asked_again_later(
    sandbox: Sandbox, paired: WhatsAppConnection, later: Clock
) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Oi")
    since = standing().complete_since
    later("6 minutes")
    sandbox.server("down")
    catch_up()
    failed = standing()
    assert (failed.attempts, failed.complete_since, bool(failed.error)) == (1, since, True)
    sandbox.server("up")
    assert catch_up() == 1
    assert (standing().attempts, standing().error) == (0, "")


def test_a_gateway_that_keeps_no_messages_proves_nothing(
    sandbox: Sandbox, paired: WhatsAppConnection, later: Clock
) -> None:
    body = factories.inbound_text(paired, phone=CUSTOMER, text="Oi", external_id="A1")
    body["data"]["messageTimestamp"] = int(paired.status_changed_at.timestamp()) + 1
    post(factories.hook(paired), body)
    later("6 minutes")
    drain(seconds=5)
    catch_up()
    assert standing().complete_since is None
    assert "DATABASE_SAVE_DATA_NEW_MESSAGE" in standing().error


def test_a_run_whose_session_ended_meanwhile_notes_nothing(paired: WhatsAppConnection, later: Clock) -> None:
    """The claim of a run is gone once the number is disconnected."""
    Completeness.objects.update(claim_token="01999999-0000-7000-8000-000000000000")
    ConnectionService(paired.unit).disconnect()
    assert (standing().claim_token, standing().checked_until) == (None, None)


def test_numbers_that_were_connected_before_all_this_begin_now(connection: WhatsAppConnection) -> None:
    catch_up_due()
    assert standing().complete_since is not None


def test_directions_are_told_apart_where_both_sides_carry_one_id(
    sandbox: Sandbox, paired: WhatsAppConnection, later: Clock
) -> None:
    external_id = sandbox.inbound(paired.instance_name, CUSTOMER, "Oi")
    later("6 minutes")
    catch_up()
    Message.objects.update(direction=Direction.OUTBOUND, status=MessageStatus.SENT)
    WebhookEvent.objects.all().delete()
    assert catch_up() == 1
    assert Message.objects.filter(external_id=external_id).count() == 2


def test_several_workers_compare_a_number_once(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Oi")
    Completeness.objects.update(checked_until=ClockNow() - timedelta(hours=1), due_at=ClockNow())
    runs: list[int] = []

    def work() -> None:
        runs.append(catch_up_due())
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(runs) == 1


def test_the_worker_looks_by_itself(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Oi")
    later("20 minutes")
    tasks.catch_up()
    tasks.look_up_receipts()
    tasks.prune_events()
    assert WebhookEvent.objects.count() == 1


def test_the_pump_looks_when_nobody_else_does(sandbox: Sandbox, paired: WhatsAppConnection, later: Clock) -> None:
    sandbox.inbound(paired.instance_name, CUSTOMER, "Oi")
    later("20 minutes")
    assert catch_up_due(overdue=timedelta(minutes=30)) == 0
    assert catch_up_due(overdue=timedelta(seconds=40)) == 1
