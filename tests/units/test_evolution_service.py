"""Instances, webhooks, look-ups: each call against the recorded requests and answers."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.units.recordings import answer_as_recorded, answer_to, recording, sent_json
from units.gateways.errors import (
    AlreadyClosed,
    Disconnected,
    GatewayError,
    InstanceExists,
    InstanceMissing,
    LicenseRequired,
    NotOnWhatsApp,
    OutcomeUnknown,
    Rejected,
    ServerUnavailable,
    WrongKey,
)
from units.gateways.evolution import WEBHOOK_EVENTS, EvolutionService, FoundPage
from units.gateways.evolution_http import excerpt
from units.gateways.evolution_outcomes import MANAGE

HOOK = "http://crm.test/webhooks/whatsapp/evolution/s3cret-of-the-hook"
SINCE = datetime(2026, 11, 22, 8, 34, 42, 199230, tzinfo=UTC)
UNTIL = datetime(2026, 11, 22, 8, 37, 42, 199230, tzinfo=UTC)


def service(name: str = "loja1") -> EvolutionService:
    return EvolutionService(name, api_key="FAKE-GLOBAL-APIKEY")


CALLS: dict[str, tuple[str, str, Callable[[EvolutionService], Any]]] = {
    "create": ("POST", "/instance/create", lambda s: s.create_instance(webhook_url=HOOK)),
    "connect": ("GET", "/instance/connect/loja1", lambda s: s.connect()),
    "state": ("GET", "/instance/connectionState/loja1", lambda s: s.connection_state()),
    "fetch": ("GET", "/instance/fetchInstances?instanceName=loja1", lambda s: s.fetch_instance()),
    "restart": ("POST", "/instance/restart/loja1", lambda s: s.restart()),
    "logout": ("DELETE", "/instance/logout/loja1", lambda s: s.logout()),
    "delete": ("DELETE", "/instance/delete/loja1", lambda s: s.delete()),
    "set_webhook": ("POST", "/webhook/set/loja1", lambda s: s.set_webhook(url=HOOK)),
    "find_webhook": ("GET", "/webhook/find/loja1", lambda s: s.find_webhook()),
    "find_messages": (
        "POST",
        "/chat/findMessages/loja1",
        lambda s: s.find_messages(since=SINCE, until=UNTIL),
    ),
    "check_numbers": ("POST", "/chat/whatsappNumbers/loja1", lambda s: s.check_numbers(["55119"])),
}


def call_answered(http: HTTPServer, call: str, status: int, **answer: Any) -> Any:
    method, path, perform = CALLS[call]
    answer_to(http, method, path, status, **answer)
    return perform(service())


# Creating


def test_create_asks_for_what_was_recorded_and_keeps_no_token(http: HTTPServer) -> None:
    asked = answer_as_recorded(http, "create-baileys-qrcode-false-webhook")["body"]
    created = service("b1").create_instance(
        webhook_url=asked["webhook"]["url"],
        events=asked["webhook"]["events"],
        webhook_headers=asked["webhook"]["headers"],
    )
    sent = sent_json(http)
    assert sent["webhook"] == asked["webhook"] | {"base64": False}
    assert {name: sent[name] for name in ("instanceName", "integration", "qrcode")} == {
        "instanceName": "b1",
        "integration": "WHATSAPP-BAILEYS",
        "qrcode": False,
    }
    assert (created.name, created.state) == ("b1", "close")
    assert created.instance_id == "8896a4e0-6f32-455a-9d81-148304762f71"
    assert "TOKEN" not in repr(created)


def test_create_sends_settings_the_server_has(http: HTTPServer) -> None:
    recorded = recording("create-baileys-qrcode-false-webhook")["response"]["body"]
    body = recorded | {"instance": recorded["instance"] | {"instanceName": "loja1"}}
    call_answered(http, "create", 201, json=body)
    names = set(sent_json(http)) - {"instanceName", "integration", "qrcode", "webhook"}
    assert names <= set(recorded["settings"])
    assert sent_json(http)["groupsIgnore"] is True


def test_creating_twice_says_that_the_name_is_taken(http: HTTPServer) -> None:
    answer_as_recorded(http, "create-duplicate-name")
    with pytest.raises(InstanceExists, match="already in use"):
        service("b1").create_instance(webhook_url=HOOK)


@pytest.mark.parametrize("name", ["", " ", ".", ".."])
def test_a_name_that_breaks_the_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not an instance name"):
        service(name)


def test_an_instance_name_is_one_path_segment(http: HTTPServer) -> None:
    answer_as_recorded(http, "connectionState-name-encoded")
    assert service("loja são paulo/1").connection_state() == "close"


def test_the_subscription_has_only_events_the_server_knows() -> None:
    known = recording("webhook-find-empty-events")["response"]["body"]["events"]
    assert set(WEBHOOK_EVENTS) <= set(known)
    assert not [name for name in WEBHOOK_EVENTS if name.startswith(("CHATS_", "CONTACTS_"))]


# Connecting


@pytest.mark.parametrize(
    "name",
    ["baileys-connect-while-connecting", "baileys-connect-after-401", "baileys-connect-after-qr-limit"],
)
def test_connect_gives_the_qr_code(http: HTTPServer, name: str) -> None:
    path = answer_as_recorded(http, name)["path"]
    answer = service(path.rpartition("/")[2]).connect()
    assert (answer.state, answer.pairing_code) == ("connecting", None)
    assert (answer.qr or "").startswith("data:image/png;base64,")
    assert (answer.code or "").startswith("2@")
    assert answer.count == recording(name)["response"]["body"]["count"]


def test_connect_with_a_number_gives_a_pairing_code(http: HTTPServer) -> None:
    answer_as_recorded(http, "baileys-connect-with-number-pairing-code")
    assert service("loja3").connect(phone_number="+55 (11) 90000-0033").pairing_code == "9EVGEKZX"


def test_connect_when_open_says_open(http: HTTPServer) -> None:
    answer_as_recorded(http, "baileys-connect-when-open")
    assert service().connect().state == "open"


def test_connect_without_a_code_yet_is_connecting(http: HTTPServer) -> None:
    answer_as_recorded(http, "wa-unreachable-connect")
    answer = service("unre1").connect()
    assert (answer.state, answer.qr, answer.count) == ("connecting", None, 0)


def test_connect_in_a_state_it_does_not_know_is_closed(http: HTTPServer) -> None:
    body = {"instance": {"instanceName": "loja1", "status": "refused"}, "qrcode": {"count": 30}}
    assert call_answered(http, "connect", 200, json=body).state == "close"


def test_connect_answering_200_with_an_error_is_an_error(http: HTTPServer) -> None:
    with pytest.raises(ServerUnavailable):
        call_answered(http, "connect", 200, json={"error": True, "message": "[object Object]"})


def test_a_qr_code_does_not_print(http: HTTPServer) -> None:
    answer_as_recorded(http, "baileys-connect-while-connecting")
    assert "2@" not in repr(service().connect())


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("baileys-connectionState-open", "open"),
        ("baileys-connectionState-connecting", "connecting"),
        ("baileys-connectionState-after-401", "close"),
        ("connectionState-after-failed-create", "close"),
    ],
)
def test_the_state_is_as_recorded(http: HTTPServer, name: str, state: str) -> None:
    path = answer_as_recorded(http, name)["path"]
    assert service(path.rpartition("/")[2]).connection_state() == state


def test_an_instance_is_fetched_with_owner_and_without_token(http: HTTPServer) -> None:
    answer_as_recorded(http, "baileys-fetchInstances-after-401")
    info = service().fetch_instance()
    assert info is not None
    assert (info.state, info.owner_phone, info.profile_name) == ("close", "5511900000009", "Loja Teste")
    assert info.disconnection_reason == 401
    assert info.disconnected_at == datetime(2026, 11, 22, 8, 13, 35, 659000, tzinfo=UTC)
    assert "TOKEN" not in repr(info)


def test_fetching_an_unknown_instance_gives_none(http: HTTPServer) -> None:
    answer_as_recorded(http, "fetchInstances-by-name-unknown")
    assert service("ghost").fetch_instance() is None


def test_fetching_gives_no_other_instance(http: HTTPServer) -> None:
    assert call_answered(http, "fetch", 200, json=recording("fetchInstances-by-name")["response"]["body"]) is None


@pytest.mark.parametrize("name", ["restart-closed", "wa-unreachable-restart"])
def test_restarting_a_closed_instance_says_disconnected(http: HTTPServer, name: str) -> None:
    path = answer_as_recorded(http, name)["path"]
    with pytest.raises(Disconnected):
        service(path.rpartition("/")[2]).restart()


@pytest.mark.parametrize("name", ["logout-closed", "baileys-logout-twice", "wa-unreachable-logout"])
def test_logging_out_twice_says_already_closed(http: HTTPServer, name: str) -> None:
    path = answer_as_recorded(http, name)["path"]
    with pytest.raises(AlreadyClosed):
        service(path.rpartition("/")[2]).logout()


def test_restart_logout_and_delete_are_asked_as_recorded(http: HTTPServer) -> None:
    answer_as_recorded(http, "baileys-restart-when-open")
    answer_as_recorded(http, "baileys-logout-open")
    answer_as_recorded(http, "baileys-delete-loja3")
    service().restart()
    service().logout()
    service("loja3").delete()
    assert [request.get_data() for request, _ in http.log] == [b"", b"", b""]


# Webhook


def test_a_webhook_is_set_as_recorded(http: HTTPServer) -> None:
    asked = answer_as_recorded(http, "webhook-set-valid")["body"]["webhook"]
    hook = service("b1").set_webhook(url=asked["url"], events=asked["events"], headers=asked["headers"])
    assert sent_json(http) == {"webhook": asked | {"base64": False}}
    assert (hook.url, hook.enabled, hook.events) == (asked["url"], True, tuple(asked["events"]))


def test_a_webhook_is_found_and_does_not_print_its_secret(http: HTTPServer) -> None:
    answer_as_recorded(http, "webhook-find-after-create")
    hook = service("b1").find_webhook()
    assert hook is not None
    assert (hook.enabled, hook.by_events, hook.base64) == (True, False, True)
    assert "127.0.0.1" not in repr(hook)
    assert "Bearer" not in repr(hook)


def test_no_webhook_is_none(http: HTTPServer) -> None:
    answer_as_recorded(http, "webhook-find-none")
    assert service("b6").find_webhook() is None


def test_an_unknown_event_is_rejected(http: HTTPServer) -> None:
    answer_as_recorded(http, "webhook-set-unknown-event")
    with pytest.raises(Rejected, match="not one of enum values"):
        service("b3").set_webhook(url=HOOK, events=["NOT_AN_EVENT"])


# Messages


def test_messages_are_searched_by_sender_and_window_as_recorded(http: HTTPServer) -> None:
    asked = copy.deepcopy(answer_as_recorded(http, "baileys-findMessages-did-my-send-go-out")["body"])
    page = service().find_messages(since=SINCE, until=UNTIL, from_me=True, page_size=20)
    found = page.messages
    del asked["where"]["key"]["remoteJid"]  # the canonical one may be unknown
    assert sent_json(http) == asked
    assert (len(found), page.pages) == (8, 1)
    assert found[0].external_id == "3EB0319BD3605ECA3B59CD"
    assert (found[0].jid, found[0].from_me) == ("5511977776666@s.whatsapp.net", True)
    assert (found[0].text, found[0].statuses) == ("tempo 7", ())
    assert found[0].timestamp == datetime.fromtimestamp(1795336601, UTC)


def found_in(http: HTTPServer, name: str) -> tuple[Any, ...]:
    found: FoundPage = call_answered(http, "find_messages", 200, json=recording(name)["response"]["body"])
    return found.messages


def test_a_found_message_has_all_its_statuses(http: HTTPServer) -> None:
    assert found_in(http, "baileys-findMessages-by-key-id")[0].statuses == ("DELIVERY_ACK", "READ", "PLAYED")


def test_a_revoked_message_has_no_text(http: HTTPServer) -> None:
    assert found_in(http, "baileys-findMessages-deleted-and-edited")[0].text is None


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"conversation": "oi"}, "oi"),
        ({"messageContextInfo": {}, "extendedTextMessage": {"text": "oi"}}, "oi"),
        ({"ephemeralMessage": {"message": {"extendedTextMessage": {"text": "oi"}}}}, "oi"),
        ({"imageMessage": {"caption": "foto"}}, "foto"),
        ({"audioMessage": {"ptt": True}}, None),
        ("broken", None),
    ],
)
def test_the_text_of_a_found_message(http: HTTPServer, message: object, text: str | None) -> None:
    body = {"messages": {"records": [{"key": {"id": "A"}, "message": message, "messageTimestamp": "1795334964"}]}}
    (found,) = call_answered(http, "find_messages", 200, json=body).messages
    assert found.text == text
    assert found.timestamp == datetime.fromtimestamp(1795334964, UTC)


def test_a_naive_window_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        service().find_messages(since=SINCE.replace(tzinfo=None), until=UNTIL)


def test_numbers_are_matched_by_number_and_not_by_order(http: HTTPServer) -> None:
    asked = answer_as_recorded(http, "baileys-whatsappNumbers")["body"]
    checks = service().check_numbers(asked["numbers"])
    assert sent_json(http) == asked
    assert list(checks) == asked["numbers"]
    assert checks["+55 (31) 98888-1111"].jid == "553188881111@s.whatsapp.net"
    assert checks["5511977776666"].name == "Maria"
    assert not checks["5511988880404"].exists
    assert not checks["abc"].exists


def test_no_numbers_are_no_question() -> None:
    assert service().check_numbers([]) == {}


def test_numbers_without_a_session_say_disconnected(http: HTTPServer) -> None:
    answer_as_recorded(http, "baileys-never-connected-whatsappNumbers")
    with pytest.raises(Disconnected):
        service("b1").check_numbers(["5511999990000"])


# Every call, the same troubles

UNAUTHORIZED = recording("auth-wrong-create")["response"]["body"]
MISSING = recording("unknown-instance-connectionState")["response"]["body"]
TROUBLES: list[tuple[int, dict[str, Any], type[GatewayError], str]] = [
    (401, {"json": UNAUTHORIZED}, WrongKey, "wrong_key"),
    (500, {"json": {"response": {"message": "boom"}}}, ServerUnavailable, "server_unavailable"),
    (502, {"body": "<h1>Bad Gateway</h1>"}, ServerUnavailable, "server_unavailable"),
    (503, {"json": {"code": "LICENSE_REQUIRED"}}, LicenseRequired, "license_required"),
    (302, {"headers": {"Location": "/login"}}, ServerUnavailable, "wrong_address"),
    (404, {"body": "<h1>nginx</h1>"}, ServerUnavailable, "wrong_address"),
    (200, {"body": "{", "headers": {"Content-Length": "100"}}, ServerUnavailable, "server_unavailable"),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("status", "answer", "error", "code"), TROUBLES)
def test_every_call_ends_in_a_named_error(
    http: HTTPServer,
    call: str,
    status: int,
    answer: dict[str, Any],
    error: type[GatewayError],
    code: str,
) -> None:
    with pytest.raises(error) as raised:
        call_answered(http, call, status, **answer)
    assert raised.value.code == code
    assert str(raised.value.sentence)


@pytest.mark.parametrize("call", [call for call in CALLS if call not in ("create", "fetch")])
def test_a_missing_instance_is_named_for_every_call(http: HTTPServer, call: str) -> None:
    with pytest.raises(InstanceMissing):
        call_answered(http, call, 404, json=MISSING)


@pytest.mark.parametrize("call", [call for call in CALLS if call not in ("restart", "logout", "delete")])
@pytest.mark.parametrize("answer", [{"body": "<h1>Welcome</h1>"}, {"body": ""}, {"json": "?"}, {"json": {"a": 1}}])
def test_an_answer_that_makes_no_sense_is_unavailable(http: HTTPServer, call: str, answer: dict[str, Any]) -> None:
    with pytest.raises(ServerUnavailable):
        call_answered(http, call, 200, **answer)


def test_managing_never_leaves_a_message_unconfirmed() -> None:
    assert not [row for row in MANAGE if issubclass(row.error, OutcomeUnknown | NotOnWhatsApp)]


# I8


def test_neither_the_service_nor_its_errors_print_the_key(http: HTTPServer) -> None:  # I8
    echo = {"status": 401, "response": {"message": "bad apikey FAKE-GLOBAL-APIKEY", "token": "FAKE-TOKEN"}}
    with pytest.raises(WrongKey) as raised:
        call_answered(http, "state", 401, json=echo)
    assert "FAKE" not in f"{raised.value} {raised.value!r} {vars(raised.value)} {service()!r}"


def test_a_webhook_secret_in_an_answer_is_masked(http: HTTPServer) -> None:  # I8
    with pytest.raises(ServerUnavailable) as raised:
        call_answered(http, "set_webhook", 500, json={"response": {"message": f"cannot store {HOOK}"}})
    assert "cannot store http://crm.test/webhooks/whatsapp/evolution/***" in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        '{"apikey": "S3CRET"}',
        '{"token":"S3CRET","a":1}',
        '{"hash": "S3CRET"}',
        "{'Authorization': 'Bearer S3CRET'}",
        "apikey=S3CRET&x=1",
        '{\\"token\\": \\"S3CRET\\"}',
        '{"accessTokenWaBusiness":"S3CRET"}',
        "http://user:S3CRET@evolution.test/",
    ],
)
def test_secrets_are_masked_in_what_is_kept_of_an_answer(text: str) -> None:  # I8
    assert "S3CRET" not in excerpt(text)
    assert "S3CRET" not in excerpt("x" * 470 + text)


def test_what_is_kept_of_an_answer_is_bounded(http: HTTPServer) -> None:
    with pytest.raises(ServerUnavailable) as raised:
        call_answered(http, "state", 500, body="é" * 1_000_000)
    assert len(raised.value.answer) == 500


def test_an_error_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(Disconnected("never_connected", status=500, answer="x")))  # noqa: S301
    assert (error.code, error.status, error.answer) == ("never_connected", 500, "x")
