"""Files are loaded once they are announced: from the webhook, a link or the gateway, and only within limits."""

import hashlib
import os
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection as database
from pytest_django import DjangoAssertNumQueries

from crm_whatsapp.db import ClockNow
from messaging import media
from messaging.events import Media
from messaging.media import fetch
from messaging.media.fetch import Fetcher
from messaging.models import MediaStatus, Message, MessageMedia
from tests import files
from tests.factories import conversation, message
from tests.sandbox_process import Sandbox, free_port
from units.models import ConnectionStatus, LiveEvent, Unit, WhatsAppConnection

pytestmark = pytest.mark.django_db(transaction=True)

CUSTOMER = "5511977776666"


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> Path:
    """Where files lie."""
    settings.MEDIA_ROOT = tmp_path
    # Nobody listens: who needs a gateway takes the fixture `phone`.
    settings.EVOLUTION_URL = f"http://127.0.0.1:{free_port()}"
    return tmp_path


@pytest.fixture
def picture(unit: Unit) -> Message:
    return message(conversation(unit), "olha", kind="image", details={"media": {"mime_type": "image/jpeg"}})


def expect(to: Message, **announced: Any) -> MessageMedia:
    media.expect([(to.id, to.unit_id, Media(**announced))])
    return MessageMedia.objects.get(message=to)


def base64(content: bytes) -> str:
    return b64encode(content).decode()


def run() -> None:
    Fetcher().run(seconds=10)


def due_now() -> None:
    MessageMedia.objects.filter(status=MediaStatus.WAITING).update(due_at=ClockNow())


