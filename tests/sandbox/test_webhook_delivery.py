"""Evolution's webhook delivery: what counts as delivered, what is tried again, and how the request looks."""

import base64
import json
import statistics
import time

import pytest

from sandbox.webhooks import retry_delay
from tests.sandbox import recordings
from tests.sandbox.conftest import Evolution, Receiver
from tests.sandbox_process import Sandbox
from tests.stack import wait_for

# Attempts that each status got within 16 s, with pauses of 5 and 10 s: 1 means never again.
RECORDED = json.loads((recordings.ROOT / "webhooks" / "retry-schedule.json").read_text())[
    "attempts_within_16_s_by_status"
]
REDIRECTS = {"301", "302", "303"}


def _created(sandbox: Sandbox, evolution: Evolution, **webhook: object) -> str:
    """A new instance whose webhook hears only what the test emits by hand."""
    name, _ = evolution.create(webhook={"events": ["CALL"], **webhook})
    return name


@pytest.mark.parametrize("status", sorted(set(RECORDED) - REDIRECTS - {"204"}))
def test_a_status_is_retried_or_final_as_recorded(
    sandbox: Sandbox, evolution: Evolution, receiver: Receiver, status: str
) -> None:
    name = _created(sandbox, evolution, url=f"{receiver.url}/status/{status}")
    sandbox.raw(name, "call", {})
    receiver.wait("/status", 1 if RECORDED[status] == 1 else 2)
    time.sleep(0.35 if RECORDED[status] == 1 else 0)
    assert (len(receiver.arrivals) > 1) == (RECORDED[status] > 1)


@pytest.mark.parametrize("status", ["301", "302", "303"])
def test_a_redirect_loses_the_body_and_counts_as_delivered(
    sandbox: Sandbox, evolution: Evolution, receiver: Receiver, status: str
) -> None:
    name = _created(sandbox, evolution, url=f"{receiver.url}/x/status/{status}")
    sandbox.raw(name, "call", {})
    landed = receiver.wait("/landed")[0]
    assert (landed.method, landed.body) == ("GET", None)
    time.sleep(0.35)
    assert len(receiver.arrivals) == 2


@pytest.mark.parametrize("status", ["307", "308"])
def test_a_redirect_that_keeps_the_method_keeps_the_body(
    sandbox: Sandbox, evolution: Evolution, receiver: Receiver, status: str
) -> None:
    name = _created(sandbox, evolution, url=f"{receiver.url}/x/status/{status}")
    sandbox.raw(name, "call", {"id": "A"})
    landed = receiver.wait("/landed")[0]
    assert (landed.method, landed.body["data"]) == ("POST", {"id": "A"})


def test_the_last_attempt_is_the_last(sandbox: Sandbox, evolution: Evolution, receiver: Receiver) -> None:
    name = _created(sandbox, evolution, url=f"{receiver.url}/status/500")
    sandbox.raw(name, "call", {})
    receiver.wait("/status", 4, seconds=8)
    gaps = [later.at - earlier.at for earlier, later in zip(receiver.arrivals, receiver.arrivals[1:], strict=False)]
    assert all(gap >= 0.2 for gap in gaps)  # never below the base
    assert gaps[2] > gaps[0]
    # It is written down once it is answered.
    wait_for(lambda: [entry["final"] for entry in sandbox.deliveries(instance=name)][-1], what="the last to be final")


def test_a_slow_receiver_gets_the_same_event_again(sandbox: Sandbox, evolution: Evolution, receiver: Receiver) -> None:
    name = _created(sandbox, evolution, url=f"{receiver.url}/slow")
    sandbox.raw(name, "call", {"id": "A"})
    first, second = receiver.wait("/slow", 2)[:2]
    assert first.body == second.body
    assert sandbox.deliveries(instance=name)[0]["error"] == "timeout"


