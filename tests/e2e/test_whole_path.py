"""Connect → QR → inbound → outbound → campaign: from outside, with every process running."""

from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.stack import Stack, wait_for

pytestmark = pytest.mark.xdist_group("whole-path")


@pytest.fixture(scope="module")
def connected(stack: Stack) -> Stack:
    """The stack, its number connected by scanning the code."""
    assert stack.get("/whatsapp/status")["status"] == "disconnected"
    answer = stack.post("/whatsapp/connect")
    assert answer["qr_code"].startswith("data:image/png;base64,")
    stack.sandbox.scan(stack.instance, number="5511900000142", profile_name="Ótica Aurora")
    wait_for(lambda: stack.get("/whatsapp/status")["status"] == "connected", what="the connection")
    return stack


def test_the_status_becomes_conectado_upon_the_scan(connected: Stack) -> None:
    status = connected.get("/whatsapp/status")
    assert (status["status_label"], status["phone_number"]) == ("Conectado", "+5511900000142")
    assert (status["profile_name"], status["qr_code"]) == ("Ótica Aurora", None)


def test_an_inbound_message_appears_in_the_chat(connected: Stack) -> None:
    connected.sandbox.inbound(connected.instance, "5511977770000", "Quanto custa?", "Maria")

    def arrived() -> list[dict[str, Any]]:
        rows = connected.get("/conversations")["results"]
        return [row for row in rows if row["contact"]["phone"] == "+5511977770000"]

    (conversation,) = wait_for(arrived, what="the conversation")
    assert conversation["contact"]["name"] == "Maria"
    assert conversation["unread_count"] == 1
    (message,) = connected.get(f"/conversations/{conversation['id']}/messages")["results"]
    assert (message["body"], message["direction"], message["status"]) == ("Quanto custa?", "inbound", "received")


def test_an_outbound_message_reaches_the_phone_and_its_receipts_come_back(connected: Stack) -> None:
    queued = connected.post("/whatsapp/messages", {"phone": "(11) 97777-6666", "text": "Bom dia, Maria!"})
    assert queued["status"] == "queued"
    wait_for(lambda: connected.sent("Bom dia, Maria!"), what="the message on the phone")
    message = wait_for(lambda: _with_status(connected, queued["id"], "sent"), what="sent")
    connected.sandbox.receipt(connected.instance, message["external_id"], "READ")
    wait_for(lambda: _with_status(connected, queued["id"], "read"), what="the receipt")
    assert len(connected.sent("Bom dia, Maria!")) == 1


def test_a_campaign_reaches_three_people_two_seconds_apart(connected: Stack) -> None:
    phones = ["+5511955550001", "+5511955550002", "+5511955550003"]
    campaign = connected.campaign(phones, "Lentes com 30%")
    wait_for(
        lambda: connected.get(f"/campaigns/{campaign}")["status"] == "completed", seconds=30, what="the campaign's end"
    )
    sent = connected.sent("Lentes com 30%")
    assert sorted(message["to"] for message in sent) == [f"{phone[1:]}@s.whatsapp.net" for phone in phones]
    gaps = [later["at"] - earlier["at"] for earlier, later in pairwise(sent)]
    assert min(gaps) >= 2.0  # I5
    statuses = {row["status"] for row in connected.get(f"/campaigns/{campaign}/recipients")["results"]}
    assert statuses == {"sent"}


def test_live_events_tell_of_a_message_and_resume_where_they_stopped(connected: Stack) -> None:
    url = f"{connected.live_url}/units/{connected.unit}/events"
    headers = {"Authorization": f"Bearer {connected.token}"}
    with httpx.stream("GET", url, headers=headers, timeout=20, trust_env=False) as stream:
        lines = stream.iter_lines()
        last_id = next(line for line in lines if line.startswith("id:")).removeprefix("id: ")
        connected.sandbox.inbound(connected.instance, "5511966665555", "Alô")
        assert next(line for line in lines if line == "event: message")
    # What came since is told to whoever asks for it, though nobody listened.
    with httpx.stream("GET", url, headers=headers | {"Last-Event-ID": last_id}, timeout=20, trust_env=False) as stream:
        assert next(line for line in stream.iter_lines() if line == "event: message")


def test_live_events_are_not_there_for_nobody(connected: Stack) -> None:  # I7
    url = f"{connected.live_url}/units/{connected.unit}/events"
    assert httpx.get(url, trust_env=False).status_code == 401


def test_no_secret_is_in_any_log(connected: Stack) -> None:  # I8
    webhook = connected.sandbox.evolution("GET", f"/webhook/find/{connected.instance}").json()["url"]
    secret = webhook.rpartition("/")[2]
    everything = "".join(connected.supervisor.log(name) for name in ("web", "worker", "pump", "live", "beat"))
    assert "request_finished" in everything
    assert len(secret) > 40
    for word in (secret, connected.token, connected.sandbox.api_key):
        assert word not in everything


def _with_status(stack: Stack, message_id: str, status: str) -> dict[str, Any] | None:
    message = stack.message(message_id)
    return message if message["status"] == status else None
