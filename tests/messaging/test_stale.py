"""A number that comes back after long: what waited asks a person first."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from crm_whatsapp.db import ClockNow
from messaging import stale
from messaging.delivery import Delivery, sweep
from messaging.models import Message, MessageStatus, Origin, SendLane
from messaging.signals import number_back
from tests.factories import conversation, message, reply
from tests.messaging.on_the_wire import deliver, statuses, texts
from tests.sandbox_process import Sandbox
from units.models import LiveEvent, Unit, User, WhatsAppConnection
from units.services import ConnectionService

S = MessageStatus

pytestmark = pytest.mark.django_db


def go(unit: Unit) -> None:
    """The gateway tells that the session ended on the phone."""
    with transaction.atomic():
        ConnectionService(unit).hint_closed(logged_out=True)


def come_back(unit: Unit, *, after: timedelta) -> None:
    """… and, so much later, that the number is connected."""
    SendLane.objects.update(away_since=ClockNow() - after)
    with transaction.atomic():
        ConnectionService(unit).hint_open(phone="+5511900000009", profile_name=None, profile_picture_url=None)


LONG, SHORT = timedelta(hours=3), timedelta(minutes=20)


@pytest.fixture
def heard() -> Iterator[list[timedelta]]:
    """How long each number was away, as others are told."""
    times: list[timedelta] = []

    def note(sender: Any, connection: WhatsAppConnection, away_for: timedelta, **kwargs: Any) -> None:
        times.append(away_for)

    number_back.connect(note)
    yield times
    number_back.disconnect(note)


@pytest.fixture
def waiting(unit: Unit) -> list[Message]:
    """Three replies that wait for a choice."""
    go(unit)
    rows = [reply(unit, text) for text in ("um", "dois", "três")]
    come_back(unit, after=LONG)
    return rows


def at(unit: Unit) -> str:
    return f"/units/{unit.id}/whatsapp/waiting"


def test_after_a_short_while_everything_goes(unit: Unit, heard: list[timedelta]) -> None:
    go(unit)
    reply(unit)
    come_back(unit, after=SHORT)
    assert len(Delivery().claim(5)) == 1
    assert heard == []


def test_after_long_replies_wait_for_a_choice_and_campaigns_are_told(
    unit: Unit, waiting: list[Message], heard: list[timedelta]
) -> None:
    assert Delivery().claim(5) == []
    assert statuses() == [S.QUEUED] * 3
    go(unit)
    come_back(unit, after=LONG)
    assert [LONG <= away < LONG + timedelta(minutes=1) for away in heard] == [True]


def test_campaign_messages_are_left_to_campaigns(unit: Unit) -> None:
    go(unit)
    row = message(conversation(unit), out=True, origin=Origin.CAMPAIGN, status=S.QUEUED, due_at=ClockNow())
    come_back(unit, after=LONG)
    row.refresh_from_db()
    assert row.due_at is not None


def test_a_number_is_away_from_its_first_disconnect_on(unit: Unit) -> None:
    go(unit)
    SendLane.objects.update(away_since=ClockNow() - LONG)
    WhatsAppConnection.objects.update(status="connecting")
    go(unit)
    assert SendLane.objects.filter(away_since__lt=ClockNow() - timedelta(hours=2)).exists()
    come_back(unit, after=LONG)
    assert SendLane.objects.get().away_since is None


def test_what_is_written_after_the_return_goes_at_once(unit: Unit, waiting: list[Message]) -> None:
    later = reply(unit, "quatro")
    assert [send.message_id for send in Delivery().claim(5)] == [later.pk]


def test_the_hold_says_that_replies_wait_and_campaigns_do_not(
    api: APIClient, unit: Unit, waiting: list[Message]
) -> None:
    shown = api.get(f"/units/{unit.id}/whatsapp/pace").json()
    assert shown["waiting"] == 3
    assert [(hold["code"], hold["holds_campaigns"], hold["holds_replies"]) for hold in shown["holds"]] == [
        ("choice", False, True)
    ]


def test_the_list_shows_what_waits(api: APIClient, unit: Unit, waiting: list[Message]) -> None:
    reply(unit, "quatro")
    shown = api.get(at(unit)).json()
    assert {row["body"] for row in shown["results"]} == {"um", "dois", "três"}


@pytest.mark.django_db(transaction=True)
def test_sent_now_it_goes_on_the_wire(
    sandbox: Sandbox, unit: Unit, phone: str, api: APIClient, waiting: list[Message]
) -> None:
    assert deliver(1) == 0
    answer = api.post(at(unit), {"action": "send"}, format="json")
    assert answer.json() == {"changed": 3, "waiting": 0}
    deliver()
    assert sorted(texts(sandbox, phone)) == ["dois", "três", "um"]


def test_only_the_chosen_ones_are_dropped(api: APIClient, unit: Unit, waiting: list[Message]) -> None:
    chosen = [str(waiting[0].pk)]
    LiveEvent.objects.all().delete()
    answer = api.post(at(unit), {"action": "drop", "message_ids": chosen}, format="json")
    assert answer.json() == {"changed": 1, "waiting": 2}
    assert sorted(Message.objects.values_list("status", "error_code")) == [
        ("cancelled", "dropped"), ("queued", ""), ("queued", "")
    ]  # fmt: skip
    assert LiveEvent.objects.filter(kind="message", object_id=waiting[0].pk).exists()


def test_rescheduled_it_waits_until_then_and_lives_that_long(
    api: APIClient, unit: Unit, waiting: list[Message]
) -> None:
    at_time = timezone.now() + timedelta(days=3)
    answer = api.post(at(unit), {"action": "reschedule", "at": at_time.isoformat()}, format="json")
    assert answer.json()["changed"] == 3
    assert Message.objects.filter(due_at=at_time, expires_at__gt=at_time).count() == 3
    assert Delivery().claim(5) == []


@pytest.mark.parametrize(
    "choice",
    [
        {"action": "reschedule"},
        {"action": "send", "at": "2030-01-01T00:00:00Z"},
        {"action": "reschedule", "at": "2020-01-01T00:00:00Z"},
        {"action": "reschedule", "at": "2090-01-01T00:00:00Z"},
    ],
)
def test_a_time_that_makes_no_sense_changes_nothing(
    api: APIClient, unit: Unit, waiting: list[Message], choice: dict[str, Any]
) -> None:
    answer = api.post(at(unit), choice, format="json")
    assert answer.status_code == 400
    assert {error["attr"] for error in answer.json()["errors"]} == {"at"}
    assert not Message.objects.filter(due_at__isnull=False).exists()


def test_a_time_that_a_person_chose_stays_when_the_number_is_away_before_it(unit: Unit, waiting: list[Message]) -> None:
    connection = WhatsAppConnection.objects.get(unit=unit)
    stale.reschedule(connection, timezone.now() + timedelta(days=2))
    go(unit)
    retried = reply(unit, "quatro")
    Message.objects.filter(pk=retried.pk).update(due_at=ClockNow() + timedelta(minutes=5))
    come_back(unit, after=LONG)
    assert list(stale.waiting(connection)) == [retried]


def test_what_nobody_chooses_for_expires(unit: Unit, waiting: list[Message]) -> None:  # I4
    Message.objects.update(expires_at=ClockNow())
    sweep()
    assert statuses() == [S.EXPIRED] * 3


def test_nobody_chooses_for_another_unit(unit: Unit, waiting: list[Message], stranger: User) -> None:  # I7
    client = APIClient()
    client.force_authenticate(stranger)
    own = Unit.objects.of_member(stranger).get()
    assert client.post(at(unit), {"action": "drop"}, format="json").status_code == 404
    answer = client.post(at(own), {"action": "drop", "message_ids": [str(waiting[0].pk)]}, format="json")
    assert answer.json() == {"changed": 0, "waiting": 0}
    assert statuses() == [S.QUEUED] * 3
