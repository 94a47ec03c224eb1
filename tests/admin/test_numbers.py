"""The page of a number: what holds it, what it may send, and the choices a person has."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign
from crm_whatsapp.db import ClockNow
from messaging.models import Message
from tests.admin.conftest import Rows
from tests.admin.test_units import act
from units.models import HeldFor, WhatsAppConnection


@pytest.fixture
def number(rows: Rows) -> WhatsAppConnection:
    WhatsAppConnection.objects.update(status="connected")
    return WhatsAppConnection.objects.get()


@pytest.fixture
def waiting(rows: Rows, number: WhatsAppConnection) -> Message:
    Message.objects.update(status="queued", external_id=None, due_at=None)
    return rows.message


def page_of(page: Client, number: WhatsAppConnection) -> str:
    return page.get(reverse("admin:units_whatsappconnection_change", args=[number.pk])).content.decode()


def test_the_warm_up_and_today_are_shown(page: Client, number: WhatsAppConnection, settings: Any) -> None:
    settings.CAMPAIGN_WARM_UP = [(1, 50), (8, 250), (31, None)]
    shown = page_of(page, number)
    assert "0 / 50" in shown
    assert "250" in shown


def test_without_a_choice_none_is_offered(page: Client, number: WhatsAppConnection) -> None:
    shown = page_of(page, number)
    assert "release_campaigns" not in shown
    assert "drop_waiting" not in shown


def test_stopped_campaigns_say_why_and_are_let_go_on(page: Client, number: WhatsAppConnection) -> None:
    WhatsAppConnection.objects.update(campaigns_held_at=ClockNow(), campaigns_held_for=HeldFor.REFUSED)
    number.refresh_from_db()
    shown = page_of(page, number)
    assert str(number.get_campaigns_held_for_display()) in shown
    assert "release_campaigns" in shown
    act(page, number, "release_campaigns")
    number.refresh_from_db()
    assert number.campaigns_held_at is None


@pytest.mark.parametrize(
    ("action", "fields", "status"),
    [
        ("send_waiting", {}, "queued"),
        ("reschedule_waiting", {"at_0": "2000-01-01", "at_1": "08:00"}, None),
        ("drop_waiting", {}, "cancelled"),
    ],
)
def test_what_waits_is_chosen_for(
    page: Client, waiting: Message, number: WhatsAppConnection, action: str, fields: dict[str, str], status: str | None
) -> None:
    assert action in page_of(page, number)
    assert act(page, number, action, **fields).status_code == 302
    waiting.refresh_from_db()
    if status is None:
        assert waiting.due_at is None
    else:
        assert waiting.status == status
        assert (waiting.due_at is not None) == (status == "queued")


def test_a_day_that_has_not_come_is_no_day_of_use(page: Client, number: WhatsAppConnection) -> None:
    address = reverse("admin:units_whatsappconnection_change", args=[number.pk])
    form = {"interval_seconds": "2", "jitter_seconds": "0", "window_days": ["1"], "in_use_since": "2999-01-01"}
    assert page.post(address, form).status_code == 200
    number.refresh_from_db()
    assert number.in_use_since is None


def test_before_it_is_disconnected_what_stops_is_counted(page: Client, rows: Rows, waiting: Message) -> None:
    Campaign.objects.update(status="processing")
    asked = page.get(
        reverse("admin:units_whatsappconnection_disconnect", args=[rows.unit.connection.pk]),
        headers={"accept-language": "pt-BR"},
    ).content.decode()
    assert "1 campanha pausa." in asked
    assert "1 resposta espera." in asked
