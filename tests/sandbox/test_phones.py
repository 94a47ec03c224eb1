"""What happens behind the gateway: pairing, losing WhatsApp, logging out, and the traps of logout and delete."""

import time

import httpx
import pytest

from sandbox.config import Config
from sandbox.numbers import create_jid, filed_as
from tests.sandbox import recordings
from tests.sandbox.conftest import Evolution, Receiver
from tests.sandbox.recordings import shape
from tests.sandbox_process import Sandbox


def _events(receiver: Receiver) -> list[str]:
    return [arrival.body["event"] for arrival in receiver.arrivals]


def test_deleting_an_open_instance_tells_everything(sandbox: Sandbox, evolution: Evolution, receiver: Receiver) -> None:
    name = evolution.open(webhook=receiver.hook())
    receiver.arrivals.clear()
    sandbox.evolution("DELETE", f"/instance/delete/{name}")
    told = {
        event: receiver.event(name, event)
        for event in ("logout.instance", "status.instance", "connection.update", "remove.instance", "instance.delete")
    }
    assert told["remove.instance"]["data"] is None


def test_messages_die_with_the_instance_but_the_wire_remembers(sandbox: Sandbox, evolution: Evolution) -> None:
    name = evolution.open()
    evolution.call("POST", f"/message/sendText/{name}", {"number": "5511999991234", "text": "oi"})
    evolution.call("DELETE", f"/instance/delete/{name}")
    deadline = time.monotonic() + 5
    while sandbox.evolution("GET", f"/instance/connectionState/{name}").status_code != 404:
        assert time.monotonic() < deadline
    assert [message["text"] for message in sandbox.sent(name)] == ["oi"]


def test_inbound_is_dead_after_an_api_logout_and_a_new_pairing(
    sandbox: Sandbox, evolution: Evolution, receiver: Receiver
) -> None:
    name = evolution.open(webhook=receiver.hook("trap", "MESSAGES_UPSERT", "SEND_MESSAGE"))
    assert evolution.call("DELETE", f"/instance/logout/{name}").status_code == 200
    evolution.call("GET", f"/instance/connect/{name}")
    sandbox.scan(name)
    lost = sandbox.inbound(name, "5511977776666", "alguém aí?")
    evolution.call("POST", f"/message/sendText/{name}", {"number": "5511977776666", "text": "saída funciona"})
    receiver.event(name, "send.message")
    assert _events(receiver) == ["send.message"]
    found = evolution.call("POST", f"/chat/findMessages/{name}", {"where": {"key": {"id": lost}}}).json()
    assert found == recordings.request("baileys-findMessages-inbound-lost-after-logout-and-repair")[1]["body"]


def test_inbound_survives_a_logout_on_the_phone(sandbox: Sandbox, evolution: Evolution, receiver: Receiver) -> None:
    name = evolution.open(webhook=receiver.hook())
    sandbox.logout(name)
    evolution.call("GET", f"/instance/connect/{name}")
    sandbox.scan(name)
    sandbox.inbound(name, "5511977776666", "oi")
    assert receiver.event(name, "messages.upsert")["data"]["message"] == {"conversation": "oi"}


def test_an_instance_made_anew_hears_again(sandbox: Sandbox, evolution: Evolution, receiver: Receiver) -> None:
    name = evolution.open()
    evolution.call("DELETE", f"/instance/logout/{name}")
    evolution.call("DELETE", f"/instance/delete/{name}")
    while sandbox.evolution("GET", f"/instance/connectionState/{name}").status_code != 404:
        time.sleep(0.02)
    body = {
        "instanceName": name,
        "integration": "WHATSAPP-BAILEYS",
        "qrcode": True,
        "webhook": receiver.hook(),
    }
    evolution.call("POST", "/instance/create", body)
    sandbox.scan(name)
    sandbox.inbound(name, "5511977776666", "oi")
    assert receiver.event(name, "messages.upsert")


