"""Each failure on purpose: what the caller sees, and whether the message reached WhatsApp."""

import time
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Evolution, Receiver
from tests.sandbox_process import Sandbox


def _send(sandbox: Sandbox, name: str, timeout: float = 5, **more: Any) -> httpx.Response:
    body = {"number": "5511999991234", "text": "oi", **more}
    url = f"{sandbox.url}/message/sendText/{name}"
    return httpx.post(url, json=body, headers={"apikey": sandbox.api_key}, timeout=timeout, trust_env=False)


@pytest.mark.parametrize(
    ("kind", "status", "sent"),
    [
        ("not_on_whatsapp", 400, 0),
        ("error_500", 500, 0),
        ("number_check_timeout", 500, 0),
        ("license_required", 503, 0),
        ("error_500_after_send", 500, 1),
        ("nacked", 201, 1),
        ("slow", 201, 1),
    ],
)
def test_a_fault_answers_and_sends_as_its_name_says(
    sandbox: Sandbox, evolution: Evolution, kind: str, status: int, sent: int
) -> None:
    name = evolution.open()
    sandbox.fail(name, kind, seconds=0.1)
    assert _send(sandbox, name).status_code == status
    assert len(sandbox.sent(name)) == sent
    assert _send(sandbox, name).status_code == 201  # used up


@pytest.mark.parametrize(("kind", "sent"), [("reset_before_send", 0), ("reset_after_send", 1)])
def test_a_reset_leaves_no_answer(sandbox: Sandbox, evolution: Evolution, kind: str, sent: int) -> None:
    name = evolution.open()
    sandbox.fail(name, kind)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        _send(sandbox, name)
    assert len(sandbox.sent(name)) == sent


def test_a_time_out_happens_after_the_message_has_left(sandbox: Sandbox, evolution: Evolution) -> None:
    name = evolution.open()
    sandbox.fail(name, "timeout_after_send")
    with pytest.raises(httpx.ReadTimeout):
        _send(sandbox, name, timeout=0.5)
    assert [message["text"] for message in sandbox.sent(name)] == ["oi"]


def test_faults_are_used_one_per_send_in_order(sandbox: Sandbox, evolution: Evolution) -> None:
    name = evolution.open()
    sandbox.fail(name, "error_500", count=2)
    sandbox.fail(name, "license_required")
    assert [_send(sandbox, name).status_code for _ in range(4)] == [500, 500, 503, 201]


def test_a_refused_send_does_not_use_a_fault_up(sandbox: Sandbox, evolution: Evolution) -> None:
    name = evolution.open()
    sandbox.fail(name, "error_500")
    _send(sandbox, name, text=" ")
    assert sandbox.instances()[name]["faults"] == {"error_500": 1}
    sandbox.fail(name, "error_500", count=0)
    assert sandbox.instances()[name]["faults"] == {}


def test_a_nacked_message_ends_in_error(sandbox: Sandbox, evolution: Evolution, receiver: Receiver) -> None:
    name = evolution.open(webhook=receiver.hook())
    sandbox.fail(name, "nacked")
    _send(sandbox, name)
    assert receiver.event(name, "messages.update")["data"]["status"] == "ERROR"


def test_a_repeated_send_goes_out_twice(sandbox: Sandbox, evolution: Evolution) -> None:
    name = evolution.open()
    first, second = (_send(sandbox, name, messageId="MEUID").json()["key"]["id"] for _ in range(2))
    assert [message["id"] for message in sandbox.sent(name)] == [first, second]
    assert first != second


def test_the_gap_between_sends_can_be_measured(sandbox: Sandbox, evolution: Evolution) -> None:
    name = evolution.open()
    _send(sandbox, name)
    time.sleep(0.2)
    _send(sandbox, name)
    first, second = sandbox.sent(name)
    assert 0.2 <= second["at"] - first["at"] < 1


def test_a_delay_keeps_the_call_open(sandbox: Sandbox, evolution: Evolution) -> None:
    name = evolution.open()
    before = time.monotonic()
    assert _send(sandbox, name, delay=300).status_code == 201
    assert time.monotonic() - before >= 0.3


def test_a_caller_that_hangs_up_does_not_stop_the_message(sandbox: Sandbox, evolution: Evolution) -> None:
    name = evolution.open()
    with pytest.raises(httpx.ReadTimeout):
        _send(sandbox, name, timeout=0.1, delay=300)
    time.sleep(0.5)
    assert len(sandbox.sent(name)) == 1


def test_a_number_can_be_taken_off_whatsapp(sandbox: Sandbox, evolution: Evolution) -> None:
    name = evolution.open()
    sandbox.absent("55 11 98123-4567")
    assert _send(sandbox, name, number="5511981234567").status_code == 400


def test_the_whole_server_can_be_down_or_without_licence() -> None:
    with Sandbox() as sandbox:
        sandbox.server("down")
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            sandbox.evolution("GET", "/")
        sandbox.server("license_required")
        assert sandbox.evolution("GET", "/instance/fetchInstances").json()["code"] == "LICENSE_REQUIRED"
        sandbox.server("up")
        assert sandbox.evolution("GET", "/").status_code == 200
