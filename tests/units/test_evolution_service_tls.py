"""A gateway behind TLS: whom we trust, and what a line that breaks in it means."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.units.test_evolution_service_wire import SENT, Script, Server, always, error_of, http_answer, reset, send
from units.gateways import evolution_http
from units.gateways.errors import OutcomeUnknown, Unreachable
from units.gateways.evolution import EvolutionService


def certificate(folder: Path, host: str) -> Path:
    """A key and a certificate for `host` (an IP address) that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now, identifier = datetime.now(UTC), x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "certificate.pem"
    path.write_bytes(private + made.public_bytes(pem))
    return path


class Secured(Server):
    """It shakes hands with who connects, and then does what `script` says."""

    def __init__(self, script: Script, path: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(path)
        super().__init__(script)
        self.url = self.url.replace("http:", "https:")

    def serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            super().serve(self.context.wrap_socket(connection, server_side=True))


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Secured]]:
    """Starts a server with a certificate for `host`, which the machine trusts if `trusted`."""
    evolution_http._forget_connections()
    servers: list[Secured] = []

    def start(script: Script, *, host: str = "127.0.0.1", trusted: bool = True) -> Secured:
        path = certificate(tmp_path, host)
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(path))
        servers.append(Secured(script, path))
        return servers[-1]

    yield start
    for server in servers:
        server.listener.close()
    evolution_http._forget_connections()


def service(url: str) -> EvolutionService:
    return EvolutionService("loja1", base_url=url, api_key="K", connect_timeout=0.5, read_timeout=2, send_timeout=2)


def test_a_certificate_that_the_machine_trusts_is_trusted(secured: Callable[..., Secured]) -> None:
    server = secured(always(http_answer(SENT)))
    send(service(server.url))
    send(service(server.url))
    assert (server.requests, server.connections) == (2, 1)


def test_a_certificate_that_nobody_trusts_sent_nothing(secured: Callable[..., Secured]) -> None:
    server = secured(always(http_answer(SENT)), trusted=False)
    assert type(error_of(service(server.url))) is Unreachable
    with pytest.raises(Unreachable):
        service(server.url).connection_state()
    assert server.requests == 0


def test_a_certificate_for_another_host_sent_nothing(secured: Callable[..., Secured]) -> None:
    server = secured(always(http_answer(SENT)), host="127.0.0.2")
    assert type(error_of(service(server.url))) is Unreachable
    assert server.requests == 0


@pytest.mark.parametrize(
    "greet",
    [
        pytest.param(reset, id="reset"),
        pytest.param(lambda connection: connection.close(), id="closed"),
        pytest.param(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), id="no TLS"),
        pytest.param(lambda connection: None, id="silent"),
    ],
)
def test_a_handshake_that_fails_sent_nothing(greet: Callable[[socket.socket], None]) -> None:
    """A proxy that is being restarted does all of these."""
    kept: list[socket.socket] = []

    def accept() -> None:
        connection, _ = listener.accept()
        kept.append(connection)
        greet(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        assert type(error_of(service(url))) is Unreachable
        accepting.join()
        for connection in kept:
            connection.close()


def garbage(connection: socket.socket, _: int) -> bool:
    socket.socket.sendall(connection, b"\x17\x03\x03\x00\x20" + b"?" * 32)  # a record that nobody can decrypt
    return True


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(always(stay=False), id="closed"),
        pytest.param(lambda connection, _: reset(connection), id="reset"),
        pytest.param(garbage, id="garbage"),
        pytest.param(always(http_answer(SENT)[:-20], stay=False), id="cut in the body"),
    ],
)
def test_after_the_request_a_broken_line_is_unconfirmed(secured: Callable[..., Secured], script: Script) -> None:  # I3
    server = secured(script)
    assert type(error_of(service(server.url))) is OutcomeUnknown
    assert server.requests == 1
