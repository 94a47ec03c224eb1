"""Each kind of content becomes the request that was recorded, and a file in it travels in pieces."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.units.recordings import answer_as_recorded, recording, sent_json
from units.gateways import evolution_contents as contents
from units.gateways.errors import GatewayError, NotSent, OutcomeUnknown, Rejected, Unreachable, WrongKey
from units.gateways.evolution import EvolutionService
from units.gateways.evolution_http import EvolutionServer


def key_of(recorded: dict[str, Any]) -> contents.Key:
    return contents.Key(external_id=recorded["id"], jid=recorded["remoteJid"], from_me=recorded["fromMe"])


def file(content: bytes) -> contents.File:
    return contents.File(content=io.BytesIO(content), size=len(content))


def from_recording(body: dict[str, Any]) -> contents.Content:
    """The content that asks for what was recorded."""
    match body:
        case {"text": text}:
            return contents.Text(text=text, link_preview=body.get("linkPreview", True))
        case {"latitude": latitude, "longitude": longitude}:
            return contents.Location(latitude=latitude, longitude=longitude, name=body["name"], address=body["address"])
        case {"contact": [card]}:
            return contents.Contacts(cards=((card["fullName"], card["phoneNumber"]),))
        case {"values": values}:
            return contents.Poll(name=body["name"], options=tuple(values), selectable=body["selectableCount"])
        case {"reaction": emoji}:
            return contents.Reaction(target=key_of(body["key"]), emoji=emoji)
    raise AssertionError(body)


@pytest.fixture
def service(http: HTTPServer) -> EvolutionService:
    return EvolutionService("loja1", api_key="K")


@pytest.mark.parametrize(
    "name",
    [
        "baileys-sendText-linkPreview-false",
        "baileys-sendLocation",
        "baileys-sendPoll",
        "baileys-sendReaction",
        "baileys-sendReaction-remove",
    ],
)
def test_the_request_is_the_recorded_one(http: HTTPServer, service: EvolutionService, name: str) -> None:
    asked = answer_as_recorded(http, name)
    sent = service.send(asked["body"].get("number", ""), from_recording(asked["body"]))
    assert sent_json(http) == asked["body"]
    assert sent.external_id == recording(name)["response"]["body"]["key"]["id"]


def test_a_card_has_the_number_as_the_recorded_one_but_for_its_spelling(
    http: HTTPServer, service: EvolutionService
) -> None:
    asked = answer_as_recorded(http, "baileys-sendContact")
    service.send(asked["body"]["number"], contents.Contacts(cards=(("Zé", "+5511911112222"),)))
    assert sent_json(http)["contact"] == [{**asked["body"]["contact"][0], "phoneNumber": "+5511911112222"}]


def test_a_quote_has_key_and_message(http: HTTPServer, service: EvolutionService) -> None:
    asked = answer_as_recorded(http, "baileys-sendText-quoted-with-message")
    quoted = asked["body"]["quoted"]
    quote = contents.Quote(key=key_of(quoted["key"]), message=quoted["message"])
    service.send(asked["body"]["number"], contents.Text(text="citando"), quote=quote)
    assert sent_json(http) == asked["body"]


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("baileys-updateMessage", lambda to, body: to.edit_message(body["number"], key_of(body["key"]), body["text"])),
        ("baileys-deleteMessageForEveryone", lambda to, body: to.delete_message(key_of(body))),
        ("baileys-markMessageAsRead", lambda to, body: to.mark_read([key_of(key) for key in body["readMessages"]])),
        ("baileys-sendPresence", lambda to, body: to.show_typing(body["number"], milliseconds=body["delay"])),
    ],
)
def test_what_is_done_in_a_chat_is_asked_as_recorded(
    http: HTTPServer,
    service: EvolutionService,
    name: str,
    act: Callable[[EvolutionService, dict[str, Any]], None],
) -> None:
    asked = answer_as_recorded(http, name)
    act(service, asked["body"])
    assert sent_json(http) == asked["body"]


def test_an_edit_of_what_the_server_does_not_have_is_rejected(http: HTTPServer, service: EvolutionService) -> None:
    asked = answer_as_recorded(http, "baileys-updateMessage-unknown")
    with pytest.raises(Rejected):
        service.edit_message(asked["body"]["number"], key_of(asked["body"]["key"]), "editada")


class Gateway(ThreadingHTTPServer):
    """Reads requests as Evolution does: whole, or not at all."""

    daemon_threads = True
    bodies: list[bytes]
    answer = b'{"key": {"id": "3EB0", "remoteJid": "5511977776666@s.whatsapp.net", "fromMe": true}}'


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return
            server: Any = self.server
            server.bodies.append(body)
            self.send_response(201)
            self.send_header("Content-Length", str(len(server.answer)))
            self.end_headers()
            self.wfile.write(server.answer)

        def log_message(self, *arguments: object) -> None:
            pass

    server = Gateway(("127.0.0.1", 0), Handler)
    server.bodies = []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def send_file(port: int, content: contents.File, **timeouts: float) -> None:
    url = f"http://127.0.0.1:{port}"
    service = EvolutionService("loja1", base_url=url, api_key="K", **{"send_timeout": 5.0, **timeouts})
    media = contents.Media(kind="image", file=content, mime_type="image/png", name="a.png", caption="foto \U0001f60a")
    service.send("5511977776666", media)


@pytest.mark.parametrize("size", [1, 2, 3, 48 * 1024, 48 * 1024 + 1, 3_000_001])
def test_a_file_of_any_size_arrives_in_the_recorded_request(gateway: Gateway, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    send_file(gateway.server_port, file(content))
    body = json.loads(gateway.bodies[0])
    recorded = recording("baileys-sendMedia-image-base64")["request"]["body"]
    assert body.keys() == recorded.keys() | {"mimetype"}
    assert base64.b64decode(body["media"], validate=True) == content


class Broken(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 100_000:
            raise OSError("the bucket does not answer")
        return super().read(size)


@pytest.mark.parametrize("content", [Broken(bytes(900_000)), io.BytesIO(bytes(500_000))], ids=["breaks", "is cut"])
def test_a_file_that_cannot_be_read_to_its_end_is_never_sent(gateway: Gateway, content: io.BytesIO) -> None:
    with pytest.raises(Rejected) as raised:
        send_file(gateway.server_port, contents.File(content=content, size=900_000))
    assert (raised.value.code, gateway.bodies) == ("media_unreadable", [])


def test_an_upload_that_takes_too_long_is_broken_off_and_not_sent(gateway: Gateway) -> None:  # I3
    server = EvolutionServer(f"http://127.0.0.1:{gateway.server_port}", "K", connect_timeout=1)
    upload = contents.Upload({"media": file(bytes(900_000))}, seconds=-1)
    with pytest.raises(NotSent):
        server.call("POST", "/message/sendMedia/loja1", json_body=upload, read_timeout=5, unknown=OutcomeUnknown)
    assert gateway.bodies == []


def test_a_line_that_breaks_before_the_last_byte_has_sent_nothing(gateway: Gateway) -> None:  # I3
    class Closing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 200_000:
                # The server is gone in mid-request.
                for connection in connections:
                    connection.shutdown(socket.SHUT_RDWR)
                connections.clear()
            return super().read(size)

    connections: list[Any] = []
    accept = gateway.get_request

    def get_request() -> Any:
        found = accept()
        connections.append(found[0])
        return found

    gateway.get_request = get_request  # type: ignore[method-assign]
    with pytest.raises(NotSent):
        send_file(gateway.server_port, contents.File(content=Closing(bytes(60_000_000)), size=60_000_000))
    assert gateway.bodies == []


def test_after_the_last_byte_nobody_knows(gateway: Gateway) -> None:  # I3
    gateway.answer = b""
    with pytest.raises(GatewayError) as raised:
        send_file(gateway.server_port, file(bytes(900_000)))
    assert type(raised.value) is OutcomeUnknown
    assert len(gateway.bodies) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [("401 Unauthorized", WrongKey), ("408 Late", Unreachable), ("413 Too Large", Rejected), ("502 Bad", Unreachable)],
)
def test_an_answer_to_half_a_file_says_that_it_was_not_sent(status: str, error: type[GatewayError]) -> None:  # I3
    """A proxy in front gives up on it, and does not read to its end."""

    def give_up() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        giving_up = threading.Thread(target=give_up)
        giving_up.start()
        with pytest.raises(error) as raised:
            send_file(listener.getsockname()[1], file(bytes(60_000_000)))
        giving_up.join()
    assert (type(raised.value), raised.value.status) == (error, int(status[:3]))


def test_a_gateway_that_does_not_read_gets_nothing() -> None:  # I3
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(NotSent):
        send_file(listener.getsockname()[1], file(bytes(60_000_000)), connect_timeout=0.3)
