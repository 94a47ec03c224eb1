"""Where the files of imports lie: a folder for each in Django's default storage, a directory or a bucket.

    imports/<unit>/<random>/source.csv              what was uploaded, until the import has ended
    imports/<unit>/<random>/refused-<byte>.csv      rows refused from the chunk that begins at that byte
    imports/<unit>/<random>/refused.csv             all of these, once the import has ended

A bucket cannot append, so a chunk's refused rows are a file of their own. It is written before the chunk is committed;
whoever does the chunk again writes it again. Cells are as they were in the upload, after the code of the reason.
"""

import csv
import io
import posixpath
import re
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.utils import timezone

from crm_whatsapp.db import ClockNow
from messaging.models import ContactImport, ImportStatus

ROOT = "imports"
# They are people's names and numbers: gone when whoever imported has had a month to correct them.
KEPT = timedelta(days=30)
# A file is there before its row says so, and no request takes so long.
ORPHANED_AFTER = timedelta(days=1)
_PART = re.compile(r"refused-(\d{15})\.csv")
_ENDED = (ImportStatus.DONE, ImportStatus.FAILED, ImportStatus.CANCELLED)


def keep_source(unit_id: UUID, upload: File) -> str:
    """Store an uploaded file; its name."""
    return default_storage.save(f"{ROOT}/{unit_id}/{uuid4()}/source.csv", upload)


def write_part(row: ContactImport, refused: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Store what was refused of the chunk that begins at `row.bytes_done`: code and cells of each row."""
    text = io.StringIO()
    csv.writer(text).writerows([code, *cells] for code, cells in refused)
    default_storage.save(_part(row, row.bytes_done), ContentFile(text.getvalue().encode()))


def drop_part(row: ContactImport) -> None:
    """For a chunk of which nothing was refused: what somebody may have written who did not live to commit it."""
    default_storage.delete(_part(row, row.bytes_done))


def join_parts(row: ContactImport, header: Sequence[str]) -> str:
    """One file of all refused rows, below the header; its name, "" for none. The same once more is the same."""
    parts = list(_parts_of(row))
    if not parts:
        return ""
    with tempfile.TemporaryFile() as whole:
        text = io.TextIOWrapper(whole, "utf-8", newline="")
        csv.writer(text).writerow(["", *header])
        text.flush()
        for name in parts:
            with default_storage.open(name) as part:
                whole.writelines(part.chunks())
        whole.seek(0)
        saved = default_storage.save(f"{_folder(row)}/refused.csv", File(whole))
        text.detach()
    return saved


def clear(row: ContactImport) -> None:
    """Delete all of an import that has ended but its refused rows."""
    _empty(_folder(row), but=posixpath.basename(row.refused_file.name or ""))


def refused_rows(row: ContactImport) -> Iterator[list[str]]:
    """The header and then the refused rows, each after the code of its reason. Raises FileNotFoundError."""
    with default_storage.open(row.refused_file.name or "") as file:
        yield from csv.reader(io.TextIOWrapper(file, "utf-8", newline=""))


def prune() -> None:
    """Delete refused rows after a month, and what has no import any more or was left by somebody who died."""
    old = ContactImport.objects.filter(status__in=_ENDED, finished_at__lt=ClockNow() - KEPT)
    for row in old.exclude(refused_file="").iterator():
        ContactImport.objects.filter(pk=row.pk).update(refused_file="")
    kept = {posixpath.dirname(name): names for name, names in _known()}
    before = timezone.now() - ORPHANED_AFTER
    for unit in _folders(ROOT):
        for folder in _folders(unit):
            names = kept.get(folder, ())
            for name in default_storage.listdir(folder)[1]:
                path = f"{folder}/{name}"
                if names is not None and path not in names and default_storage.get_modified_time(path) < before:
                    default_storage.delete(path)


def _known() -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Of each import its source's name and the names to keep; None: all, since it has not ended."""
    rows = ContactImport.objects.values_list("file", "refused_file", "status")
    for source, refused, status in rows.iterator():
        yield source, (refused,) if status in _ENDED else None


def _folders(folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in default_storage.listdir(folder)[0]]
    except FileNotFoundError:
        return []


def _folder(row: ContactImport) -> str:
    return posixpath.dirname(row.file.name or "")


def _part(row: ContactImport, position: int) -> str:
    return f"{_folder(row)}/refused-{position:015d}.csv"


def _parts_of(row: ContactImport) -> Iterator[str]:
    """In the order of the file; none of a chunk that was not committed."""
    try:
        names = default_storage.listdir(_folder(row))[1]
    except FileNotFoundError:
        return
    for name in sorted(names):
        if (part := _PART.fullmatch(name)) and int(part[1]) < row.bytes_done:
            yield f"{_folder(row)}/{name}"


def _empty(folder: str, *, but: str) -> None:
    try:
        names = default_storage.listdir(folder)[1]
    except FileNotFoundError:
        return
    for name in names:
        if name != but:
            default_storage.delete(f"{folder}/{name}")
