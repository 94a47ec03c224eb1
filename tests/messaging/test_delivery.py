"""Delivery: once, in order of urgency, at the pace, whatever happens. The gateway is the sandbox, over real HTTP."""

import threading
import time
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection as database
from django.db import connections, transaction
from pytest_django import DjangoAssertNumQueries

from campaigns.feeder import feed_campaigns
from campaigns.models import CampaignRecipient
from campaigns.services import CampaignService
from crm_whatsapp.db import ClockNow
from messaging import lanes, people, services
from messaging.contacts import consent
from messaging.delivery import Delivery, sweep
from messaging.delivery.outcomes import record
from messaging.models import Contact, ContactAddress, Message, MessageStatus, SendLane
from messaging.settling import settle
from tests.factories import campaign, conversation, opt_out, reply
from tests.messaging.on_the_wire import deliver, statuses, texts
from tests.sandbox_process import Sandbox
from units.models import ConnectionStatus, Unit, WhatsAppConnection

pytestmark = pytest.mark.django_db(transaction=True)

S = MessageStatus


def test_a_reply_is_sent_once_with_the_id_that_the_gateway_gave(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    message = reply(unit, "Bom dia!")
    assert deliver() == 1
    message.refresh_from_db()
    assert (message.status, message.external_id) == (S.SENT, sandbox.sent(phone)[0]["id"])
    assert deliver(1) == 0


def test_the_canonical_jid_of_the_answer_is_where_the_next_message_goes(unit: Unit, phone: str) -> None:
    chat = conversation(unit, phone="+5531999991234")
    reply(unit, to=chat)
    deliver()
    address = ContactAddress.objects.get(contact=chat.contact)
    assert address.jid == "553199991234@s.whatsapp.net"
    assert lanes.recipient_of(address) == address.jid


def test_the_answer_for_one_number_of_a_contact_says_nothing_of_his_other(unit: Unit, phone: str) -> None:
    chat = conversation(unit, phone="+5511977776666")
    other = ContactAddress.objects.create(unit=unit, contact=chat.contact, kind="phone", value="+5511966665555")
    used = people.send_address(chat.contact)
    assert used is not None
    reply(unit, to=chat)
    deliver()
    other = ContactAddress.objects.filter(contact=chat.contact).exclude(pk=used.pk).get()
    # It may be somebody else's again when a merge is undone: he would get what is meant for this one.
    assert (statuses(), other.jid) == ([S.SENT], "")


def test_a_number_that_is_not_on_whatsapp_says_nothing_of_the_contacts_other(
    sandbox: Sandbox, unit: Unit, phone: str
) -> None:
    chat = conversation(unit, phone="+5511977776666")
    ContactAddress.objects.create(unit=unit, contact=chat.contact, kind="phone", value="+5511966665555")
    sandbox.fail(phone, "not_on_whatsapp")
    reply(unit, to=chat)
    deliver()
    assert ContactAddress.objects.filter(not_on_whatsapp_at=None).count() == 1


def test_with_nothing_to_send_it_looks_and_ends(
    unit: Unit, phone: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(20):
        assert Delivery().run(seconds=20) == 0


def test_it_stays_for_what_is_due_soon(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    reply(unit, "já")
    SendLane.objects.update(due_at=ClockNow() + timedelta(seconds=0.6))
    assert Delivery().run(seconds=20) == 1
    assert texts(sandbox, phone) == ["já"]


def test_replies_go_before_campaigns_and_do_not_wait_for_the_pace(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    campaign(unit, people=2)
    feed_campaigns()
    reply(unit, "primeiro")
    reply(unit, "segundo")
    deliver(1.5)
    assert texts(sandbox, phone)[:2] == ["primeiro", "segundo"]


def test_a_lane_that_may_not_send_yet_is_looked_at_when_it_may(unit: Unit, phone: str) -> None:
    campaign(unit, people=1)
    feed_campaigns()
    SendLane.objects.update(next_send_at=ClockNow() + timedelta(seconds=1))
    assert Delivery().claim(5) == []
    lane = SendLane.objects.get()
    assert lane.due_at == lane.next_send_at


def test_the_pace_is_a_floor_on_the_wire_for_several_deliveries_at_once(
    sandbox: Sandbox, unit: Unit, phone: str
) -> None:  # I5
    WhatsAppConnection.objects.update(interval_seconds="1.000")
    for _ in range(2):
        campaign(unit, people=3)
    stop = threading.Event()

    def work(job: Any) -> None:
        while not stop.is_set():
            job()
            time.sleep(0.05)
        connections.close_all()

    jobs: list[Any] = [lambda: Delivery().run(seconds=2, stop=stop)] * 4 + [feed_campaigns]
    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while len(sandbox.sent(phone)) < 6 and time.monotonic() < deadline:
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    at = [message["at"] for message in sandbox.sent(phone)]
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert len(at) == 6
    assert min(gaps) >= 1.0
    assert len({message["to"] for message in sandbox.sent(phone)}) == 6


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("not_on_whatsapp", S.FAILED),
        ("number_check_timeout", S.QUEUED),
        ("license_required", S.QUEUED),
        ("error_500_after_send", S.UNCERTAIN),
        ("timeout_after_send", S.UNCERTAIN),
        ("reset_before_send", S.UNCERTAIN),
        ("reset_after_send", S.UNCERTAIN),
    ],
)
def test_each_outcome_has_its_status(sandbox: Sandbox, unit: Unit, phone: str, fault: str, status: str) -> None:
    sandbox.fail(phone, fault, seconds=0.1)
    message = reply(unit)
    Delivery().run(seconds=0.5)
    message.refresh_from_db()
    assert message.status == status
    assert message.attempts == 1


def test_nothing_more_goes_to_a_chat_with_an_uncertain_message(sandbox: Sandbox, unit: Unit, phone: str) -> None:  # I3
    chat = conversation(unit)
    sandbox.fail(phone, "reset_after_send")
    first = reply(unit, "um", to=chat)
    deliver(1)
    reply(unit, "dois", to=chat)
    reply(unit, "outra pessoa")
    deliver(1)
    assert texts(sandbox, phone) == ["um", "outra pessoa"]
    first.refresh_from_db()
    settle(first, was_sent=True)
    deliver(1)
    assert texts(sandbox, phone) == ["um", "outra pessoa", "dois"]


def test_a_disconnected_number_holds_what_is_queued(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED)
    reply(unit)
    assert deliver(1) == 0
    WhatsAppConnection.objects.update(status=ConnectionStatus.CONNECTED)
    assert deliver() == 1


def test_whoever_opts_out_after_the_claim_gets_nothing(sandbox: Sandbox, unit: Unit, phone: str) -> None:  # I9
    made = campaign(unit, people=1)
    feed_campaigns()
    delivery = Delivery()
    claimed = delivery.claim(5)
    opt_out(Contact.objects.get())
    assert (len(claimed), delivery.dispatch(claimed)) == (1, [])
    assert statuses() == [S.CANCELLED]
    assert made.recipients.get().status == "skipped"
    assert texts(sandbox, phone) == []


def fed_campaign(unit: Unit) -> None:
    campaign(unit, people=1)
    feed_campaigns()


@pytest.mark.parametrize("queue", [fed_campaign, reply])
def test_whoever_is_blocked_after_the_claim_gets_nothing(
    sandbox: Sandbox, unit: Unit, phone: str, queue: Any
) -> None:  # I9
    queue(unit)
    delivery = Delivery()
    claimed = delivery.claim(5)
    consent.block(Contact.objects.get(), reason="ofensas", by=None)
    assert (len(claimed), delivery.dispatch(claimed)) == (1, [])
    assert list(Message.objects.values_list("status", "error_code")) == [(S.CANCELLED, "blocked")]
    assert set(CampaignRecipient.objects.values_list("status", "error_message")) <= {("skipped", "blocked")}
    assert texts(sandbox, phone) == []


def test_a_paused_campaign_sends_nothing_more_though_it_was_claimed(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    made = campaign(unit, people=2)
    feed_campaigns()
    delivery = Delivery()
    claimed = delivery.claim(5)
    CampaignService(made).pause()
    assert delivery.dispatch(claimed) == []
    assert SendLane.objects.get().claim_token is None
    assert made.progress()["pending"] == 2
    CampaignService(made).resume()
    feed_campaigns()
    assert deliver(1) == 1


def test_a_campaign_message_claimed_before_quiet_hours_does_not_leave_in_them(unit: Unit, phone: str) -> None:
    now = datetime.now(ZoneInfo(unit.time_zone))
    window = {"window_start": (now - timedelta(hours=1)).time(), "window_end": (now + timedelta(minutes=30)).time()}
    WhatsAppConnection.objects.update(**window)
    campaign(unit, people=1)
    feed_campaigns()
    delivery = Delivery()
    claimed = delivery.claim(5)
    # Frozen for an hour, but the lease is still its own.
    SendLane.objects.update(lease_until=ClockNow() + timedelta(days=1))
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SET LOCAL crm.clock_offset = '1 hour'")
        assert (len(claimed), delivery.dispatch(claimed)) == (1, [])
    assert statuses() == [S.QUEUED]


def test_a_lease_that_ran_out_frees_the_lane_and_says_what_is_known(unit: Unit, phone: str) -> None:  # I4
    claimed_only, dispatched = Delivery(), Delivery()
    reply(unit, "só reservada")
    claimed_only.claim(5)
    _let_leases_run_out()
    sweep()
    assert statuses() == [S.QUEUED]
    dispatched.dispatch(dispatched.claim(5))
    _let_leases_run_out()
    sweep()
    assert statuses() == [S.UNCERTAIN]
    assert SendLane.objects.get().claim_token is None


def test_a_zombie_may_not_dispatch(unit: Unit, phone: str) -> None:  # I3
    zombie, other = Delivery(), Delivery()
    reply(unit)
    held = zombie.claim(5)
    _let_leases_run_out()
    sweep()
    taken = other.claim(5)
    assert zombie.dispatch(held) == []
    assert len(other.dispatch(taken)) == 1


def test_the_late_answer_of_a_swept_send_still_counts(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    delivery = Delivery()
    reply(unit)
    sends = delivery.dispatch(delivery.claim(5))
    _let_leases_run_out()
    sweep()
    sends[0].post()
    record(sends)
    assert statuses() == [S.SENT]


def test_the_daily_cap_is_never_exceeded(sandbox: Sandbox, unit: Unit, phone: str) -> None:  # I5
    WhatsAppConnection.objects.update(interval_seconds="1.000", daily_cap=1)
    campaign(unit, people=3)
    feed_campaigns()
    deliver(3)
    reply(unit, "respostas não contam")
    deliver(1)
    assert texts(sandbox, phone) == ["Lentes com 30%", "respostas não contam"]


def test_what_outlives_its_time_expires(unit: Unit, phone: str) -> None:
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED)
    message = reply(unit)
    Message.objects.update(expires_at=ClockNow())
    sweep()
    message.refresh_from_db()
    assert message.status == S.EXPIRED


def test_a_person_settles_an_uncertain_message_once(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    sandbox.fail(phone, "reset_before_send")
    message = reply(unit)
    deliver(1)
    assert settle(message, was_sent=False).status == S.FAILED
    with pytest.raises(services.CannotQueue):
        settle(message, was_sent=True)


def _let_leases_run_out() -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE send_lanes SET lease_until = crm_now() - interval '1 second' WHERE claim_token IS NOT NULL"
        )
