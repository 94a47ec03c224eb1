"""A link that a user gave is fetched from the public internet, and from nowhere else."""

import ipaddress
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from rest_framework.test import APIClient

from messaging.models import Attachment, Message
from messaging.outgoing.errors import CannotQueue
from messaging.outgoing.web import Web, is_public
from tests import files
from tests.factories import conversation
from units.models import Unit

REFUSED = """
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.8.8.8 169.254.169.254 172.16.0.1 172.31.255.255
    192.0.0.1 192.0.2.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1
    255.255.255.255
    :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1 64:ff9b::808:808
    64:ff9b:1::a00:1 100::1 2001::1 2001:db8::1 2002:7f00:1::1 2002:808:808::1 fc00::1 fd00:ec2::254 fe80::1
    fe80::1%eth0 fec0::1 ff02::1 4000::1
""".split()  # noqa: SIM905
PUBLIC = ["1.1.1.1", "8.8.8.8", "177.71.128.1", "2606:4700:4700::1111", "2804:14c::1"]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_taken(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "//example.com/a.png",
        "https://",
        "https://user:secret@example.com/a.png",
        "https://user@example.com/a.png",
        "https://127.0.0.1/a.png",
        "https://localhost/a.png",
        "https://[::1]/a.png",
        "https://[::ffff:127.0.0.1]/a.png",
        # Other spellings of 127.0.0.1 and of 169.254.169.254, which a resolver takes.
        "https://2130706433/a.png",
        "https://0x7f000001/a.png",
        "https://0177.0.0.1/a.png",
        "https://127.1/a.png",
        "https://2852039166/latest/meta-data",
        "https://8.8.8.8:5432/a.png",
        "https://8.8.8.8:99999/a.png",
        "https://exa mple.com/a.png",
        "https://example.com/\r\nHost: evil",
        "https://no-such-host.invalid/a.png",
        "https://" + "a" * 3_000,
    ],
)
def test_a_link_that_leads_elsewhere_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(CannotQueue) as refused:
        Web().fetch(url)
    assert str(refused.value.message).endswith(".")


def test_one_private_address_of_a_name_refuses_the_name() -> None:
    # "localhost" has one or two, all of them private; judged as if only IPv6's were.
    only_v6 = Web(is_allowed=lambda address: address.version == 6, ports=frozenset({443}))
    with pytest.raises(CannotQueue):
        only_v6.fetch("https://localhost/")


@pytest.mark.parametrize("where", ["message", "attachment"])
def test_the_api_refuses_a_private_link_and_nothing_is_kept(api: APIClient, unit: Unit, where: str) -> None:
    url = "https://169.254.169.254/latest/meta-data"
    if where == "message":
        body = {"conversation_id": str(conversation(unit).id), "media": {"url": url}}
        answer = api.post(f"/units/{unit.id}/whatsapp/messages", body, format="json")
    else:
        answer = api.post(f"/units/{unit.id}/attachments", {"url": url}, format="json")
    assert answer.status_code == 400
    assert "169.254" not in str(answer.data)
    assert (Message.objects.count(), Attachment.objects.count()) == (0, 0)


class Site(ThreadingHTTPServer):
    """An HTTPS server on loopback whose certificate is for localhost."""

    daemon_threads = True
    hosts: list[str]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up on it is no surprise; whatever else goes wrong is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return cert_file, key_file


@pytest.fixture
def site(certificate: tuple[Path, Path]) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server: Any = self.server
            server.hosts.append(self.headers["Host"])
            if self.path == "/drip":
                with suppress(OSError):
                    self.drip()
                return
            answers: dict[str, Callable[[], tuple[int, dict[str, str], bytes]]] = {
                "/a%20b.png": lambda: (200, {}, files.PDF),
                "/large": lambda: (200, {}, bytes(3_000_000)),
                "/once": lambda: (302, {"Location": "/a%20b.png"}, b""),
                "/forever": lambda: (302, {"Location": "/forever"}, b""),
                "/inside": lambda: (302, {"Location": "https://127.0.0.1/a%20b.png"}, b""),
                "/plain": lambda: (302, {"Location": "http://localhost/a%20b.png"}, b""),
            }
            status, headers, body = answers.get(self.path, lambda: (404, {}, b"nothing"))()
            self.send_response(status)
            for header, value in headers.items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def drip(self) -> None:
            """A header that comes byte by byte, and ends some seconds later."""
            self.send_response_only(200)
            self.flush_headers()
            self.wfile.write(b"X-Drip: ")
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)
            self.server.hosts.append("the end")  # type: ignore[attr-defined]
            self.wfile.write(b"\r\nContent-Length: 5\r\n\r\n%PDF-")
            self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    server = Site(("127.0.0.1", 0), Handler)
    server.hosts = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def web(site: Site, certificate: tuple[Path, Path]) -> Web:
    """The web, if loopback were public, but for 127.0.0.1 by its number."""
    return Web(
        is_allowed=lambda address: address.is_loopback,
        ports=frozenset({site.server_port}),
        ca_certs=str(certificate[0]),
    )


def test_a_file_is_fetched_from_the_judged_address_under_its_name(web: Web, site: Site) -> None:
    found = web.fetch(f"{site.url}/a%20b.png")
    assert (found.content, found.name) == (files.PDF, "a b.png")
    assert site.hosts == [f"localhost:{site.server_port}"]


def test_a_redirect_is_followed_and_judged_anew(web: Web, site: Site) -> None:
    assert web.fetch(f"{site.url}/once").content == files.PDF
    for path in ("/inside", "/plain", "/forever"):
        with pytest.raises(CannotQueue):
            web.fetch(site.url + path)
    assert len(site.hosts) == 2 + 1 + 1 + 4


def test_what_is_too_large_or_not_there_is_refused(web: Web, site: Site, settings: Any) -> None:
    settings.MEDIA_MAX_BYTES = 1_000_000
    for path in ("/large", "/nothing"):
        with pytest.raises(CannotQueue):
            web.fetch(site.url + path)


def test_a_server_that_drips_its_headers_is_cut_off(web: Web, site: Site) -> None:
    with pytest.raises(CannotQueue):
        replace(web, seconds=0.5).fetch(f"{site.url}/drip")
    assert "the end" not in site.hosts


def test_a_certificate_that_nobody_knows_or_of_another_name_is_refused(web: Web, site: Site) -> None:
    stranger = replace(web, ca_certs=Web().ca_certs)
    for visitor, url in ((stranger, f"{site.url}/once"), (web, f"https://127.0.0.1:{site.server_port}/once")):
        with pytest.raises(CannotQueue):
            visitor.fetch(url)
    assert site.hosts == []
