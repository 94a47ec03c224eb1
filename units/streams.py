"""Open streams of live events: one reader of the feeds for all of them, in the ASGI process alone.

1. NOTIFY says which feeds have grown; every `TICK_SECONDS` all of them are looked at, so a notice may get lost.
2. One statement reads what is new in all grown feeds. Each event becomes bytes once, for all streams of its unit.
3. Each stream remembers the last number that it sent. It takes what follows from the memory of its feed or, when it is
   further behind, from the table. Nothing waits in memory for a client that does not read.
4. Every `TICK_SECONDS`, and before anything is read after trouble, one statement asks whether those who listen still
   may. Who may not gets `gone` and nothing more.

Numbers of a unit have no gaps (`units.live.publish`). So one that is missing was pruned, and the client is told to
start over: `reset`.
"""

import asyncio
import contextlib
import threading
from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg
import structlog
from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import Throttled

from units.live import CHANNEL
from units.roles import ALLOWED, Action, Role

log = structlog.get_logger(__name__)

# Proxies close what is silent for a minute.
HEARTBEAT_SECONDS = 20.0
# Who may no longer listen is noticed, and what no notice told of is found, within this time.
TICK_SECONDS = 2.0
# Events that are read at once, and that a feed keeps in memory.
PAGE = 100
RETRY_SECONDS = 1.0
# When somebody with too many open streams may try again.
REFUSED_SECONDS = 15

type Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What lets somebody listen to a unit: a token, or a session and the password under which it began (as SHA-256)."""

    unit_id: UUID
    user_id: UUID
    token_id: UUID | None = None
    session_key: str | None = None
    password: bytes | None = None


@dataclass(slots=True, eq=False)
class Stream:
    """One client that listens. `seq`: the last number that it has; `last_seq`: the feed's, when the client came."""

    access: Access
    seq: int
    last_seq: int
    is_allowed: bool = True
    has_left: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class TooManyStreams(Exception):
    """This process has as many as it may."""


