"""The pace over HTTP: the rules, where the number stands, and what holds it."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from crm_whatsapp.db import ClockNow
from messaging.holds import hold_of_campaigns, holds_of
from messaging.models import MessageStatus, SendLane
from tests.factories import conversation, message
from units.models import ConnectionStatus, LiveEvent, Unit, WhatsAppConnection

pytestmark = pytest.mark.django_db

ZONE = ZoneInfo("America/Sao_Paulo")


@pytest.fixture(autouse=True)
def _warm_up(settings: Any) -> None:
    settings.CAMPAIGN_WARM_UP = [(1, 50), (4, 100), (31, None)]


@pytest.fixture
def at(unit: Unit) -> str:
    return f"/units/{unit.id}/whatsapp/pace"


def today() -> date:
    return datetime.now(ZONE).date()


def lane(connection: WhatsAppConnection, **columns: Any) -> None:
    SendLane.objects.update_or_create(connection=connection, defaults=columns)


def codes(connection: WhatsAppConnection) -> list[str]:
    return [hold.code for hold in holds_of(connection)]


def test_a_number_nobody_has_set_up_shows_the_defaults(api: APIClient, at: str) -> None:
    shown = api.get(at).json()
    assert shown["interval_seconds"] == "2.000"
    assert shown["window_days"] == [1, 2, 3, 4, 5, 6, 7]
    assert shown["warm_up"][0] == {"from_day": 1, "most": 50}
    assert (shown["day_of_use"], shown["cap_today"], shown["sent_today"], shown["holds"]) == (1, 50, 0, [])


def test_the_pace_is_changed_and_shown_with_what_follows(api: APIClient, at: str, unit: Unit) -> None:
    change = {
        "interval_seconds": "3.5", "jitter_seconds": 1, "daily_cap": 80, "window_start": "22:00", "window_end": "06:00",
        "window_days": [5, 1, 5], "in_use_since": "2020-01-31",
    }  # fmt: skip
    answer = api.patch(at, change, format="json")
    assert answer.status_code == 200
    assert answer.json()["cap_today"] == 80
    kept = WhatsAppConnection.objects.get(unit=unit)
    assert (float(kept.interval_seconds), kept.daily_cap, kept.window_days) == (3.5, 80, [1, 5])
    assert kept.in_use_since == date(2020, 1, 31)
    assert LiveEvent.objects.filter(kind="connection").exists()
    assert SendLane.objects.get().due_at is not None


def test_what_is_not_given_stays(api: APIClient, at: str, unit: Unit) -> None:
    api.patch(at, {"daily_cap": 80, "window_start": "08:00", "window_end": "19:00"}, format="json")
    api.patch(at, {"daily_cap": None}, format="json")
    kept = WhatsAppConnection.objects.get(unit=unit)
    assert (kept.daily_cap, kept.window_start is None) == (None, False)


@pytest.mark.parametrize(
    ("change", "attr"),
    [
        ({"interval_seconds": 0.5}, "interval_seconds"),
        ({"interval_seconds": None}, "interval_seconds"),
        ({"jitter_seconds": -1}, "jitter_seconds"),
        ({"daily_cap": 0}, "daily_cap"),
        ({"window_start": "08:00"}, "window_end"),
        ({"window_start": "25:00", "window_end": "08:00"}, "window_start"),
        ({"window_start": "20:00Z", "window_end": "08:00"}, "window_start"),
        ({"window_days": []}, "window_days"),
        ({"window_days": [0]}, "window_days.0"),
        ({"window_days": [8]}, "window_days.0"),
        ({"in_use_since": "2999-01-01"}, "in_use_since"),
    ],
)
def test_nonsense_is_refused_with_the_field_and_changes_nothing(
    api: APIClient, at: str, change: dict[str, Any], attr: str
) -> None:
    before = api.get(at).json()
    answer = api.patch(at, change, format="json")
    assert answer.status_code == 400
    assert [error["attr"] for error in answer.json()["errors"]] == [attr]
    after = api.get(at).json()
    assert {name: after[name] for name in PACE} == {name: before[name] for name in PACE}


PACE = ["interval_seconds", "jitter_seconds", "daily_cap", "window_start", "window_end", "window_days", "in_use_since"]


# What holds a number


def test_nothing_holds_a_number_that_may_send(connection: WhatsAppConnection) -> None:
    assert codes(connection) == []
    assert hold_of_campaigns(connection) is None


def test_a_number_that_is_away_is_held(connection: WhatsAppConnection) -> None:
    WhatsAppConnection.objects.update(status=ConnectionStatus.CONNECTING)
    (hold,) = holds_of(connection)
    assert (hold.code, hold.until, hold.holds_replies) == ("disconnected", None, True)


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"in_use_since": None}, "warm_up"),
        ({"in_use_since": None, "daily_cap": 50}, "cap"),
        ({"in_use_since": date(2020, 1, 1), "daily_cap": 50}, "cap"),
        ({"in_use_since": date(2020, 1, 1)}, None),
    ],
)
def test_a_used_up_day_says_whether_it_is_the_warm_up(
    connection: WhatsAppConnection, rules: dict[str, Any], code: str | None
) -> None:
    WhatsAppConnection.objects.update(**rules)
    day = today()
    lane(connection, day=day, sent_today=50)
    held = hold_of_campaigns(connection)
    assert (held and held.code) == code
    if held:
        assert held.until == datetime.combine(day + timedelta(days=1), datetime.min.time(), tzinfo=ZONE)
        assert not held.holds_replies


def test_a_day_without_sending_says_until_when(connection: WhatsAppConnection) -> None:
    tomorrow = today() + timedelta(days=1)
    WhatsAppConnection.objects.update(window_days=[tomorrow.isoweekday()])
    held = hold_of_campaigns(connection)
    assert held is not None
    assert held.code == "weekday"
    assert held.until == datetime.combine(tomorrow, datetime.min.time(), tzinfo=ZONE)


def test_outside_of_the_window_says_until_when(connection: WhatsAppConnection) -> None:
    now = datetime.now(ZONE)
    opens = (now + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    WhatsAppConnection.objects.update(window_start=opens.time(), window_end=(opens + timedelta(hours=1)).time())
    held = hold_of_campaigns(connection)
    assert held is not None
    assert (held.code, held.until) == ("window", opens)


def test_a_used_up_day_before_a_day_without_sending_lasts_until_the_one_after(connection: WhatsAppConnection) -> None:
    day = today()
    WhatsAppConnection.objects.update(daily_cap=1, window_days=[day.isoweekday()])
    lane(connection, day=day, sent_today=1)
    held = hold_of_campaigns(connection)
    assert held is not None
    assert held.until == datetime.combine(day + timedelta(days=7), datetime.min.time(), tzinfo=ZONE)


def test_a_slow_answer_and_an_answer_that_never_came(connection: WhatsAppConnection) -> None:
    row = message(
        conversation(connection.unit), out=True, status=MessageStatus.DISPATCHING,
        dispatched_at=timezone.now() - timedelta(seconds=30),
    )  # fmt: skip
    assert codes(connection) == ["answer"]
    row.delete()
    lane(connection, next_send_at=ClockNow() + timedelta(minutes=2))
    (hold,) = holds_of(connection)
    assert hold.code == "unanswered"
    assert hold.until is not None
