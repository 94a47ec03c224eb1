"""The number is connected, disconnected and gets a new webhook secret, at the gateway (the sandbox)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from crm_whatsapp.db import ClockNow
from tests.people.helpers import actions, as_user, colleague
from tests.sandbox_process import Sandbox
from units.models import ConnectionStatus, Role, Unit, WebhookSecret, WhatsAppConnection
from units.services import ConnectionService, create_unit
from units.webhook_secrets import secret_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def _gateway(sandbox: Sandbox, settings: Any) -> Iterator[None]:
    settings.EVOLUTION_URL, settings.EVOLUTION_API_KEY = sandbox.url, sandbox.api_key
    yield
    sandbox.reset()


@pytest.fixture
def line(unit: Unit) -> ConnectionService:
    """The number, set up at the gateway some time ago."""
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED)
    service = ConnectionService(unit)
    service.connect()
    age()
    return service


def age() -> None:
    WebhookSecret.objects.update(created_at=ClockNow() - timedelta(minutes=5))


def rotate(api: APIClient, unit: Unit) -> Any:
    return api.post(f"/units/{unit.id}/whatsapp/rotate-secret")


def registered(line: ConnectionService) -> str:
    webhook = line.gateway.find_webhook()
    assert webhook
    return secret_in(webhook.url)


def opens(secret: str) -> bool:
    answer = Client().post(f"/webhooks/whatsapp/evolution/{secret}", "{}", content_type="application/json")
    return answer.status_code == 200


def test_connecting_and_disconnecting_are_in_the_log(api: APIClient, unit: Unit) -> None:
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED)
    assert api.post(f"/units/{unit.id}/whatsapp/connect").status_code == 200
    assert api.post(f"/units/{unit.id}/whatsapp/disconnect").status_code == 200
    assert actions(unit) == ["number.connected", "number.disconnected"]


def test_a_new_secret_opens_and_the_one_before_goes_on_to(api: APIClient, unit: Unit, line: ConnectionService) -> None:
    before = registered(line)
    assert rotate(api, unit).status_code == 204
    now = registered(line)
    assert now != before
    assert opens(now)
    assert opens(before)
    assert actions(unit) == ["number.connected", "secret.rotated"]


def test_the_secret_before_the_last_opens_nothing(api: APIClient, unit: Unit, line: ConnectionService) -> None:
    first = registered(line)
    rotate(api, unit)
    second = registered(line)
    rotate(api, unit)
    assert not opens(first)
    assert opens(second)
    assert opens(registered(line))


def test_a_secret_that_the_gateway_never_took_pushes_none_out(
    api: APIClient, unit: Unit, line: ConnectionService
) -> None:
    before = registered(line)
    WebhookSecret.mint(line.unit.connection)
    age()
    newest = WebhookSecret.objects.order_by("-id").first()
    assert newest
    WebhookSecret.objects.filter(pk=newest.pk).update(created_at=ClockNow() - timedelta(minutes=4))
    assert rotate(api, unit).status_code == 204
    assert opens(before)
    assert opens(registered(line))


def test_nobody_renews_a_secret_while_another_is_on_its_way(
    api: APIClient, unit: Unit, line: ConnectionService
) -> None:
    before = registered(line)
    WebhookSecret.mint(line.unit.connection)
    answer = rotate(api, unit)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "renewed_just_now")
    assert registered(line) == before
    assert "secret.rotated" not in actions(unit)


def test_a_gateway_that_does_not_answer_changes_nothing(
    api: APIClient, unit: Unit, line: ConnectionService, settings: Any
) -> None:
    before = registered(line)
    real, settings.EVOLUTION_URL = settings.EVOLUTION_URL, "http://127.0.0.1:9"
    api.raise_request_exception = False
    assert rotate(api, unit).status_code == 502
    settings.EVOLUTION_URL = real
    assert registered(line) == before
    assert opens(before)
    assert WebhookSecret.objects.count() == 1


def test_a_number_that_was_never_connected_has_no_secret_to_renew(api: APIClient, unit: Unit) -> None:
    assert rotate(api, unit).status_code == 409
    assert not WebhookSecret.objects.exists()


def test_the_command_registers_what_is_set_up_anew(
    unit: Unit, line: ConnectionService, capsys: pytest.CaptureFixture[str]
) -> None:
    # Never connected: there is nothing to register.
    other = create_unit("Loja Norte")
    before = registered(line)
    call_command("renew_webhooks")
    assert capsys.readouterr().out == "1 webhooks are registered anew.\n"
    assert registered(line) != before
    assert opens(registered(line))
    assert opens(before)
    assert actions(unit)[-1] == "secret.rotated"
    assert not WebhookSecret.objects.filter(connection=other.connection).exists()


def test_the_command_renews_one_unit_alone(unit: Unit, line: ConnectionService) -> None:
    before, other = registered(line), create_unit("Loja Norte")
    call_command("renew_webhooks", "--unit", str(other.pk))
    assert registered(line) == before


def test_the_command_fails_when_a_gateway_does_not_answer(
    unit: Unit, line: ConnectionService, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    before, right = registered(line), settings.EVOLUTION_URL
    settings.EVOLUTION_URL = "http://127.0.0.1:9"  # the discard port: nobody listens
    with pytest.raises(CommandError, match="1 are as they were"):
        call_command("renew_webhooks")
    assert str(unit.pk) in capsys.readouterr().err
    settings.EVOLUTION_URL = right
    assert registered(line) == before
    assert opens(before)


def test_only_owners_renew_the_secret(unit: Unit, line: ConnectionService) -> None:
    before = registered(line)
    assert rotate(as_user(colleague(unit, Role.MANAGER).user), unit).status_code == 403
    assert registered(line) == before
