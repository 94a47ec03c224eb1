"""The life of a campaign. Sending itself is in tests/messaging and tests/e2e."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import connections, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from campaigns.feeder import feed_campaigns, start_due
from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from campaigns.outlook import outlook
from campaigns.receivers import follow_messages
from campaigns.services import CampaignService, NotPossible
from campaigns.standing import AHEAD
from crm_whatsapp.db import ClockNow
from messaging import settling
from messaging.delivery import Delivery
from messaging.models import Contact, Message, MessageStatus, SendLane
from messaging.services import moved_outbound
from tests.factories import campaign, contact, opt_out
from tests.stack import wait_for
from units.models import ConnectionStatus, Unit, WhatsAppConnection
from units.services import create_unit

pytestmark = pytest.mark.django_db

C = CampaignStatus
R = RecipientStatus


def statuses(made: Campaign) -> list[str]:
    return sorted(made.recipients.values_list("status", flat=True))


def settle_all(status: MessageStatus) -> None:
    """As if delivery had done its work."""
    ids = list(Message.objects.filter(status=MessageStatus.QUEUED).values_list("id", flat=True))
    Message.objects.filter(id__in=ids).update(status=status)
    moved_outbound(ids)


def test_a_campaign_queues_a_little_ahead_and_completes_when_nobody_is_left(unit: Unit) -> None:
    made = campaign(unit, people=3)
    feed_campaigns()
    assert made.progress()[R.QUEUED] == AHEAD
    settle_all(MessageStatus.SENT)
    feed_campaigns()
    settle_all(MessageStatus.FAILED)
    feed_campaigns()
    made.refresh_from_db()
    assert (made.status, statuses(made)) == (C.COMPLETED, [R.FAILED, R.SENT, R.SENT])


def test_starting_twice_is_starting_once(unit: Unit) -> None:
    made = campaign(unit)
    with pytest.raises(NotPossible):
        CampaignService(made).dispatch()
    feed_campaigns()
    feed_campaigns()
    assert Message.objects.count() == AHEAD


def test_a_contact_is_a_recipient_once(unit: Unit) -> None:
    made = campaign(unit, people=1, start=False)
    twice = made.recipients.get().contact
    assert CampaignService(made).add_contacts([twice, twice, contact(unit)]) == 1


def test_nobody_of_another_unit_can_be_a_recipient(unit: Unit) -> None:  # I7
    made = campaign(unit, people=1, start=False)
    stranger = contact(create_unit("Outra"))
    assert CampaignService(made).add_contacts(type(stranger).objects.filter(pk=stranger.pk)) == 0


def test_nobody_is_added_to_a_campaign_that_has_ended_meanwhile(unit: Unit) -> None:
    stale = campaign(unit, people=1, start=False)
    CampaignService(Campaign.objects.get()).cancel()
    with pytest.raises(NotPossible):
        CampaignService(stale).add_contacts([contact(unit)])
    assert stale.recipients.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_audience_that_is_chosen_while_somebody_starts_is_filled(unit: Unit) -> None:
    made = campaign(unit, people=1, start=False)

    def start() -> None:
        CampaignService(Campaign.objects.get()).dispatch()
        connections.close_all()

    thread = threading.Thread(target=start)
    with transaction.atomic(), database.cursor() as cursor:
        CampaignService(made).edit(audience={"everyone": True})
        thread.start()

        def waits() -> bool:
            # Not pg_stat_activity, which stays the same within a transaction.
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            return cursor.fetchone() is not None

        wait_for(waits, what="the other to wait")
    thread.join()
    made.refresh_from_db()
    assert (made.status, made.audience_done_at) == (C.PROCESSING, None)


def test_a_paused_campaign_in_which_nobody_is_left_is_done_when_its_time_comes(unit: Unit) -> None:
    made = campaign(unit, people=1)
    feed_campaigns()
    Message.objects.update(status=MessageStatus.DISPATCHING)
    moved_outbound(list(Message.objects.values_list("pk", flat=True)))
    CampaignService(made).pause()
    Message.objects.update(status=MessageStatus.SENT)
    moved_outbound(list(Message.objects.values_list("pk", flat=True)))
    CampaignService(made).schedule(timezone.now() - timedelta(hours=1))
    start_due()
    feed_campaigns()
    made.refresh_from_db()
    assert (made.status, made.status_reason) == (C.COMPLETED, "")


def test_a_scheduled_campaign_starts_when_its_time_has_come_though_late(unit: Unit) -> None:
    made = campaign(unit, start=False)
    CampaignService(made).schedule(timezone.now() + timedelta(hours=1))
    assert start_due() == 0
    Campaign.objects.update(scheduled_at=ClockNow() - timedelta(days=1))
    assert start_due() == 1
    made.refresh_from_db()
    assert made.status == C.PROCESSING


@pytest.mark.django_db(transaction=True)
def test_a_campaign_that_two_start_at_once_is_started(unit: Unit) -> None:
    made = campaign(unit, people=1, start=False)

    def start() -> None:
        barrier.wait()
        start_due()
        connections.close_all()

    for _ in range(10):
        Campaign.objects.update(status=C.SCHEDULED, scheduled_at=ClockNow() - timedelta(hours=1))
        barrier = threading.Barrier(3)
        threads = [threading.Thread(target=start) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made.refresh_from_db()
        assert made.status == C.PROCESSING


def test_a_scheduled_campaign_without_recipients_fails_with_the_reason(unit: Unit) -> None:
    made = CampaignService.create(unit=unit, name="Vazia", content="Oi", scheduled_at=timezone.now())
    start_due()
    made.refresh_from_db()
    assert made.status == C.FAILED
    assert made.status_reason


def test_pausing_takes_back_what_waits_and_resuming_sends_it_once(unit: Unit) -> None:
    made = campaign(unit, people=3)
    feed_campaigns()
    CampaignService(made).pause()
    assert (statuses(made), Message.objects.count()) == ([R.PENDING] * 3, 0)
    feed_campaigns()
    assert Message.objects.count() == 0
    CampaignService(made).resume()
    feed_campaigns()
    assert made.progress()[R.QUEUED] == AHEAD


def test_cancelling_ends_it_for_whoever_has_not_got_it(unit: Unit) -> None:
    made = campaign(unit, people=3)
    feed_campaigns()
    settle_all(MessageStatus.SENT)
    feed_campaigns()
    CampaignService(made).cancel()
    assert statuses(made) == [R.CANCELLED, R.SENT, R.SENT]
    with pytest.raises(NotPossible):
        CampaignService(made).resume()


def test_whoever_opted_out_is_skipped_with_the_reason(unit: Unit) -> None:  # I9
    made = campaign(unit, people=1)
    opt_out(Contact.objects.get())
    feed_campaigns()
    recipient = made.recipients.get()
    assert (recipient.status, recipient.error_message) == (R.SKIPPED, "opted_out")
    assert not Message.objects.exists()


def test_a_disconnected_number_holds_the_campaign_and_says_why(unit: Unit) -> None:
    made = campaign(unit)
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED)
    feed_campaigns()
    assert statuses(made) == [R.PENDING] * 3
    held = outlook(made).hold
    assert held is not None
    assert "desconectado" in str(held.reason)


@pytest.mark.parametrize(("column", "value", "word"), [("daily_cap", 0, "limite"), ("window", None, "janela")])
def test_a_cap_or_a_window_holds_the_campaign_until_a_time(unit: Unit, column: str, value: Any, word: str) -> None:
    made = campaign(unit)
    if column == "window":
        soon, later = (timezone.localtime() + timedelta(hours=hours) for hours in (1, 2))
        WhatsAppConnection.objects.update(window_start=soon.time(), window_end=later.time())
    else:
        WhatsAppConnection.objects.update(daily_cap=0)
        SendLane.objects.update_or_create(
            connection=unit.connection, defaults={"day": timezone.localdate(), "sent_today": 0}
        )
    held = outlook(made).hold
    assert held is not None
    assert word in str(held.reason)
    assert held.until is not None
    assert held.until > timezone.now()


def test_a_send_without_an_answer_holds_the_campaign_and_says_so(unit: Unit) -> None:
    made = campaign(unit)
    SendLane.objects.update_or_create(
        connection=unit.connection, defaults={"next_send_at": ClockNow() + timedelta(minutes=2)}
    )
    held = outlook(made).hold
    assert held is not None
    assert "sem resposta" in str(held.reason)
    assert held.until is not None


def test_a_send_that_waits_for_its_answer_is_shown_as_sending_and_says_why_nothing_moves(unit: Unit) -> None:
    made = campaign(unit, people=1)
    feed_campaigns()
    delivery = Delivery()
    delivery.dispatch(delivery.claim(5))
    assert made.progress()[R.SENDING] == 1
    Message.objects.update(dispatched_at=ClockNow() - timedelta(seconds=10))
    held = outlook(made).hold
    assert held is not None
    assert "Esperando" in str(held.reason)
    assert outlook(made).ends_at is None


def test_whoever_watches_a_campaign_is_told_of_each_outcome(unit: Unit) -> None:
    made = campaign(unit, people=1)
    feed_campaigns()
    ids = list(Message.objects.values_list("id", flat=True))
    Message.objects.update(status=MessageStatus.UNCERTAIN)
    assert ("campaign", made.pk) in {(change.kind, change.object_id) for change in moved_outbound(ids)}


def test_the_estimate_is_the_pace_times_who_is_left(unit: Unit) -> None:
    made = campaign(unit, people=5)
    end = outlook(made).ends_at
    assert end is not None
    # Four steps of 2 s and the time of the answers.
    assert timedelta(seconds=7) < end - timezone.now() <= timedelta(seconds=15)


@pytest.mark.parametrize(
    ("message", "recipient"),
    [
        (MessageStatus.SENT, R.SENT),
        (MessageStatus.DELIVERED, R.DELIVERED),
        (MessageStatus.READ, R.READ),
        (MessageStatus.FAILED, R.FAILED),
        (MessageStatus.UNCERTAIN, R.UNCERTAIN),
        (MessageStatus.EXPIRED, R.FAILED),
    ],
)
def test_a_recipient_goes_where_the_message_goes(unit: Unit, message: MessageStatus, recipient: str) -> None:
    made = campaign(unit, people=1)
    feed_campaigns()
    settle_all(message)
    assert statuses(made) == [recipient]


def on_the_way(unit: Unit) -> Campaign:
    """A campaign whose only message is at the gateway."""
    made = campaign(unit, people=1)
    feed_campaigns()
    Message.objects.update(status=MessageStatus.DISPATCHING, dispatched_at=ClockNow(), attempts=1)
    moved_outbound(list(Message.objects.values_list("id", flat=True)))
    return made


def come_back() -> None:
    """As if the gateway had said that it sent nothing."""
    Message.objects.update(status=MessageStatus.QUEUED, due_at=ClockNow() + timedelta(seconds=5))
    moved_outbound(list(Message.objects.values_list("id", flat=True)))


@pytest.mark.parametrize(("stop", "recipient"), [("pause", R.PENDING), ("cancel", R.CANCELLED)])
def test_what_comes_back_to_a_campaign_that_was_stopped_is_not_sent(unit: Unit, stop: str, recipient: str) -> None:
    made = on_the_way(unit)
    getattr(CampaignService(made), stop)()
    come_back()
    feed_campaigns()
    assert statuses(made) == [recipient]
    assert not Message.objects.exists()


def test_what_somebody_has_sent_again_after_the_campaign_ended_goes_on_when_it_comes_back(unit: Unit) -> None:
    made = on_the_way(unit)
    CampaignService(made).cancel()
    Message.objects.update(status=MessageStatus.UNCERTAIN)
    copy = settling.send_again(Message.objects.get(), author=None)
    Message.objects.filter(pk=copy.pk).update(attempts=1)
    moved_outbound([copy.pk])
    feed_campaigns()
    copy.refresh_from_db()
    assert copy.status == MessageStatus.QUEUED


def test_a_result_costs_no_look_for_what_came_back(
    unit: Unit, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    on_the_way(unit)
    Message.objects.update(status=MessageStatus.SENT)
    ids = [message.pk for message in Message.objects.all()]
    with django_assert_num_queries(1):
        follow_messages(None, ids)


def test_nobody_added_is_no_error(unit: Unit) -> None:
    assert CampaignService(campaign(unit, start=False)).add_contacts(Contact.objects.none()) == 0


def test_the_estimate_knows_the_window(unit: Unit) -> None:
    made = campaign(unit, people=5)
    soon, later = (timezone.localtime() + timedelta(hours=hours) for hours in (2, 4))
    WhatsAppConnection.objects.update(window_start=soon.time(), window_end=later.time())
    end = outlook(made).ends_at
    assert end is not None
    assert end > timezone.now() + timedelta(hours=1)


def test_the_estimate_knows_the_campaigns_own_pace(unit: Unit) -> None:
    made = campaign(unit, people=5)
    Campaign.objects.update(interval_seconds=600)
    made.refresh_from_db()
    end = outlook(made).ends_at
    assert end is not None
    assert end - timezone.now() > timedelta(minutes=35)
