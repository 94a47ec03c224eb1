"""Evolution's HTTP manners: bodies, schema errors, its error envelope, and how a connection is dropped
without an answer.
"""

import contextlib
import email
import email.policy
import json
import os
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.errors import EvolutionError
from sandbox.state import Instance, Json

HEADERS = {
    "x-powered-by": "Express",
    "vary": "Origin, Accept-Encoding",
    "content-type": "application/json; charset=utf-8",
}
REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    500: "Internal Server Error",
}


@dataclass
class Call:
    """One request: the instance it addresses (None where there is none in the path), its name, body and
    query.
    """

    name: str
    instance: Instance | None
    body: Json
    query: dict[str, str]
    key: str | None

    @property
    def target(self) -> Instance:
        """The instance, which the process must have: a row that is being made or deleted is a TypeError in
        Evolution.
        """
        if self.instance is None or self.instance.state is None:
            raise EvolutionError(500, "Cannot read properties of undefined")
        return self.instance


Answer = tuple[int, Any]
Handler = Callable[[Call], Awaitable[Answer]]


class EvolutionResponse(JSONResponse):
    """JSON with the headers of Express."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(body, status_code=status, headers=HEADERS)


def error_response(error: EvolutionError) -> Response:
    """``{"status", "error", "response": {"message"}}``, or the body that takes its place."""
    if error.body is not None:
        return EvolutionResponse(error.status, error.body)
    reason = REASONS.get(error.status, "Internal Server Error")
    return EvolutionResponse(
        error.status, {"status": error.status, "error": reason, "response": {"message": error.message}}
    )


async def read_body(request: Request) -> Json:
    """The body as Express parses it: JSON, urlencoded or multipart (there every field is a string); nothing
    else counts.

    Raises EvolutionError 400 for malformed JSON, before any route or key is looked at.
    """
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("application/json"):
        raw = (await request.body()).decode("utf-8", "replace")
        body = _parse_json(raw) if raw else {}
        return body if isinstance(body, dict) else {}
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
    if content_type.startswith("multipart/form-data"):
        return _parse_multipart(content_type, await request.body())
    return {}


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        message = "Unexpected end of JSON input"
        if error.pos < len(text.rstrip()):
            shown = f'"{text[:10]}"...' if len(text) > 10 else f'"{text}"'
            message = f"Unexpected token '{text[error.pos]}', {shown} is not valid JSON"
        # Status 400, but the error says otherwise (create-malformed-json.json).
        body = {"status": 400, "error": "Internal Server Error", "response": {"message": message}}
        raise EvolutionError(400, body=body) from None


def _parse_multipart(content_type: str, raw: bytes) -> Json:
    message = email.message_from_bytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + raw, policy=email.policy.HTTP
    )
    fields: Json = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True) or b""
        if isinstance(name, str) and isinstance(payload, bytes):
            filename = part.get_filename()
            fields[name] = (filename, payload) if filename else payload.decode("utf-8", "replace")
    return fields


# The few words of JSON schema that Evolution's routes use: type, and the description that replaces the error
# text.
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "array": list,
}


def problems(
    value: Json,
    required: tuple[str, ...] = (),
    types: dict[str, str] | None = None,
    descriptions: dict[str, str] | None = None,
    path: str = "instance",
) -> list[str]:
    """Schema errors in the words of Evolution's validator, types first and then what is missing."""
    found = []
    prefix = "" if path == "instance" else f"{path}."
    for name, kind in (types or {}).items():
        if name not in value or (value[name] is None and kind == "object"):
            continue
        given = value[name]
        fits = isinstance(given, TYPES[kind]) and not (isinstance(given, bool) and kind in {"integer", "number"})
        if not fits:
            found.append((descriptions or {}).get(name) or f"{prefix}{name} is not of a type(s) {kind}")
    found += [f'{path} requires property "{name}"' for name in required if name not in value]
    return found


def refuse(found: list[str]) -> None:
    """Raise the 400 of a failed validation (a list in a list), if there is anything to refuse."""
    if found:
        raise EvolutionError(400, [found])


def is_url(text: str) -> bool:
    """Whether Evolution takes ``text`` as a URL: the host must be an IP address or have a dot
    (sendMedia-hostname-without-tld.json).
    """
    match = re.match(r"https?://(?:[^/@]*@)?([^/:?#]+)(?::\d+)?(?:[/?#]|$)", text)
    return bool(match and "." in match[1])


def is_base64(text: str) -> bool:
    """Bare base64, without ``data:`` in front (sendMedia-data-uri.json)."""
    return bool(text) and len(text) % 4 == 0 and bool(re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text))


def drop_connection(client: tuple[str, int | str] | None) -> None:
    """Close the TCP connection of ``client`` (address, port) under the server's feet, so that no answer can
    be written.

    ASGI has no word for it; the connection is found among the open files of this process. Works on Linux and
    macOS.
    """
    if client is None:
        return
    address = (client[0], int(client[1]))  # granian gives the port as a string
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError), socket_of(int(name)) as connection:
            if connection.family == socket.AF_INET and connection.getpeername() == address:
                # Lingering for zero seconds makes the final close a reset, after the caller has seen the end.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RDWR)
                return


def socket_of(descriptor: int) -> socket.socket:
    """A second handle on an open socket. Raises OSError if ``descriptor`` is none."""
    duplicate = os.dup(descriptor)
    try:
        return socket.socket(fileno=duplicate)
    except OSError:
        os.close(duplicate)
        raise
