"""Connecting and disconnecting, with the sandbox as the gateway and its webhooks handed in by the test."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from crm_whatsapp.db import ClockNow
from tests.factories import hook, webhook
from tests.sandbox_process import Sandbox
from units.gateways.errors import GatewayError
from units.gateways.evolution import EvolutionService
from units.models import ConnectionStatus, DisconnectCause, LiveEvent, Unit, WhatsAppConnection
from units.services import ConnectionService, reconcile_due
from webhooks.drain import drain

pytestmark = pytest.mark.django_db(transaction=True)

St = ConnectionStatus


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SANDBOX_QR_SECONDS="2") as running:
        yield running


@pytest.fixture(autouse=True)
def _gateway(sandbox: Sandbox, settings: Any) -> Iterator[None]:
    settings.EVOLUTION_URL, settings.EVOLUTION_API_KEY = sandbox.url, sandbox.api_key
    yield
    sandbox.reset()


@pytest.fixture
def line(unit: Unit) -> ConnectionService:
    """The unit's number, never connected so far."""
    WhatsAppConnection.objects.update(status=St.DISCONNECTED, phone_number="", profile_name="")
    return ConnectionService(unit)


def state(connection: WhatsAppConnection) -> tuple[str, str]:
    connection.refresh_from_db()
    return connection.status, connection.cause


def tell(connection: WhatsAppConnection, name: str, **data: Any) -> None:
    """The gateway posts a recorded webhook, and it is handled."""
    body = webhook(name, connection, **data)
    assert Client().post(hook(connection), json.dumps(body), content_type="application/json").status_code == 200
    drain(seconds=5)


def pair(sandbox: Sandbox, line: ConnectionService) -> None:
    line.connect()
    sandbox.scan(line.gateway.instance_name)
    line.refresh()


def test_connect_answers_with_a_code_to_scan(line: ConnectionService) -> None:
    connection = line.connect()
    assert connection.status == St.AWAITING_SCAN
    assert connection.qr_code.startswith("data:image/png;base64,")
    assert connection.qr_expires_at is not None


def test_connect_with_a_number_gives_a_pairing_code_too(line: ConnectionService) -> None:
    assert len(line.connect(phone_number="+55 11 90000-0009").pairing_code) == 8


def test_a_number_gets_its_pairing_code_also_while_a_qr_code_shows(
    line: ConnectionService, connection: WhatsAppConnection
) -> None:
    line.connect()
    assert len(line.connect(phone_number="+55 11 90000-0009").pairing_code) == 8
    # What the gateway says of the instance that made way comes afterwards.
    tell(connection, "baileys-connection.update-logged-out-by-whatsapp-401")
    assert state(connection) == (St.AWAITING_SCAN, "")


def test_connecting_twice_is_one_instance_and_one_webhook_address(line: ConnectionService) -> None:
    line.connect()
    before = line.gateway.find_webhook()
    line.connect()
    assert line.gateway.find_webhook() == before


def test_connecting_while_connected_changes_nothing(sandbox: Sandbox, line: ConnectionService) -> None:
    pair(sandbox, line)
    assert line.connect().status == St.CONNECTED


def test_the_reconciliation_finds_out_what_a_lost_webhook_would_have_told(
    sandbox: Sandbox, line: ConnectionService, connection: WhatsAppConnection
) -> None:
    line.connect()
    sandbox.scan(connection.instance_name, number="5511900000142", profile_name="Ótica Aurora")
    WhatsAppConnection.objects.update(check_due_at=ClockNow())
    reconcile_due()
    assert state(connection) == (St.CONNECTED, "")
    assert (connection.phone_number, connection.profile_name) == ("+5511900000142", "Ótica Aurora")


def test_a_new_code_replaces_the_one_before(line: ConnectionService, connection: WhatsAppConnection) -> None:
    line.connect()
    tell(connection, "baileys-qrcode.updated")
    connection.refresh_from_db()
    assert connection.qr_code == webhook("baileys-qrcode.updated", connection)["data"]["qrcode"]["base64"]


def test_codes_that_nobody_scanned_end_in_a_sentence(line: ConnectionService, connection: WhatsAppConnection) -> None:
    line.connect()
    tell(connection, "baileys-qrcode.updated-limit-reached")
    assert state(connection) == (St.DISCONNECTED, DisconnectCause.QR_EXPIRED)
    assert connection.qr_code == ""


