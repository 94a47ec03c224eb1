"""Works off imports, one after the other; any number of workers, each import with one of them at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

import structlog
from django.core.files.storage import default_storage
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import ClockNow
from messaging.contacts import attributes
from messaging.imports import files
from messaging.imports.chunks import Chunks, TooManyTags, Written, giving_way, is_for_good
from messaging.imports.columns import Columns, Person, Refused
from messaging.imports.reading import PROBLEMS, Layout, Record, Records, names_of
from messaging.models import ContactImport, ImportStatus
from units import live

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

log = structlog.get_logger(__name__)

# A chunk is one transaction. Of more rows a million is no faster; what comes in waits for a number that is in it.
ROWS = 10_000
# Of a chunk with long rows.
BYTES = 8 << 20
# Rows that the database refuses are looked for one by one, up to so many: more are no slip of a pen.
MOST_UNSTORABLE = 100
# Why an import failed, besides what is wrong with its file.
ERRORS: dict[str, _StrPromise] = {
    **PROBLEMS,
    "file_gone": _("The file is no longer there. Upload it again."),
    "too_many_tags": _("The file would make too many tags. Is the column of tags the right one?"),
    "internal": _("Something went wrong on our side. What was imported before stays."),
}

# Many times what a chunk takes, however it gives way.
LEASE = timedelta(seconds=120)


def run_imports(*, overdue: timedelta = timedelta(), stop: threading.Event | None = None) -> int:
    """Import what waits, and go on with what somebody else has left; how many were worked on.

    1. Claim an import: a token and a lease on its row.
    2. Chunk by chunk, write rows and how far it is in one transaction, which holds only with that token and while
       nobody has cancelled it. So a kill at any time leaves whole chunks, and the next goes on behind them.
    3. Put the refused rows together, and say so.

    `overdue`: only what has waited so long for somebody else. `stop`: end after the chunk at hand.
    """
    count = 0
    while not (stop and stop.is_set()) and (row := claim(overdue)):
        count += 1
        work_on(row, stop)
    _put_away()
    return count


def claim(overdue: timedelta = timedelta()) -> ContactImport | None:
    """The oldest import that nobody works on, for this process until its lease ends; None when there is none."""
    late = ClockNow() - overdue
    waits = Q(status=ImportStatus.WAITING, created_at__lte=late)
    left = Q(status=ImportStatus.RUNNING) & (Q(lease_until__lte=late) | Q(lease_until=None))
    with transaction.atomic():
        rows = ContactImport.objects.select_for_update(skip_locked=True, no_key=True)
        row = rows.filter(waits | left).order_by("created_at").first()
        if row is None:
            return None
        row.claim_token = uuid4()
        held: dict[str, Any] = {"claim_token": row.claim_token, "lease_until": ClockNow() + LEASE}
        if row.status == ImportStatus.WAITING:
            ContactImport.objects.filter(pk=row.pk).move_to(ImportStatus.RUNNING, started_at=ClockNow(), **held)
        else:
            ContactImport.objects.filter(pk=row.pk).update(**held)
    row.refresh_from_db()
    return row


def work_on(row: ContactImport, stop: threading.Event | None = None) -> None:
    """Take a claimed import to its end, or to the end of the chunk at hand once `stop` is set. Raises nothing."""
    try:
        _Run(row).work(stop)
    except FileNotFoundError:
        _fail(row, "file_gone")
    except UnicodeDecodeError:
        _fail(row, "wrong_encoding")
    except TooManyTags:
        _fail(row, "too_many_tags")
    except _Lost:
        log.info("import_lost", contact_import=str(row.pk))
    except (DatabaseError, InterfaceError) as error:
        if is_for_good(error):
            log.exception("import_failed", contact_import=str(row.pk))
            _fail(row, "internal")
        else:
            # It may be restarting: whoever finds the lease over goes on.
            log.exception("import_interrupted", contact_import=str(row.pk))
    except Exception:
        # Again it would be the same.
        log.exception("import_failed", contact_import=str(row.pk))
        _fail(row, "internal")


class _TakenBack(Exception):
    """Rows were written well, and are not to stay."""


class _Lost(Exception):
    """The import is somebody else's by now, or cancelled."""


