"""Files are loaded in the background, as messages are sent: rows are the queue, and a bell only says "look".

What happens to a row; each step is one short transaction, or work in a thread that never touches the database:

1. claim     lock a due row, lease it (`due_at` becomes the end of the lease), count the attempt
2. load      content of the webhook → link → gateway; sniff it, make the small picture, store both
3. record    what became of it, if the row is still ours, and tell open pages

Whoever dies in between leaves a row that is due again when its lease ends, and at worst a file, which the next attempt
overwrites (the path is the row's own).
"""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import F

from crm_whatsapp.db import ClockNow
from messaging.media import sources, storage
from messaging.media.intake import change_of
from messaging.media.sniffing import UNKNOWN, WEBP, FileType, sniff
from messaging.media.thumbnails import NotAnImage, Picture, picture_of
from messaging.models import MediaStatus, Message, MessageMedia
from units import live
from units.gateways.errors import GatewayError, NotSent, Rejected

log = structlog.get_logger(__name__)

# Renewed while a file is being loaded, which may take minutes; whoever died has lost it after this.
LEASE: Final = timedelta(minutes=1)
RENEW_SECONDS: Final = 15.0
MAX_ATTEMPTS: Final = 6
# Each wait is four times the one before.
RETRY_FIRST, RETRY_MOST = timedelta(seconds=15), timedelta(hours=1)
# The gateway's 400 means that WhatsApp no longer has the file. Some such answers pass within the hour, so the attempts
# are spread over more than one.
ATTEMPTS_WHEN_GONE: Final = 3
GONE_FIRST: Final = timedelta(minutes=15)
# A gateway that is down behind a proxy (502, 504, no answer) says nothing about the file: for so long after it came, no
# attempt is counted, and the waits are half its age.
PATIENCE: Final = timedelta(days=1)
# While the trouble is not about this file (gateway down, number disconnected, storage full) no attempt is counted.
LOOK_AGAIN: Final = timedelta(minutes=1)
# For files of a number that is not connected the waits are half their age, too, and at most this.
LOOK_AGAIN_MOST: Final = timedelta(minutes=15)
# A claim chooses among so many of the longest and of the latest due: it costs the same whatever else waits.
CHOICE: Final = 300
# Of one number at a time: a slow or hostile one does not take all threads.
PER_CONNECTION: Final = 2
# Larger files pass one by one: base64, JSON and bytes of one are three copies in memory.
LARGE_BYTES: Final = 8 * 1024 * 1024
POLL_SECONDS: Final = 0.2
LINGER_SECONDS: Final = 2.0

_large = threading.Lock()


@dataclass(frozen=True, slots=True)
class Stored:
    """The file is where it belongs."""

    kind: FileType
    size: int
    sha256: str
    name: str
    picture: Picture | None = None
    thumbnail_name: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The file is not kept, and why."""

    code: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The file could not be had.

    `most`: attempts after which it is given up; None: it is not the file's fault. `first`: how long to wait after the
    first attempt, and after any when none is counted.
    """

    code: str
    answer: str = ""
    most: int | None = MAX_ATTEMPTS
    first: timedelta = RETRY_FIRST


type Outcome = Stored | Refused | Failed


@dataclass(slots=True, kw_only=True)
class Load:
    """One row in this process's hands, from claim to record."""

    media_id: UUID
    unit_id: UUID
    message_id: UUID
    connection_id: UUID
    made_at: datetime
    age: timedelta
    instance_name: str
    external_id: str
    is_deleted: bool
    announced_size: int
    url: str
    content: bytes | None
    attempts: int
    error_code: str
    token: UUID
    outcome: Outcome = field(default_factory=lambda: Failed("not_loaded"))

    def run(self) -> None:
        """Load and store the file. Runs in a thread; never raises."""
        try:
            if self.announced_size >= LARGE_BYTES:
                with _large:
                    self.outcome = self._load()
            else:
                self.outcome = self._load()
        except sources.TooLarge:
            self.outcome = Refused("too_large", self.announced_size or None)
        except NotSent as error:
            self.outcome = Failed(error.code, error.answer, most=None, first=LOOK_AGAIN)
        except Rejected as error:
            self.outcome = Failed("media_gone", error.answer, most=ATTEMPTS_WHEN_GONE, first=GONE_FIRST)
        except GatewayError as error:
            self.outcome = Failed(error.code, error.answer)
            if (error.status is None or error.status >= 500) and self.age < PATIENCE:
                first = min(max(self.age / 2, RETRY_FIRST), RETRY_MOST)
                self.outcome = Failed(error.code, error.answer, most=None, first=first)
        except Exception as error:
            log.exception("media_crashed", media_id=str(self.media_id))
            self.outcome = Failed("not_loaded", type(error).__name__)
        finally:
            self.content = None

    def _load(self) -> Outcome:
        if self.is_deleted:
            return Refused("deleted")
        content = self.content
        if content is None and self.url:
            content = sources.download(self.url)
        if content is None:
            content = sources.from_gateway(self.instance_name, self.external_id)
        return self._store(content)

    def _store(self, content: bytes) -> Outcome:
        if not content:
            return Failed("empty_file", most=ATTEMPTS_WHEN_GONE, first=GONE_FIRST)
        kind, picture = sniff(content), None
        if kind.refused:
            return Refused("program", len(content))
        if kind.mime_type.startswith("image/") and kind.inline:
            try:
                picture = picture_of(content)
            except NotAnImage:
                kind = UNKNOWN
        path = storage.path_for(self.unit_id, self.media_id, self.made_at, "{}")
        try:
            name = storage.store(path.format(kind.extension), content, kind)
            small = ""
            if picture and picture.thumbnail:
                small = storage.store(path.format("thumb.webp"), picture.thumbnail, WEBP)
        except Exception as error:
            # A disk that is full, a bucket that does not answer: each storage has errors of its own.
            log.exception("media_not_stored", media_id=str(self.media_id))
            return Failed("not_stored", type(error).__name__, most=None, first=LOOK_AGAIN)
        return Stored(kind, len(content), hashlib.sha256(content).hexdigest(), name, picture, small)


