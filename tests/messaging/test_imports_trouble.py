"""Imports whose worker dies, that two take at once, or that meet messages coming in."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.db import connection as database
from django.db import connections, transaction

from messaging import people
from messaging.imports import files, running, services
from messaging.imports.running import run_imports
from messaging.models import Contact, ContactAddress, ContactImport, ImportStatus, OptOut
from tests import factories
from units.models import Unit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("long")]

ROOT = Path(__file__).parent.parent.parent
# Three chunks, and some.
PEOPLE = running.ROWS * 3 + 5
REFUSED = 4
WORKER = """
import django
django.setup()
from messaging.imports.running import run_imports
run_imports()
"""


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def numbered(count: int) -> list[str]:
    return [f"119{number:08d}" for number in range(count)]


def kept(unit: Unit, rows: list[str]) -> ContactImport:
    text = "\n".join(["nome;telefone;saiu", *rows])
    return services.start(unit, ContentFile(text.encode(), name="clientes.csv"), by=None)


def large(unit: Unit) -> ContactImport:
    """A file of some chunks, with refused rows in the first and the last, and a number that comes again."""
    rows = [f"Cliente {n};{number};{'' if n % 1000 else 'sim'}" for n, number in enumerate(numbered(PEOPLE))]
    return kept(unit, ["Ninguém;x;", *rows, "De novo;11900000003;", "Ninguém;;", "Ninguém;y;"])


def assert_whole(row: ContactImport) -> None:
    """All of the large file is here, once."""
    row.refresh_from_db()
    assert row.status == ImportStatus.DONE
    assert row.rows_done == PEOPLE + REFUSED
    assert row.counts["created"] == PEOPLE
    assert row.counts["refused"] == {"invalid_number": 2, "duplicate": 1, "no_number": 1}
    assert [cells[1] for cells in files.refused_rows(row)] == ["nome", "Ninguém", "De novo", "Ninguém", "Ninguém"]
    assert Contact.objects.count() == ContactAddress.objects.count() == PEOPLE
    assert OptOut.objects.count() == len(range(0, PEOPLE, 1000))


def worker(media: Path) -> subprocess.Popen[bytes]:
    """A process that works off imports."""
    told = database.settings_dict
    address = f"postgres://{told['USER']}:{told['PASSWORD']}@{told['HOST']}:{told['PORT']}/{told['NAME']}"
    environment = {"DJANGO_SETTINGS_MODULE": "crm_whatsapp.settings", "DATABASE_URL": address, "MEDIA_ROOT": str(media)}
    return subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env=os.environ | environment)


def in_thread(work: Callable[[], Any]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def somebody_waits() -> bool:
    """Whether any session of this database waits for another one's transaction."""
    with database.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid')")
        return bool(cursor.fetchone()[0])


def test_a_worker_that_is_told_to_stop_leaves_whole_chunks(unit: Unit) -> None:
    row, stop = large(unit), threading.Event()
    stop.set()
    rounds = 0
    while claimed := running.claim():
        running.work_on(claimed, stop)
        rounds += 1
        row.refresh_from_db()
        assert row.rows_done == Contact.objects.count() + sum(row.counts["refused"].values())
    assert rounds >= 4
    assert_whole(row)


def test_a_worker_killed_at_any_time_loses_and_doubles_nothing(unit: Unit, media: Path) -> None:
    row, killed = large(unit), 0
    while not killed or row.status != ImportStatus.DONE:
        # As if the dead one's lease were over.
        ContactImport.objects.update(lease_until=None)
        process, before = worker(media), row.rows_done

        def moves(process: Any = process, before: int = before) -> bool:
            row.refresh_from_db()
            return process.poll() is not None or row.rows_done > before

        wait_until(moves)
        # It is on its next chunk by now; how far, the machine decides.
        process.kill()
        killed += process.wait() < 0
        row.refresh_from_db()
    assert_whole(row)


def test_two_workers_do_an_import_once(unit: Unit) -> None:
    row = large(unit)
    for thread in [in_thread(run_imports) for _ in range(2)]:
        thread.join()
    assert_whole(row)


def test_whoever_lost_the_import_writes_nothing_more(unit: Unit) -> None:
    row = kept(unit, ["Marina;11900000142;"])
    claimed = running.claim()
    assert claimed
    ContactImport.objects.update(claim_token=uuid4())
    running.work_on(claimed)
    row.refresh_from_db()
    assert (row.status, row.rows_done, Contact.objects.count()) == (ImportStatus.RUNNING, 0, 0)


