"""Recorded requests against a server: the sandbox, or a real one with EVOLUTION_URL and EVOLUTION_API_KEY
set.

The recorded instance name is replaced by a fresh one. Refusals must be equal to the letter, successes in keys
and types.
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox import recordings
from tests.sandbox.conftest import Evolution, Receiver
from tests.sandbox.recordings import shape

# Recorded on an instance that was never connected.
ON_A_FRESH_INSTANCE = """
    connectionState-never-connected connectionState-with-instance-token fetchInstances-by-name
    logout-closed restart-closed restart-PUT-404 method-not-allowed-like-404
    baileys-never-connected-sendText baileys-never-connected-sendText-empty
    baileys-never-connected-whatsappNumbers baileys-never-connected-findMessages
    baileys-never-connected-markRead sendText-missing-number sendText-missing-text
    sendText-number-as-integer sendText-delay-not-integer sendText-v1-body sendText-get-404
    sendMedia-bad-mediatype sendMedia-missing-mediatype sendMedia-data-uri sendMedia-hostname-without-tld
    sendMedia-base64-document-without-filename sendAudio-bad-source sendReaction-not-emoji
    sendLocation-missing-fields settings-find settings-set-valid settings-set-partial
    settings-set-camel-wrong-type webhook-find-none webhook-set-valid webhook-set-with-instance-token
    webhook-set-disable webhook-set-empty-url webhook-set-invalid-url webhook-set-flat-body
    webhook-set-groups-update webhook-set-groups-update-real-name webhook-set-lowercase-event
    webhook-set-missing-enabled webhook-set-missing-url webhook-set-no-events webhook-set-unknown-event
    whatsappNumbers-empty-list markRead-missing baileys-getBase64-unknown-id delete-name-encoded
""".split()  # noqa: SIM905

# Recorded without a usable instance, and sent as they are.
WITHOUT_AN_INSTANCE = """
    root-info unknown-route verify-creds auth-missing-create auth-missing-fetchInstances auth-wrong-create
    auth-wrong-fetchInstances auth-bearer-instead-of-apikey auth-query-apikey create-malformed-json
    create-missing-integration create-unknown-integration baileys-create-number-with-plus
    fetchInstances-by-id-unknown fetchInstances-by-name-unknown fetchInstances-by-number
    unknown-instance-connect unknown-instance-connectionState unknown-instance-delete
    unknown-instance-no-apikey unknown-instance-sendText webhook-set-on-unknown settings-set-on-unknown
""".split()  # noqa: SIM905

CREATE = """
    create-baileys-qrcode-false-webhook create-webhook-empty-events create-webhook-unknown-event
    create-webhook-enabled-false create-webhook-flat-keys create-webhook-without-events
    create-name-with-space-slash baileys-create-qrcode-true baileys-create-qrcode-true-with-number
""".split()  # noqa: SIM905

# Recorded on a connected instance.
ON_AN_OPEN_INSTANCE = """
    baileys-connect-when-open baileys-connectionState-open baileys-fetchInstances-open trailing-slash
    baileys-restart-when-open baileys-logout-open baileys-delete-open baileys-sendText
    baileys-sendText-formatted-number baileys-sendText-jid baileys-sendText-lid
    baileys-sendText-client-message-id-ignored baileys-sendText-quoted-unknown
    baileys-sendText-quoted-with-message baileys-sendText-whitespace baileys-sendText-malformed-number
    baileys-sendText-short-number baileys-sendText-number-not-on-whatsapp baileys-sendText-group-unknown
    baileys-sendText-br-11-without-9 baileys-sendText-br-31-with-9 baileys-sendText-br-31-without-9
    baileys-sendText-mx baileys-sendText-ar baileys-sendMedia-image-base64
    baileys-sendWhatsAppAudio-encoding-false baileys-sendLocation baileys-sendReaction
    baileys-sendReaction-remove baileys-markMessageAsRead baileys-updateMessage-unknown
    baileys-findMessages-by-wrong-id baileys-getBase64-empty-body baileys-deleteMessageForEveryone
    baileys-sendContact baileys-sendPoll baileys-sendPresence baileys-markMessageAsRead-lid
    baileys-markMessageAsRead-fromMe baileys-sendText-linkPreview-false
