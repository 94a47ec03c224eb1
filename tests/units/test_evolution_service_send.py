"""What each answer to a send means: the recordings as a table, then what no recording can show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.units.recordings import REQUESTS, answer_as_recorded, answer_to, recording, sent_json
from units.gateways.errors import (
    SENTENCES,
    Disconnected,
    GatewayError,
    InstanceExists,
    InstanceMissing,
    LicenseRequired,
    NotOnWhatsApp,
    NotSent,
    OutcomeUnknown,
    Rejected,
    ServerUnavailable,
    Unreachable,
    WrongKey,
)
from units.gateways.evolution import EvolutionService
from units.gateways.evolution_http import Answer
from units.gateways.evolution_outcomes import SEND, error_for

# Every recorded answer of a send route that is not a message sent.
REFUSALS: dict[str, tuple[type[GatewayError], str]] = {
    "baileys-never-connected-sendText": (Disconnected, "never_connected"),
    "baileys-never-connected-sendText-empty": (Rejected, "text_required"),
    "baileys-sendList": (OutcomeUnknown, "unconfirmed"),
    "baileys-sendMedia-multipart-delay": (Rejected, "invalid_message"),
    "baileys-sendMedia-upload-fails": (NotSent, "media_upload_failed"),
    "baileys-sendMedia-url-404": (Rejected, "media_unreadable"),
    "baileys-sendMedia-url-not-an-image": (Rejected, "media_unreadable"),
    "baileys-sendText-after-401": (Disconnected, "disconnected"),
    "baileys-sendText-after-401-number-not-cached": (Disconnected, "disconnected"),
    "baileys-sendText-group-unknown": (OutcomeUnknown, "unconfirmed"),
    "baileys-sendText-malformed-number": (NotOnWhatsApp, "not_on_whatsapp"),
    "baileys-sendText-number-check-times-out": (NotSent, "number_check_timed_out"),
    "baileys-sendText-number-not-on-whatsapp": (NotOnWhatsApp, "not_on_whatsapp"),
    "baileys-sendText-short-number": (NotOnWhatsApp, "not_on_whatsapp"),
    "baileys-sendText-whitespace": (Rejected, "text_required"),
    "body-too-large-hint": (Rejected, "invalid_message"),
    "business-sendText-meta-500": (OutcomeUnknown, "unconfirmed"),
    "business-sendText-meta-token-expired": (NotSent, "not_sent"),
    "business-sendText-refused-by-meta": (Rejected, "refused_by_whatsapp"),
    "evolution-sendLocation": (Rejected, "not_supported"),
    "evolution-sendWhatsAppAudio-url": (Rejected, "media_unreadable"),
    "sendAudio-bad-source": (Rejected, "media_unreadable"),
    "sendLocation-missing-fields": (Rejected, "invalid_message"),
    "sendMedia-bad-mediatype": (Rejected, "invalid_message"),
    "sendMedia-base64-document-without-filename": (Rejected, "media_unreadable"),
    "sendMedia-data-uri": (Rejected, "media_unreadable"),
    "sendMedia-hostname-without-tld": (Rejected, "media_unreadable"),
    "sendMedia-missing-mediatype": (Rejected, "invalid_message"),
    "sendReaction-not-emoji": (Rejected, "invalid_message"),
    "sendText-delay-not-integer": (Rejected, "invalid_message"),
    "sendText-get-404": (Unreachable, "wrong_address"),
    "sendText-missing-number": (Rejected, "invalid_message"),
    "sendText-missing-text": (Rejected, "invalid_message"),
    "sendText-number-as-integer": (Rejected, "invalid_message"),
    "sendText-v1-body": (Rejected, "invalid_message"),
    "unknown-instance-sendText": (InstanceMissing, "instance_missing"),
    "wa-unreachable-sendText": (Disconnected, "disconnected"),
}
SEND_RECORDINGS = sorted(
    path.stem for path in REQUESTS.glob("*.json") if recording(path.stem)["request"]["path"].startswith("/message/")
)
SENT_TEXTS = [
    name
    for name in SEND_RECORDINGS
    if name not in REFUSALS and "/message/sendText/" in recording(name)["request"]["path"]
]


API_KEY = "FAKE-GLOBAL-APIKEY"


def service(name: str = "loja1") -> EvolutionService:
    return EvolutionService(name, api_key=API_KEY)


def answer_with(http: HTTPServer, status: int, **answer: Any) -> None:
    answer_to(http, "POST", "/message/sendText/loja1", status, **answer)


@pytest.mark.parametrize("name", REFUSALS)
def test_each_recorded_refusal_has_its_meaning(name: str) -> None:
    recorded = recording(name)["response"]
    error = error_for(Answer(recorded["status"], recorded["body"], ""), SEND)
    assert (type(error), error.code) == REFUSALS[name]


@pytest.mark.parametrize("name", SEND_RECORDINGS)
def test_every_other_recorded_send_is_a_message_sent(name: str) -> None:
    recorded = recording(name)["response"]
    sent = recorded["status"] == 201 and "id" in recorded["body"].get("key", {})
    assert sent != (name in REFUSALS)


@pytest.mark.parametrize("name", [name for name in REFUSALS if "/sendText/" in str(recording(name))])
def test_a_recorded_refusal_of_a_text_is_raised_by_send_message(http: HTTPServer, name: str) -> None:
    recorded = recording(name)
    answer_with(http, recorded["response"]["status"], json=recorded["response"]["body"])
    with pytest.raises(REFUSALS[name][0]) as raised:
        service().send_message("5511999991234", "oi")
    assert raised.value.code == REFUSALS[name][1]
    assert raised.value.status == recorded["response"]["status"]


@pytest.mark.parametrize("name", SENT_TEXTS)
def test_a_recorded_send_gives_the_id_and_the_canonical_address(http: HTTPServer, name: str) -> None:
    answer_as_recorded(http, name)
    key = recording(name)["response"]["body"]["key"]
    instance = recording(name)["request"]["path"].rpartition("/")[2]
    sent = service(instance).send_message("5511999991234", "oi")
    assert (sent.external_id, sent.jid) == (key["id"], key["remoteJid"])
    assert sent.timestamp is not None
    assert sent.timestamp.year == 2026


def test_the_answer_may_name_another_address_than_asked_for(http: HTTPServer) -> None:
    answer_as_recorded(http, "baileys-sendText-br-31-with-9")
    sent = service().send_message("5531999991234", "nono digito")
    assert sent.jid == "553199991234@s.whatsapp.net"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("baileys-sendText", {}),
        ("baileys-sendText-delay-1500", {"delay_ms": 1500}),
        ("baileys-sendText-linkPreview-false", {"link_preview": False}),
        ("baileys-sendText-quoted-by-key", {"quoted_id": ...}),
        ("baileys-sendText-lid", {}),
    ],
)
def test_a_send_has_the_recorded_body(http: HTTPServer, name: str, options: dict[str, Any]) -> None:
    asked = answer_as_recorded(http, name)
    if "quoted_id" in options:
        options = {"quoted_id": asked["body"]["quoted"]["key"]["id"]}
    service().send_message(asked["body"]["number"], asked["body"]["text"], **options)
    assert sent_json(http) == asked["body"]
    assert http.log[-1][0].headers["apikey"] == API_KEY


def test_a_messages_time_is_the_gateways(http: HTTPServer) -> None:
    answer_as_recorded(http, "baileys-sendText")
    sent = service().send_message("5511999991234", "Olá, tudo bem?")
    assert sent.timestamp == datetime.fromtimestamp(1795334964, UTC)


LICENSE_REQUIRED = {
    # evolution-api 2.4, src/licensing/runtime.ts: gateMiddleware
    "error": "service not activated",
    "code": "LICENSE_REQUIRED",
    "register_url": "http://evolution.test/manager/login",
    "instance_id": "7e8c0b20-408c-474d-a37d-15dbacb09e05",
    "docs_url": "https://docs.evolutionfoundation.com.br/licensing",
    "message": "This Evolution API instance is not activated.",
}
UNAUTHORIZED = {"status": 401, "error": "Unauthorized", "response": {"message": "Unauthorized"}}


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (201, {"json": {"status": "PENDING"}}, OutcomeUnknown),
        (201, {"json": {"key": {"id": ""}}}, OutcomeUnknown),
        (201, {"json": {"key": {"id": None}}}, OutcomeUnknown),
        (201, {"json": ["key"]}, OutcomeUnknown),
        (201, {"body": '{"key": {"id": "3EB0'}, OutcomeUnknown),
        (201, {"body": ""}, OutcomeUnknown),
        (201, {"body": "[" * 100_000}, OutcomeUnknown),
        (201, {"json": {"message": "x", "code": 130429, "fbtrace_id": "A"}}, NotSent),
        (400, {"json": {"response": {"message": ["Error: Timed Out"]}}}, OutcomeUnknown),
        (400, {"json": {"response": {"message": ["Error: Connection Closed, again"]}}}, OutcomeUnknown),
        (400, {"json": {}}, OutcomeUnknown),
        (400, {"json": []}, OutcomeUnknown),
        (401, {"json": UNAUTHORIZED}, WrongKey),
        (403, {"body": "<h1>Forbidden</h1>"}, WrongKey),
        (404, {"body": "<h1>nginx</h1>"}, Unreachable),
        (413, {"body": "<h1>Request Entity Too Large</h1>"}, Rejected),
        (429, {"body": "slow down"}, NotSent),
        (500, {"json": {"response": {"message": "boom"}}}, OutcomeUnknown),
        (502, {"body": "<h1>Bad Gateway</h1>"}, OutcomeUnknown),
        (503, {"body": "<h1>Service Unavailable</h1>"}, OutcomeUnknown),
        (503, {"json": LICENSE_REQUIRED}, LicenseRequired),
        (504, {"body": "<h1>Gateway Timeout</h1>"}, OutcomeUnknown),
    ],
)
def test_what_was_not_recorded_is_unconfirmed_unless_it_certainly_was_not_sent(
    http: HTTPServer, status: int, answer: dict[str, Any], error: type[GatewayError]
) -> None:  # I3
    answer_with(http, status, **answer)
    with pytest.raises(GatewayError) as raised:
        service().send_message("5511999991234", "oi")
    assert type(raised.value) is error


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_nothing_was_sent(http: HTTPServer, status: int) -> None:
    answer_with(http, status, headers={"Location": "https://evolution.test/message/sendText/loja1"})
    with pytest.raises(NotSent) as raised:
        service().send_message("5511999991234", "oi")
    assert raised.value.code == "wrong_address"
    assert len(http.log) == 1


def test_a_send_is_never_merely_unavailable() -> None:
    classes = {row.error for row in SEND}
    assert all(issubclass(error, NotSent | Rejected | OutcomeUnknown) for error in classes)
    assert not issubclass(OutcomeUnknown, ServerUnavailable)


def test_every_code_has_a_sentence_for_a_person() -> None:
    codes = {row.code or row.error.default_code for row in SEND} | {code for _, code in REFUSALS.values()}
    assert all(str(SENTENCES[code]).endswith(".") for code in codes)


def test_the_table_in_the_docs_names_every_error_and_code() -> None:
    page = (REQUESTS.parents[2] / "docs" / "evolution.md").read_text()
    table = page.partition("### Outcomes of a send\n")[2].partition("\n## ")[0]
    # That a name is taken is said to `create` alone.
    for row in [row for row in SEND if row.error is not InstanceExists]:
        cells = f"| `{row.error.__name__}` | `{row.code or row.error.default_code}` |"
        assert cells in table