def test_open_shows_at_once_and_a_late_connecting_does_not_undo_it(
    sandbox: Sandbox, line: ConnectionService, connection: WhatsAppConnection
) -> None:
    pair(sandbox, line)
    tell(connection, "baileys-connection.update-connecting")
    assert state(connection)[0] == St.CONNECTED
    reconcile_due()
    assert state(connection)[0] == St.CONNECTED


def test_a_logout_on_the_phone_says_so_and_the_number_connects_again(
    sandbox: Sandbox, line: ConnectionService, connection: WhatsAppConnection
) -> None:
    pair(sandbox, line)
    sandbox.logout(connection.instance_name)
    tell(connection, "baileys-connection.update-logged-out-by-whatsapp-401")
    assert state(connection) == (St.DISCONNECTED, DisconnectCause.LOGGED_OUT)
    pair(sandbox, line)
    assert state(connection)[0] == St.CONNECTED


def test_our_disconnect_deletes_the_instance_and_the_next_connect_makes_it_anew(
    sandbox: Sandbox, line: ConnectionService, connection: WhatsAppConnection
) -> None:
    pair(sandbox, line)
    line.disconnect()
    assert state(connection) == (St.DISCONNECTED, DisconnectCause.BY_US)
    assert connection.instance_name not in sandbox.instances()
    # What the gateway says of it afterwards is old.
    tell(connection, "baileys-connection.update-open")
    assert state(connection)[0] == St.DISCONNECTED
    pair(sandbox, line)
    assert state(connection)[0] == St.CONNECTED
    # Inbound is alive, which after a mere logout it would not be.
    assert sandbox.instances()[connection.instance_name]["inbound_dead"] is False


def test_a_number_whose_instance_is_gone_is_disconnected(
    sandbox: Sandbox, line: ConnectionService, connection: WhatsAppConnection
) -> None:
    pair(sandbox, line)
    sandbox.reset()
    line.refresh()
    assert state(connection) == (St.DISCONNECTED, DisconnectCause.INSTANCE_MISSING)


def test_whatsapp_out_of_reach_is_connecting_and_comes_back(
    sandbox: Sandbox, line: ConnectionService, connection: WhatsAppConnection
) -> None:
    pair(sandbox, line)
    sandbox.offline(connection.instance_name)
    tell(connection, "baileys-connection.update-connecting")
    line.refresh()
    assert state(connection)[0] == St.CONNECTING
    sandbox.online(connection.instance_name)
    for _ in range(20):
        if line.refresh().status == St.CONNECTED:
            break
    assert state(connection)[0] == St.CONNECTED


@pytest.mark.parametrize("mode", ["license_required", "down"])
def test_a_gateway_that_does_not_answer_is_a_cause_to_show(
    sandbox: Sandbox, line: ConnectionService, connection: WhatsAppConnection, mode: str
) -> None:
    sandbox.server(mode)
    with pytest.raises(GatewayError):
        line.connect()
    assert state(connection) == (St.DISCONNECTED, DisconnectCause.GATEWAY_DOWN)
    sandbox.server("up")
    assert line.connect().status == St.AWAITING_SCAN


def test_a_wrong_key_is_named(line: ConnectionService, settings: Any) -> None:
    settings.EVOLUTION_API_KEY = "wrong"
    with pytest.raises(GatewayError) as refused:
        ConnectionService(line.unit).connect()
    assert refused.value.code == "wrong_key"


def test_a_connected_number_stays_so_while_the_gateway_is_silent(
    sandbox: Sandbox, line: ConnectionService, connection: WhatsAppConnection, settings: Any
) -> None:
    pair(sandbox, line)
    settings.EVOLUTION_URL = "http://127.0.0.1:9"
    ConnectionService(line.unit).refresh()
    assert state(connection) == (St.CONNECTED, DisconnectCause.GATEWAY_DOWN)
    line.refresh()
    assert state(connection) == (St.CONNECTED, "")


def test_every_step_is_told_to_whoever_watches(sandbox: Sandbox, line: ConnectionService) -> None:
    pair(sandbox, line)
    told = list(LiveEvent.objects.order_by("seq").values_list("data__status", flat=True))
    assert told == ["preparing", "awaiting_scan", "connected"]


def test_a_gateway_service_never_shows_its_key() -> None:  # I8
    assert "sandbox-key" not in repr(EvolutionService("unit_1", api_key="sandbox-key"))