class Files:
    """A web server that says what `answers` has for a path: bytes, or a function that is given the handler."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Callable[[Any], None]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                answer = outer.answers.get(self.path)
                if callable(answer):
                    answer(self)
                    return
                self.send_response(200 if answer is not None else 404)
                self.send_header("Content-Length", str(len(answer or b"")))
                self.end_headers()
                self.wfile.write(answer or b"")

            do_POST = do_GET  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Files]:
    running = Files()
    yield running
    running.stop()


# What is announced


def test_many_files_are_expected_in_one_statement_and_again_changes_nothing(
    unit: Unit, django_assert_num_queries: DjangoAssertNumQueries
) -> None:  # I2
    chat = conversation(unit)
    rows = [(message(chat, kind="image").id, unit.id, Media(size=10)) for _ in range(5)]
    with django_assert_num_queries(1):
        media.expect(rows)
    MessageMedia.objects.update(attempts=3)
    media.expect(rows)
    assert list(MessageMedia.objects.values_list("attempts", flat=True)) == [3] * 5


def test_what_is_announced_as_too_large_is_refused_at_once(picture: Message, settings: Any) -> None:
    row = expect(picture, size=settings.MEDIA_MAX_BYTES + 1)
    assert (row.status, row.error_code) == (MediaStatus.REFUSED, "too_large")
    assert Fetcher().claim() is None


@pytest.mark.parametrize("nonsense", ["%%%", "abc", "data:image/png;base64,%", ""])
def test_base64_that_makes_no_sense_is_as_good_as_none(picture: Message, nonsense: str) -> None:
    row = expect(picture, base64=nonsense)
    assert (row.status, row.content) == (MediaStatus.WAITING, None)


@pytest.mark.parametrize("status", [MediaStatus.WAITING, MediaStatus.FAILED])
def test_a_file_that_could_not_be_had_is_taken_from_an_event_that_brings_it(
    picture: Message, status: MediaStatus
) -> None:
    row = expect(picture)
    later = ClockNow() + timedelta(hours=1)
    MessageMedia.objects.update(status=status, error_code="media_gone", attempts=3, due_at=later)
    expect(picture, base64=base64(files.picture()))
    run()
    row.refresh_from_db()
    assert (row.status, row.attempts, row.error_code) == ("stored", 1, "")


def test_another_link_is_worth_another_attempt_and_the_same_is_not(picture: Message) -> None:
    expect(picture, url="https://files.invalid/a")
    MessageMedia.objects.update(status=MediaStatus.FAILED, due_at=None)
    assert expect(picture, url="https://files.invalid/a").status == MediaStatus.FAILED
    row = expect(picture, url="https://files.invalid/b")
    assert (row.status, row.url) == (MediaStatus.WAITING, "https://files.invalid/b")


@pytest.mark.parametrize("status", [MediaStatus.STORED, MediaStatus.REFUSED])
def test_what_is_here_or_refused_stays_so(picture: Message, status: MediaStatus) -> None:
    expect(picture)
    MessageMedia.objects.update(status=status, due_at=None)
    row = expect(picture, base64=base64(files.picture()))
    assert (row.status, row.content) == (status, None)


def test_a_message_told_twice_at_once_has_one_file_the_one_with_its_bytes(picture: Message) -> None:
    both = [Media(base64=base64(b"a")), Media()]
    media.expect([(picture.id, picture.unit_id, each) for each in both])
    assert MessageMedia.objects.get().content == b"a"


# What came with the webhook


def test_the_file_of_the_webhook_is_stored_with_its_facts(picture: Message, place: Path) -> None:
    content = files.picture(size=(1200, 800))
    row = expect(picture, base64=base64(content))
    run()
    row.refresh_from_db()
    assert (row.status, row.mime_type, row.size, row.width, row.height) == (
        "stored",
        "image/jpeg",
        len(content),
        1200,
        800,
    )
    assert row.sha256 == hashlib.sha256(content).hexdigest()
    assert row.file.name == f"media/{row.unit_id}/{row.created_at:%Y/%m}/{row.id}.jpg"
    assert (place / row.file.name).read_bytes() == content
    assert row.thumbnail.name == row.file.name.replace(".jpg", ".thumb.webp")
    assert (row.content, row.url, row.due_at, row.claim_token) == (None, "", None, None)


def test_open_pages_are_told(picture: Message) -> None:
    expect(picture, base64=base64(files.picture()))
    run()
    event = LiveEvent.objects.latest("seq")
    assert (event.kind, event.object_id) == ("message", picture.id)
    assert event.data["conversation_id"] == str(picture.conversation_id)


@pytest.mark.parametrize(
    "content", [files.HTML, files.SVG, b"\xff\xd8\xff\xe0" + files.HTML], ids=["html", "svg", "jpeg?"]
)
def test_what_is_no_image_is_kept_as_a_download(picture: Message, content: bytes) -> None:
    row = expect(picture, mime_type="image/jpeg", file_name="foto.jpg", base64=base64(content))
    run()
    row.refresh_from_db()
    assert (row.status, row.mime_type, row.thumbnail.name) == ("stored", "application/octet-stream", "")
    assert str(row.file.name).endswith(".bin")


def test_a_program_is_refused_and_nothing_is_written(picture: Message, place: Path) -> None:
    row = expect(picture, mime_type="application/pdf", file_name="fatura.pdf", base64=base64(files.EXE))
    run()
    row.refresh_from_db()
    assert (row.status, row.error_code, row.content) == (MediaStatus.REFUSED, "program", None)
    assert not [path for path in place.rglob("*") if path.is_file()]


def test_the_file_of_a_message_deleted_for_everyone_is_not_kept(picture: Message) -> None:
    row = expect(picture, base64=base64(files.picture()))
    Message.objects.update(deleted_at=ClockNow())
    run()
    row.refresh_from_db()
    assert (row.status, row.error_code, row.content) == (MediaStatus.REFUSED, "deleted", None)


# Behind a link


def test_a_link_to_a_server_that_is_named_is_followed(picture: Message, server: Files, settings: Any) -> None:
    settings.MEDIA_URL_HOSTS = [server.url.removeprefix("http://")]
    server.answers["/a.pdf?sig=1"] = files.PDF
    row = expect(picture, url=f"{server.url}/a.pdf?sig=1")
    run()
    row.refresh_from_db()
    assert (row.status, row.mime_type, row.url) == ("stored", "application/pdf", "")


@pytest.mark.parametrize(
    "link",
    [
        "{server}/secret",
        "http://user:pw@{gateway}/secret",
        "http://localhost:{port}/secret",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:{port}/secret",
        "ftp://{gateway}/secret",
        "file:///etc/passwd",
        "http://[nonsense/",
        "https://{gateway}/secret",
    ],
)
def test_a_link_to_anywhere_else_is_not(
    picture: Message, server: Files, settings: Any, link: str
) -> None:  # another port of the same machine, too
    port = server.url.rpartition(":")[2]
    gateway = settings.EVOLUTION_URL.removeprefix("http://")
    row = expect(picture, url=link.format(server=server.url, gateway=gateway, port=port))
    run()
    row.refresh_from_db()
    assert (row.status, row.error_code, row.attempts) == (MediaStatus.WAITING, "unreachable", 0)
    assert server.asked == []


def redirect(handler: Any) -> None:
    handler.send_response(302)
    handler.send_header("Location", "/secret")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def endless(handler: Any) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(bytes(100_000))
    except OSError:
        pass


def dripping(handler: Any) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b"a")
            time.sleep(0.1)
    except OSError:
        pass


def test_a_redirect_is_not_followed(picture: Message, server: Files, settings: Any) -> None:
    settings.MEDIA_URL_HOSTS = [server.url]
    server.answers |= {"/a": redirect, "/secret": files.PDF}
    expect(picture, url=f"{server.url}/a")
    run()
    assert server.asked == ["/a"]


def test_an_answer_without_end_is_too_large(picture: Message, server: Files, settings: Any) -> None:
    settings.MEDIA_URL_HOSTS, settings.MEDIA_MAX_BYTES = [server.url], 1_000_000
    server.answers["/a"] = endless
    row = expect(picture, url=f"{server.url}/a")
    run()
    row.refresh_from_db()
    assert (row.status, row.error_code) == (MediaStatus.REFUSED, "too_large")


def test_a_server_that_drips_is_left(picture: Message, server: Files, settings: Any) -> None:
    settings.MEDIA_URL_HOSTS, settings.MEDIA_TIMEOUT = [server.url], 0.3
    server.answers["/a"] = dripping
    started = time.monotonic()
    row = expect(picture, url=f"{server.url}/a")
    run()
    row.refresh_from_db()
    assert row.error_code == "unreachable"
    assert time.monotonic() - started < 5


# From the gateway


def whatsapp_has(sandbox: Sandbox, phone: str, sent: Message, content: bytes | None) -> None:
    body = {"id": sent.external_id} | ({} if content is None else {"base64": base64(content)})
    sandbox.phone("POST", f"instances/{phone}/file", body)


def sent_to(sandbox: Sandbox, phone: str, chat_of: Unit, content: bytes, kind: str = "image", **more: Any) -> Message:
    """A file that a customer has sent, and the message that we made of it."""
    external_id = sandbox.inbound(phone, CUSTOMER, "olha", media={"mediatype": kind, "base64": base64(content), **more})
    return message(conversation(chat_of), "olha", kind=kind, external_id=external_id)


def test_without_anything_else_the_gateway_is_asked(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    content = files.picture("PNG")
    row = expect(sent_to(sandbox, phone, unit, content), mime_type="image/png", size=len(content))
    run()
    row.refresh_from_db()
    assert (row.status, row.mime_type, row.size) == ("stored", "image/png", len(content))


def test_a_large_file_comes_whole(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    content = files.FILM + bytes(20_000_000)
    row = expect(sent_to(sandbox, phone, unit, content, "video"), size=len(content))
    run()
    row.refresh_from_db()
    assert (row.status, row.size) == ("stored", len(content))


def test_a_link_that_leads_nowhere_falls_back_to_the_gateway(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    row = expect(sent_to(sandbox, phone, unit, files.VOICE, "audio"), url=f"{sandbox.url}/nowhere.ogg")
    run()
    row.refresh_from_db()
    assert (row.status, row.mime_type) == ("stored", "audio/ogg")


def test_what_whatsapp_no_longer_has_is_given_up_after_a_few_attempts_and_may_be_asked_for_again(
    sandbox: Sandbox, unit: Unit, phone: str
) -> None:
    sent = sent_to(sandbox, phone, unit, files.PDF, "document", fileName="a.pdf")
    whatsapp_has(sandbox, phone, sent, None)
    row = expect(sent)
    for attempt in range(1, fetch.ATTEMPTS_WHEN_GONE + 1):
        due_now()
        run()
        row.refresh_from_db()
        assert row.attempts == attempt
    assert (row.status, row.error_code, row.due_at) == (MediaStatus.FAILED, "media_gone", None)
    whatsapp_has(sandbox, phone, sent, files.PDF)
    assert media.try_again(sent)
    assert not media.try_again(sent)
    run()
    row.refresh_from_db()
    assert (row.status, row.error_code) == ("stored", "")


def test_a_number_that_is_not_connected_waits_without_an_attempt(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    row = expect(sent_to(sandbox, phone, unit, files.PDF, "document", fileName="a.pdf"))
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED)
    assert Fetcher().claim() is None
    row.refresh_from_db()
    assert (row.error_code, row.attempts) == ("disconnected", 0)
    WhatsAppConnection.objects.update(status=ConnectionStatus.CONNECTED)
    media.look_again(row.message.connection_id)
    run()
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("stored", 1)


def test_files_of_a_number_that_is_not_connected_stand_in_nobodys_way(unit: Unit) -> None:
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED)
    chat = conversation(unit)
    more = fetch.CHOICE + 1
    for brings in [Media()] * more + [Media(base64=base64(files.picture()))] + [Media()] * more:
        media.expect([(message(chat, kind="image").id, unit.id, brings)])
    run()
    assert MessageMedia.objects.get(status=MediaStatus.STORED).mime_type == "image/jpeg"
    assert not MessageMedia.objects.filter(status=MediaStatus.WAITING, due_at__lte=ClockNow()).exists()


def test_a_gateway_that_is_down_costs_no_attempt(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    row = expect(sent_to(sandbox, phone, unit, files.PDF, "document", fileName="a.pdf"))
    sandbox.server("license_required")
    run()
    row.refresh_from_db()
    assert (row.status, row.error_code, row.attempts) == (MediaStatus.WAITING, "license_required", 0)
    sandbox.server("up")
    due_now()
    run()
    row.refresh_from_db()
    assert row.status == "stored"


def waits_of(row: MessageMedia, attempts: int) -> list[int]:
    """Seconds until it is due again, after each of so many attempts; an attempt itself takes some."""
    waits = []
    for _ in range(attempts):
        due_now()
        run()
        row.refresh_from_db()
        if row.due_at:
            with database.cursor() as cursor:
                cursor.execute("SELECT extract(epoch FROM %s - crm_now())", [row.due_at])
                waits.append(round(cursor.fetchone()[0], -1))
    return waits


def answers(server: Files, settings: Any, asked_for: Message, answer: Callable[[Any], None] | bytes) -> None:
    """Have `server` be a gateway that gives `answer` for a file."""
    settings.EVOLUTION_URL = server.url
    server.answers[f"/chat/getBase64FromMediaMessage/{asked_for.connection.instance_name}"] = answer


def bad_gateway(handler: Any) -> None:
    handler.send_response(502)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def gone(handler: Any) -> None:
    said = b'{"status":400,"error":"Bad Request","response":{"message":["Error: Failed to fetch stream"]}}'
    handler.send_response(400)
    handler.send_header("Content-Length", str(len(said)))
    handler.end_headers()
    handler.wfile.write(said)


def test_an_answer_that_makes_no_sense_backs_off_and_ends(picture: Message, server: Files, settings: Any) -> None:
    answers(server, settings, picture, b'{"base64": 1}')
    row = expect(picture)
    assert waits_of(row, fetch.MAX_ATTEMPTS) == [10, 60, 240, 960, 3600]
    assert (row.status, row.error_code) == (MediaStatus.FAILED, "server_unavailable")


def test_a_gateway_that_is_down_behind_a_proxy_costs_no_attempt_on_the_first_day(
    picture: Message, server: Files, settings: Any
) -> None:
    answers(server, settings, picture, bad_gateway)
    row = expect(picture)
    assert waits_of(row, 8) == [10] * 8
    MessageMedia.objects.update(created_at=ClockNow() - timedelta(minutes=40))
    assert waits_of(row, 1) == [1200]
    assert (row.status, row.attempts, row.error_code) == (MediaStatus.WAITING, 0, "server_unavailable")


def test_after_the_first_day_it_does(picture: Message, server: Files, settings: Any) -> None:
    answers(server, settings, picture, bad_gateway)
    row = expect(picture)
    MessageMedia.objects.update(created_at=ClockNow() - fetch.PATIENCE)
    assert waits_of(row, fetch.MAX_ATTEMPTS) == [10, 60, 240, 960, 3600]
    assert row.status == MediaStatus.FAILED


def test_what_whatsapp_says_it_no_longer_has_is_asked_for_over_more_than_an_hour(
    picture: Message, server: Files, settings: Any
) -> None:
    answers(server, settings, picture, gone)
    row = expect(picture)
    assert waits_of(row, fetch.ATTEMPTS_WHEN_GONE) == [900, 3600]
    assert (row.status, row.error_code) == (MediaStatus.FAILED, "media_gone")


# When somebody dies


def test_who_dies_between_storing_and_recording_leaves_a_row_that_is_loaded_again(
    picture: Message, place: Path
) -> None:
    row = expect(picture, base64=base64(files.picture()))
    load = Fetcher().claim()
    assert load
    load.run()
    assert Fetcher().claim() is None
    MessageMedia.objects.update(due_at=ClockNow() - timedelta(seconds=1))
    run()
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("stored", 2)
    assert len([path for path in place.rglob("*") if path.is_file()]) == 2
    assert not fetch.record(load)


def test_a_file_that_kills_whoever_touches_it_is_given_up(picture: Message) -> None:
    row = expect(picture, base64=base64(files.picture()))
    for _ in range(fetch.MAX_ATTEMPTS):
        due_now()
        assert Fetcher().claim()
    due_now()
    assert Fetcher().claim() is None
    row.refresh_from_db()
    assert (row.status, row.error_code) == (MediaStatus.FAILED, "not_loaded")


def test_a_full_disk_loses_nothing(picture: Message, place: Path) -> None:
    (place / "media").write_text("in the way")
    row = expect(picture, base64=base64(files.picture()))
    run()
    row.refresh_from_db()
    assert (row.status, row.error_code, row.attempts) == (MediaStatus.WAITING, "not_stored", 0)
    (place / "media").unlink()
    due_now()
    run()
    row.refresh_from_db()
    assert row.status == "stored"


def test_two_fetchers_load_each_file_once(unit: Unit) -> None:
    chat = conversation(unit)
    for _ in range(6):
        expect(message(chat, kind="image"), base64=base64(files.picture()))

    def work() -> None:
        run()
        database.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(MessageMedia.objects.values_list("status", "attempts")) == [("stored", 1)] * 6


def test_what_came_just_now_goes_before_a_history(unit: Unit) -> None:
    chat = conversation(unit)
    for old in (True, False):
        expect(message(chat, kind="image", from_history=old), base64=base64(files.picture()))
    load = Fetcher().claim()
    assert load
    assert not Message.objects.get(id=load.message_id).from_history


# Sweeping


def test_files_without_a_message_are_swept_and_others_stay(
    unit: Unit, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chat = conversation(unit)
    kept, gone = (expect(message(chat, kind="image"), base64=base64(files.picture())) for _ in range(2))
    run()
    (place / "media" / "notes.txt").write_text("not ours")
    Message.objects.filter(id=gone.message_id).delete()
    call_command("prune_media")
    assert capsys.readouterr().out == "0 deleted\n"
    two_days_ago = time.time() - 2 * 24 * 3600
    for path in place.rglob("*"):
        os.utime(path, (two_days_ago, two_days_ago))
    call_command("prune_media", "--dry-run")
    assert "2 would be deleted" in capsys.readouterr().out
    call_command("prune_media")
    kept.refresh_from_db()
    names = [str(kept.file.name), str(kept.thumbnail.name)]
    assert all(default_storage.exists(name) for name in names)
    left = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert left == {*names, "media/notes.txt"}