def test_a_cancelled_import_keeps_what_came_before(unit: Unit, media: Path) -> None:
    row, stop = large(unit), threading.Event()
    stop.set()
    claimed = running.claim()
    assert claimed
    running.work_on(claimed, stop)
    assert services.cancel(row)
    run_imports()
    row.refresh_from_db()
    assert (row.status, Contact.objects.count()) == (ImportStatus.CANCELLED, running.ROWS - 1)
    assert len(list(files.refused_rows(row))) == 2
    assert [file.name for file in media.rglob("*.csv")] == ["refused.csv"]


def test_an_import_gives_way_to_a_message_that_comes_in(unit: Unit) -> None:
    row = kept(unit, ["Marina;11900000142;", "Otto;11900000143;"])
    with transaction.atomic():
        contact = factories.contact(unit, phone="11900000143")
        importing = in_thread(run_imports)
        wait_until(somebody_waits)
        # He is let through at once, although the import has the other number by now.
        assert factories.contact(unit, phone="11900000144")
    importing.join()
    row.refresh_from_db()
    assert row.counts["created"] == 1
    contact.refresh_from_db()
    assert contact.name == "Otto"


def test_messages_and_an_import_make_each_person_once(unit: Unit) -> None:
    numbers = numbered(3000)
    row = kept(unit, [f"Cliente;{number};" for number in numbers])
    importing = in_thread(run_imports)
    for start in range(0, 3000, 100):
        people.contacts_by_phone(unit, reversed(numbers[start : start + 100]))
    importing.join()
    row.refresh_from_db()
    assert (row.status, Contact.objects.count()) == (ImportStatus.DONE, 3000)


def test_a_file_that_is_gone_fails_with_a_sentence(unit: Unit, media: Path) -> None:
    row = kept(unit, ["Marina;11900000142;"])
    for file in media.rglob("*.csv"):
        file.unlink()
    run_imports()
    row.refresh_from_db()
    assert (row.status, row.error_code) == (ImportStatus.FAILED, "file_gone")


@pytest.fixture
def picky(unit: Unit) -> Iterator[None]:
    """A database that refuses contacts called "Veneno…", as it would a value that it cannot keep."""
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION be_picky() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'no' USING ERRCODE = 'data_exception'; END $$;"
            "CREATE TRIGGER picky BEFORE INSERT OR UPDATE ON contacts FOR EACH ROW"
            " WHEN (NEW.name LIKE 'Veneno%') EXECUTE FUNCTION be_picky()"
        )
    yield
    with database.cursor() as cursor:
        cursor.execute("DROP FUNCTION be_picky CASCADE")


@pytest.mark.usefixtures("picky")
def test_a_row_that_the_database_refuses_is_refused_alone(unit: Unit) -> None:
    rows = [f"Cliente;{number};" for number in numbered(40)]
    rows[7], rows[30] = "Veneno;11900000777;sim", "Veneno e mel;11900000778;"
    row = kept(unit, rows)
    run_imports()
    row.refresh_from_db()
    assert (row.status, row.counts["created"]) == (ImportStatus.DONE, 38)
    assert row.counts["refused"] == {"unstorable": 2}
    assert [cells[:2] for cells in files.refused_rows(row)][1:] == [
        ["unstorable", "Veneno"],
        ["unstorable", "Veneno e mel"],
    ]
    assert Contact.objects.count() == 38
    assert not OptOut.objects.exists()


@pytest.mark.usefixtures("picky")
def test_an_import_of_which_the_database_refuses_too_much_ends(unit: Unit) -> None:
    row = kept(unit, [f"Veneno;{number};" for number in numbered(running.MOST_UNSTORABLE + 1)])
    run_imports()
    row.refresh_from_db()
    assert (row.status, row.error_code, Contact.objects.count()) == (ImportStatus.FAILED, "internal", 0)
    assert running.claim() is None


def test_a_column_of_remarks_is_not_taken_for_tags(unit: Unit) -> None:
    text = "\n".join(["telefone;tags", *(f"{number};observação {number}" for number in numbered(2001))])
    row = services.start(unit, ContentFile(text.encode(), name="clientes.csv"), by=None)
    run_imports()
    row.refresh_from_db()
    assert (row.status, row.error_code, unit.tags.count()) == (ImportStatus.FAILED, "too_many_tags", 0)


def test_refused_rows_are_deleted_after_a_month(unit: Unit, media: Path) -> None:
    row = kept(unit, ["Ninguém;x;"])
    run_imports()
    old = time.time() - files.ORPHANED_AFTER.total_seconds() - 60
    for file in media.rglob("*.csv"):
        os.utime(file, (old, old))
    files.prune()
    assert list(media.rglob("*.csv"))
    ContactImport.objects.update(finished_at=row.created_at - files.KEPT)
    files.prune()
    assert not list(media.rglob("*.csv"))
