"""Who sees what of a number that is not connected, and where the log-in leads then."""

from typing import Any

import pytest
from django.test import Client
from pytest_httpserver import HTTPServer

from tests.console.helpers import HTMX, at
from tests.console.test_connection import QR, C, S, becomes
from tests.factories import CONNECTED
from units.models import Role, Unit, User, WhatsAppConnection
from units.services import create_unit


@pytest.fixture
def agent(client: Client, unit: Unit) -> Client:
    user = User.objects.create_user("bia@example.com", "correct horse battery", first_name="Bia")
    unit.memberships.create(user=user, role=Role.AGENT)
    client.force_login(user)
    return client


@pytest.mark.parametrize("status", [S.DISCONNECTED, S.PREPARING, S.AWAITING_SCAN])
def test_who_may_not_connect_is_told_whom_to_ask_and_gets_no_code(agent: Client, unit: Unit, status: str) -> None:
    becomes(unit, status=status, qr_code=QR, pairing_code="K7QM4TXA")
    for path in ("number", "number/panel"):
        page = agent.get(at(unit, path)).text
        assert 'data-scene="ask"' in page
        assert "Ana" in page
        assert QR not in page
        assert "K7QM" not in page


def test_a_number_of_another_unit_gets_no_pairing_code(browser_client: Client, unit: Unit, http: HTTPServer) -> None:
    other = create_unit("Outra")
    WhatsAppConnection.objects.filter(unit=other).update(status=S.CONNECTED, phone_number="+5511900000142")
    becomes(unit, status=S.DISCONNECTED)
    answer = browser_client.post(at(unit, "number/connect"), {"phone_number": "(11) 90000-0142"}, headers=HTMX)
    assert "id_phone_number_error" in answer.text
    assert "Outra" not in answer.text
    assert not http.log


def test_a_number_that_two_units_have_is_told(browser_client: Client, unit: Unit) -> None:
    assert "banner warn" not in browser_client.get(at(unit, "number")).text
    WhatsAppConnection.objects.filter(unit=create_unit("Outra")).update(**CONNECTED)
    assert "banner warn" in browser_client.get(at(unit, "number")).text


@pytest.mark.parametrize(
    ("fields", "leads_to"),
    [
        ({"status": S.DISCONNECTED}, "number"),
        ({"status": S.DISCONNECTED, "cause": C.LOGGED_OUT, "phone_number": "+5511900000142"}, "number"),
        ({"status": S.DISCONNECTED, "cause": C.GATEWAY_DOWN, "phone_number": "+5511900000142"}, ""),
        ({"status": S.CONNECTED, "phone_number": "+5511900000142"}, ""),
    ],
)
def test_the_log_in_leads_to_a_number_that_waits_for_a_person(
    browser_client: Client, unit: Unit, fields: dict[str, Any], leads_to: str
) -> None:
    becomes(unit, **fields)
    assert browser_client.get("/app/").headers["Location"] == at(unit, leads_to)


def test_an_agent_is_led_to_the_conversations_all_the_same(agent: Client, unit: Unit) -> None:
    becomes(unit, status=S.DISCONNECTED, cause=C.LOGGED_OUT, phone_number="+5511900000142")
    assert agent.get("/app/").headers["Location"] == at(unit)


def test_what_is_set_of_a_number_waits_until_there_is_one(browser_client: Client, unit: Unit) -> None:
    becomes(unit, status=S.DISCONNECTED)
    assert 'id="pace"' not in browser_client.get(at(unit, "number")).text
