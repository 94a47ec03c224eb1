"""Files are handed to members of the unit, as what they are, in parts if asked, and never as a page."""

from base64 import b64encode
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.storage import default_storage
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from crm_whatsapp.db import ClockNow
from messaging import media
from messaging.events import Media
from messaging.media.fetch import Fetcher
from messaging.media.serializers import MediaSerializer
from messaging.models import MediaStatus, Message, MessageMedia
from tests import files
from tests.factories import conversation, message
from units.models import Unit, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def stored(unit: Unit, content: bytes, kind: str = "image", **announced: Any) -> Message:
    """A message whose file is here."""
    row = message(conversation(unit), "olha", kind=kind, details={"media": announced})
    media.expect([(row.id, unit.id, Media(base64=b64encode(content).decode()))])
    Fetcher().run(seconds=5)
    return row


def at(row: Message, end: str = "") -> str:
    return f"/units/{row.unit_id}/messages/{row.id}/media{end}"


def test_an_image_is_shown_inline_and_can_do_nothing(api: APIClient, unit: Unit) -> None:
    content = files.picture()
    answer = api.get(at(stored(unit, content)), headers={"Accept": "image/*"})
    assert answer.status_code == 200
    assert answer.getvalue() == content
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "private" in answer.headers["Cache-Control"]
    assert int(answer.headers["Content-Length"]) == len(content)


@pytest.mark.parametrize("content", [files.HTML, files.SVG, files.PDF, b"a;b\n"], ids=["html", "svg", "pdf", "text"])
def test_what_may_hold_more_than_a_picture_is_a_download(api: APIClient, unit: Unit, content: bytes) -> None:
    answer = api.get(at(stored(unit, content, "document", file_name="página.html", mime_type="text/html")))
    assert answer.headers["Content-Disposition"].startswith("attachment; filename*=utf-8''p%C3%A1gina.html.")
    assert answer.headers["Content-Type"] not in ("text/html", "image/svg+xml", "application/xml")


def test_the_small_picture_is_there_for_images_alone(api: APIClient, unit: Unit) -> None:
    answer = api.get(at(stored(unit, files.picture(size=(1600, 1200))), "/thumbnail"))
    assert answer.headers["Content-Type"] == "image/webp"
    assert len(answer.getvalue()) < 5000
    assert api.get(at(stored(unit, files.PDF, "document"), "/thumbnail")).status_code == 404


@pytest.mark.parametrize(
    ("wanted", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=3000-", 206, slice(3000, None)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=-999999", 206, slice(None)),
        ("bytes=10-999999", 206, slice(10, None)),
        ("bytes=999999-", 416, slice(0, 0)),
        ("bytes=-0", 416, slice(0, 0)),
        ("bytes=0-1,5-6", 200, slice(None)),
        ("bytes=9-1", 200, slice(None)),
        ("bytes=-", 200, slice(None)),
        ("pages=1-2", 200, slice(None)),
        ("bytes=" + "9" * 30 + "-", 200, slice(None)),
    ],
)
def test_a_player_may_ask_for_a_part(api: APIClient, unit: Unit, wanted: str, status: int, part: slice) -> None:
    answer = api.get(at(stored(unit, files.VOICE, "audio")), headers={"Range": wanted})
    body = answer.getvalue() if answer.streaming else answer.content
    assert (answer.status_code, body) == (status, files.VOICE[part])
    assert answer.headers["Accept-Ranges"] == "bytes"
    if status == 206:
        first = len(files.VOICE) - len(body) if part.start != 0 else 0
        if part.stop is None:
            assert answer.headers["Content-Range"].endswith(f"-{len(files.VOICE) - 1}/{len(files.VOICE)}")
        assert answer.headers["Content-Range"].startswith(f"bytes {first}-") or part.stop


def test_a_part_of_another_version_is_not_given(api: APIClient, unit: Unit) -> None:
    row = stored(unit, files.VOICE, "audio")
    etag = api.get(at(row)).headers["ETag"]
    for version, status in ((etag, 206), ('"other"', 200)):
        assert api.get(at(row), headers={"Range": "bytes=0-1", "If-Range": version}).status_code == status


