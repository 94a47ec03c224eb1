"""Rows for files that were announced, and the way back for one that could not be loaded."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch

from crm_whatsapp.bell import ring_on_commit
from crm_whatsapp.db import ClockNow
from messaging.events import Media
from messaging.models import MediaStatus, Message, MessageMedia
from units import live

TASK = "messaging.tasks.fetch_media"


def expect(rows: Sequence[tuple[UUID, UUID, Media]]) -> None:
    """Have the files of messages fetched: (message's id, unit's id, what was announced), for messages just written.

    One statement, in the caller's transaction; a message that has its row already keeps it. What is announced as larger
    than MEDIA_MAX_BYTES is refused at once. base64 that makes no sense is as good as none: the gateway is asked.
    """
    if not rows:
        return
    MessageMedia.objects.bulk_create(
        [_announced(message_id, unit_id, media) for message_id, unit_id, media in rows], ignore_conflicts=True
    )
    ring_on_commit(TASK)


def _announced(message_id: UUID, unit_id: UUID, media: Media) -> MessageMedia:
    row: dict[str, Any] = {"message_id": message_id, "unit_id": unit_id}
    content = _decoded(media.base64)
    if max(media.size or 0, len(content or b"")) > settings.MEDIA_MAX_BYTES:
        return MessageMedia(**row, status=MediaStatus.REFUSED, error_code="too_large", size=media.size, due_at=None)
    return MessageMedia(**row, content=content, url=media.url or "")


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
    found: Iterable[MessageMedia] = message.files.all() if message.deleted_at is None else ()
    return next(iter(found), None)