class Feed:
    """The newest events of a unit to which somebody listens, as they go to clients."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.streams: set[Stream] = set()
        # Those up to `seq`, without a gap.
        self._newest: deque[bytes] = deque(maxlen=PAGE)

    def grow(self, rows: Iterable[Row]) -> None:
        """Take (seq, kind, data) in their order."""
        for seq, kind, data in rows:
            if seq <= self.seq:
                continue
            if seq != self.seq + 1:
                self._newest.clear()
            self._newest.append(as_text(seq, kind, data))
            self.seq = seq
        for stream in self.streams:
            stream.woken.set()

    def after(self, seq: int) -> bytes | None:
        """All that follows `seq`; None when it is not in memory."""
        missing = self.seq - seq
        if missing <= 0:
            return b""
        if missing > len(self._newest):
            return None
        return b"".join(islice(self._newest, len(self._newest) - missing, None))


class Reader:
    """A connection to the database for reading, made anew when it was lost."""

    def __init__(self) -> None:
        self._connection: psycopg.AsyncConnection[Row] | None = None
        self._lock = asyncio.Lock()

    async def rows(self, statement: str, **parameters: Any) -> list[Row]:
        """Raises psycopg.Error or OSError."""
        async with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = await connect()
            cursor = await self._connection.execute(statement.encode(), parameters)
            return await cursor.fetchall()


class Streams:
    """All streams of this process. Its methods are for the event loop; `admit` and `dismiss` for any thread."""

    def __init__(self) -> None:
        self._feeds: dict[UUID, Feed] = {}
        self._grown: set[UUID] = set()
        self._woken = asyncio.Event()
        self._new, self._old = Reader(), Reader()
        self._tasks: list[asyncio.Task[None]] = []
        self._admission = threading.Lock()
        self._open_by_user: Counter[UUID] = Counter()

    # Who may come

    def admit(self, stream: Stream) -> None:
        """Count one more stream of a person, until `dismiss`. Raises Throttled or TooManyStreams."""
        user_id = stream.access.user_id
        with self._admission:
            if self._open_by_user.total() >= settings.LIVE_STREAMS:
                raise TooManyStreams
            if self._open_by_user[user_id] >= settings.LIVE_STREAMS_PER_USER:
                raise Throttled(REFUSED_SECONDS, _("You have too many streams open."))
            self._open_by_user[user_id] += 1

    def dismiss(self, stream: Stream) -> None:
        with self._admission:
            self._open_by_user -= Counter([stream.access.user_id])

    # One stream

    async def pieces(self, stream: Stream) -> AsyncGenerator[bytes]:
        """What to send to a client, until he has left or may not listen any more."""
        feed = self._join(stream)
        try:
            yield b"retry: 3000\n" + as_text(stream.seq, "ready")
            if stream.seq > stream.last_seq:
                # Of a database that was there before this one.
                stream.seq = feed.seq
                yield as_text(stream.seq, "reset")
            while not stream.has_left:
                stream.woken.clear()
                piece = await self._next(stream, feed)
                if not stream.is_allowed:
                    yield b"event: gone\ndata: {}\n\n"
                    return
                if piece:
                    yield piece
                else:
                    try:
                        async with asyncio.timeout(HEARTBEAT_SECONDS):
                            await stream.woken.wait()
                    except TimeoutError:
                        yield b": still here\n\n"
        finally:
            feed.streams.discard(stream)
            if not feed.streams and self._feeds.get(stream.access.unit_id) is feed:
                del self._feeds[stream.access.unit_id]

    def _join(self, stream: Stream) -> Feed:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._listen())]
        unit_id = stream.access.unit_id
        if unit_id not in self._feeds:
            self._feeds[unit_id] = Feed(stream.last_seq)
            # Of what came since `last_seq` was read, nobody has told.
            self._look_at([unit_id])
        self._feeds[unit_id].streams.add(stream)
        return self._feeds[unit_id]

    async def _next(self, stream: Stream, feed: Feed) -> bytes:
        """What the client has not got yet, or the next part of it; empty: nothing."""
        while stream.is_allowed and not stream.has_left:
            piece = feed.after(stream.seq)
            if piece is not None:
                stream.seq = max(stream.seq, feed.seq)
                return piece
            try:
                rows = await self._old.rows(_AFTER, unit=stream.access.unit_id, seq=stream.seq, page=PAGE)
            except (psycopg.Error, OSError) as error:
                log.warning("events_unreadable", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            following = [row for seq, row in enumerate(rows, stream.seq + 1) if row[0] == seq]
            if not following:
                stream.seq = feed.seq
                return as_text(stream.seq, "reset")
            stream.seq = following[-1][0]
            return b"".join(as_text(*row) for row in following)
        return b""

    # All streams together

    def _look_at(self, unit_ids: Iterable[UUID]) -> None:
        self._grown.update(unit_ids)
        self._woken.set()

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._woken.wait()
            self._woken.clear()
            try:
                if clock() >= due:
                    await self._check_access()
                    due = clock() + TICK_SECONDS
                    self._grown.update(self._feeds)
                await self._read()
            except Exception as error:  # noqa: BLE001 - whatever it is: if this ended, everybody would hear nothing
                log.warning("feeds_unreadable", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                due = clock()

    async def _read(self) -> None:
        grown, self._grown = self._grown, set()
        units = [unit_id for unit_id in grown if unit_id in self._feeds]
        if not units:
            return
        found: dict[UUID, list[Row]] = defaultdict(list)
        seqs = [self._feeds[unit_id].seq for unit_id in units]
        for unit_id, *row in await self._new.rows(_GROWN, units=units, seqs=seqs, page=PAGE):
            found[unit_id].append(tuple(row))
        for unit_id, rows in found.items():
            if unit_id in self._feeds:
                self._feeds[unit_id].grow(rows)
            if len(rows) == PAGE:
                self._look_at([unit_id])

    async def _check_access(self) -> None:
        listening: dict[Access, list[Stream]] = defaultdict(list)
        for feed in self._feeds.values():
            for stream in feed.streams:
                listening[stream.access].append(stream)
        if not listening:
            return
        whose = list(listening)
        allowed = {
            whose[number - 1]
            for number, role, scopes in await self._new.rows(
                _ALLOWED,
                units=[one.unit_id for one in whose],
                users=[one.user_id for one in whose],
                tokens=[one.token_id for one in whose],
                sessions=[one.session_key for one in whose],
                passwords=[one.password for one in whose],
            )
            if Action.READ_INBOX in ALLOWED[Role(role)] and (scopes is None or Action.READ_INBOX in scopes)
        }
        for access, streams in listening.items():
            if access not in allowed:
                for stream in streams:
                    stream.is_allowed = False
                    stream.woken.set()

    async def _listen(self) -> None:
        while True:
            try:
                async with await connect() as connection:
                    await connection.execute(f"LISTEN {CHANNEL}".encode())
                    # Whatever came while nobody listened.
                    self._look_at(self._feeds)
                    async for notice in connection.notifies():
                        unit_id = UUID(notice.payload)
                        if unit_id in self._feeds:
                            self._look_at([unit_id])
            except Exception as error:  # noqa: BLE001 - as above; meanwhile the ticks find what is new
                log.warning("listener_lost", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)


async def connect() -> psycopg.AsyncConnection[Row]:
    """A server that has vanished is noticed in 15 s. Raises psycopg.Error or OSError."""
    return await psycopg.AsyncConnection.connect(
        settings.DATABASE_URL,
        autocommit=True,
        application_name="live events",
        connect_timeout=5,
        keepalives_idle=5,
        keepalives_interval=5,
        keepalives_count=2,
        tcp_user_timeout=15_000,
    )


def as_text(seq: int, kind: str, data: str = "{}") -> bytes:
    """An event as it goes to clients. An empty line ends it; none is in JSON."""
    return f"id: {seq}\nevent: {kind}\ndata: {data}\n\n".encode()


_AFTER = """
SELECT seq, kind, (jsonb_build_object('id', object_id) || data)::text FROM live_events
WHERE unit_id = %(unit)s AND seq > %(seq)s ORDER BY seq LIMIT %(page)s
"""
_GROWN = """
SELECT feed.unit_id, event.seq, event.kind, event.data
FROM unnest(%(units)s::uuid[], %(seqs)s::bigint[]) AS feed (unit_id, seq)
CROSS JOIN LATERAL (
    SELECT seq, kind, (jsonb_build_object('id', object_id) || data)::text AS data FROM live_events
    WHERE unit_id = feed.unit_id AND live_events.seq > feed.seq ORDER BY seq LIMIT %(page)s
) AS event
ORDER BY feed.unit_id, event.seq
"""
# What `TokenAuthentication`, Django's sessions and `unit_for` ask when a stream is opened.
_ALLOWED = """
SELECT one.number, memberships.role, token.scopes
FROM unnest(%(units)s::uuid[], %(users)s::uuid[], %(tokens)s::uuid[], %(sessions)s::text[], %(passwords)s::bytea[])
    WITH ORDINALITY AS one (unit_id, user_id, token_id, session_key, password, number)
JOIN users ON users.id = one.user_id AND users.is_active
JOIN memberships ON memberships.unit_id = one.unit_id AND memberships.user_id = one.user_id
LEFT JOIN django_session AS session ON session.session_key = one.session_key AND session.expire_date > crm_now()
    AND one.password = sha256(convert_to(users.password, 'UTF8'))
LEFT JOIN api_tokens AS token ON token.id = one.token_id AND token.user_id = one.user_id
    AND token.revoked_at IS NULL AND (token.expires_at IS NULL OR token.expires_at > crm_now())
    AND (token.unit_id IS NULL OR token.unit_id = one.unit_id)
WHERE session.session_key IS NOT NULL OR token.id IS NOT NULL
"""
