"""Where a call goes and what it carries: addresses, logins, keys, names; and what of them is never said."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.units.recordings import answer_as_recorded, answer_to, recording
from units.gateways.errors import Unreachable, WrongKey
from units.gateways.evolution import EvolutionService

API_KEY = "FAKE-GLOBAL-APIKEY"
SENT = recording("baileys-sendText")["response"]["body"]


def service(name: str = "loja1") -> EvolutionService:
    return EvolutionService(name, api_key=API_KEY)


@pytest.mark.parametrize(
    "address",
    [
        "",
        " http://127.0.0.1:9",
        "evolution:8080",
        "//127.0.0.1:9",
        "http://",
        "http:///evolution",
        "http://:8080",
        "http://[::1",
        "http://two words",
        "http://line\r\nbreak",
        "http://127.0.0.1:port",
        "http://127.0.0.1:99999",
        "http://two..dots",
        f"http://{'a' * 64}.test",
        "http://\N{SNOWMAN}.invalid",
        "http://\udcff.invalid",
        "ftp://127.0.0.1:9",
    ],
)
def test_an_address_that_is_none_sends_nothing(address: str) -> None:
    with pytest.raises(Unreachable) as raised:
        EvolutionService("loja1", base_url=address, api_key="K").send_message("5511999991234", "oi")
    assert raised.value.code == "wrong_address"
    assert raised.value.answer.encode()


def test_a_host_may_have_letters_of_any_language() -> None:
    with pytest.raises(Unreachable, match=r"xn--ptica-zta\.invalid"):
        EvolutionService("loja1", base_url="http://óptica.invalid", api_key="K").send_message("5511999991234", "oi")


@pytest.mark.parametrize("path", ["", "/", "/evolution", "/evolution/", "/a b/"])
def test_the_address_may_have_a_path(http: HTTPServer, settings: Any, path: str) -> None:
    settings.EVOLUTION_URL += path
    prefix = path.rstrip("/").replace(" ", "%20")
    answer_to(http, "GET", f"{prefix}/instance/connectionState/loja1", json={"instance": {"state": "open"}})
    assert service().connection_state() == "open"


@pytest.mark.parametrize(
    ("login", "username", "password"),
    [
        ("ana:S3CRET", "ana", "S3CRET"),
        ("ana:p%40ss%3Aw%2Frd%20%C3%A9%E2%82%AC", "ana", "p@ss:w/rd é€"),
        ("ana:pássword€", "ana", "pássword€"),
        ("ana", "ana", ""),
    ],
)
def test_the_address_may_have_a_login(
    http: HTTPServer, settings: Any, login: str, username: str, password: str
) -> None:
    settings.EVOLUTION_URL = settings.EVOLUTION_URL.replace("://", f"://{login}@")
    answer_as_recorded(http, "baileys-sendText")
    service().send_message("5511999991234", "oi")
    sent = http.log[-1][0]
    assert sent.authorization is not None
    assert (sent.authorization.username, sent.authorization.password) == (username, password)
    assert sent.headers["apikey"] == API_KEY


@pytest.mark.parametrize(
    "address",
    [
        "http://ana:S3CRET@127.0.0.1:9",
        "http://ana:S3CRET@@127.0.0.1:port",
        "http://ana:S3CRET/@127.0.0.1:9",
        "http://ana:x@S3CRET@two words",
        "ana:S3CRET@127.0.0.1:9",
    ],
)
def test_a_login_in_the_address_does_not_print(address: str) -> None:  # I8
    asked = EvolutionService("loja1", base_url=address, api_key="K")
    with pytest.raises(Unreachable) as raised:
        asked.send_message("5511999991234", "oi")
    assert "CRET" not in f"{raised.value} {raised.value!r} {asked!r}"


@pytest.mark.parametrize("key", ["S3CRET\n", " S3CRET", "S3\r\nCRET"])
def test_a_key_that_no_header_can_carry_sends_nothing_and_does_not_print(key: str) -> None:  # I8
    with pytest.raises(WrongKey) as raised:
        EvolutionService("loja1", base_url="http://127.0.0.1:9", api_key=key).send_message("5511999991234", "oi")
    assert "CRET" not in str(raised.value)


@pytest.mark.parametrize(("key", "sent"), [("", ""), ("chave-€", "chave-€"), ("bytes-\udcff", "bytes-?")])
def test_any_other_key_is_the_gateways_to_judge(http: HTTPServer, key: str, sent: str) -> None:
    answer_to(http, "POST", "/message/sendText/loja1", 401)
    with pytest.raises(WrongKey):
        EvolutionService("loja1", api_key=key).send_message("5511999991234", "oi")
    assert http.log[-1][0].headers["apikey"].encode("latin-1").decode() == sent


def test_nothing_is_sent_back_to_the_server_but_what_was_asked(http: HTTPServer) -> None:
    for _ in range(2):
        answer_to(http, "POST", "/message/sendText/loja1", 201, json=SENT, headers={"Set-Cookie": "a=b"})
        service().send_message("5511999991234", "oi")
    headers = http.log[-1][0].headers
    assert set(dict(headers)) == {
        "Accept",
        "Accept-Encoding",
        "Apikey",
        "Content-Length",
        "Content-Type",
        "Host",
        "User-Agent",
    }
    assert (headers["Accept-Encoding"], headers["Content-Type"]) == ("identity", "application/json")


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("a/../b", "a%2F..%2Fb"),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("100%25 é", "100%2525%20%C3%A9"),
        ("a+b&c", "a%2Bb%26c"),
    ],
)
def test_a_name_is_one_part_of_the_path_and_of_the_query(http: HTTPServer, name: str, quoted: str) -> None:
    answer_to(http, "GET", f"/instance/connectionState/{quoted}", json={"instance": {"state": "open"}})
    answer_to(http, "GET", f"/instance/fetchInstances?instanceName={quoted.replace('%20', '+')}", json=[])
    assert service(name).connection_state() == "open"
    assert service(name).fetch_instance() is None
