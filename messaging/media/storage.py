"""Where files lie: Django's default storage, a directory or a bucket (settings.STORAGES)."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import batched
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from messaging.media.sniffing import FileType
from messaging.models import Attachment, MessageMedia

ROOT = "media"
# A file is there before its row says so. One without a row is left alone for longer than any fetch lasts.
ORPHANED_AFTER = timedelta(days=1)
BATCH = 500
_NAME = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(?:thumb\.)?\w+")


def path_for(unit_id: UUID, media_id: UUID, made_at: datetime, extension: str) -> str:
    """`media/<unit>/<yyyy>/<mm>/<media>.<extension>`, of nothing that anybody else has chosen.

    The same for the same row and bytes: who fetches once more, because somebody died between storing and recording,
    overwrites what is there.
    """
    return f"{ROOT}/{unit_id}/{made_at:%Y/%m}/{media_id}.{extension}"


def store(path: str, content: bytes, kind: FileType) -> str:
    """Write a file, over one that may be there, and return its name. Raises whatever the storage raises."""
    file = ContentFile(content, name=path)
    # For a bucket, where somebody may look at the object itself.
    file.content_type = kind.mime_type  # type: ignore[attr-defined]
    return default_storage.save(path, file)


def orphans() -> Iterator[str]:
    """Names of files without a row: their messages were deleted, nobody lived to record them, or nobody sent them."""
    newest = timezone.now() - ORPHANED_AFTER
    for names in batched(_walk(ROOT), BATCH):
        ids = {name: match[1] for name in names if (match := _NAME.fullmatch(name.rpartition("/")[2]))}
        rows = MessageMedia.objects.filter(id__in=set(ids.values())).values_list("file", "thumbnail")
        attached = Attachment.objects.filter(id__in=set(ids.values())).values_list("file", "thumbnail")
        known = {name for row in [*rows, *attached] for name in row}
        # Last, since a bucket is asked for each.
        yield from (name for name in ids if name not in known and default_storage.get_modified_time(name) < newest)


def _walk(folder: str) -> Iterator[str]:
    try:
        folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in sorted(names):
        yield f"{folder}/{name}"
    for inner in sorted(folders):
        yield from _walk(f"{folder}/{inner}")
