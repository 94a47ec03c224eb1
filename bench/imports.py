"""A file with a million contacts: how fast a worker imports it, in how much memory, and against a plain COPY."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from django.core.files import File

from bench.installation import ROOT, Installation
from bench.report import Figure, say
from messaging.imports import services
from messaging.models import ContactImport
from units.services import create_unit

MOST_MEMORY = 300  # MiB
# One in so many.
TAGGED, OPTED_OUT, BROKEN = 10, 50, 100


def run(installation: Installation, *, imported: int) -> list[Figure]:
    """The same file twice: the first makes contacts, the second finds all of them as they are."""
    path = installation.directory / "contacts.csv"
    write_file(path, imported)
    unit = create_unit("Ótica Aurora", owner=None)
    bare = bare_copy(installation, unit.pk, imported)
    say(f"  plain COPY of {imported:,} contacts and their numbers: {bare:.1f} s")
    took, peaks = [], []
    for words in ("new", "again"):
        with path.open("rb") as file:
            row = services.start(unit, File(file, name=path.name), by=None, mapping=MAPPING)
        told = work(installation)
        row = ContactImport.objects.get(pk=row.pk)
        say(f"  {words}: {told['seconds']:.1f} s, {row.counts}")
        if row.status != "done" or row.rows_done != imported:
            raise RuntimeError(f"The import ended {row.status} after {row.rows_done} rows.")
        took.append(told["seconds"])
        peaks.append(told["mebibytes"])
    return [
        Figure("import: time", took[0], "s"),
        Figure("import: rows", imported / took[0], "/s"),
        Figure("import / plain COPY of the same rows: time", took[0] / bare, "×"),
        Figure("import: peak memory", max(peaks), "MiB", limit=MOST_MEMORY, at_least=False),
        Figure("the same file again: time", took[1], "s"),
        Figure("plain COPY: time", bare, "s"),
    ]


MAPPING = {"Nome": "name", "Telefone": "phone", "Etiquetas": "tags", "Cidade": "attribute", "Saiu": "opted_out"}


def people(count: int) -> Iterator[tuple[str, str]]:
    """Name and number, each another one, in no order."""
    mix = random.Random(0)  # noqa: S311 - the same in each run
    for number in mix.sample(range(10**8), count):
        yield f"Cliente número {number}", f"9{number:08d}"


def write_file(path: Path, count: int) -> None:
    """As a shop's spreadsheet saves it. One row in a hundred cannot be taken."""
    with path.open("w", encoding="utf-8") as file:
        file.write(";".join(MAPPING) + "\n")
        for place, (name, number) in enumerate(people(count)):
            phone = "sem telefone" if place % BROKEN == 1 else f"(11) {number[:5]}-{number[5:]}"
            tag = "VIP" if place % TAGGED == 0 else ""
            file.write(
                f"{name};{phone};{tag};{('São Paulo', 'Santos')[place % 2]};{'' if place % OPTED_OUT else 'sim'}\n"
            )


def bare_copy(installation: Installation, unit_id: UUID, count: int) -> float:
    """Seconds to copy so many contacts and addresses, ready made, into empty tables with the same indexes."""
    with psycopg.connect(installation.environment["DATABASE_URL"], autocommit=True) as connection:
        for table in ("contacts", "contact_addresses"):
            connection.execute(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING ALL)")
        # Keys in their order, as the product has them: random ones would make a slow start for the comparison.
        keys = connection.execute("SELECT uuidv7() FROM generate_series(1, %s)", [count]).fetchall()
        keyed = [(key, name, number) for (key,), (name, number) in zip(keys, people(count), strict=True)]
        begin = time.monotonic()
        with connection.cursor() as cursor, cursor.copy("COPY bench_contacts (id, unit_id, name) FROM STDIN") as copy:
            for key, name, _number in keyed:
                copy.write_row((key, unit_id, name))
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY bench_contact_addresses (unit_id, contact_id, kind, value) FROM STDIN") as copy,
        ):
            for key, _name, number in keyed:
                copy.write_row((unit_id, key, "phone", f"+5511{number}"))
        took = time.monotonic() - begin
        connection.execute("DROP TABLE bench_contacts, bench_contact_addresses")
    return took


def work(installation: Installation) -> dict[str, Any]:
    """What a fresh worker says of its work."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.import_worker"],
        cwd=ROOT,
        env=installation.environment | {"DJANGO_SETTINGS_MODULE": "crm_whatsapp.settings"},
        stdout=subprocess.PIPE,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
