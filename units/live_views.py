"""Live events to browsers and programs: server-sent events, in the ASGI process alone.

Django answers who may listen, like every other request: the same authentication, roles, throttles, errors and headers.
Then its thread and its database connection are given back, and the stream goes on without Django: a thousand streams
are a thousand small tasks of one event loop (`units.streams`).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import structlog
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from units.access import UnitScope
from units.crypto import sha256
from units.models import ApiToken, UnitFeed, User
from units.roles import Action
from units.streams import Access, Stream, Streams, TooManyStreams

log = structlog.get_logger(__name__)

type Scope = dict[str, Any]
type Message = Mapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

# Where in the ASGI scope the view finds the door through which it sends a stream.
_DOOR = "crm_whatsapp.door"
# So many requests are with Django at once, each with a thread and a database connection; the others wait.
TURNS = 8

_streams = Streams()


@dataclass(slots=True)
class _Door:
    """One request. `stream`: what the view has admitted."""

    stream: Stream | None = None


class _ErrorsAsJSON(DefaultContentNegotiation):
    """Refusals are JSON for everybody, even for browsers, which ask for an event stream."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


# Described in crm_whatsapp.schema: OpenAPI's framework knows no streams.
@extend_schema(exclude=True)
class EventsView(UnitScope, APIView):
    """`GET /units/{unit}/events`: `id: <seq>`, `event: <kind>`, `data: {"id": …}` (docs/live-events.md).

    Goes on after `Last-Event-ID` (header, or `?after=` for the first connection of a page); without either, with what
    comes next.
    """

    reads, writes = Action.READ_INBOX, None
    content_negotiation_class = _ErrorsAsJSON

    def get(self, request: Request, unit_id: UUID) -> HttpResponse:
        """Raises ValidationError and Throttled."""
        http = request._request
        door = http.scope.get(_DOOR) if isinstance(http, ASGIRequest) else None
        if door is None:
            # A stream would hold a thread of the web process for as long as a browser is open.
            return _refusal(501, "not_served_here", _("Live events are served by the live process."))
        response = HttpResponse(content_type="text/event-stream")
        response["Cache-Control"] = "no-store, no-transform"
        response["X-Accel-Buffering"] = "no"
        # In `make run` the page comes from another port. Cookies ignore ports; the browser asks for this besides.
        origin = http.headers.get("Origin")
        if origin and _may_read(http, origin):
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Allow-Credentials"] = "true"
            response["Vary"] = "Origin"
        if request.method == "GET":
            stream = self._stream(request, unit_id)
            try:
                _streams.admit(stream)
            except TooManyStreams:
                refusal = _refusal(503, "too_many_streams", _("Too many streams are open. Try again in a minute."))
                refusal["Retry-After"] = "60"
                return refusal
            door.stream = stream
        return response

    def _stream(self, request: Request, unit_id: UUID) -> Stream:
        last_seq = UnitFeed.objects.filter(unit_id=unit_id).values_list("last_seq", flat=True).first() or 0
        after = request.headers.get("Last-Event-ID") or request.query_params.get("after") or str(last_seq)
        if not (after.isascii() and after.isdecimal()) or len(after) > 18:
            raise ValidationError({"after": [_("This is not the number of an event.")]})
        return Stream(_access(request, unit_id), int(after), last_seq)


def _refusal(status: int, code: str, detail: str) -> Response:
    """Not raised: what is no fault of ours has no traceback in the log."""
    return Response({"type": "server_error", "errors": [{"code": code, "detail": detail, "attr": None}]}, status=status)


def _access(request: Request, unit_id: UUID) -> Access:
    user = cast("User", request.user)
    if isinstance(request.auth, ApiToken):
        return Access(unit_id=unit_id, user_id=user.pk, token_id=request.auth.pk)
    return Access(
        unit_id=unit_id, user_id=user.pk, session_key=request.session.session_key, password=sha256(user.password)
    )


def _may_read(request: HttpRequest, origin: str) -> bool:
    """Whether a page of `origin` may listen with its user's cookie: ours, or of this scheme and host on any port."""
    if origin in {settings.PUBLIC_URL, *settings.CSRF_TRUSTED_ORIGINS}:
        return True
    scheme, _separator, netloc = origin.partition("://")
    host, _port = split_domain_port(request.get_host())
    return bool(host) and (scheme, split_domain_port(netloc)[0]) == (request.scheme, host)


class WithStreams:
    """The ASGI application: Django's, and after it the streams that it has admitted."""

    def __init__(self, django: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._django = django
        self._turns = asyncio.Semaphore(TURNS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = _Door()
        has_begun = False

        async def answer(message: Message) -> None:
            nonlocal has_begun
            if door.stream is None:
                await send(message)
            elif message["type"] == "http.response.start":
                headers = [(name, value) for name, value in message["headers"] if name.lower() != b"content-length"]
                await send({**message, "headers": headers})
                has_begun = True
            # The empty body of Django's answer would end it.

        try:
            async with self._turns:
                await self._django({**scope, _DOOR: door}, receive, answer)
            if door.stream and has_begun:
                await _send_all(door.stream, receive, send)
        finally:
            if door.stream:
                _streams.dismiss(door.stream)


async def _send_all(stream: Stream, receive: Receive, send: Send) -> None:
    watching = asyncio.create_task(_notice_leaving(stream, receive))
    try:
        async with contextlib.aclosing(_streams.pieces(stream)) as pieces:
            async for piece in pieces:
                async with asyncio.timeout(settings.LIVE_SEND_TIMEOUT):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    except TimeoutError:
        # The server holds 32 pieces for him, and the kernel some more. By the number of the last one that he got he can
        # ask for what he has missed.
        log.info("stream_cut_off", unit=str(stream.access.unit_id), seq=stream.seq)
    finally:
        watching.cancel()


async def _notice_leaving(stream: Stream, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.has_left = True
    stream.woken.set()
