"""Rows for files that were announced, and the way back for one that could not be loaded."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import Prefetch, prefetch_related_objects

from crm_whatsapp.bell import ring_on_commit
from crm_whatsapp.db import ClockNow
from messaging.events import Media
from messaging.models import MediaStatus, Message, MessageMedia
from units import live

TASK = "messaging.tasks.fetch_media"
_FOR_THE_NUMBER = ("disconnected", "instance_missing", "never_connected")


def expect(rows: Sequence[tuple[UUID, UUID, Media]]) -> None:
    """Have the files of messages fetched: (message's id, unit's id, what was announced), in the caller's transaction.

    One statement. A message that has its row already keeps it, unless the file waits or could not be loaded, and now
    comes with its bytes, or with another link: then it is due at once. What is announced as larger than MEDIA_MAX_BYTES
    is refused at once. base64 that makes no sense is as good as none: the gateway is asked.
    """
    announced: dict[UUID, MessageMedia] = {}
    for message_id, unit_id, media in rows:
        row = _announced(message_id, unit_id, media)
        # One statement may touch a row once only.
        if message_id not in announced or row.content is not None:
            announced[message_id] = row
    if not announced:
        return
    columns = zip(
        *(
            (row.message_id, row.unit_id, row.status, row.error_code, row.size, row.content, row.url)
            # In one order, whoever else is told of the same.
            for _, row in sorted(announced.items())
        ),
        strict=True,
    )
    with database.cursor() as cursor:
        cursor.execute(_EXPECT, [list(column) for column in columns])
    ring_on_commit(TASK)


# Whoever is loading the file from elsewhere meanwhile has lost the row.
_EXPECT = """
INSERT INTO message_media AS f (message_id, unit_id, status, error_code, size, content, url, due_at)
SELECT message_id, unit_id, status, error_code, size, content, url, CASE WHEN status = 'waiting' THEN crm_now() END
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::bytea[], %s::text[])
  AS told (message_id, unit_id, status, error_code, size, content, url)
ON CONFLICT (message_id) DO UPDATE
SET status = 'waiting', content = excluded.content, url = coalesce(nullif(excluded.url, ''), f.url), due_at = crm_now(),
    attempts = 0, claim_token = NULL, error_code = '', error = ''
WHERE f.status IN ('waiting', 'failed') AND f.content IS NULL AND excluded.status = 'waiting'
  AND (excluded.content IS NOT NULL OR excluded.url NOT IN ('', f.url))
"""


def _announced(message_id: UUID, unit_id: UUID, media: Media) -> MessageMedia:
    row: dict[str, Any] = {"message_id": message_id, "unit_id": unit_id}
    content = _decoded(media.base64)
    if max(media.size or 0, len(content or b"")) > settings.MEDIA_MAX_BYTES:
        return MessageMedia(**row, status=MediaStatus.REFUSED, error_code="too_large", size=media.size, url="")
    return MessageMedia(**row, status=MediaStatus.WAITING, error_code="", content=content, url=media.url or "")


def _decoded(text: str | None) -> bytes | None:
    """The bytes of a whole base64 text; None for anything else."""
    if not text or len(text) > settings.MEDIA_MAX_BYTES * 4 // 3 + 1024:
        return None
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def try_again(message: Message) -> bool:
    """Load a file once more that could not be loaded; False when there is nothing to try again."""
    with transaction.atomic():
        waiting = MessageMedia.objects.filter(message=message, status=MediaStatus.FAILED).update(
            status=MediaStatus.WAITING, attempts=0, due_at=ClockNow(), claim_token=None, error_code="", error=""
        )
        if waiting:
            ring_on_commit(TASK)
            live.publish([change_of(message)])
    return bool(waiting)


def look_again(connection_id: UUID) -> None:
    """Load at once what has waited for a number to be connected; call it when that has come about."""
    waiting = MessageMedia.objects.filter(
        status=MediaStatus.WAITING,
        error_code__in=_FOR_THE_NUMBER,
        message__connection_id=connection_id,
        claim_token=None,
    )
    if waiting.update(due_at=ClockNow()):
        ring_on_commit(TASK)


def change_of(message: Message) -> live.Change:
    """For open pages: look at this message again."""
    data = {
        "conversation_id": str(message.conversation_id),
        "direction": message.direction,
        "status": message.status,
    }
    return live.Change(unit_id=message.unit_id, kind="message", object_id=message.id, data=data)


def files() -> Prefetch:
    """For `prefetch_related` of messages: their files, without the bytes that may wait in a row."""
    return Prefetch("files", queryset=MessageMedia.objects.defer("content"))


def file_of(message: Message) -> MessageMedia | None:
    """The file of a message as it may be shown: none of one that was deleted. Prefetch `files()` where many are."""
    if message.deleted_at is not None:
        return None
    prefetch_related_objects([message], files())
    return next(iter(message.files.all()), None)
