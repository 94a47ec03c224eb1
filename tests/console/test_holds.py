"""What the number's page says, and offers, when campaigns have stopped or messages wait for a choice."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from attention import episodes
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


def test_what_waited_is_sent_at_a_press(browser_client: Client, unit: Unit, waiting: Message) -> None:
    page = browser_client.post(at(unit, "number/waiting/send"), follow=True).text
    assert "number/waiting" not in page
    assert Message.objects.get().due_at is not None


@pytest.mark.parametrize("page", ["number", "attention"])
def test_what_waited_is_dropped_once_that_was_confirmed(
    browser_client: Client, unit: Unit, waiting: Message, page: str
) -> None:
    episodes.observe()
    dialog = at(unit, "number/waiting/drop")
    assert f'hx-get="{dialog}"' in browser_client.get(at(unit, page)).text
    assert "Descartar 1 mensagem?" in browser_client.get(dialog, headers=HTMX).text
    assert Message.objects.get().status == "queued"
    assert browser_client.post(dialog, headers=HTMX).headers["HX-Redirect"] == at(unit, "number")
    assert Message.objects.get().status == "cancelled"


def test_what_waited_is_put_off_to_a_time(browser_client: Client, unit: Unit, waiting: Message) -> None:
    dialog = at(unit, "number/waiting/later")
    assert dialog in browser_client.get(at(unit, "number")).text
    assert "<dialog" in browser_client.get(dialog, headers=HTMX).text
    moment = timezone.now().replace(second=0, microsecond=0) + timedelta(days=2)
    assert browser_client.post(dialog, {"at": local_input(moment)}).status_code == 303
    assert dialog not in browser_client.get(at(unit, "number")).text
    assert Message.objects.get().due_at == moment


@pytest.mark.parametrize("choice", ["later", "drop"])
def test_when_nothing_waits_any_more_the_page_of_the_number_says_so(
    browser_client: Client, unit: Unit, choice: str
) -> None:
    answer = browser_client.get(at(unit, f"number/waiting/{choice}"), headers=HTMX)
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


@pytest.mark.parametrize("path", ["release", "waiting/send", "waiting/later", "waiting/drop"])
def test_nobody_chooses_for_another_unit(client: Client, unit: Unit, stranger: User, path: str) -> None:  # I7
    client.force_login(stranger)
    assert client.post(at(unit, f"number/{path}")).status_code == 404
