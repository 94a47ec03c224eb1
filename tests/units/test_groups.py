"""Groups of a number: wanted or not, here and at the gateway (the sandbox)."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_httpserver import HTTPServer

from tests.sandbox_process import Sandbox
from tests.units.recordings import answer_as_recorded, sent_json
from units.gateways.errors import GatewayError
from units.gateways.evolution import EvolutionService
from units.models import ConnectionStatus, Unit, User, WhatsAppConnection
from units.services import ConnectionService

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def server(sandbox: Sandbox, settings: Any) -> Iterator[Sandbox]:
    settings.EVOLUTION_URL, settings.EVOLUTION_API_KEY = sandbox.url, sandbox.api_key
    yield sandbox
    sandbox.reset()


@pytest.fixture
def line(unit: Unit, server: Sandbox) -> ConnectionService:
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED)
    return ConnectionService(unit)


def settings_of(unit: Unit, server: Sandbox) -> dict[str, Any]:
    """What the gateway does with the instance of the unit."""
    return server.evolution("GET", f"/settings/find/{unit.connection.instance_name}").json()


def test_only_the_switch_for_groups_is_changed(http: HTTPServer) -> None:
    answer_as_recorded(http, "settings-find")
    usual = answer_as_recorded(http, "settings-set-valid")["body"]
    EvolutionService("b1").set_groups_ignored(False)
    assert sent_json(http) == usual | {"groupsIgnore": False, "wavoipToken": ""}


def test_what_is_set_already_is_not_set_again(http: HTTPServer) -> None:
    answer_as_recorded(http, "settings-find")
    EvolutionService("b1").set_groups_ignored(True)
    assert len(http.log) == 1


@pytest.mark.parametrize("enabled", [True, False])
def test_a_new_instance_is_told(unit: Unit, line: ConnectionService, server: Sandbox, enabled: bool) -> None:
    line.show_groups(enabled)
    line.connect()
    assert settings_of(unit, server)["groupsIgnore"] is not enabled


def test_an_instance_that_is_there_is_told_at_once_and_keeps_its_other_settings(
    unit: Unit, line: ConnectionService, server: Sandbox
) -> None:
    line.connect()
    before = settings_of(unit, server)
    assert line.show_groups(True).groups_enabled
    assert settings_of(unit, server) == before | {"groupsIgnore": False}


def test_what_could_not_be_told_is_told_at_the_next_connect(
    unit: Unit, line: ConnectionService, server: Sandbox, settings: Any
) -> None:
    line.connect()
    url, settings.EVOLUTION_URL = settings.EVOLUTION_URL, "http://127.0.0.1:9"
    with pytest.raises(GatewayError):
        ConnectionService(unit).show_groups(True)
    assert WhatsAppConnection.objects.get().groups_enabled
    settings.EVOLUTION_URL = url
    ConnectionService(unit).connect()
    assert settings_of(unit, server)["groupsIgnore"] is False


def test_what_could_not_be_told_is_told_when_the_gateway_answers_again(
    unit: Unit, line: ConnectionService, server: Sandbox, settings: Any
) -> None:
    line.connect()
    server.scan(unit.connection.instance_name)
    line.refresh()
    url, settings.EVOLUTION_URL = settings.EVOLUTION_URL, "http://127.0.0.1:9"
    with pytest.raises(GatewayError):
        ConnectionService(unit).show_groups(True)
    settings.EVOLUTION_URL = url
    assert ConnectionService(unit).refresh().is_connected
    assert settings_of(unit, server)["groupsIgnore"] is False


def test_people_of_the_unit_switch_groups_on_and_off(
    browser_client: Client, unit: Unit, line: ConnectionService, server: Sandbox
) -> None:
    line.connect()
    address = f"/app/u/{unit.id}/number"
    page = browser_client.post(f"{address}/groups", {"groups_enabled": "on"}, follow=True)
    assert 'name="groups_enabled" aria-describedby="groups-help" checked' in page.text
    assert settings_of(unit, server)["groupsIgnore"] is False
    browser_client.post(f"{address}/groups", {})
    assert settings_of(unit, server)["groupsIgnore"] is True
    assert not WhatsAppConnection.objects.get().groups_enabled


def test_a_gateway_that_does_not_answer_is_told_to_people(browser_client: Client, unit: Unit, settings: Any) -> None:
    settings.EVOLUTION_URL = "http://127.0.0.1:9"
    page = browser_client.post(f"/app/u/{unit.id}/number/groups", {"groups_enabled": "on"})
    assert 'role="alert"' in page.text
    assert WhatsAppConnection.objects.get().groups_enabled


def test_nobody_switches_the_groups_of_another_unit(client: Client, unit: Unit, stranger: User) -> None:  # I7
    client.force_login(stranger)
    assert client.post(f"/app/u/{unit.id}/number/groups", {"groups_enabled": "on"}).status_code == 404
    assert not WhatsAppConnection.objects.get(unit=unit).groups_enabled


@pytest.mark.parametrize("is_up", [True, False])
def test_staff_switch_groups_in_the_admin(
    client: Client, unit: Unit, line: ConnectionService, server: Sandbox, settings: Any, is_up: bool
) -> None:
    client.force_login(User.objects.create_superuser("staff@example.com"))
    line.connect()
    url = settings.EVOLUTION_URL
    if not is_up:
        settings.EVOLUTION_URL = "http://127.0.0.1:9"
    form = {"interval_seconds": "2", "jitter_seconds": "0", "window_days": ["1", "5"], "groups_enabled": "on"}
    address = reverse("admin:units_whatsappconnection_change", args=[unit.connection.pk])
    page = client.post(address, form, follow=True)
    assert ("servidor" in page.text and "grupos" in page.text.lower()) or is_up
    assert WhatsAppConnection.objects.get().groups_enabled
    settings.EVOLUTION_URL = url
    assert settings_of(unit, server)["groupsIgnore"] is not is_up