def test_offline_floods_with_connecting_while_the_state_says_close(
    sandbox: Sandbox, evolution: Evolution, receiver: Receiver
) -> None:
    name = evolution.open(webhook=receiver.hook("flood", "CONNECTION_UPDATE"))
    receiver.wait("/flood", 3)  # connecting for the QR code, connecting and open after the scan
    receiver.arrivals.clear()
    sandbox.offline(name)
    states = {arrival.body["data"]["state"] for arrival in receiver.wait("/flood", 3)}
    assert states == {"connecting"}
    assert evolution.call("GET", f"/instance/connectionState/{name}").json()["instance"]["state"] == "close"
    known = evolution.call("POST", f"/message/sendText/{name}", {"number": "5511900009999", "text": "x"})
    assert (known.status_code, known.json()["response"]["message"]) == (500, "Connection Closed")
    sandbox.online(name)
    assert evolution.call("GET", f"/instance/connectionState/{name}").json()["instance"]["state"] == "open"


def test_what_customers_write_while_offline_arrives_afterwards(
    sandbox: Sandbox, evolution: Evolution, receiver: Receiver
) -> None:
    name = evolution.open(webhook=receiver.hook("late", "MESSAGES_UPSERT"))
    sandbox.offline(name)
    message_id = sandbox.inbound(name, "5511977776666", "oi")
    time.sleep(0.1)
    assert not receiver.at_path("/late")
    sandbox.online(name)
    assert receiver.wait("/late")[0].body["data"]["key"]["id"] == message_id


@pytest.mark.parametrize(
    ("method", "route", "recording"),
    [
        ("GET", "connect", "wa-unreachable-connect"),
        ("POST", "restart", "wa-unreachable-restart"),
        ("DELETE", "delete", "wa-unreachable-delete"),
    ],
)
def test_an_instance_that_cannot_reach_whatsapp_answers_as_recorded(
    sandbox: Sandbox, evolution: Evolution, method: str, route: str, recording: str
) -> None:
    name, _ = evolution.create()
    sandbox.offline(name)
    answer = evolution.call(method, f"/instance/{route}/{name}")
    recorded = recordings.request(recording)[1]
    assert (answer.status_code, answer.json()) == (recorded["status"], recorded["body"])


def test_qr_codes_end_at_the_limit(receiver: Receiver) -> None:
    with Sandbox(SANDBOX_QR_SECONDS="0.4", SANDBOX_QR_LIMIT="2") as sandbox:
        body = {"instanceName": "qr1", "integration": "WHATSAPP-BAILEYS", "webhook": receiver.hook()}
        sandbox.evolution("POST", "/instance/create", body)
        sandbox.evolution("GET", "/instance/connect/qr1")
        receiver.wait("/all", 6)  # created, connecting, two codes, the limit, refused
        bodies = {(arrival.body["event"], str(shape(arrival.body["data"]))) for arrival in receiver.arrivals}
        for recording in ("baileys-qrcode.updated-limit-reached", "baileys-connection.update-refused"):
            recorded = recordings.webhook(recording)
            assert (recorded["event"], str(shape(recorded["data"]))) in bodies
        assert sandbox.evolution("GET", "/instance/connect/qr1").json()["count"] == 1


def test_the_same_id_is_taken_once(sandbox: Sandbox, evolution: Evolution, receiver: Receiver) -> None:
    name = evolution.open(webhook=receiver.hook("once", "MESSAGES_UPSERT"))
    for _ in range(2):
        sandbox.inbound(name, "5511977776666", "oi", id="3A00000000000000T1")
    sandbox.inbound(name, "5511977776666", "fim")
    assert len(receiver.wait("/once", 2)) == 2
    time.sleep(0.05)
    assert len(receiver.arrivals) == 2


def test_two_units_that_write_to_each_other_share_the_id(
    sandbox: Sandbox, evolution: Evolution, receiver: Receiver
) -> None:
    one, _ = evolution.create(qrcode=True)
    other, _ = evolution.create(qrcode=True, webhook=receiver.hook())
    sandbox.scan(one, "5511900001111", "Loja Um")
    sandbox.scan(other, "5511900002222", "Loja Dois")
    body = {"number": "5511900002222", "text": "oi, vizinha"}
    sent = evolution.call("POST", f"/message/sendText/{one}", body).json()
    received = receiver.event(other, "messages.upsert")["data"]
    assert (received["key"]["id"], received["pushName"]) == (sent["key"]["id"], "Loja Um")


