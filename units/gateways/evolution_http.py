"""One HTTP exchange with Evolution API: connections, limits of time and size, what a broken line means."""

from __future__ import annotations

import json
import os
import re
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import unquote, urlencode

import certifi
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout, connection_from_url
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import parse_url

from units.gateways.errors import OutcomeUnknown, Rejected, ServerUnavailable, Unreachable, WrongKey
from units.gateways.evolution_contents import FileUnreadable, Upload, UploadTooSlow

# Node closes a connection that has been idle for 5 s (http.Server.keepAliveTimeout). Reusing it in the moment
# it does so is a reset before the first byte of an answer, and for a send that is an unknown outcome: so we
# close first.
MAX_IDLE_SECONDS: Final = 3.0
# A page of 50 found messages with thumbnails is about 2 MB; the largest answer we ask for, but for files.
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
# From the head of an answer to its end: a server that drips must not hold a thread, and a lease, for ever.
MAX_BODY_SECONDS: Final = 10.0
MAX_EXCERPT_CHARACTERS: Final = 500
# The body of an answer that is no JSON; None is the JSON null.
NOT_JSON: Final = object()

# What a header can carry, of any key that somebody may have set.
_KEY = re.compile(rb"(?!\s)[^\r\n]*")
# Quotes may be escaped: Evolution puts JSON as text into its errors.
_SECRET_VALUE = re.compile(
    r"""((?:apikey|api_key|token|accessToken\w*|hash|authorization|jwt_key|secret)\\*["']?\s*[:=]\s*\\*["']?)"""
    r"""((?:Bearer\s+|Basic\s+)?[^"'\s,}&\\]+)""",
    re.IGNORECASE,
)
_HOOK_SECRET = re.compile(r"(/webhooks/whatsapp/[\w-]+/)[^/\s\"'?]+")
# To the last @: a password that should have been quoted may have some, and slashes too.
_USER_INFO = re.compile(r"(://)[^\s\"'<>]*@")


def excerpt(text: str, *secrets: str) -> str:
    """At most 500 characters of `text`, keys, tokens and webhook secrets masked; masked before it is cut.

    Without NUL and lone surrogates: it is stored, and PostgreSQL refuses both.
    """
    text = text[: 8 * MAX_EXCERPT_CHARACTERS].replace("\0", "").encode(errors="replace").decode()
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    for pattern in (_SECRET_VALUE, _HOOK_SECRET):
        text = pattern.sub(r"\1***", text)
    text = _USER_INFO.sub(r"\1***@", text)
    return text if len(text) <= MAX_EXCERPT_CHARACTERS else text[: MAX_EXCERPT_CHARACTERS - 1] + "…"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `body` is the parsed JSON, or NOT_JSON; `excerpt` is safe to log."""

    status: int
    body: Any
    # The beginning of the answer, and what must not be seen of it.
    _said: str = field(repr=False)
    _secret: str = field(default="", repr=False)
    # It came before the whole request was out: nobody has acted on that.
    is_early: bool = False

    @property
    def excerpt(self) -> str:
        # Only when somebody asks, which is for an error: it takes a tenth of the time of a send.
        return excerpt(self._said, self._secret)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def field(self, *path: str) -> Any:
        """The value under `path` in nested objects; None as soon as something is missing or not an object."""
        value = self.body
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value


@dataclass(frozen=True, slots=True)
class _Line:
    """The way to one address: its one connection, and what comes from the address into each request."""

    pool: HTTPConnectionPool
    path: str
    headers: dict[str, str]


def _line_to(base_url: str) -> _Line:
    """Raises LocationValueError when that is no address. Nothing is connected yet."""
    url = parse_url(base_url)
    if "://" not in base_url or url.scheme not in ("http", "https") or not url.host:
        raise LocationValueError(f"neither http:// nor https:// and a host: {base_url}")
    tls = {"ssl_context": _tls_context()} if url.scheme == "https" else {}
    # retries=False repeats nothing, whatever broke: a repeated POST could be a second message on someone's phone.
    pool = connection_from_url(base_url, maxsize=1, retries=False, **tls)
    headers = {}
    if url.auth:
        login = unquote(url.auth) if ":" in url.auth else f"{unquote(url.auth)}:"
        # In UTF-8, as browsers do: not every password is Latin-1.
        headers["Authorization"] = f"Basic {b64encode(login.encode(errors='replace')).decode()}"
    return _Line(pool, (url.path or "").rstrip("/"), headers)


@cache
def _tls_context() -> ssl.SSLContext:
    """Whom we trust: Mozilla's list, and what the machine adds (its own list, or SSL_CERT_FILE).

    Once for all connections: to read the lists takes longer than a send.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class _Connections(threading.local):
    """A connection per thread to the one server, for all numbers. No key is kept here; it travels with each call.

    urllib3 itself, and a pool without its manager: what `requests` does besides (cookies, redirects, proxies, .netrc)
    is not wanted here, and takes a third of the time of a send (decision 0018).
    """

    def __init__(self) -> None:
        self._base_url = ""
        self._line: _Line | None = None
        self.used_at = time.monotonic()

    def line(self, base_url: str) -> _Line:
        """The thread's line, without a connection that the server may be about to close.

        Raises LocationValueError.
        """
        now = time.monotonic()
        if self._line is None or base_url != self._base_url or now - self.used_at > MAX_IDLE_SECONDS:
            if self._line is not None:
                self._line.pool.close()
            self._line = None
            self._line, self._base_url = _line_to(base_url), base_url
        self.used_at = now
        return self._line


