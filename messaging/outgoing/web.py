"""Requests to links that a user gave, for files and for webhooks: from inside our network, to wherever he likes.

So the link is judged, and then every address that its name has; the connection goes to the very address that was judged
(a name may have another one a moment later), and each redirect is judged anew. Nothing of ours goes along: no keys, no
proxy, no .netrc.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

import certifi
from django.utils.translation import gettext_lazy as _
from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from messaging.media.sources import CONNECT_SECONDS, READ_SECONDS, TooLarge, read_whole
from messaging.outgoing.errors import CannotQueue

# Somebody waits for the answer to his request meanwhile.
TOTAL_SECONDS: Final = 20.0
MAX_REDIRECTS: Final = 3
MAX_URL: Final = 2_048
# Of one process at a time: its threads are there for others as well.
_places = threading.BoundedSemaphore(4)

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Carry an IPv4 address that nobody would have judged: mapped, compatible, translated (NAT64), 6to4, Teredo.
_CARRIERS: Final = tuple(
    ipaddress.ip_network(net)
    for net in ("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)
# All that has ever been given out of IPv6 for the public.
_PUBLIC_V6: Final = ipaddress.ip_network("2000::/3")


def is_public(address: Address) -> bool:
    """Whether an address is somebody's on the internet: not private, shared, local, reserved, multicast, or a disguise.

    Which networks these are is Python's list of IANA's registries (`is_global`), and ours of disguises.
    """
    if isinstance(address, ipaddress.IPv6Address) and (
        address.scope_id or address not in _PUBLIC_V6 or any(address in net for net in _CARRIERS)
    ):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file of the web, and what its link calls it."""

    content: bytes
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """The web, as far as we go into it: `is_allowed` judges each address, `ports` are those that are asked (None: any).

    `seconds`: how long a request may take, with its redirects. `schemes`: http as well, where a network is one's own.
    """

    is_allowed: Callable[[Address], bool] = is_public
    ports: frozenset[int] | None = frozenset({443})
    schemes: frozenset[str] = frozenset({"https"})
    ca_certs: str = certifi.where()
    seconds: float = TOTAL_SECONDS

    def fetch(self, url: str) -> Found:
        """The file behind a link, whole.

        Raises CannotQueue, which says why, for a link that is not https, has a password in it, or leads to an address
        that is not public; and for an answer that is no file, too large, or too slow.
        """
        if not _places.acquire(blocking=False):
            raise CannotQueue(_("Several files are being fetched right now. Try again in a moment."))
        try:
            return self._fetch(url, until=time.monotonic() + self.seconds)
        finally:
            _places.release()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post to a link; the status of the answer, of which nothing more is read. A redirect is an answer, too.

        Raises CannotQueue for a link where `fetch` would not go either, TimeoutError when it takes too long, and else
        what a network raises: HTTPError, HTTPException, OSError.
        """
        until = time.monotonic() + self.seconds
        parts = self.judged(url)
        address = self._address_of(parts)
        try:
            with closing(self._connection(address, parts)) as connection, _cut_off_at(until, connection):
                return self._ask(connection, parts, body, headers).status
        except (HTTPError, HTTPException, OSError) as error:
            if time.monotonic() >= until:
                raise TimeoutError from error
            raise

    def _fetch(self, url: str, *, until: float) -> Found:
        for _hop in range(MAX_REDIRECTS + 1):
            if time.monotonic() > until:
                break
            parts = self.judged(url)
            address = self._address_of(parts)
            try:
                with closing(self._connection(address, parts)) as connection, _cut_off_at(until, connection):
                    response = self._ask(connection, parts)
                    if response.status == 200:
                        content = read_whole(response, until)
                        if time.monotonic() >= until:
                            # Cut off, which may look like its end.
                            raise TimeoutError
                        return Found(content=content, name=_name_in(parts))
                    location = response.get_redirect_location()
            except TooLarge:
                raise CannotQueue(_("The file is too large.")) from None
            except (HTTPError, HTTPException, OSError, ValueError):
                raise CannotQueue(_("The file could not be fetched from its address.")) from None
            if not location:
                raise CannotQueue(_("There is no file at this address."))
            url = urljoin(url, location)
        raise CannotQueue(_("The address leads from one to the next without end, or takes too long."))

    def judged(self, url: str) -> SplitResult:
        """The parts of a link that may lead to where we go; nobody is asked yet. Raises CannotQueue."""
        try:
            parts = urlsplit(url)
            port = _port_of(parts)
        except ValueError:
            raise CannotQueue(_("This is not a web address.")) from None
        is_whole = parts.scheme in self.schemes and parts.hostname and url.isprintable() and " " not in url
        if len(url) > MAX_URL or not is_whole:
            raise CannotQueue(_("Only addresses that begin with https:// are fetched."))
        if parts.username is not None or parts.password is not None:
            raise CannotQueue(_("An address with a password in it is not fetched."))
        if self.ports is not None and port not in self.ports:
            raise CannotQueue(_("This address is not fetched: it is not a public one."))
        return parts

    def _address_of(self, parts: SplitResult) -> Address:
        """The address that is asked. One that is not public among those of a name refuses them all.

        How long the resolver takes is its own affair (resolv.conf), some seconds.
        """
        try:
            told = socket.getaddrinfo(parts.hostname, _port_of(parts), type=socket.SOCK_STREAM)
            addresses = [ipaddress.ip_address(str(entry[4][0])) for entry in told]
        except (OSError, ValueError):
            raise CannotQueue(_("There is no such web address.")) from None
        if not addresses or not all(map(self.is_allowed, addresses)):
            raise CannotQueue(_("This address is not fetched: it is not a public one."))
        return addresses[0]

    def _connection(self, address: Address, parts: SplitResult) -> HTTPConnection:
        if parts.scheme == "http":
            return HTTPConnection(str(address), _port_of(parts), timeout=CONNECT_SECONDS)
        # To the address; the certificate has to be the name's.
        return HTTPSConnection(
            str(address),
            _port_of(parts),
            server_hostname=parts.hostname,
            assert_hostname=parts.hostname,
            cert_reqs="CERT_REQUIRED",
            ca_certs=self.ca_certs,
            timeout=CONNECT_SECONDS,
        )

    @staticmethod
    def _ask(
        connection: HTTPConnection, parts: SplitResult, body: bytes | None = None, more: Mapping[str, str] | None = None
    ) -> BaseHTTPResponse:
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = f"?{quote(parts.query, safe="/?%:@!$&'()*+,;=~-._")}" if parts.query else ""
        headers = {"Host": parts.netloc, "Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "crm-whatsapp"}
        method = "GET" if body is None else "POST"
        connection.request(method, path + query, body, headers | dict(more or {}), preload_content=False)
        return connection.getresponse()


@contextmanager
def _cut_off_at(until: float, connection: HTTPConnection) -> Iterator[None]:
    """Connect, and end the connection at `until` (monotonic), whatever is being read.

    The time-out of a socket is for each read: a server that drips its headers would hold us for hours.
    """
    connection.connect()
    line: socket.socket = connection.sock
    line.settimeout(READ_SECONDS)

    def cut_off() -> None:
        with suppress(OSError):
            # Below TLS, which another thread is reading.
            socket.socket.shutdown(line, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, until - time.monotonic()), cut_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _port_of(parts: SplitResult) -> int:
    """Raises ValueError for an invalid one."""
    return parts.port or (80 if parts.scheme == "http" else 443)


def _name_in(parts: SplitResult) -> str:
    return unquote(parts.path, errors="replace").rpartition("/")[2]
