"""What no server shows that keeps to the rules: real sockets that refuse, stall, break, and close behind our back."""

from __future__ import annotations

import gzip
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from units.gateways import evolution_http
from units.gateways.errors import GatewayError, OutcomeUnknown, ServerUnavailable, Unreachable
from units.gateways.evolution import EvolutionService

type Script = Callable[[socket.socket, int], object]

SENT = b'{"key":{"id":"3EB0","remoteJid":"5511999991234@s.whatsapp.net"},"messageTimestamp":1795334964}'


CHUNKED = b"10\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (SENT[:16], len(SENT) - 16, SENT[16:])


def http_answer(body: bytes, status: str = "201 Created", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


class Server:
    """A socket that does what `script` says with each connection, once it has read a request from it."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests = 0
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.serve, args=[connection], daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while read_request(connection):
                self.requests += 1
                if not self.script(connection, self.requests):
                    return


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (part := connection.recv(65536)):
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + body


@contextmanager
def served_by(script: Script) -> Iterator[tuple[Server, EvolutionService]]:
    evolution_http._forget_connections()
    server = Server(script)
    try:
        yield (
            server,
            EvolutionService(
                "loja1",
                base_url=server.url,
                api_key="K",
                connect_timeout=1,
                read_timeout=0.5,
                send_timeout=0.5,
            ),
        )
    finally:
        server.listener.close()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()


def always(*parts: bytes, stay: bool = True, pause: float = 0.0) -> Script:
    def script(connection: socket.socket, _: int) -> bool:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        return stay

    return script


def send(service: EvolutionService) -> None:
    service.send_message("5511999991234", "oi")


def error_of(service: EvolutionService) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        send(service)
    return raised.value


def test_a_refused_connection_sent_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    service = EvolutionService("loja1", base_url=url, api_key="K", connect_timeout=1, send_timeout=1)
    assert type(error_of(service)) is Unreachable
    with pytest.raises(ServerUnavailable):
        service.connection_state()


def test_an_unknown_host_sent_nothing() -> None:
    service = EvolutionService("loja1", base_url="http://evolution.invalid", api_key="K", send_timeout=1)
    assert type(error_of(service)) is Unreachable


def test_a_connection_that_never_opens_sent_nothing() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # a full backlog drops the next SYN
            filler.setblocking(False)
            filler.connect_ex(address)
        url = f"http://127.0.0.1:{address[1]}"
        service = EvolutionService("loja1", base_url=url, api_key="K", connect_timeout=0.3, send_timeout=5)
        assert type(error_of(service)) is Unreachable
        for filler in fillers:
            filler.close()


def test_no_answer_in_time_is_unconfirmed_and_not_repeated() -> None:  # I3
    with served_by(always(pause=2)) as (server, service):
        assert type(error_of(service)) is OutcomeUnknown
        assert server.requests == 1


def test_the_typing_delay_extends_the_time_allowed() -> None:
    with served_by(always(b"", http_answer(SENT), pause=0.8)) as (_, service):
        assert service.send_message("5511999991234", "oi", delay_ms=1000).external_id == "3EB0"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(always(stay=False), id="closed without an answer"),
        pytest.param(lambda connection, _: reset(connection), id="reset before the answer"),
        pytest.param(always(b"HTTP/1.1 201 Cre", stay=False), id="cut in the status line"),
        pytest.param(always(http_answer(SENT)[:-20], stay=False), id="cut in the body"),
        pytest.param(always(b"SSH-2.0-OpenSSH\r\n", stay=False), id="not HTTP"),
        pytest.param(
            always(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", stay=False),
            id="bad chunk",
        ),
        pytest.param(always(http_answer(SENT)[:-20], *[b" "] * 10, pause=0.2), id="dripping"),
        pytest.param(always(b"HTTP/1.1 201 Created\r\nX: " + b"x" * 70_000), id="a header without end"),
        pytest.param(always(b"HTTP/1.1 201 Created\r\n" + b"X: y\r\n" * 150), id="headers without end"),
        pytest.param(always(http_answer(SENT, headers="Content-Length: 7\r\n")), id="two lengths"),
        pytest.param(always(http_answer(gzip.compress(SENT), headers="Content-Encoding: gzip\r\n")), id="compressed"),
    ],
)
def test_an_answer_that_breaks_is_unconfirmed_and_not_repeated(
    script: Script,
) -> None:  # I3
    with served_by(script) as (server, service):
        assert type(error_of(service)) is OutcomeUnknown
        assert server.requests == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED, id="chunked"),
        pytest.param(http_answer(SENT, headers="Set-Cookie: a=b\r\n"), id="with a cookie"),
    ],
)
def test_an_answer_that_has_an_end_leaves_the_connection_open(answer: bytes) -> None:
    with served_by(always(answer)) as (server, service):
        for _ in range(3):
            assert service.send_message("5511999991234", "oi").external_id == "3EB0"
        assert (server.requests, server.connections) == (3, 1)


def test_an_answer_may_end_with_its_connection() -> None:
    with served_by(always(b"HTTP/1.0 201 Created\r\n\r\n" + SENT, stay=False)) as (server, service):
        for _ in range(2):
            assert service.send_message("5511999991234", "oi").external_id == "3EB0"
        assert (server.requests, server.connections) == (2, 2)


def test_the_address_may_change_under_a_running_worker() -> None:
    with served_by(always(http_answer(SENT))) as (first, service), served_by(always(http_answer(SENT))) as (second, to):
        for one in (service, to, to, service):
            send(one)
        assert (first.requests, second.requests) == (2, 2)
        assert (first.connections, second.connections) == (2, 1)


@pytest.mark.parametrize("call", [EvolutionService.logout, EvolutionService.restart, EvolutionService.connection_state])
def test_a_call_without_a_body_that_breaks_may_have_been_heard(call: Callable[[EvolutionService], object]) -> None:
    with served_by(lambda connection, _: reset(connection)) as (server, service):
        with pytest.raises(ServerUnavailable) as raised:
            call(service)
        assert (type(raised.value), server.requests) == (ServerUnavailable, 1)


def test_a_kept_connection_the_server_resets_on_use_is_unconfirmed_and_not_repeated() -> None:  # I3
    def script(connection: socket.socket, number: int) -> bool:
        if number == 1:
            connection.sendall(http_answer(SENT))
            return True
        reset(connection)
        return False

    with served_by(script) as (server, service):
        send(service)
        assert type(error_of(service)) is OutcomeUnknown
        assert (server.requests, server.connections) == (2, 1)


def test_a_kept_connection_already_closed_is_replaced_unnoticed() -> None:
    with served_by(always(http_answer(SENT), stay=False)) as (server, service):
        send(service)
        time.sleep(0.05)
        send(service)
        assert (server.requests, server.connections) == (2, 2)


def test_a_thread_keeps_its_connection_for_all_numbers() -> None:
    with served_by(always(http_answer(SENT))) as (server, service):
        for name in ("loja1", "loja2", "loja3"):
            send(EvolutionService(name, base_url=server.url, api_key="K", connect_timeout=1, send_timeout=1))
        send(service)
        assert (server.requests, server.connections) == (4, 1)


def test_threads_do_not_share_connections() -> None:
    with served_by(always(http_answer(SENT), pause=0.1)) as (server, service):
        threads = [threading.Thread(target=send, args=[service]) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (server.requests, server.connections) == (5, 5)


def test_an_idle_connection_is_closed_before_the_server_does() -> None:
    with served_by(always(http_answer(SENT))) as (server, service):
        send(service)
        evolution_http._connections.used_at -= evolution_http.MAX_IDLE_SECONDS + 0.1
        send(service)
        assert server.connections == 2


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_worker_does_not_use_its_parents_connection() -> None:
    with served_by(always(http_answer(SENT))) as (server, service):
        send(service)
        child = os.fork()
        if child == 0:
            try:
                send(service)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        send(service)
        assert (server.requests, server.connections) == (3, 2)


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evolution_http, "MAX_ANSWER_BYTES", 1000)
    with (
        served_by(always(http_answer(b" " * 5000, "200 OK"))) as (_, service),
        pytest.raises(ServerUnavailable),
    ):
        service.connection_state()


def test_a_redirect_takes_the_key_nowhere() -> None:  # I8
    with served_by(always(http_answer(SENT))) as (elsewhere, _):
        away = http_answer(b"", "307 Temporary Redirect", f"Location: {elsewhere.url}/\r\n")
        with served_by(always(away)) as (_, service):
            assert error_of(service).code == "wrong_address"
        assert elsewhere.requests == 0


def test_proxies_and_netrc_of_the_environment_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with served_by(always(http_answer(SENT))) as (server, service):
        send(service)
        assert server.requests == 1