_connections = _Connections()


def _forget_connections() -> None:
    global _connections
    _connections = _Connections()
    _tls_context.cache_clear()


# A forked worker must not write to its parent's sockets, nor share the state of its TLS.
os.register_at_fork(after_in_child=_forget_connections)


class _Body:
    """A body that knows whether it got out: before that a server has nothing to act on, whatever else it got.

    A whole body that went into the socket and a line that then breaks are another matter: nobody knows.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.is_complete = False

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
        self.is_complete = True


@dataclass(frozen=True, slots=True, repr=False)
class EvolutionServer:
    """Where an Evolution API server is, and the key to it. Prints without the key."""

    base_url: str
    api_key: str
    connect_timeout: float

    def __repr__(self) -> str:
        return f"EvolutionServer({self.base_url.rpartition('@')[2]!r})"

    def call(
        self,
        method: str,
        path: str,
        *,
        read_timeout: float,
        unknown: type[OutcomeUnknown] | type[ServerUnavailable],
        json_body: Any = None,
        query: dict[str, str] | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
        max_seconds: float = MAX_BODY_SECONDS,
    ) -> Answer:
        """Send one request, once, and give back whatever answer came, of any status, and be it to half a request.

        An answer of more than `max_bytes`, or one that takes longer than `max_seconds` from its head to its end, is
        none: `unknown`.

        Raises Unreachable when it certainly was not sent: no connection came about, or the line broke before the last
        byte of the body was out; `unknown` when it broke, or `read_timeout` seconds passed, after that; WrongKey for a
        key that no header can carry; Rejected when the file in the body (Upload) could not be read. An answer that
        stalls half-way can make it twice `read_timeout`, which counts per read.
        """
        # In bytes: as a string, a key with a letter outside Latin-1 fails in mid-request.
        key = self.api_key.encode(errors="replace")
        if not _KEY.fullmatch(key):
            raise WrongKey(answer="the key starts with a space or has a line break in it")
        headers: dict[str, Any] = {"apikey": key, "Accept": "application/json"}
        body: _Body | Upload | None = None
        if json_body is not None:
            body = json_body if isinstance(json_body, Upload) else _Body(json.dumps(json_body).encode())
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        # `from None` everywhere: an exception of the line may carry the request with its key in the header.
        try:
            line = _connections.line(self.base_url)
            with line.pool.urlopen(
                method,
                f"{line.path}{path}?{urlencode(query)}" if query else line.path + path,
                body=body,
                headers=headers | line.headers,
                timeout=Timeout(connect=self.connect_timeout, read=read_timeout),
                # A followed 301–303 turns a POST into a GET, and a GET to somewhere else gets our key.
                redirect=False,
                preload_content=False,
            ) as response:
                content = _read(response, max_bytes, min(read_timeout, max_seconds))
        except LocationValueError as error:
            # What cannot be read as an address may hold a password anywhere.
            said = "not an address" if "@" in self.base_url else self._excerpt(str(error))
            raise Unreachable("wrong_address", answer=said) from None
        except FileUnreadable as error:
            raise Rejected("media_unreadable", answer=str(error)) from None
        except UploadTooSlow:
            raise Unreachable(answer="the file did not get through in time") from None
        except (OSError, HTTPError, HTTPException, ValueError) as error:
            if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
                said = f"no connection within {self.connect_timeout:g} s"
            elif isinstance(error, ReadTimeoutError):
                said = f"no answer within {read_timeout:g} s"
            else:
                said = self._excerpt(f"{type(error).__name__}: {error}")
            never_left = _failed_to_connect(error) if body is None else not body.is_complete
            raise (Unreachable(answer=said) if never_left else unknown(answer=said)) from None
        finally:
            _connections.used_at = time.monotonic()
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = NOT_JSON
        said = content[:8192].decode(errors="replace")
        return Answer(response.status, answer, said, self.api_key, body is not None and not body.is_complete)

    def _excerpt(self, text: str) -> str:
        return excerpt(text, self.api_key)


def _read(response: BaseHTTPResponse, max_bytes: int, seconds: float) -> bytes:
    """The whole body, bounded in size and in time (the time-out of a socket is per read)."""
    deadline = time.monotonic() + seconds
    parts: list[bytes] = []
    size = 0
    while part := response.read1(64 * 1024, decode_content=False):
        size += len(part)
        if size > max_bytes:
            raise ValueError(f"an answer of more than {max_bytes} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError("the answer did not end in time")
        parts.append(part)
    return b"".join(parts)


def _failed_to_connect(error: Exception) -> bool:
    """Whether a request without a body provably never left: refused, no such host, or a certificate we do not trust.

    Anything else (reset, closed without an answer, other TLS trouble) may have happened after the last byte
    of the request had been read. That goes for a kept connection the server closed too.
    """
    if isinstance(error, SSLError):
        return isinstance(error.args[0], ssl.SSLCertVerificationError)
    return isinstance(error, ConnectTimeoutError)