""".split()  # noqa: SIM905


def _replayed(evolution: Evolution, recording: str, name: str, token: str = "") -> tuple[Any, Any]:
    """Send a recorded request for instance ``name``; the answer and what was recorded, with the name in it
    replaced.
    """
    asked, answered = recordings.request(recording)
    path, _, query = asked["path"].partition("?")
    recorded_name = (
        query.partition("=")[2] if query.startswith("instanceName=") else path.rstrip("/").rpartition("/")[2]
    )
    keys = {"FAKE-GLOBAL-APIKEY": evolution.api_key, "FAKE-INSTANCE-TOKEN-B1": token}
    headers = {header: keys.get(value, value) for header, value in asked["headers"].items()}
    body = asked["body"]
    if isinstance(body, dict):  # a file that the recording holds only the beginning of
        body = {key: "AAAA" if "(cut by the recorder" in str(value) else value for key, value in body.items()}
    response = evolution.call(asked["method"], asked["path"].replace(recorded_name, name), body, headers)
    # In texts the name stands in quotes or at the end of a path.
    expected = re.sub(rf'(\\"|/){re.escape(recorded_name)}(?=\\?")', rf"\g<1>{name}", json.dumps(answered["body"]))
    return response, {"status": answered["status"], "body": json.loads(expected)}


def _assert_same(response: Any, recorded: Any) -> None:
    assert response.status_code == recorded["status"], response.text
    if response.status_code >= 400:
        assert response.json() == recorded["body"]
    else:
        assert shape(response.json()) == shape(recorded["body"])


@pytest.mark.parametrize("recording", ON_A_FRESH_INSTANCE)
def test_a_fresh_instance_answers_as_recorded(evolution: Evolution, recording: str) -> None:
    name, token = evolution.create()
    _assert_same(*_replayed(evolution, recording, name, token))


@pytest.mark.parametrize("recording", WITHOUT_AN_INSTANCE)
def test_without_an_instance_the_answer_is_as_recorded(evolution: Evolution, recording: str) -> None:
    asked, answered = recordings.request(recording)
    headers = {key: value.replace("FAKE-GLOBAL-APIKEY", evolution.api_key) for key, value in asked["headers"].items()}
    _assert_same(evolution.call(asked["method"], asked["path"], asked["body"], headers), answered)


@pytest.mark.parametrize("recording", CREATE)
def test_create_answers_as_recorded(evolution: Evolution, recording: str) -> None:
    asked, answered = recordings.request(recording)
    body = {**asked["body"], "instanceName": evolution.name()}
    _assert_same(evolution.call("POST", "/instance/create", body), answered)


@pytest.mark.parametrize("recording", ON_AN_OPEN_INSTANCE)
def test_an_open_instance_answers_as_recorded(evolution: Evolution, recording: str) -> None:
    # base64 was on when media were recorded
    name = evolution.open(webhook={"url": "http://127.0.0.1:9/", "events": ["CALL"], "base64": True})
    response, recorded = _replayed(evolution, recording, name)
    _assert_same(response, recorded)
    if "key" in recorded["body"] and "sendText" in recording:
        assert response.json()["key"]["remoteJid"] == recorded["body"]["key"]["remoteJid"]
        assert response.json()["message"] == recorded["body"]["message"]


def test_a_taken_name_is_refused_as_recorded(evolution: Evolution) -> None:
    name, _ = evolution.create()
    response = evolution.call("POST", "/instance/create", {"instanceName": name, "integration": "WHATSAPP-BAILEYS"})
    _, recorded = recordings.request("create-duplicate-name")
    expected = json.loads(json.dumps(recorded["body"]).replace('\\"b1\\"', f'\\"{name}\\"'))
    assert (response.status_code, response.json()) == (403, expected)


def test_an_instance_token_opens_only_its_own_instance(evolution: Evolution) -> None:
    (one, token), (other, _) = evolution.create(), evolution.create()
    mine = evolution.call("GET", f"/instance/connectionState/{one}", headers={"apikey": token})
    foreign = evolution.call("GET", f"/instance/connectionState/{other}", headers={"apikey": token})
    listed = evolution.call("GET", "/instance/fetchInstances", headers={"apikey": token})
    create = evolution.call("POST", "/instance/create", {"instanceName": "x"}, headers={"apikey": token})
    assert [mine.status_code, foreign.status_code, create.status_code] == [200, 401, 401]
    assert [instance["name"] for instance in listed.json()] == [one]


def test_a_query_parameter_overrides_the_instance_after_the_key_check(evolution: Evolution) -> None:
    (one, token), (other, _) = evolution.create(), evolution.create()
    path = f"/instance/connectionState/{one}?instanceName={other}"
    answer = evolution.call("GET", path, headers={"apikey": token})
    assert answer.json()["instance"]["instanceName"] == other


@pytest.mark.parametrize(
    "recording", ["baileys-connect-while-connecting", "baileys-connect-while-connecting-with-number"]
)
def test_connect_while_connecting_gives_the_same_code(evolution: Evolution, recording: str) -> None:
    name, _ = evolution.create(qrcode=True)
    first = evolution.call("GET", f"/instance/connect/{name}").json()
    response, recorded = _replayed(evolution, recording, name)
    _assert_same(response, recorded)
    assert response.json() == first


@pytest.mark.parametrize("number", ["", "?number=5511900000033"])
def test_connect_starts_a_closed_instance(evolution: Evolution, number: str) -> None:
    name, _ = evolution.create()
    answer = evolution.call("GET", f"/instance/connect/{name}{number}")
    recording = "baileys-connect-with-number-pairing-code" if number else "baileys-connect-after-401"
    assert shape(answer.json()) == shape(recordings.request(recording)[1]["body"])
    assert answer.json()["base64"].startswith("data:image/png;base64,")
    state = evolution.call("GET", f"/instance/connectionState/{name}")
    assert state.json()["instance"]["state"] == "connecting"


@pytest.mark.parametrize(
    ("recording", "how"),
    [
        ("webhook-find-after-create", "headers"),
        ("webhook-find-empty-events", "all"),
        ("webhook-find-unknown-event", "unknown"),
    ],
)
def test_the_webhook_of_create_is_stored_as_recorded(evolution: Evolution, recording: str, how: str) -> None:
    events = {"headers": ["CALL"], "all": [], "unknown": ["NOT_AN_EVENT"]}[how]
    headers = {"headers": {"X-Custom": "abc", "Authorization": "Bearer FAKE"}} if how == "headers" else {}
    base64 = {"base64": True} if how == "headers" else {}
    hook = {"url": "http://127.0.0.1:9/", "events": events, **headers, **base64}
    name, _ = evolution.create(webhook=hook)
    response, recorded = _replayed(evolution, recording, name)
    _assert_same(response, recorded)
    if how != "headers":
        assert response.json()["events"] == recorded["body"]["events"]


def test_a_failed_create_leaves_a_row_for_a_moment(evolution: Evolution) -> None:
    name = evolution.name()
    body = {
        "instanceName": name,
        "integration": "WHATSAPP-BAILEYS",
        "webhook": {"url": "http://127.0.0.1:9/"},
    }
    assert evolution.call("POST", "/instance/create", body).status_code == 400
    _gone(evolution, name)


def test_a_deleted_name_is_free_only_later(evolution: Evolution) -> None:
    name, _ = evolution.create()
    assert evolution.call("DELETE", f"/instance/delete/{name}").status_code == 200
    again = evolution.call("POST", "/instance/create", {"instanceName": name, "integration": "WHATSAPP-BAILEYS"})
    assert again.status_code == 403
    _gone(evolution, name)
    again = evolution.call("POST", "/instance/create", {"instanceName": name, "integration": "WHATSAPP-BAILEYS"})
    assert again.status_code == 201


def _gone(evolution: Evolution, name: str) -> None:
    deadline = time.monotonic() + 5
    while evolution.call("GET", f"/instance/connectionState/{name}").status_code != 404:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_lost_session_answers_as_recorded(evolution: Evolution) -> None:
    name = evolution.open()
    assert evolution.sandbox
    evolution.call("POST", f"/message/sendText/{name}", {"number": "5511999991234", "text": "x"})
    evolution.sandbox.logout(name)
    for recording in (
        "baileys-connectionState-after-401",
        "baileys-fetchInstances-after-401",
        "baileys-sendText-after-401",
        "baileys-sendText-after-401-number-not-cached",
        "baileys-connect-after-401",
    ):
        _assert_same(*_replayed(evolution, recording, name))


def test_messages_are_found_with_the_recorded_quirks(evolution: Evolution) -> None:
    name = evolution.open()
    assert evolution.sandbox
    sent = evolution.call("POST", f"/message/sendText/{name}", {"number": "5531999991234", "text": "oi"}).json()
    message_id = sent["key"]["id"]
    evolution.sandbox.receipt(name, message_id, "DELIVERY_ACK")
    evolution.sandbox.inbound(name, "5511977776666", "alô")

    def found(where: dict[str, Any], **page: Any) -> Any:
        return evolution.call("POST", f"/chat/findMessages/{name}", {"where": where, **page}).json()["messages"]

    record = found({"key": {"id": message_id, "fromMe": False}})["records"][0]
    recorded = recordings.request("baileys-findMessages-by-id-and-fromMe-false")[1]["body"]["messages"]["records"][0]
    assert shape(record) == shape(recorded)
    assert record["MessageUpdate"] == [{"status": "DELIVERY_ACK"}]
    assert found({"key": {"remoteJid": "5531999991234@s.whatsapp.net"}})["total"] == 0
    assert found({"key": {"remoteJid": "553199991234@s.whatsapp.net"}})["total"] == 1
    assert found({"remoteJid": "nope@s.whatsapp.net"}, offset=1)["pages"] == 2
    assert found({"key": {"fromMe": True}, "messageTimestamp": {"gte": "2099-01-01T00:00:00Z"}})["total"] == 1
    window = {"gte": "2099-01-01T00:00:00Z", "lte": "2099-01-02T00:00:00Z"}
    assert found({"key": {"fromMe": True}, "messageTimestamp": window})["total"] == 0


def test_numbers_are_looked_up_as_recorded(evolution: Evolution) -> None:
    name = evolution.open()
    assert evolution.sandbox
    evolution.sandbox.inbound(name, "5511977776666", "oi", "Maria", lid="905511977776666")
    asked, recorded = recordings.request("baileys-whatsappNumbers")
    users = [number for number in asked["body"]["numbers"] if not number.endswith("@g.us")]
    answer = evolution.call("POST", f"/chat/whatsappNumbers/{name}", {"numbers": users})
    assert answer.json() == [entry for entry in recorded["body"] if not entry["jid"].endswith("@g.us")]


# Webhooks: what happens on the phone, and the recording the event must look like.
HAPPENINGS: list[tuple[str, str, Callable[[Any, str], object]]] = [
    ("baileys-instance.create", "instance.create", lambda sandbox, name: None),
    ("baileys-connection.update-open", "connection.update", lambda sandbox, name: None),
    (
        "baileys-messages.upsert-in-text-1st",
        "messages.upsert",
        lambda sandbox, name: sandbox.inbound(name, "5511977776666", "Oi"),
    ),
    (
        "baileys-messages.upsert-in-no-pushname",
        "messages.upsert",
        lambda sandbox, name: sandbox.inbound(name, "5511966665555", "sem nome", customer=None),
    ),
    (
        "baileys-messages.upsert-in-text-with-lid-alt",
        "messages.upsert",
        lambda sandbox, name: sandbox.inbound(name, "5511977776666", "tenho lid", lid="905511977776666"),
    ),
    (
        "baileys-messages.upsert-in-text-from-lid",
        "messages.upsert",
        lambda sandbox, name: sandbox.inbound(name, "5511977776666", "só lid", lid="905511977776666", addressing="lid"),
    ),
    (
        "baileys-messages.upsert-in-text-from-lid-no-pn",
        "messages.upsert",
        lambda sandbox, name: sandbox.inbound(name, "900000000000042@lid", "sem telefone"),
    ),
    (
        "baileys-messages.upsert-in-from-me-phone",
        "messages.upsert",
        lambda sandbox, name: sandbox.own(name, "5511977776666", "respondi do celular"),
    ),
    (
        "baileys-connection.update-logged-out-by-whatsapp-401",
        "connection.update",
        lambda sandbox, name: sandbox.logout(name),
    ),
    (
        "baileys-status.instance-logged-out-by-whatsapp-401",
        "status.instance",
        lambda sandbox, name: sandbox.logout(name),
    ),
    (
        "baileys-logout.instance-logged-out-by-whatsapp-401",
        "logout.instance",
        lambda sandbox, name: sandbox.logout(name),
    ),
    (
        "baileys-instance.delete",
        "instance.delete",
        lambda sandbox, name: sandbox.evolution("DELETE", f"/instance/delete/{name}"),
    ),
    (
        "baileys-remove.instance",
        "remove.instance",
        lambda sandbox, name: sandbox.evolution("DELETE", f"/instance/delete/{name}"),
    ),
]


@pytest.mark.parametrize(("recording", "event", "happen"), HAPPENINGS, ids=[entry[0] for entry in HAPPENINGS])
def test_a_webhook_looks_as_recorded(
    evolution: Evolution, receiver: Receiver, recording: str, event: str, happen: Callable[[Any, str], object]
) -> None:
    name = evolution.open(webhook=receiver.hook())
    expected = recordings.webhook(recording)
    assert receiver.event(name, "connection.update")
    happen(evolution.sandbox, name)
    deadline = time.monotonic() + 5
    while True:
        arrived = [arrival.body for arrival in receiver.arrivals if arrival.body["event"] == event]
        if any(shape(body) == shape(expected) for body in arrived):
            return
        assert time.monotonic() < deadline, [shape(body) for body in arrived]
        time.sleep(0.02)


def test_a_send_is_echoed_and_receipted_as_recorded(evolution: Evolution, receiver: Receiver) -> None:
    name = evolution.open(webhook=receiver.hook())
    answer = evolution.call("POST", f"/message/sendText/{name}", {"number": "5511999991234", "text": "Olá"}).json()
    echo = receiver.event(name, "send.message")
    assert shape(echo) == shape(recordings.webhook("baileys-send.message-sendText"))
    assert echo["data"] == answer
    assert evolution.sandbox
    evolution.sandbox.receipt(name, answer["key"]["id"], "DELIVERY_ACK")
    update = receiver.event(name, "messages.update")
    assert shape(update) == shape(recordings.webhook("baileys-messages.update-delivered"))
    assert update["data"]["keyId"] == answer["key"]["id"]


def test_qr_codes_come_by_webhook_as_recorded(evolution: Evolution, receiver: Receiver) -> None:
    if evolution.sandbox is None:
        pytest.skip("a real server may not reach this machine")
    name, _ = evolution.create(qrcode=True, webhook=receiver.hook())
    updated = receiver.event(name, "qrcode.updated")
    assert shape(updated) == shape(recordings.webhook("baileys-qrcode.updated"))
    connecting = receiver.event(name, "connection.update")
    assert shape(connecting) == shape(recordings.webhook("baileys-connection.update-connecting"))
