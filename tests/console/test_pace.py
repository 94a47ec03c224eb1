"""The pace of the unit's number, as its page shows and takes it."""

import re
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from messaging.models import SendLane
from tests.console.helpers import at
from units.models import Unit, UnitFeed, WhatsAppConnection

pytestmark = pytest.mark.django_db

PACE: dict[str, Any] = {
    "interval_seconds": "2.5",
    "jitter_seconds": "1",
    "daily_cap": "120",
    "window_start": "08:00",
    "window_end": "19:00",
    "window_days": ["1", "2", "3", "4", "5"],
    "in_use_since": "2024-02-01",
}


def save(client: Client, unit: Unit, **changes: Any) -> str:
    return client.post(at(unit, "settings/number"), PACE | changes, follow=True).text


def test_the_pace_is_shown_as_it_is_kept(browser_client: Client, unit: Unit) -> None:
    WhatsAppConnection.objects.update(interval_seconds=Decimal("2.500"), daily_cap=1200, window_days=[1, 6])
    page = browser_client.get(at(unit, "settings/number")).text
    assert re.search(r'name="interval_seconds" value="2\.5"', page)
    assert re.search(r'name="daily_cap" value="1200"', page)
    assert re.findall(r'name="window_days" value="(\d)"[^>]* checked', page) == ["1", "6"]


def test_another_pace_is_kept(browser_client: Client, unit: Unit) -> None:
    save(browser_client, unit)
    kept = WhatsAppConnection.objects.get()
    assert (kept.interval_seconds, kept.jitter_seconds, kept.daily_cap) == (Decimal("2.5"), Decimal(1), 120)
    assert (kept.window_start, kept.window_end, kept.window_days) == (time(8), time(19), [1, 2, 3, 4, 5])
    assert kept.in_use_since == date(2024, 2, 1)


def test_limits_are_taken_away_by_leaving_them_empty(browser_client: Client, unit: Unit) -> None:
    save(browser_client, unit)
    save(browser_client, unit, daily_cap="", window_start="", window_end="")
    kept = WhatsAppConnection.objects.get()
    assert (kept.daily_cap, kept.window_start, kept.window_end) == (None, None, None)


def test_another_pace_wakes_the_number_and_tells_open_pages(browser_client: Client, unit: Unit) -> None:
    SendLane.objects.update_or_create(connection=unit.connection, defaults={"due_at": None})
    save(browser_client, unit)
    assert SendLane.objects.get().due_at is not None
    assert UnitFeed.objects.get(unit=unit).last_seq == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("interval_seconds", "0.5"),
        ("interval_seconds", ""),
        ("interval_seconds", "3601"),
        ("jitter_seconds", "-1"),
        ("daily_cap", "0"),
        ("daily_cap", "1000001"),
        ("window_start", ""),
        ("window_end", "25:00"),
        ("window_days", []),
        ("window_days", ["8"]),
        ("in_use_since", "ontem"),
        ("in_use_since", str(timezone.localdate() + timedelta(days=3))),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(browser_client: Client, unit: Unit, field: str, value: Any) -> None:
    page = save(browser_client, unit, **{field: value})
    assert f'id="id_{field}_error"' in page
    assert WhatsAppConnection.objects.get().daily_cap is None


def test_columns_that_others_move_are_left_alone(browser_client: Client, unit: Unit) -> None:
    save(browser_client, unit, groups_enabled="on", status="disconnected")
    kept = WhatsAppConnection.objects.get()
    assert (kept.is_connected, kept.groups_enabled) == (True, False)


def test_the_warm_up_shows_where_the_number_stands(browser_client: Client, unit: Unit, settings: Any) -> None:
    settings.CAMPAIGN_WARM_UP = [(1, 50), (4, 100), (8, None)]
    today = timezone.localdate()
    WhatsAppConnection.objects.update(in_use_since=today - timedelta(days=4))
    SendLane.objects.update_or_create(connection=unit.connection, defaults={"day": today, "sent_today": 12})
    page = browser_client.get(at(unit, "settings/number")).text
    (now,) = re.findall(r'<tr aria-current="true">(.*?)</tr>', page, re.DOTALL)
    assert "100" in now
    assert re.search(r"12\b.*\b100", page)


def test_without_a_warm_up_there_is_no_table(browser_client: Client, unit: Unit, settings: Any) -> None:
    settings.CAMPAIGN_WARM_UP = []
    assert 'id="warm-up"' not in browser_client.get(at(unit, "settings/number")).text
