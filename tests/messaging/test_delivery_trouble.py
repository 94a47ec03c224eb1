"""Delivery in trouble: what goes wrong for one message, one number or one process costs the others nothing."""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import connections, transaction

import messaging.tasks
from campaigns.feeder import feed_campaigns
from campaigns.services import CampaignService
from crm_whatsapp.db import ClockNow
from messaging import lanes, people, services, settling
from messaging.delivery import Delivery, sweep
from messaging.delivery.outcomes import record
from messaging.models import ContactAddress, Message, MessageStatus, OptOut, SendLane
from tests.factories import CONNECTED, campaign, contact, conversation, opt_out, reply
from tests.messaging.on_the_wire import deliver, statuses, texts
from tests.sandbox_process import Sandbox
from units import live
from units.gateways.evolution import EvolutionService, SentMessage
from units.models import ConnectionStatus, Unit, WhatsAppConnection
from units.services import create_unit

pytestmark = pytest.mark.django_db(transaction=True)

S = MessageStatus


def in_thread(work: Callable[[], object], errors: list[BaseException]) -> threading.Thread:
    """Run `work` beside us, on a database connection of its own; what it raises is in `errors`."""

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def at_once() -> None:
    """Whatever waits for its time is due."""
    Message.objects.update(due_at=ClockNow())
    SendLane.objects.update(due_at=ClockNow(), next_send_at=ClockNow())


@pytest.mark.parametrize(("step", "left"), [("pause", "pending"), ("cancel", "cancelled")])
def test_what_comes_back_unsent_after_a_pause_or_cancel_is_withdrawn(
    sandbox: Sandbox,
    unit: Unit,
    phone: str,
    step: str,
    left: str,
) -> None:
    made = campaign(unit, people=1)
    feed_campaigns()
    delivery = Delivery()
    sends = delivery.dispatch(delivery.claim(5))
    getattr(CampaignService(made), step)()
    sandbox.fail(phone, "license_required")
    sends[0].post()
    record(sends)
    at_once()
    deliver(1)
    assert texts(sandbox, phone) == []
    assert made.recipients.get().status == left


def test_two_chats_that_wait_for_a_settlement_do_not_stop_a_campaign(
    sandbox: Sandbox,
    unit: Unit,
    phone: str,
) -> None:
    everybody = [contact(unit) for _ in range(4)]
    for one in everybody[:2]:
        sandbox.fail(phone, "reset_before_send")
        reply(unit, "oi", to=people.conversation_with(one))
        deliver(1)
    assert statuses() == [S.UNCERTAIN] * 2
    made = CampaignService.create(unit=unit, name="Natal", content="Boas festas", contacts=everybody)
    CampaignService(made).dispatch()
    for _ in range(4):
        feed_campaigns()
        at_once()
        deliver(0.5)
    assert texts(sandbox, phone) == ["Boas festas"] * 2


def test_a_number_that_whatsapp_never_answers_for_fails_in_the_end(
    sandbox: Sandbox,
    unit: Unit,
    phone: str,
) -> None:  # I4
    message = reply(unit)
    for _ in range(6):
        sandbox.fail(phone, "number_check_timeout", seconds=0.01)
        at_once()
        delivery = Delivery()
        sends = delivery.dispatch(delivery.claim(1))
        sends[0].post()
        record(sends)
    message.refresh_from_db()
    assert (message.status, message.error_code) == (S.FAILED, "number_check_timed_out")


def test_a_disconnected_number_takes_its_campaign_messages_back(unit: Unit, phone: str) -> None:
    made = campaign(unit, people=2)
    feed_campaigns()
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED)
    feed_campaigns()
    assert made.progress()["pending"] == 2
    assert not Message.objects.exists()


def test_a_database_that_comes_back_costs_no_answer_that_is_under_way(
    sandbox: Sandbox,
    unit: Unit,
    phone: str,
) -> None:
    sandbox.fail(phone, "slow", seconds=0.8)
    reply(unit)
    sessions: list[int] = []
    errors: list[BaseException] = []

    def work() -> None:
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            sessions.append(cursor.fetchone()[0])
        Delivery().run(seconds=3)

    thread = in_thread(work, errors)
    while statuses() != [S.DISPATCHING]:
        time.sleep(0.01)
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", sessions)
    thread.join()
    assert (errors, statuses()) == ([], [S.SENT])


def test_an_answer_that_cannot_be_stored_costs_no_other_answer(unit: Unit, phone: str) -> None:
    first, second = reply(unit), reply(unit)
    taken = []
    delivery = Delivery()
    for external_id in ("A\0", "GOOD"):
        sends = delivery.dispatch(delivery.claim(1))
        sends[0].outcome = SentMessage(external_id, "5511999999999@s.whatsapp.net", None)
        # As if on two lanes: both are in flight.
        SendLane.objects.update(claim_token=None, lease_until=None, due_at=ClockNow())
        taken += sends
    delivery._record_surely(taken)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status, second.external_id) == (S.UNCERTAIN, S.SENT, "GOOD")


def test_an_answer_without_a_jid_leaves_the_known_one(unit: Unit, phone: str) -> None:
    reply(unit)
    ContactAddress.objects.update(jid="5511999999999@s.whatsapp.net")
    delivery = Delivery()
    sends = delivery.dispatch(delivery.claim(1))
    sends[0].outcome = SentMessage("A", "", None)
    record(sends)
    assert ContactAddress.objects.get().jid == "5511999999999@s.whatsapp.net"