def test_a_receiver_that_is_down_gets_the_event_when_it_is_back(sandbox: Sandbox, evolution: Evolution) -> None:
    gone = Receiver()
    gone.stop()
    name = _created(sandbox, evolution, url=f"{gone.url}/x")
    sandbox.raw(name, "call", {})
    time.sleep(0.1)
    assert sandbox.deliveries(instance=name)[0]["error"] == "ConnectError"
    back = Receiver(gone.port)
    try:
        assert back.wait("/x")
    finally:
        back.stop()


def test_default_pauses_are_the_recorded_ones() -> None:
    pauses = [[retry_delay(attempt, 5, 300) for _ in range(200)] for attempt in range(1, 10)]
    means = [statistics.mean(sample) for sample in pauses]
    assert min(pauses[0]) >= 5
    assert means[1] == pytest.approx(10, rel=0.1)
    assert means[3] == pytest.approx(40, rel=0.1)
    assert max(pauses[8]) <= 360


def test_an_event_that_is_not_subscribed_stays_away(sandbox: Sandbox, evolution: Evolution, receiver: Receiver) -> None:
    name = _created(sandbox, evolution, url=f"{receiver.url}/x")
    sandbox.raw(name, "messages.upsert", {})
    sandbox.raw(name, "call", {})
    receiver.wait("/x")
    time.sleep(0.05)
    assert [arrival.body["event"] for arrival in receiver.arrivals] == ["call"]


@pytest.mark.parametrize("recording", ["by-events-instance.create", "by-events-url-with-trailing-slash"])
def test_by_events_puts_the_event_in_the_path(
    sandbox: Sandbox, evolution: Evolution, receiver: Receiver, recording: str
) -> None:
    recorded = json.loads((recordings.ROOT / "webhooks" / f"{recording}.json").read_text())
    path = recorded["body"]["destination"].partition("8792")[2]
    name, _ = evolution.create(webhook={"url": receiver.url + path, "events": [], "byEvents": True})
    sandbox.raw(name, recorded["body"]["event"], {})
    arrival = receiver.wait(recorded["path"])[0]
    assert arrival.body["destination"] == receiver.url + path


def test_custom_headers_are_sent_and_jwt_key_becomes_a_token(
    sandbox: Sandbox, evolution: Evolution, receiver: Receiver
) -> None:
    name = _created(sandbox, evolution, url=f"{receiver.url}/x", headers={"jwt_key": "secret", "X-Tenant": "t1"})
    sandbox.raw(name, "call", {})
    headers = receiver.wait("/x")[0].headers
    claims = headers["Authorization"].removeprefix("Bearer ").split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (headers["X-Tenant"], decoded["app"], decoded["exp"] - decoded["iat"]) == ("t1", "evolution", 600)
    assert "jwt_key" not in headers


def test_the_sender_is_absent_until_the_first_open(sandbox: Sandbox, evolution: Evolution, receiver: Receiver) -> None:
    name, _ = evolution.create(qrcode=True, webhook=receiver.hook())
    assert "sender" not in receiver.event(name, "qrcode.updated")
    sandbox.scan(name)
    sandbox.raw(name, "call", {})
    assert receiver.event(name, "call")["sender"] == "5511900000009@s.whatsapp.net"


def test_the_global_webhook_gets_everything_without_custom_headers(receiver: Receiver) -> None:
    with Sandbox(SANDBOX_GLOBAL_WEBHOOK_URL=f"{receiver.url}/global") as sandbox:
        body = {"instanceName": "loja", "integration": "WHATSAPP-BAILEYS"}
        sandbox.evolution("POST", "/instance/create", body)
        arrival = receiver.wait("/global")[0]
    assert arrival.path == "/global"
    assert arrival.body["destination"] == f"{receiver.url}/global/instance-create"


def test_a_burst_is_delivered_whole(sandbox: Sandbox, evolution: Evolution, receiver: Receiver) -> None:
    name = evolution.open(webhook=receiver.hook("burst", "MESSAGES_UPSERT"))
    ids = [sandbox.inbound(name, "5511977776666", str(position)) for position in range(30)]
    arrived = [arrival.body["data"]["key"]["id"] for arrival in receiver.wait("/burst", 30)]
    assert sorted(arrived) == sorted(ids)
