"""Files to send: taken once, judged by their bytes, and forgotten when nothing has needed them for a week."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

import structlog
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, ForeignObjectRel, OuterRef
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import ClockNow
from messaging.events import MessageKind
from messaging.media import sniffing, storage
from messaging.media.naming import cleaned, named_for
from messaging.media.sniffing import FileType, sniff
from messaging.media.thumbnails import NotAnImage, Picture, picture_of
from messaging.models import Attachment
from messaging.outgoing.errors import CannotQueue
from units.models import Unit, User

log = structlog.get_logger(__name__)

# An upload that nobody has sent is kept for so long: a draft may wait over a weekend.
KEPT_UNUSED: Final = timedelta(days=7)
PRUNED_AT_ONCE: Final = 500

MB: Final = 1024 * 1024
# WhatsApp's own limits. MEDIA_MAX_BYTES is ours for all of them.
MAX_BYTES: Final = {
    MessageKind.IMAGE: 16 * MB,
    MessageKind.VIDEO: 16 * MB,
    MessageKind.AUDIO: 16 * MB,
    MessageKind.DOCUMENT: 100 * MB,
    MessageKind.STICKER: 500 * 1024,
}
MAX_STILL_STICKER: Final = 100 * 1024
STICKER_EDGE: Final = 512

# What each type is sent as when nobody says otherwise: as what it plays in a chat; anything else is a document.
_SENT_AS: Final = {
    **dict.fromkeys((sniffing.JPEG, sniffing.PNG, sniffing.WEBP, sniffing.GIF), MessageKind.IMAGE),
    **dict.fromkeys((sniffing.MP4, sniffing.THREE_GP), MessageKind.VIDEO),
    **dict.fromkeys((sniffing.OGG, sniffing.MP3, sniffing.M4A, sniffing.AAC, sniffing.AMR), MessageKind.AUDIO),
}
# The gateway converts what is sent as a voice note: browsers record WebM.
_SOUNDS_TOO: Final = frozenset({sniffing.WAV, sniffing.WEBM, sniffing.MP4})
KINDS: Final = tuple(MAX_BYTES)


def attach(
    unit: Unit, content: bytes, *, name: str = "", kind: str | None = None, author: User | None = None
) -> Attachment:
    """Keep a file to send. `kind`: as what, when not as what its bytes say (sticker, document, audio).

    Raises CannotQueue for an empty file, a program, one that cannot be sent as `kind`, or is too large for it.
    """
    if not content:
        raise CannotQueue(_("The file is empty."))
    found = sniff(content)
    if found.refused:
        raise CannotQueue(_("The file is a program. Programs are not sent."))
    picture: Picture | None = None
    if found.mime_type.startswith("image/") and found.inline:
        try:
            picture = picture_of(content)
        except NotAnImage:
            found = sniffing.UNKNOWN
    sent_as = _kind_of(found, kind)
    _refuse_too_large(sent_as, len(content))
    if sent_as is MessageKind.STICKER:
        _require_sticker(content, picture)
    with database.cursor() as cursor:
        cursor.execute("SELECT uuidv7(), crm_now()")
        pk, made_at = cursor.fetchone()
    path = storage.path_for(unit.pk, pk, made_at, "{}")
    stored = storage.store(path.format(found.extension), content, found)
    thumbnail = ""
    if picture and picture.thumbnail:
        thumbnail = storage.store(path.format("thumb.webp"), picture.thumbnail, sniffing.WEBP)
    return Attachment.objects.create(
        id=pk,
        unit=unit,
        created_by=author,
        kind=sent_as,
        name=named_for(cleaned(name), found, otherwise=str(sent_as)),
        file=stored,
        thumbnail=thumbnail,
        mime_type=found.mime_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        width=picture.width if picture else None,
        height=picture.height if picture else None,
    )


def most_bytes() -> int:
    """The largest file of any kind."""
    return min(settings.MEDIA_MAX_BYTES, max(MAX_BYTES.values()))


def prune() -> int:
    """Delete files that no message, campaign or anything else refers to, a week after they came. Returns how many.

    Two statements: the lock keeps whoever is about to refer to a row waiting, and what somebody referred to before it
    is seen by the second, whose snapshot is newer.
    """
    count = 0
    while True:
        with transaction.atomic():
            rows = Attachment.objects.filter(created_at__lt=ClockNow() - KEPT_UNUSED)
            # Whoever has a key to it, in whatever app: relations without a name for the way back are hidden.
            for relation in Attachment._meta.get_fields(include_hidden=True):
                if isinstance(relation, ForeignObjectRel):
                    users = relation.related_model._base_manager.filter(**{relation.field.name: OuterRef("pk")})
                    rows = rows.filter(~Exists(users))
            locked = list(rows.select_for_update(skip_locked=True).order_by("created_at")[:PRUNED_AT_ONCE])
            unused = list(rows.filter(pk__in=[row.pk for row in locked]))
            Attachment.objects.filter(pk__in=[row.pk for row in unused]).delete()
        for row in unused:
            for name in filter(None, (row.file.name, row.thumbnail.name)):
                # What cannot be deleted now is an orphan, which `prune_media` finds.
                try:
                    default_storage.delete(name)
                except Exception:
                    log.exception("attachment_not_deleted", attachment_id=str(row.pk))
        count += len(unused)
        if len(locked) < PRUNED_AT_ONCE:
            return count


def _kind_of(found: FileType, wanted: str | None) -> MessageKind:
    by_itself = _SENT_AS.get(found, MessageKind.DOCUMENT)
    match wanted:
        case None:
            return by_itself
        case MessageKind.DOCUMENT:
            return MessageKind.DOCUMENT
        case MessageKind.STICKER if found is sniffing.WEBP:
            return MessageKind.STICKER
        case MessageKind.AUDIO if found in _SOUNDS_TOO:
            return MessageKind.AUDIO
        case _ if wanted == by_itself:
            return by_itself
    raise CannotQueue(_("This file cannot be sent as that: its content is of another type."))


def _refuse_too_large(kind: MessageKind, size: int) -> None:
    most = min(MAX_BYTES[kind], settings.MEDIA_MAX_BYTES)
    if size > most:
        raise CannotQueue(_("The file is too large: at most %(most)s may be sent so.") % {"most": filesizeformat(most)})


def _require_sticker(content: bytes, picture: Picture | None) -> None:
    if picture is None or (picture.width, picture.height) != (STICKER_EDGE, STICKER_EDGE):
        raise CannotQueue(_("A sticker is a WebP of exactly 512 by 512 pixels."))
    # The extended header (VP8X) has a bit for animation: https://developers.google.com/speed/webp/docs/riff_container
    is_animated = content[12:16] == b"VP8X" and bool(content[20] & 0x02)
    if not is_animated and len(content) > MAX_STILL_STICKER:
        raise CannotQueue(_("A sticker that does not move has at most 100 KB."))
