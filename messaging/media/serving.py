"""Handing a stored file to a browser, from our own origin and without trust in it."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import IO, Final

import structlog
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import content_disposition_header, parse_etags, quote_etag
from django.utils.translation import gettext as _

from messaging.media.naming import download_name
from messaging.media.sniffing import WEBP, by_mime_type
from messaging.models import Attachment, MediaStatus, Message, MessageMedia

log = structlog.get_logger(__name__)

CHUNK_BYTES: Final = 64 * 1024
# Opened as a page of its own a picture or a film shows itself, and nothing in it does anything: no scripts, no forms.
POLICY: Final = (
    "sandbox{}; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The page that a browser makes around a film or a sound loads it once more, and has to be of its origin for that.
_PLAYED: Final = ("audio/", "video/")
_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def serve(request: HttpRequest, message: Message, *, thumbnail: bool = False) -> HttpResponseBase:
    """The file of `message`, or its small picture; whoever asks has been let in already.

    What a browser may show is inline, everything else a download; a part when a single Range is asked for (players
    seek); 503 when the storage does not answer. Raises Http404 for a message without a stored file, or one that was
    deleted.
    """
    media = _stored(message)
    return _serve(request, media, download_name(media, message), thumbnail=thumbnail)


def serve_attachment(request: HttpRequest, attachment: Attachment, *, thumbnail: bool = False) -> HttpResponseBase:
    """The same for a file that is to be sent."""
    return _serve(request, attachment, attachment.name, thumbnail=thumbnail)


def _serve(request: HttpRequest, media: MessageMedia | Attachment, called: str, *, thumbnail: bool) -> HttpResponseBase:
    kind = WEBP if thumbnail else by_mime_type(media.mime_type)
    name = media.thumbnail.name if thumbnail else media.file.name
    if not name:
        raise Http404(_("There is no such file."))
    etag = quote_etag(f"{media.sha256}-{'small' if thumbnail else 'whole'}")
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        response: HttpResponseBase = HttpResponseNotModified()
    else:
        response = _body(request, name, etag)
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            return response
        response.headers["Content-Type"] = kind.mime_type
        response.headers["Content-Disposition"] = (
            "inline" if thumbnail else content_disposition_header(not kind.inline, called) or "attachment"
        )
    response.headers["ETag"] = etag
    # Asked for again each time: a message may be deleted for everyone, and a person may leave the unit.
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    played = kind.inline and kind.mime_type.startswith(_PLAYED)
    response.headers["Content-Security-Policy"] = POLICY.format(" allow-same-origin" if played else "")
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    patch_vary_headers(response, ["Cookie", "Authorization"])
    return response


def _stored(message: Message) -> MessageMedia:
    media = MessageMedia.objects.defer("content").filter(message=message, status=MediaStatus.STORED).first()
    if media is None or message.deleted_at is not None:
        raise Http404(_("There is no such file."))
    return media


def _body(request: HttpRequest, name: str, etag: str) -> HttpResponseBase:
    """200 with all, 206 with the part that was asked for, 416, or 503."""
    try:
        file = default_storage.open(name)
        # A bucket says only now that there is no such file.
        size = file.size
    except FileNotFoundError:
        log.error("media_file_missing", name=name)
        raise Http404(_("There is no such file.")) from None
    except Exception:
        # A disk or a bucket that does not answer: each storage has errors of its own.
        log.exception("media_not_read", name=name)
        return HttpResponse(
            _("The file cannot be read at the moment. Try again in a few minutes."),
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            content_type="text/plain; charset=utf-8",
            headers={"Cache-Control": "no-store"},
        )
    wanted = _part(request, size, etag)
    if wanted is None:
        first, last = 0, size - 1
        response: HttpResponseBase = StreamingHttpResponse(_read(file, 0, size))
    elif not wanted:
        file.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    else:
        first, last = wanted.start, wanted.stop - 1
        response = StreamingHttpResponse(_read(file, first, len(wanted)), status=206)
        response.headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    response.headers["Content-Length"] = str(last - first + 1)
    response.headers["Accept-Ranges"] = "bytes"
    return response


def _part(request: HttpRequest, size: int, etag: str) -> range | None:
    """The bytes asked for; None for all of them, an empty range for what is not there (RFC 9110, section 14).

    Several parts, another unit, or an If-Range of another version: all of it, as the standard lets us.
    """
    match = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if request.method != "GET" or match is None or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = match.groups()
    if not first:
        # The last so many.
        return range(max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size) if int(first) < size else range(0)


def _read(file: IO[bytes], start: int, length: int) -> Iterator[bytes]:
    """`length` bytes from `start`. The server closes the generator, and so the file, even if the browser leaves."""
    with file:
        file.seek(start)
        while length > 0 and (chunk := file.read(min(CHUNK_BYTES, length))):
            length -= len(chunk)
            yield chunk
