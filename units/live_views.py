"""Live events to browsers and programs: server-sent events, in the ASGI process alone.

One listener a process waits for NOTIFY and wakes the streams of the unit; each stream reads from the table what it has
not sent yet. So a NOTIFY that is lost, or two that become one, loses nothing.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.request import split_domain_port
from django.utils.translation import gettext as _
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from units.access import unit_for
from units.authentication import TokenAuthentication
from units.live import CHANNEL
from units.models import LiveEvent, UnitFeed, User

log = structlog.get_logger(__name__)

# Proxies close what is silent for a minute; a browser that went away is noticed by writing to it.
HEARTBEAT_SECONDS = 20.0
# Whoever has lost his membership stops receiving within this time.
RECHECK_SECONDS = 60.0
PAGE = 200


class Listener:
    """Wakes the streams of a unit when NOTIFY says that its feed has grown."""

    def __init__(self) -> None:
        self._streams: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, unit_id: UUID) -> asyncio.Event:
        """An event that is set whenever the unit's feed may have grown."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())
        grown = asyncio.Event()
        self._streams[str(unit_id)].add(grown)
        return grown

    def unsubscribe(self, unit_id: UUID, grown: asyncio.Event) -> None:
        self._streams[str(unit_id)].discard(grown)
        if not self._streams[str(unit_id)]:
            del self._streams[str(unit_id)]

    async def _listen(self) -> None:
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(settings.DATABASE_URL, autocommit=True)
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    # Whatever came while nobody listened.
                    for unit_id in list(self._streams):
                        self._wake(unit_id)
                    async for notice in connection.notifies():
                        self._wake(notice.payload)
            except (psycopg.Error, OSError) as error:
                log.warning("listener_lost", error=type(error).__name__)
                await asyncio.sleep(1)

    def _wake(self, unit_id: str) -> None:
        for grown in self._streams.get(unit_id, ()):
            grown.set()


_listener = Listener()


async def events(request: HttpRequest, unit_id: UUID) -> HttpResponseBase:
    """`GET /units/{unit}/events`: `id: <seq>`, `event: <kind>`, `data: {"id": …}`; goes on after `Last-Event-ID`.

    Without `Last-Event-ID` (header, or `?after=` for the first connection of a page) it starts with what comes next.
    """
    if not isinstance(request, ASGIRequest):
        # A stream would hold a thread of the web process for as long as a browser is open.
        return JsonResponse({"detail": _("Live events are served by the live process.")}, status=501)
    try:
        await sync_to_async(_check_access)(request, unit_id)
    except AuthenticationFailed as error:
        return HttpResponse(str(error.detail), status=401, content_type="text/plain")
    after = request.headers.get("Last-Event-ID") or request.GET.get("after") or ""
    seq = int(after) if after.isdecimal() and len(after) < 19 else await sync_to_async(_last_seq)(unit_id)
    response = StreamingHttpResponse(_stream(request, unit_id, seq), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    # In `make run` the page comes from another port. Cookies ignore ports; the browser asks for this besides.
    origin = request.headers.get("Origin")
    if origin and _may_read(request, origin):
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Credentials"] = "true"
        response["Vary"] = "Origin"
    return response


def _may_read(request: HttpRequest, origin: str) -> bool:
    """Whether a page of `origin` may read the stream: ours, or of this scheme and host, on whatever port."""
    if origin in {settings.PUBLIC_URL, *settings.CSRF_TRUSTED_ORIGINS}:
        return True
    scheme, _separator, netloc = origin.partition("://")
    host, _port = split_domain_port(request.get_host())
    return bool(host) and (scheme, split_domain_port(netloc)[0]) == (request.scheme, host)


async def _stream(request: HttpRequest, unit_id: UUID, seq: int) -> AsyncIterator[str]:
    grown = _listener.subscribe(unit_id)
    recheck_at = time.monotonic() + RECHECK_SECONDS
    try:
        yield f"retry: 3000\nid: {seq}\nevent: ready\ndata: {{}}\n\n"
        while True:
            grown.clear()
            page = await sync_to_async(_after)(unit_id, seq)
            for event in page:
                seq = event.seq
                data = json.dumps({"id": str(event.object_id)} | event.data)
                yield f"id: {seq}\nevent: {event.kind}\ndata: {data}\n\n"
            # After a full page there is probably more, of which nobody tells again.
            if len(page) < PAGE:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await grown.wait()
                except TimeoutError:
                    yield ": still here\n\n"
            if time.monotonic() > recheck_at:
                await sync_to_async(_check_access)(request, unit_id)
                recheck_at = time.monotonic() + RECHECK_SECONDS
    except (Http404, AuthenticationFailed):
        yield "event: gone\ndata: {}\n\n"
    finally:
        _listener.unsubscribe(unit_id, grown)


def _check_access(request: HttpRequest, unit_id: UUID) -> None:
    """Raises Http404 or AuthenticationFailed unless the session or the token still opens the unit."""
    close_old_connections()
    if token := TokenAuthentication().authenticate(Request(request)):
        user: User | AnonymousUser = token[0]
    else:
        # `request.user` and the session remember what they were when the stream began.
        request.session = type(request.session)(request.session.session_key)
        user = get_user(request)
    unit_for(user, unit_id)


def _last_seq(unit_id: UUID) -> int:
    feed = UnitFeed.objects.filter(unit_id=unit_id).first()
    return feed.last_seq if feed else 0


def _after(unit_id: UUID, seq: int) -> list[LiveEvent]:
    close_old_connections()
    events = LiveEvent.objects.filter(unit_id=unit_id, seq__gt=seq).order_by("seq")
    return list(events[:PAGE])
