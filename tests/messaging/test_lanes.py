"""Lanes: which is looked at, what it sends next, and when it is due again."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from crm_whatsapp.db import ClockNow
from messaging import lanes
from messaging.delivery import Delivery
from messaging.delivery.outcomes import record
from messaging.delivery.send import Send
from messaging.models import Message, MessageStatus, Origin, SendLane
from messaging.outgoing.contents import Text
from messaging.outgoing.queueing import queue
from tests.factories import CONNECTED, conversation, message, reply
from units.gateways.errors import OutcomeUnknown
from units.gateways.evolution import SentMessage
from units.models import ConnectionStatus, Unit, WhatsAppConnection
from units.services import create_unit

pytestmark = pytest.mark.django_db(transaction=True)

S = MessageStatus


def units(count: int) -> list[Unit]:
    made = [create_unit(f"Loja {number}", owner=None) for number in range(count)]
    WhatsAppConnection.objects.filter(unit__in=made).update(**CONNECTED)
    return made


def answered(sends: list[Send]) -> list[Send]:
    """As if the gateway had answered them all."""
    for send in sends:
        send.outcome = SentMessage(f"3EB0{send.message_id.hex[-16:]}", f"{send.recipient}@s.whatsapp.net", None)
    return sends


def due_first(lane_ids: list[UUID]) -> None:
    SendLane.objects.filter(connection_id__in=lane_ids).update(due_at=ClockNow() - timedelta(minutes=1))


def make_empty(unit: Unit) -> None:
    Message.objects.filter(unit=unit).update(status=S.CANCELLED)


def block(unit: Unit) -> None:
    """Its only chat has a message whose fate nobody knows."""
    chat = Message.objects.get(unit=unit).conversation
    message(chat, out=True, status=S.UNCERTAIN, external_id=None)


def disconnect(unit: Unit) -> None:
    WhatsAppConnection.objects.filter(unit=unit).update(status=ConnectionStatus.DISCONNECTED)


@pytest.mark.parametrize("spoil", [make_empty, block, disconnect])
def test_lanes_that_have_nothing_to_send_do_not_hold_up_one_that_has(spoil: object) -> None:
    *others, full = units(8)
    for unit in (*others, full):
        reply(unit)
    for unit in others:
        spoil(unit)  # type: ignore[operator]
    due_first([unit.connection.id for unit in others])
    # There is one free thread only, and all others are due before.
    assert [send.connection_id for send in Delivery().claim(1)] == [full.connection.id]


def test_no_more_is_claimed_than_asked_for_and_the_rest_stays_due() -> None:
    made = units(6)
    for unit in made:
        reply(unit)
    make_empty(made[0])
    due_first([made[0].connection.id])
    delivery = Delivery()
    assert len(delivery.claim(2)) == 2
    assert len(delivery.claim(10)) == 3


def test_a_reply_is_found_at_once_behind_everything_that_another_unit_has_waiting(unit: Unit) -> None:
    (crowded,) = units(1)
    chat = conversation(crowded)
    reply(crowded, to=chat)
    common = {"unit": crowded, "connection": crowded.connection, "conversation": chat, "direction": "outbound"}
    Message.objects.bulk_create(
        Message(**common, origin=Origin.CAMPAIGN, status=S.QUEUED, due_at=ClockNow()) for _ in range(3000)
    )
    wanted = reply(unit)
    with database.cursor() as cursor:
        cursor.execute("ANALYZE messages")
    claimed = Delivery().claim(2)
    assert wanted.id in {send.message_id for send in claimed}


def test_no_more_is_read_of_a_long_queue_than_its_beginning(unit: Unit) -> None:
    """Neither claiming nor freeing reads what waits: with a million waiting it would take seconds."""
    chat = conversation(unit)
    common = {"unit": unit, "connection": unit.connection, "conversation": chat, "direction": "outbound"}
    for origin in (Origin.REPLY, Origin.CAMPAIGN):
        Message.objects.bulk_create(
            Message(**common, origin=origin, status=S.QUEUED, due_at=ClockNow()) for _ in range(2000)
        )
    lanes.wake([unit.connection.id])
    with database.cursor() as cursor:
        cursor.execute("ANALYZE messages")
    before = _rows_read()
    (send,) = Delivery().claim(1)
    lanes.free([lanes.Held(send.connection_id, send.token)])
    assert _rows_read() - before < 1000


def _rows_read() -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT coalesce(sum(idx_tup_read), 0) + (SELECT seq_tup_read FROM pg_stat_user_tables"
            " WHERE relname = 'messages') FROM pg_stat_user_indexes WHERE relname = 'messages'"
        )
        (read,) = cursor.fetchone()
    return int(read)


def test_the_pace_counts_from_the_answer_not_from_its_record(unit: Unit) -> None:  # I5
    reply(unit)
    delivery = Delivery()
    sends = answered(delivery.dispatch(delivery.claim(1)))
    record(sends, {sends[0].message_id: 1.5})
    lane = SendLane.objects.annotate(now=ClockNow()).get()
    left = lane.next_send_at - lane.now
    assert timedelta(0) < left <= timedelta(seconds=0.5)


def test_without_an_answer_the_pace_counts_from_when_the_gateway_can_no_longer_act(unit: Unit) -> None:  # I5
    reply(unit)
    delivery = Delivery()
    sends = delivery.dispatch(delivery.claim(1))
    sends[0].outcome = OutcomeUnknown(answer="reset")
    leased_until = SendLane.objects.get().lease_until
    assert leased_until is not None
    record(sends, {sends[0].message_id: 1.5})
    assert SendLane.objects.get().next_send_at >= leased_until + timedelta(seconds=2)


def test_recording_again_changes_nothing(unit: Unit) -> None:
    reply(unit)
    delivery = Delivery()
    sends = answered(delivery.dispatch(delivery.claim(1)))
    record(sends)
    before = (Message.objects.values().get(), SendLane.objects.values().get())
    record(sends)
    assert (Message.objects.values().get(), SendLane.objects.values().get()) == before


def test_one_answer_with_the_id_of_another_message_costs_no_other_answer() -> None:
    first, second = units(2)
    reply(first)
    reply(second)
    taken = message(conversation(first), out=True, external_id="TAKEN")
    delivery = Delivery()
    sends = answered(delivery.dispatch(delivery.claim(2)))
    for send in sends:
        if send.connection_id == first.connection.id:
            send.outcome = SentMessage("TAKEN", "", None)
    record(sends)
    found = dict(Message.objects.exclude(pk=taken.pk).values_list("unit_id", "status"))
    # That of the other proves nothing, and is not forgotten either (I4).
    assert found == {first.id: S.UNCERTAIN, second.id: S.SENT}


def test_an_echo_taken_for_one_typed_on_the_phone_becomes_the_message_that_was_sent() -> None:
    first, second = units(2)
    wanted = reply(first)
    reply(second)
    twin = message(
        conversation(first), out=True, origin=Origin.PHONE, external_id="TWIN", status=S.READ, read_at=wanted.created_at
    )
    delivery = Delivery()
    sends = answered(delivery.dispatch(delivery.claim(2)))
    for send in sends:
        if send.message_id == wanted.id:
            send.outcome = SentMessage("TWIN", "", None)
    record(sends)
    wanted.refresh_from_db()
    assert (wanted.status, wanted.external_id, wanted.read_at) == (S.READ, "TWIN", twin.read_at)
    assert not Message.objects.filter(pk=twin.pk).exists()


def test_a_request_is_known_again_though_an_edited_echo_became_its_message(unit: Unit) -> None:
    def ask() -> Message:
        return queue(conversation=chat, content=Text("Oi"), author=None, idempotency_key="k")

    chat = conversation(unit)
    wanted = ask()
    edited: dict[str, Any] = {"body": "Olá", "edited_at": wanted.created_at, "details": {"original": "Oi"}}
    message(conversation(unit), out=True, origin=Origin.PHONE, external_id="TWIN", **edited)
    delivery = Delivery()
    (send,) = delivery.dispatch(delivery.claim(1))
    send.outcome = SentMessage("TWIN", "", None)
    record([send])
    assert (ask().pk, ask().body) == (wanted.pk, "Olá")


def test_the_statements_do_not_grow_with_the_number_of_lanes() -> None:
    counts = []
    for count in (2, 9):
        for unit in units(count):
            reply(unit)
        delivery = Delivery()
        with CaptureQueriesContext(database) as queries:
            record(answered(delivery.dispatch(delivery.claim(20))))
        assert Message.objects.filter(status=S.SENT).count() >= count
        counts.append(len(queries))
    assert counts[0] == counts[1]