@dataclass(slots=True)
class _Chunk:
    """Rows that are written together, by their number in the file, from the byte `begin` to `end`."""

    begin: int
    end: int = 0
    rows: int = 0
    people: list[tuple[int, Person]] = field(default_factory=list)
    cells: dict[int, list[str]] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)


class _Run:
    """One claimed import, as far as this process comes with it."""

    def __init__(self, row: ContactImport) -> None:
        self._row = row
        self._mine = ContactImport.objects.filter(pk=row.pk, claim_token=row.claim_token, status=ImportStatus.RUNNING)
        self._counts: dict[str, Any] = {"created": 0, "updated": 0, "unchanged": 0, "refused": {}} | row.counts

    def work(self, stop: threading.Event | None) -> None:
        row = self._row
        chunks = Chunks(row.unit_id)
        try:
            with _opened(row) as file:
                records = Records(file, Layout(row.encoding, row.delimiter))
                rows = iter(records)
                header = next(rows, Record([])).cells
                for chunk in self._chunks(records, rows, header):
                    if chunk.end <= row.bytes_done:
                        self._narrowing(chunks, chunk, lambda people: chunks.stage(people))
                        continue
                    self._write(chunks, chunk)
                    if stop and stop.is_set():
                        self._mine.update(lease_until=None)
                        return
        finally:
            chunks.close()
        self._finish(header)

    def _chunks(self, records: Records, rows: Iterator[Record], header: list[str]) -> Iterator[_Chunk]:
        """All of the file; a chunk ends where those of an earlier run have ended, which are only remembered."""
        row = self._row
        columns = Columns(
            names_of(header),
            row.mapping,
            region=row.default_region,
            definitions=attributes.definitions_of(row.unit),
            everybody=row.tags,
        )
        chunk = _Chunk(records.position)
        for number, record in enumerate(rows, 1):
            chunk.rows += 1
            chunk.cells[number] = record.cells
            try:
                chunk.people.append((number, columns.read(record)))
            except Refused as refusal:
                chunk.refused[number] = refusal.code
            size = records.position - chunk.begin
            if chunk.rows == ROWS or size >= BYTES or records.position == row.bytes_done:
                chunk.end = records.position
                yield chunk
                chunk = _Chunk(records.position)
        chunk.end = records.position
        # Blank lines at the end are a chunk as well: all of the file has been read.
        if chunk.end > chunk.begin:
            yield chunk

    def _write(self, chunks: Chunks, chunk: _Chunk) -> None:
        self._narrowing(chunks, chunk, lambda people: self._commit(chunks, chunk, people))

    def _commit(self, chunks: Chunks, chunk: _Chunk, people: list[tuple[int, Person]]) -> None:
        row = self._row
        refused = chunk.refused | dict.fromkeys(chunks.stage(people), "duplicate")
        if refused:
            files.write_part(row, [(code, chunk.cells[number]) for number, code in sorted(refused.items())])
        else:
            files.drop_part(row)

        def write() -> dict[str, Any]:
            written = chunks.write(by=row.created_by)
            counts = _plus(self._counts, written, refused)
            # Only for whoever has the import still: else all of the chunk is taken back.
            if not self._mine.update(
                rows_done=row.rows_done + chunk.rows,
                bytes_done=chunk.end,
                counts=counts,
                lease_until=ClockNow() + LEASE,
            ):
                raise _Lost
            live.publish(written.changes)
            return counts

        self._counts = giving_way(write)
        row.rows_done += chunk.rows
        row.bytes_done = chunk.end

    def _narrowing(self, chunks: Chunks, chunk: _Chunk, work: Callable[[list[tuple[int, Person]]], Any]) -> None:
        """`work` on the chunk's people; where the database refuses some of them, on the others.

        One row that PostgreSQL does not take would else have its chunk tried again for ever. Raises DatabaseError when
        there are too many of these, or when the rows are refused only together.
        """
        try:
            work(chunk.people)
        except DatabaseError as error:
            if not is_for_good(error):
                raise
            self._mine.update(lease_until=ClockNow() + LEASE)
            found: list[int] = []
            for number in self._unstorable(chunks, chunk.people):
                found.append(number)
                if len(found) > MOST_UNSTORABLE:
                    raise
            if not found:
                raise
            log.warning(
                "import_rows_unstorable", contact_import=str(self._row.pk), rows=found, error=type(error).__name__
            )
            chunk.refused |= dict.fromkeys(found, "unstorable")
            chunk.people = [(number, person) for number, person in chunk.people if number not in chunk.refused]
            work(chunk.people)

    def _unstorable(self, chunks: Chunks, people: list[tuple[int, Person]]) -> Iterator[int]:
        """The rows that the database refuses, found by halves; each is tried, and taken back."""
        try:
            giving_way(lambda: self._try(chunks, people))
        except _TakenBack:
            return
        except DatabaseError as error:
            if not is_for_good(error):
                raise
            if len(people) == 1:
                yield people[0][0]
                return
            half = len(people) // 2
            yield from self._unstorable(chunks, people[:half])
            yield from self._unstorable(chunks, people[half:])

    def _try(self, chunks: Chunks, people: list[tuple[int, Person]]) -> None:
        chunks.stage(people)
        chunks.write(by=self._row.created_by)
        raise _TakenBack

    def _finish(self, header: list[str]) -> None:
        if not self._mine.exists():
            raise _Lost
        self._row.refused_file = files.join_parts(self._row, header)
        done = self._mine.move_to(
            ImportStatus.DONE, refused_file=self._row.refused_file.name, finished_at=ClockNow(), **_FREE
        )
        if not done:
            raise _Lost
        files.clear(self._row)