def test_one_slow_send_holds_up_no_other_number(
    sandbox: Sandbox,
    unit: Unit,
    phone: str,
    settings: Any,
) -> None:
    settings.EVOLUTION_SEND_TIMEOUT = 10.0
    other = create_unit("Outra")
    WhatsAppConnection.objects.filter(unit=other).update(**CONNECTED)
    gateway = EvolutionService(other.connection.instance_name)
    gateway.create_instance(webhook_url="http://127.0.0.1:9/nobody")
    gateway.connect()
    sandbox.scan(gateway.instance_name, number="5511900000010")
    sandbox.fail(phone, "slow", seconds=5)
    reply(unit, "lento")
    errors: list[BaseException] = []
    thread = in_thread(lambda: Delivery().run(seconds=0.1), errors)
    time.sleep(1)
    # Its time is over, but it waits for the slow one; meanwhile it goes on.
    reply(other, "rápido")
    deadline = time.monotonic() + 3
    while not sandbox.sent(gateway.instance_name) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sandbox.sent(gateway.instance_name)
    assert thread.is_alive()
    thread.join()
    assert errors == []


def test_a_bell_that_rings_just_before_the_end_is_heard(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    reply(unit)
    messaging.tasks.deliver()
    assert statuses() == [S.SENT]
    assert not messaging.tasks._running.locked()


def test_a_late_certainty_that_it_was_not_sent_sends_it(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    delivery = Delivery()
    reply(unit, "uma vez")
    sends = delivery.dispatch(delivery.claim(5))
    SendLane.objects.update(lease_until=ClockNow() - timedelta(seconds=1))
    sweep()
    assert statuses() == [S.UNCERTAIN]
    sandbox.fail(phone, "license_required")
    sends[0].post()
    record(sends)
    at_once()
    deliver(1)
    assert texts(sandbox, phone) == ["uma vez"]


def test_what_was_not_sent_counts_for_no_cap(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    WhatsAppConnection.objects.update(daily_cap=1)
    campaign(unit, people=1)
    feed_campaigns()
    sandbox.fail(phone, "license_required")
    deliver(0.3)
    at_once()
    deliver(1)
    assert texts(sandbox, phone) == ["Lentes com 30%"]
    assert SendLane.objects.get().sent_today == 1


def test_a_cap_of_zero_sends_nothing(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    WhatsAppConnection.objects.update(daily_cap=0)
    campaign(unit, people=1)
    feed_campaigns()
    deliver(1)
    assert texts(sandbox, phone) == []


def test_a_changed_cap_or_window_is_noticed_within_a_minute(unit: Unit, phone: str) -> None:
    campaign(unit, people=1)
    feed_campaigns()
    WhatsAppConnection.objects.update(daily_cap=0)
    Delivery().claim(5)
    assert SendLane.objects.filter(due_at__lte=ClockNow() + timedelta(minutes=1)).exists()


def test_settling_and_queueing_at_once_do_not_block_each_other(unit: Unit) -> None:
    message = reply(unit)
    Message.objects.update(status=S.UNCERTAIN, dispatched_at=ClockNow())
    errors: list[BaseException] = []
    threads = [in_thread(lambda: settling.settle(message, was_sent=True), errors)]
    for _ in range(10):
        threads.append(in_thread(lambda: reply(unit, to=message.conversation), errors))
        threads.append(in_thread(lambda: reply(unit, to=conversation(unit)), errors))
    for thread in threads:
        thread.join()
    assert errors == []


def test_pausing_while_a_message_is_put_back_blocks_neither(unit: Unit, phone: str) -> None:
    errors: list[BaseException] = []
    for _ in range(8):
        made = campaign(unit, people=1)
        feed_campaigns()
        delivery = Delivery()
        held = delivery.claim(5)
        opt_out(made.recipients.get().contact)
        threads = [
            in_thread(lambda delivery=delivery, held=held: delivery.dispatch(held), errors),  # type: ignore[misc]
            in_thread(lambda made=made: CampaignService(made).pause(), errors),  # type: ignore[misc]
        ]
        for thread in threads:
            thread.join()
        OptOut.objects.all().delete()
    assert errors == []
    assert not SendLane.objects.exclude(claim_token=None).exists()


def test_lanes_come_before_the_feed_for_everybody(unit: Unit) -> None:
    """Who has locked the lane and wants the feed must not meet one who has the feed and wants the lane."""
    lane = WhatsAppConnection.objects.get(unit=unit)
    message = reply(unit)
    errors: list[BaseException] = []

    def lane_then_feed() -> None:
        for _ in range(20):
            with transaction.atomic():
                lanes.wake([lane.id])
                live.publish(services.changes_of([message]))

    def settle_again_and_again() -> None:
        for _ in range(20):
            Message.objects.filter(pk=message.pk).update(status=S.UNCERTAIN, dispatched_at=ClockNow())
            settling.settle(message, was_sent=True)

    threads = [in_thread(lane_then_feed, errors), in_thread(settle_again_and_again, errors)]
    for thread in threads:
        thread.join()
    assert errors == []


def test_an_outcome_that_is_just_being_recorded_is_not_swept(unit: Unit, phone: str) -> None:
    delivery = Delivery()
    reply(unit)
    delivery.dispatch(delivery.claim(5))
    SendLane.objects.update(lease_until=ClockNow() - timedelta(seconds=1))
    recording = database.copy()
    with closing(recording), recording.cursor() as cursor:
        recording.set_autocommit(False)
        cursor.execute("SELECT 1 FROM messages FOR NO KEY UPDATE")
        sweep()
    assert statuses() == [S.DISPATCHING]
    assert SendLane.objects.get().claim_token
    sweep()
    assert statuses() == [S.UNCERTAIN]
