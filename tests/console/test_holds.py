"""What the number's page says, and offers, when campaigns have stopped or messages wait for a choice."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from console.forms import local_input
from crm_whatsapp.db import ClockNow
from messaging.models import Message
from tests import factories
from tests.console.helpers import HTMX, at
from units.models import HeldFor, Unit, User, WhatsAppConnection

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(unit: Unit) -> Message:
    row = factories.reply(unit)
    Message.objects.update(due_at=None)
    return row


def test_stopped_campaigns_say_why_and_go_on_at_a_press(browser_client: Client, unit: Unit) -> None:
    WhatsAppConnection.objects.update(campaigns_held_at=ClockNow(), campaigns_held_for=HeldFor.NOT_ON_WHATSAPP)
    held = WhatsAppConnection.objects.get()
    assert str(held.get_campaigns_held_for_display()) in browser_client.get(at(unit, "number")).text
    page = browser_client.post(at(unit, "number/release"), follow=True).text
    assert "number/release" not in page
    assert WhatsAppConnection.objects.get().campaigns_held_at is None


@pytest.mark.parametrize(("action", "status"), [("send", "queued"), ("drop", "cancelled")])
def test_what_waited_is_sent_or_dropped_at_a_press(
    browser_client: Client, unit: Unit, waiting: Message, action: str, status: str
) -> None:
    assert "number/waiting" in browser_client.get(at(unit, "number")).text
    page = browser_client.post(at(unit, "number/waiting"), {"action": action}, follow=True).text
    assert "number/waiting" not in page
    assert Message.objects.get().status == status


def test_another_word_chooses_nothing(browser_client: Client, unit: Unit, waiting: Message) -> None:
    browser_client.post(at(unit, "number/waiting"), {"action": "burn"})
    assert Message.objects.get().due_at is None


def test_what_waited_is_put_off_to_a_time(browser_client: Client, unit: Unit, waiting: Message) -> None:
    dialog = at(unit, "number/waiting/later")
    assert dialog in browser_client.get(at(unit, "number")).text
    assert "<dialog" in browser_client.get(dialog, headers=HTMX).text
    moment = timezone.now().replace(second=0, microsecond=0) + timedelta(days=2)
    assert browser_client.post(dialog, {"at": local_input(moment)}).status_code == 303
    assert dialog not in browser_client.get(at(unit, "number")).text
    assert Message.objects.get().due_at == moment


def test_when_nothing_waits_any_more_the_page_of_the_number_says_so(browser_client: Client, unit: Unit) -> None:
    answer = browser_client.get(at(unit, "number/waiting/later"), headers=HTMX)
    assert answer.headers["HX-Redirect"] == at(unit, "number")


@pytest.mark.parametrize("days", [-1, 31])
def test_a_time_that_cannot_be_is_refused_beside_the_field(
    browser_client: Client, unit: Unit, waiting: Message, days: int
) -> None:
    moment = local_input(timezone.now() + timedelta(days=days))
    page = browser_client.post(at(unit, "number/waiting/later"), {"at": moment}).text
    assert 'id="id_at_error"' in page
    assert moment in page
    assert Message.objects.get().due_at is None


@pytest.mark.parametrize("path", ["number/release", "number/waiting", "number/waiting/later", "settings/number"])
def test_nobody_chooses_for_another_unit(client: Client, unit: Unit, stranger: User, path: str) -> None:  # I7
    client.force_login(stranger)
    assert client.post(at(unit, path), {"action": "drop"}).status_code == 404