_FREE: dict[str, Any] = {"claim_token": None, "lease_until": None}


def _plus(counts: dict[str, Any], written: Written, refused: dict[int, str]) -> dict[str, Any]:
    by_reason = dict(counts["refused"])
    for reason in refused.values():
        by_reason[reason] = by_reason.get(reason, 0) + 1
    return {
        "created": counts["created"] + written.created,
        "updated": counts["updated"] + written.updated,
        "unchanged": counts["unchanged"] + written.unchanged,
        "refused": by_reason,
    }


def _fail(row: ContactImport, code: str) -> None:
    mine = ContactImport.objects.filter(pk=row.pk, claim_token=row.claim_token)
    mine.move_to(ImportStatus.FAILED, error_code=code, finished_at=ClockNow())


def _put_away() -> None:
    """Of imports that have failed or were cancelled, put the refused rows together and delete the rest.

    These still have a claim token: of whoever failed, or of the cancellation. A worker that does not know yet finds it
    another one, and its chunk is taken back.
    """
    ended = ContactImport.objects.filter(
        status__in=[ImportStatus.FAILED, ImportStatus.CANCELLED], claim_token__isnull=False
    )
    for pk in ended.values_list("pk", flat=True):
        # Locked, since the second of two would find only some of the files.
        with transaction.atomic():
            row = ended.select_for_update(skip_locked=True, no_key=True).filter(pk=pk).first()
            if row is None:
                continue
            row.refused_file = files.join_parts(row, _header(row))
            ContactImport.objects.filter(pk=pk).update(refused_file=row.refused_file.name, **_FREE)
        files.clear(row)


def _header(row: ContactImport) -> list[str]:
    try:
        file = _opened(row)
    except FileNotFoundError:
        return []
    with file:
        records = Records(file, Layout(row.encoding, row.delimiter))
        try:
            return next(iter(records), Record([])).cells
        finally:
            records.close()


def _opened(row: ContactImport) -> IO[Any]:
    """What was uploaded. Raises FileNotFoundError."""
    return default_storage.open(row.file.name or "")