def test_reading_a_chat_sends_a_receipt_for_each_message(
    sandbox: Sandbox, evolution: Evolution, receiver: Receiver
) -> None:
    name = evolution.open(webhook=receiver.hook("read", "MESSAGES_UPDATE"))
    for text in "ab":
        evolution.call("POST", f"/message/sendText/{name}", {"number": "5511999991234", "text": text})
    assert sandbox.read(name, "5511999991234") == 2
    assert {arrival.body["data"]["status"] for arrival in receiver.wait("/read", 2)} == {"READ"}
    assert sandbox.read(name, "5511999991234") == 0


def test_receipts_come_by_themselves_when_asked_for(receiver: Receiver) -> None:
    with Sandbox(SANDBOX_RECEIPTS="read", SANDBOX_ECHO="off") as sandbox:
        body = {"instanceName": "loja", "integration": "WHATSAPP-BAILEYS", "qrcode": True}
        hook = receiver.hook("auto", "MESSAGES_UPDATE", "SEND_MESSAGE")
        sandbox.evolution("POST", "/instance/create", {**body, "webhook": hook})
        sandbox.scan("loja")
        sandbox.evolution("POST", "/message/sendText/loja", {"number": "5511999991234", "text": "oi"})
        statuses = [arrival.body["data"]["status"] for arrival in receiver.wait("/auto", 2, seconds=8)]
    assert statuses == ["DELIVERY_ACK", "READ"]


def test_an_inbound_file_can_be_fetched(sandbox: Sandbox, evolution: Evolution) -> None:
    name = evolution.open()
    media = {"mediatype": "image", "base64": "iVBORw0KGgo=", "mimetype": "image/png"}
    message_id = sandbox.inbound(name, "5511977776666", "olha", media=media)
    body = {"message": {"key": {"id": message_id}}}
    answer = evolution.call("POST", f"/chat/getBase64FromMediaMessage/{name}", body)
    recorded = recordings.request("baileys-getBase64-image")[1]
    assert (answer.status_code, shape(answer.json())) == (201, shape(recorded["body"]))
    assert answer.json()["base64"] == media["base64"]


def test_a_scan_needs_a_qr_code(sandbox: Sandbox, evolution: Evolution) -> None:
    name, _ = evolution.create()
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        sandbox.phone("POST", f"instances/{name}/scan", {"number": "5511900000009"})


def test_the_phones_cannot_be_reached_by_a_form_of_another_site(sandbox: Sandbox) -> None:
    response = httpx.post(f"{sandbox.url}/phone/api/reset", content="{}", headers={"Content-Type": "text/plain"})
    assert response.status_code == 400


def test_the_page_brings_no_inline_code(sandbox: Sandbox) -> None:
    page = httpx.get(f"{sandbox.url}/phone", follow_redirects=True)
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert "style=" not in page.text
    assert page.text.count("<script") == page.text.count('<script src="static/')


def test_reset_forgets_everything() -> None:
    with Sandbox() as sandbox:
        sandbox.evolution("POST", "/instance/create", {"instanceName": "a", "integration": "WHATSAPP-BAILEYS"})
        sandbox.reset()
        assert sandbox.instances() == {}


@pytest.mark.parametrize(
    ("number", "jid"),
    [
        ("+55 (11) 99999-1234", "5511999991234"),
        ("551198765432", "5511998765432"),
        ("5531999991234", "553199991234"),
        ("551133334444", "551133334444"),
        ("5215512345678", "5215512345678"),
        ("525512345678", "5215512345678"),
        ("5491112345678", "5491112345678"),
        ("14155552671", "14155552671"),
    ],
)
def test_a_number_has_one_jid(number: str, jid: str) -> None:
    assert filed_as(create_jid(number)) == f"{jid}@s.whatsapp.net"


@pytest.mark.parametrize(
    "environ", [{"SANDBOX_ECHO": "maybe"}, {"SANDBOX_RECEIPTS": "some"}, {"SANDBOX_QR_SECONDS": "-1"}]
)
def test_nonsense_in_the_environment_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="SANDBOX_"):
        Config.from_environ(environ)
