"""Whatever a server answers, a call ends in a value or in a named error, and never in a traceback of ours."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.units.recordings import answer_to, recording
from tests.units.test_evolution_service import CALLS, service
from units.gateways.errors import NotSent, OutcomeUnknown, Rejected, ServerUnavailable
from units.gateways.evolution import EvolutionService

SEND: tuple[str, str, Callable[[EvolutionService], Any]] = (
    "POST",
    "/message/sendText/loja1",
    lambda s: s.send_message("5511999991234", "oi"),
)
SUCCESSES = {
    "create": "create-baileys-qrcode-false-webhook",
    "connect": "baileys-connect-with-number-pairing-code",
    "state": "baileys-connectionState-open",
    "fetch": "baileys-fetchInstances-after-401",
    "restart": "baileys-restart-when-open",
    "logout": "baileys-logout-open",
    "delete": "baileys-delete-open",
    "set_webhook": "webhook-set-valid",
    "find_webhook": "webhook-find-after-create",
    "find_messages": "baileys-findMessages-by-key-id",
    "check_numbers": "baileys-whatsappNumbers",
    "send": "baileys-sendText",
}
NONSENSE: tuple[Any, ...] = (None, True, -1, 10**30, "", "x", [], {}, [7], [[]], {"a": 1}, [None])


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from places(child, (*path, name))


def damaged(body: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    body = copy.deepcopy(body)
    holder = body
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    return body


def damages(body: Any) -> Iterator[Any]:
    return (damaged(body, path, value) for path in places(body) for value in NONSENSE)


@pytest.mark.parametrize("call", SUCCESSES)
def test_a_recorded_answer_with_any_one_value_replaced_breaks_nothing(http: HTTPServer, call: str) -> None:
    method, path, perform = CALLS.get(call, SEND)
    recorded = recording(SUCCESSES[call])["response"]
    expected = (NotSent, Rejected, OutcomeUnknown) if call == "send" else (ServerUnavailable, NotSent)
    for body in damages(recorded["body"]):
        answer_to(http, method, path, recorded["status"], json=body)
        with suppress(*expected):
            hash(repr(perform(service())))


@pytest.mark.parametrize("external_id", ["A" * 129, "A\0B", "\ud800", "A\n"])
def test_a_send_with_an_id_that_cannot_be_kept_is_unknown(http: HTTPServer, external_id: str) -> None:
    body = recording("baileys-sendText")["response"]["body"]
    body["key"]["id"] = external_id
    answer_to(http, *SEND[:2], 201, json=body)
    with pytest.raises(OutcomeUnknown):
        SEND[2](service())


@pytest.mark.parametrize("jid", ["5" * 81, "5511\0@s.whatsapp.net", None])
def test_a_send_without_a_jid_that_makes_sense_has_none(http: HTTPServer, jid: str | None) -> None:
    body = recording("baileys-sendText")["response"]["body"]
    body["key"]["remoteJid"] = jid
    answer_to(http, *SEND[:2], 201, json=body)
    assert SEND[2](service()).jid == ""


def test_what_is_kept_of_an_answer_has_nothing_that_postgresql_refuses(http: HTTPServer) -> None:
    answer_to(http, *SEND[:2], 502, body=b"<html>\0\xed\xa0\x80</html>")
    with pytest.raises(OutcomeUnknown) as unknown:
        SEND[2](service())
    assert "\0" not in unknown.value.answer
    assert unknown.value.answer.encode()


@pytest.mark.parametrize(
    "name", ["baileys-sendText-number-not-on-whatsapp", "sendText-missing-text", "auth-wrong-create"]
)
@pytest.mark.parametrize("call", SUCCESSES)
def test_a_recorded_refusal_with_any_one_value_replaced_is_an_error(http: HTTPServer, call: str, name: str) -> None:
    method, path, perform = CALLS.get(call, SEND)
    recorded = recording(name)["response"]
    expected = (NotSent, Rejected, OutcomeUnknown) if call == "send" else (ServerUnavailable, NotSent, Rejected)
    for body in damages(recorded["body"]):
        answer_to(http, method, path, recorded["status"], json=body)
        with pytest.raises(expected):
            perform(service())