def test_what_the_browser_has_already_is_not_sent_again(api: APIClient, unit: Unit) -> None:
    row = stored(unit, files.picture())
    again = api.get(at(row), headers={"If-None-Match": api.get(at(row)).headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Content-Security-Policy"].startswith("sandbox")


def test_a_stranger_and_the_wrong_unit_find_nothing(api: APIClient, unit: Unit, stranger: User) -> None:  # I7
    row = stored(unit, files.picture())
    other = APIClient()
    other.force_authenticate(stranger)
    own = Unit.objects.of_member(stranger).get()
    for end in ("", "/thumbnail"):
        assert other.get(at(row, end)).status_code == 404
        assert other.get(f"/units/{own.id}/messages/{row.id}/media{end}").status_code == 404
        assert APIClient().get(at(row, end)).status_code == 401
    assert other.post(at(row, "/retry")).status_code == 404
    assert api.get(f"/units/{unit.id}/messages/{uuid4()}/media").status_code == 404


def test_a_message_deleted_for_everyone_has_no_file(api: APIClient, unit: Unit) -> None:
    row = stored(unit, files.picture())
    Message.objects.filter(id=row.id).update(deleted_at=ClockNow())
    for end in ("", "/thumbnail"):
        assert api.get(at(row, end)).status_code == 404
    assert api.post(at(row, "/retry")).status_code == 404
    row.refresh_from_db()
    assert media.file_of(row) is None


def test_a_file_that_has_vanished_is_404(api: APIClient, unit: Unit) -> None:
    row = stored(unit, files.picture())
    default_storage.delete(str(row.files.get().file.name))
    assert api.get(at(row)).status_code == 404


def test_a_file_that_could_not_be_loaded_says_why_and_is_loaded_again(api: APIClient, unit: Unit) -> None:
    row = message(conversation(unit), kind="image")
    MessageMedia.objects.create(
        unit=unit, message=row, status=MediaStatus.FAILED, attempts=3, error_code="media_gone", due_at=None
    )
    assert api.get(at(row)).status_code == 404
    shown = MediaSerializer(media.file_of(row)).data
    assert (shown["status"], shown["url"], shown["error"]["code"]) == ("failed", None, "media_gone")
    assert "WhatsApp" in shown["error"]["message"]
    answer = api.post(at(row, "/retry"))
    assert (answer.status_code, answer.data["status"], answer.data["error"]) == (202, "waiting", None)
    assert MessageMedia.objects.get().attempts == 0


def test_a_file_is_described(api: APIClient, unit: Unit) -> None:
    row = stored(unit, files.picture(size=(640, 480)), file_name="../óculos.png", seconds=None, size=1)
    loaded = Message.objects.prefetch_related(media.files()).get(id=row.id)
    shown = dict(MediaSerializer(media.file_of(loaded)).data)
    assert shown == {
        "status": "stored",
        "url": at(row),
        "thumbnail_url": at(row, "/thumbnail"),
        "mime_type": "image/jpeg",
        "file_name": "óculos.png",
        "size": len(files.picture(size=(640, 480))),
        "seconds": None,
        "width": 640,
        "height": 480,
        "error": None,
    }


def test_the_bytes_that_wait_in_a_row_are_not_read_with_a_page(unit: Unit) -> None:
    row = message(conversation(unit), kind="image")
    media.expect([(row.id, unit.id, Media(base64=b64encode(files.picture()).decode()))])
    loaded = Message.objects.prefetch_related(media.files()).get(id=row.id)
    found = media.file_of(loaded)
    assert found
    assert "content" in found.get_deferred_fields()


def test_a_storage_that_does_not_answer_is_no_crash(api: APIClient, unit: Unit) -> None:
    row = stored(unit, files.picture())
    path = Path(MessageMedia.objects.get().file.path)
    path.unlink()
    path.mkdir()
    answer = api.get(at(row))
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/plain; charset=utf-8")


def test_asking_once_more_does_not_read_the_bytes_that_wait(api: APIClient, unit: Unit) -> None:
    row = message(conversation(unit), "", kind="image", details={"media": {}})
    media.expect([(row.id, unit.id, Media(base64=b64encode(b"x" * 1000).decode()))])
    MessageMedia.objects.update(status=MediaStatus.FAILED)
    with CaptureQueriesContext(database) as queries:
        assert api.post(at(row, "/retry")).status_code == 202
    selects = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert not [sql for sql in selects if '"message_media"."content"' in sql]
