"""A campaign to a million contacts is started: how long its audience takes, against a plain INSERT of the same rows.

The contacts are such as a unit has: some opted out, some blocked, some not on WhatsApp, some written to lately, some
with a tag. The audience is everyone, and everyone who has a tag; with all exclusions. It is filled by a process of its
own, as in a worker, so that its memory is its own.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from bench.installation import Installation
from bench.report import Figure, of_rounds, say

# Of the process that fills; the whole of Django is some 90 of it.
MOST_MEGABYTES = 300
MOST_TIMES = 3.0


def run(installation: Installation, *, rounds: int, people: int) -> list[Figure]:
    from campaigns.services import CampaignService
    from units.models import WhatsAppConnection
    from units.services import create_unit

    unit = create_unit("Ótica Aurora", owner=None)
    WhatsAppConnection.objects.filter(unit=unit).update(status="connected")
    begin = time.monotonic()
    tags = _load(str(unit.pk), people)
    say(f"  {people:,} contacts loaded in {time.monotonic() - begin:.0f} s")
    everyone: dict[str, Any] = {"everyone": True, "exclude_tags": [tags[0]], "exclude_contacted_within_days": 7}
    tagged: dict[str, Any] = everyone | {"everyone": False, "tags": [tags[1]]}
    figures: list[Figure] = []
    peak = 0.0
    for name, audience in (("everyone", everyone), ("a tag of all", tagged)):
        took, ratios, plain, dispatched = [], [], [], []
        for _ in range(rounds):
            plain.append(_plain(unit.pk))
            made = CampaignService.create(unit=unit, name="Promo", content="Oi {{ nome | cliente }}", audience=audience)
            begin = time.monotonic()
            CampaignService(made).dispatch()
            dispatched.append((time.monotonic() - begin) * 1000)
            seconds, megabytes = _fill(installation)
            took.append(seconds)
            ratios.append(seconds / plain[-1])
            peak = max(peak, megabytes)
            total = made.progress()["total"]
            if total != people:
                raise RuntimeError(f"{total} of {people} became recipients.")
            _forget(made.pk)
        figures += [
            of_rounds(f"audience of {name}: start answers in", dispatched, "ms"),
            of_rounds(f"audience of {name}: filled in", took, "s"),
            of_rounds(
                f"audience of {name}: times a plain INSERT … SELECT", ratios, "×", limit=MOST_TIMES, at_least=False
            ),
        ]
    return [*figures, Figure("audience: memory at most", peak, "MiB", limit=MOST_MEGABYTES, at_least=False)]


def _sql(statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def _load(unit: str, people: int) -> list[str]:
    """Contacts with a number each; the ids of two tags: of one in fifty, and of all."""
    tags = []
    for statement in _statements():
        rows = _sql(statement, {"unit": unit, "people": people})
        tags += [str(row[0]) for row in rows or []]
    return tags


def _statements() -> Iterator[str]:
    yield (
        "INSERT INTO contacts (unit_id, name, blocked_at)"
        " SELECT %(unit)s::uuid, 'Cliente ' || n, CASE WHEN n %% 100 = 1 THEN crm_now() END"
        " FROM generate_series(1, %(people)s::int) n"
    )
    yield (
        "INSERT INTO contact_addresses (unit_id, contact_id, kind, value, not_on_whatsapp_at, checked_at)"
        " SELECT c.unit_id, c.id, 'phone', '+55119' || lpad((row_number() OVER ())::text, 8, '0'),"
        " CASE WHEN right(c.name, 2) = '02' THEN crm_now() END, crm_now()"
        " FROM contacts c WHERE c.unit_id = %(unit)s::uuid"
    )
    yield (
        "INSERT INTO opt_outs (unit_id, kind, value, source)"
        " SELECT a.unit_id, a.kind, a.value, 'word' FROM contact_addresses a"
        " WHERE a.unit_id = %(unit)s::uuid AND right(a.value, 2) = '33'"
    )
    yield (
        "WITH made AS (INSERT INTO tags (unit_id, name) VALUES (%(unit)s::uuid, 'Não enviar') RETURNING id),"
        " tagged AS (INSERT INTO contact_tags (unit_id, contact_id, tag_id) SELECT c.unit_id, c.id, made.id"
        " FROM contacts c, made WHERE c.unit_id = %(unit)s::uuid AND right(c.name, 2) IN ('04', '54'))"
        " SELECT id FROM made"
    )
    yield (
        "WITH made AS (INSERT INTO tags (unit_id, name) VALUES (%(unit)s::uuid, 'Todos') RETURNING id),"
        " tagged AS (INSERT INTO contact_tags (unit_id, contact_id, tag_id) SELECT c.unit_id, c.id, made.id"
        " FROM contacts c, made WHERE c.unit_id = %(unit)s::uuid)"
        " SELECT id FROM made"
    )
    # Somebody of each hundred got something this week.
    yield (
        "WITH made AS (INSERT INTO campaigns (unit_id, name, content, status)"
        " VALUES (%(unit)s::uuid, 'Ontem', 'Oi', 'completed') RETURNING id)"
        " INSERT INTO campaign_recipients (unit_id, campaign_id, contact_id, status, sent_at)"
        " SELECT c.unit_id, made.id, c.id, 'sent', crm_now() - interval '1 day' FROM contacts c, made"
        " WHERE c.unit_id = %(unit)s::uuid AND right(c.name, 2) = '05'"
    )
    yield "ANALYZE"


def _plain(unit: object) -> float:
    """Seconds of the same rows, in one statement that asks nothing; they are deleted again."""
    rows = _sql("INSERT INTO campaigns (unit_id, name, content) VALUES (%s, 'Plain', 'Oi') RETURNING id", [unit])
    begin = time.monotonic()
    _sql(
        "INSERT INTO campaign_recipients (unit_id, campaign_id, contact_id, status)"
        " SELECT unit_id, %s, id, 'pending' FROM contacts WHERE unit_id = %s",
        [rows[0][0], unit],
    )
    took = time.monotonic() - begin
    _forget(rows[0][0])
    return took


def _forget(campaign: object) -> None:
    _sql("DELETE FROM campaigns WHERE id = %s", [campaign])
    _sql("VACUUM ANALYZE campaign_recipients")


def _fill(installation: Installation) -> tuple[float, float]:
    """Seconds and MiB of a process that fills what is to be filled."""
    answer = subprocess.run(
        [sys.executable, "-m", "bench.audience"], env=installation.environment, check=True, stdout=subprocess.PIPE
    )
    told = json.loads(answer.stdout.splitlines()[-1])
    return told["seconds"], told["megabytes"]


def main() -> None:
    """In a process of its own."""
    import os

    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "crm_whatsapp.settings"
    os.environ["LOG_LEVEL"] = "WARNING"
    django.setup()
    from campaigns.filling import fill_audiences

    begin = time.monotonic()
    fill_audiences(seconds=3600)
    took = time.monotonic() - begin
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(json.dumps({"seconds": took, "megabytes": kilobytes / 1024}) + "\n")


if __name__ == "__main__":
    main()
