"""The connection page: one scene for each state."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_httpserver import HTTPServer

from tests import factories
from tests.console.helpers import HTMX, at
from units.models import ConnectionStatus, DisconnectCause, Unit, WhatsAppConnection

S, C = ConnectionStatus, DisconnectCause
QR = "data:image/png;base64,iVBORw0KGgo="


def becomes(unit: Unit, **fields: Any) -> None:
    WhatsAppConnection.objects.filter(unit=unit).update(**{"phone_number": ""} | fields)


@pytest.mark.parametrize(
    ("fields", "scene", "words"),
    [
        ({"status": S.DISCONNECTED}, "start", "Conectar"),
        ({"status": S.PREPARING}, "preparing", "O código está sendo preparado"),
        ({"status": S.AWAITING_SCAN, "qr_code": QR}, "scan", QR),
        ({"status": S.AWAITING_SCAN, "qr_code": ""}, "expired", "Gerar novo código"),
        ({"status": S.CONNECTING, "qr_code": QR}, "connecting", "Falta pouco"),
        ({"status": S.CONNECTING, "phone_number": "+5511900000142"}, "connecting", "O número está voltando"),
        ({"status": S.CONNECTING, "cause": C.UNREACHABLE}, "connecting", "O WhatsApp não responde"),
        ({"status": S.CONNECTED, "phone_number": "+5511900000142"}, "connected", "(11) 90000-0142"),
        ({"status": S.DISCONNECTING}, "disconnecting", "sendo desconectado"),
        ({"status": S.DISCONNECTED, "cause": C.QR_EXPIRED}, "expired", "Ninguém leu o código"),
        ({"status": S.DISCONNECTED, "cause": C.LOGGED_OUT}, "disconnected", "Alguém tirou este aparelho"),
        ({"status": S.DISCONNECTED, "cause": C.GATEWAY_DOWN}, "disconnected", "Não é o seu celular"),
        ({"status": S.DISCONNECTED, "cause": C.INSTANCE_MISSING}, "disconnected", "perdeu este número"),
        ({"status": S.DISCONNECTED, "cause": C.UNREACHABLE}, "disconnected", "O WhatsApp não responde"),
        (
            {"status": S.DISCONNECTED, "cause": C.BY_US, "phone_number": "+5511900000142"},
            "disconnected",
            "Conectar de novo",
        ),
    ],
)
def test_each_state_has_its_scene(
    browser_client: Client, unit: Unit, fields: dict[str, Any], scene: str, words: str
) -> None:
    becomes(unit, **fields)
    page = browser_client.get(at(unit, "number")).text
    assert f'data-scene="{scene}"' in page
    assert words in page


def test_an_old_code_is_hidden_behind_a_new_one(browser_client: Client, unit: Unit) -> None:
    becomes(unit, status=S.AWAITING_SCAN, qr_code=QR, qr_expires_at=timezone.now() - timedelta(seconds=1))
    page = browser_client.get(at(unit, "number/panel")).text
    assert QR not in page
    assert "Gerar novo código" in page


def test_the_pairing_code_is_shown_in_two_halves(browser_client: Client, unit: Unit) -> None:
    becomes(unit, status=S.AWAITING_SCAN, qr_code=QR, pairing_code="K7QM4TXA")
    assert "K7QM–4TXA" in browser_client.get(at(unit, "number")).text


def test_a_server_that_is_down_is_told_in_a_sentence(browser_client: Client, unit: Unit, settings: Any) -> None:
    settings.EVOLUTION_URL = "http://127.0.0.1:9"  # the discard port: nobody listens
    becomes(unit, status=S.DISCONNECTED)
    answer = browser_client.post(at(unit, "number/connect"), headers=HTMX)
    assert "O servidor do WhatsApp não respondeu. Não é o seu celular." in answer.text
    assert "Tentar agora" in answer.text


def test_a_wrong_number_for_the_pairing_code_asks_nobody(browser_client: Client, unit: Unit, http: HTTPServer) -> None:
    becomes(unit, status=S.DISCONNECTED)
    answer = browser_client.post(at(unit, "number/connect"), {"phone_number": "banana"}, headers=HTMX)
    assert "Isto não é um telefone" in answer.text
    assert not http.log


def test_disconnecting_says_first_what_will_wait(browser_client: Client, unit: Unit) -> None:
    factories.reply(unit)
    factories.campaign(unit)
    dialog = browser_client.get(at(unit, "number/disconnect"), headers=HTMX).text
    assert "<dialog" in dialog
    assert "1 campanha pausa. 1 resposta espera." in dialog


def test_a_failed_disconnect_stays_in_the_dialog(browser_client: Client, unit: Unit, settings: Any) -> None:
    settings.EVOLUTION_URL = "http://127.0.0.1:9"
    answer = browser_client.post(at(unit, "number/disconnect"), headers=HTMX)
    assert 'role="alert"' in answer.text


def test_the_header_names_the_state_on_every_page(browser_client: Client, unit: Unit) -> None:
    becomes(unit, status=S.AWAITING_SCAN, qr_code=QR)
    assert "Aguardando leitura" in browser_client.get(at(unit, "number/state")).text