@dataclass(slots=True)
class Fetcher:
    """Works off due rows. `overdue`: only what has been due for this long (the pump leaves the rest to workers)."""

    overdue: timedelta = timedelta(0)
    _flying: dict[Future[None], Load] = field(default_factory=dict)
    _renew_at: float = 0.0

    def run(self, *, seconds: float, wake: threading.Event | None = None, stop: threading.Event | None = None) -> int:
        """Load what is due, for at most about `seconds` of claiming, and until nothing is left. Returns the number."""
        until, count, idle_since = time.monotonic() + seconds, 0, time.monotonic()
        with ThreadPoolExecutor(settings.MEDIA_THREADS, "media") as pool:
            while True:
                going_on = time.monotonic() < until and not (stop and stop.is_set())
                if wake:
                    wake.clear()
                while going_on and len(self._flying) < settings.MEDIA_THREADS and (load := self.claim()):
                    self._flying[pool.submit(load.run)] = load
                    count += 1
                if self._flying:
                    done, _rest = wait(self._flying, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                    for future in done:
                        record(self._flying.pop(future))
                    self._renew()
                    idle_since = time.monotonic()
                elif not going_on or wake is None or time.monotonic() - idle_since > LINGER_SECONDS:
                    return count
                else:
                    wake.wait(LINGER_SECONDS)

    def _renew(self) -> None:
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + RENEW_SECONDS
        tokens = [load.token for load in self._flying.values()]
        MessageMedia.objects.filter(
            claim_token__in=tokens, id__in=[load.media_id for load in self._flying.values()]
        ).update(due_at=ClockNow() + LEASE)

    def claim(self) -> Load | None:
        """The row to load next, leased; None when there is none."""
        busy = Counter(load.connection_id for load in self._flying.values())
        token = uuid4()
        values: dict[str, Any] = {
            "overdue": self.overdue.total_seconds(),
            "choice": CHOICE,
            "busy": [each for each, count in busy.items() if count >= PER_CONNECTION],
            "least": LOOK_AGAIN,
            "most": LOOK_AGAIN_MOST,
        }
        while (found := self._take(token, values)) is None:
            with database.cursor() as cursor:
                cursor.execute(_PUT_OFF, values)
                # They stood in the way of others.
                if not cursor.rowcount:
                    return None
        content = found.pop("content")
        load = Load(**found, content=None if content is None else bytes(content), token=token)
        if load.attempts >= MAX_ATTEMPTS:
            # Each of them was counted when it began, and none came back: the file kills whoever touches it.
            record(load)
            return self.claim()
        return load

    @staticmethod
    def _take(token: UUID, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row that `_NEXT` finds, leased."""
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(_NEXT, values)
            if (row := cursor.fetchone()) is None:
                return None
            columns = [column.name for column in cursor.description or ()]
            found: dict[str, Any] = dict(zip(columns, row, strict=True))
            MessageMedia.objects.filter(id=found["media_id"]).update(
                claim_token=token, attempts=F("attempts") + 1, due_at=ClockNow() + LEASE
            )
        return found


def record(load: Load) -> bool:
    """Write down what became of a file; False when the row is no longer ours."""
    outcome = load.outcome
    ours = MessageMedia.objects.filter(id=load.media_id, claim_token=load.token, status=MediaStatus.WAITING)
    with transaction.atomic():
        match outcome:
            case Stored(kind, size, sha256, name, picture, thumbnail_name):
                changed = ours.update(
                    status=MediaStatus.STORED,
                    file=name,
                    thumbnail=thumbnail_name,
                    mime_type=kind.mime_type,
                    size=size,
                    sha256=sha256,
                    width=picture.width if picture else None,
                    height=picture.height if picture else None,
                    error_code="",
                    error="",
                    **_DONE,
                )
            case Refused(code, known_size):
                changed = ours.update(status=MediaStatus.REFUSED, size=known_size, error_code=code, error="", **_DONE)
            case Failed(code, answer, None, first):
                changed = ours.update(
                    attempts=load.attempts,
                    due_at=ClockNow() + first,
                    claim_token=None,
                    error_code=code,
                    error=answer,
                )
            case Failed(code, answer, most, first) if most is not None and load.attempts + 1 < most:
                changed = ours.update(
                    due_at=ClockNow() + min(first * 4**load.attempts, RETRY_MOST),
                    claim_token=None,
                    error_code=code,
                    error=answer,
                )
            case Failed(code, answer):
                # `content` stays: should it be asked for again, what the webhook brought is still there.
                changed = ours.update(
                    status=MediaStatus.FAILED, due_at=None, claim_token=None, error_code=code, error=answer
                )
        says_the_same = isinstance(outcome, Failed) and outcome.most is None and outcome.code == load.error_code
        if changed and not says_the_same:
            live.publish([change_of(message) for message in Message.objects.filter(id=load.message_id)])
    log.info(
        "media",
        media_id=str(load.media_id),
        outcome=type(outcome).__name__.lower(),
        code="" if isinstance(outcome, Stored) else outcome.code,
        recorded=bool(changed),
    )
    return bool(changed)


# The bytes of the webhook and a link, which may carry a signature, are of no more use.
_DONE: Final[dict[str, Any]] = {"content": None, "url": "", "due_at": None, "claim_token": None}

# Two walks along the index of due rows, from both ends: what came just now, and what has waited longest.
_DUE = """
WITH due AS MATERIALIZED (
    (SELECT id FROM message_media WHERE status = 'waiting' AND due_at <= crm_now() - make_interval(secs => %(overdue)s)
     ORDER BY due_at LIMIT %(choice)s)
    UNION
    (SELECT id FROM message_media WHERE status = 'waiting' AND due_at <= crm_now() - make_interval(secs => %(overdue)s)
     ORDER BY due_at DESC LIMIT %(choice)s)
)
"""

# What a history sync told waits until nothing else does: there may be thousands, and WhatsApp has lost most of it.
# Without content and link a number that is not connected could give nothing.
_NEXT = (
    _DUE
    + """
SELECT f.id AS media_id, f.unit_id, f.message_id, m.connection_id, f.created_at AS made_at,
       crm_now() - f.created_at AS age, c.instance_name, coalesce(m.external_id, '') AS external_id,
       m.deleted_at IS NOT NULL AS is_deleted, f.url, f.content, f.attempts, f.error_code,
       CASE WHEN jsonb_typeof(m.details #> '{media,size}') = 'number'
            THEN least((m.details #>> '{media,size}')::numeric, 1e15)::bigint ELSE 0 END AS announced_size
FROM due
JOIN message_media f ON f.id = due.id
JOIN messages m ON m.id = f.message_id
JOIN unit_whatsapp_connections c ON c.id = m.connection_id
WHERE f.status = 'waiting' AND f.due_at <= crm_now() - make_interval(secs => %(overdue)s)
  AND m.connection_id <> ALL(%(busy)s::uuid[])
  AND (f.content IS NOT NULL OR f.url <> '' OR m.deleted_at IS NOT NULL OR c.status = 'connected')
ORDER BY m.from_history, f.due_at
LIMIT 1
FOR NO KEY UPDATE OF f SKIP LOCKED
"""
)

# Out of the way of the others, and with a word for whoever waits for it.
_PUT_OFF = (
    _DUE  # noqa: S608 - constants alone
    + """
, impossible AS (
    SELECT f.id FROM due
    JOIN message_media f ON f.id = due.id
    JOIN messages m ON m.id = f.message_id
    JOIN unit_whatsapp_connections c ON c.id = m.connection_id
    WHERE f.status = 'waiting' AND f.due_at <= crm_now() - make_interval(secs => %(overdue)s)
      AND f.content IS NULL AND f.url = '' AND m.deleted_at IS NULL AND c.status <> 'connected'
    FOR NO KEY UPDATE OF f SKIP LOCKED
)
UPDATE message_media f
SET due_at = crm_now() + least(greatest((crm_now() - f.created_at) / 2, %(least)s), %(most)s),
    error_code = 'disconnected', claim_token = NULL
FROM impossible WHERE f.id = impossible.id
"""
)
