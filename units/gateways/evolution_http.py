"""One HTTP exchange with Evolution API: connections, limits of time and size, what a broken line means."""

from __future__ import annotations

import json
import os
import re
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NewConnectionError

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

# What requests raises while it builds a request: nothing was sent.
_BAD_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
)
# Quotes may be escaped: Evolution puts JSON as text into its errors.
_SECRET_VALUE = re.compile(
    r"""((?:apikey|api_key|token|accessToken\w*|hash|authorization|jwt_key|secret)\\*["']?\s*[:=]\s*\\*["']?)"""
    r"""((?:Bearer\s+|Basic\s+)?[^"'\s,}&\\]+)""",
    re.IGNORECASE,
)
_HOOK_SECRET = re.compile(r"(/webhooks/whatsapp/[\w-]+/)[^/\s\"'?]+")
_USER_INFO = re.compile(r"(://)[^/\s@]+@")


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


class _Connections(threading.local):
    """One session per thread, for all numbers: requests' sessions are not safe across threads, and the
    connection to the one server is worth keeping. No key is kept here; it travels with each call."""

    def __init__(self) -> None:
        self.session = requests.Session()
        # Neither proxies, nor .netrc (which would add credentials), nor the file look-ups that each call
        # costs.
        self.session.trust_env = False
        # max_retries=0 is Retry(0, read=False): urllib3 repeats nothing, whatever broke. A repeated POST
        # could be a second message on someone's phone.
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=1, max_retries=0))
        self.used_at = time.monotonic()

    def fresh(self) -> requests.Session:
        """The thread's session, without connections that the server may be about to close."""
        now = time.monotonic()
        if now - self.used_at > MAX_IDLE_SECONDS:
            self.session.close()
        self.used_at = now
        return self.session


_connections = _Connections()


def _forget_connections() -> None:
    global _connections
    _connections = _Connections()


# A forked worker must not write to its parent's sockets.
os.register_at_fork(after_in_child=_forget_connections)


@dataclass(frozen=True, slots=True, repr=False)
class EvolutionServer:
    """Where an Evolution API server is, and the key to it. Prints without the key."""

    base_url: str
    api_key: str
    connect_timeout: float

    def __repr__(self) -> str:
        return f"EvolutionServer({excerpt(self.base_url)!r})"

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
        """Send one request, once, and give back whatever answer came, of any status.

        An answer of more than `max_bytes`, or one that takes longer than `max_seconds` from its head to its end, is
        none: `unknown`.

        Raises Unreachable when no connection came about, so that certainly nothing was sent, and `unknown`
        when the line broke, or `read_timeout` seconds passed, after that; WrongKey for a key that no header
        can carry. An answer that stalls half-way can make it twice `read_timeout`, which counts per read.
        A body with a file in it (Upload) that did not get through to its last byte is no request yet: Unreachable;
        Rejected when its file could not be read.
        """
        upload = json_body if isinstance(json_body, Upload) else None
        headers: dict[str, str | bytes] = {
            # In bytes: as a string, a key with a letter outside Latin-1 fails in mid-request.
            "apikey": self.api_key.encode(),
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        if upload is not None:
            headers["Content-Type"] = "application/json"
        # `from None` everywhere: the exceptions of requests carry the request with its key in the header.
        try:
            response = _connections.fresh().request(
                method,
                self.base_url.rstrip("/") + path,
                params=query,
                json=None if upload is not None else json_body,
                data=upload,
                headers=headers,
                timeout=(self.connect_timeout, read_timeout),
                # A followed 301–303 turns a POST into a GET, and a GET to somewhere else gets our key.
                allow_redirects=False,
                stream=True,
            )
            with response:
                content = _read(response, max_bytes, min(read_timeout, max_seconds))
        except requests.ConnectTimeout:
            raise Unreachable(answer=f"no connection within {self.connect_timeout:g} s") from None
        except requests.ReadTimeout:
            raise unknown(answer=f"no answer within {read_timeout:g} s") from None
        except requests.exceptions.InvalidHeader:
            raise WrongKey(answer="the key starts with a space or has a line break in it") from None
        except _BAD_ADDRESS as error:
            raise Unreachable("wrong_address", answer=self._excerpt(str(error))) from None
        except FileUnreadable as error:
            raise Rejected("media_unreadable", answer=str(error)) from None
        except UploadTooSlow:
            raise Unreachable(answer="the file did not get through in time") from None
        except (OSError, HTTPError, HTTPException, ValueError) as error:
            # requests' own are OSErrors; reading past it lets those of urllib3 and http.client through.
            said = self._excerpt(f"{type(error).__name__}: {error}")
            never_left = _failed_to_connect(error) or (upload is not None and not upload.is_complete)
            raise (Unreachable(answer=said) if never_left else unknown(answer=said)) from None
        finally:
            _connections.used_at = time.monotonic()
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = NOT_JSON
        return Answer(response.status_code, body, content[:8192].decode(errors="replace"), self.api_key)

    def _excerpt(self, text: str) -> str:
        return excerpt(text, self.api_key)


def _read(response: requests.Response, max_bytes: int, seconds: float) -> bytes:
    """The whole body, bounded in size and in time (the time-out of a socket is per read)."""
    deadline = time.monotonic() + seconds
    parts: list[bytes] = []
    size = 0
    while part := response.raw.read1(64 * 1024):
        size += len(part)
        if size > max_bytes:
            raise ValueError(f"an answer of more than {max_bytes} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError("the answer did not end in time")
        parts.append(part)
    return b"".join(parts)


def _failed_to_connect(error: BaseException) -> bool:
    """Whether the request provably never left: refused, no such host, or a certificate we do not trust.

    Anything else (reset, closed without an answer, other TLS trouble) may have happened after the last byte
    of the request had been read. That goes for a kept connection the server closed too.
    """
    seen: set[int] = set()
    pending: list[object] = [error]
    while pending:
        cause = pending.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        if isinstance(cause, NewConnectionError | ssl.SSLCertVerificationError):
            return True
        pending += [*cause.args, getattr(cause, "reason", None)]
    return False
