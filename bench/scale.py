"""One unit with a million messages: what the pages and searches of its people ask, and how PostgreSQL answers."""

import json
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.installation import Installation
from bench.loader import COMMON, RARE, SOMETIMES, load
from bench.report import Figure, say
from messaging.models import Conversation
from units.models import Unit, User
from units.services import create_unit

# Reading is never more than this: a page, whatever it shows.
MOST_QUERIES = 25


def run(installation: Installation, *, rounds: int, rows: int, contacts: int) -> list[Figure]:
    """Every page as a person's browser asks for it; its queries are explained one by one."""
    owner = User.objects.create_user("bench@example.com", "a password for a minute")
    unit = create_unit("Ótica Aurora", owner=owner)
    begin = time.monotonic()
    load(unit, rows=rows, contacts=contacts)
    say(f"  {rows:,} messages of {contacts:,} contacts loaded in {time.monotonic() - begin:.0f} s")
    browser = Client(SERVER_NAME="127.0.0.1")
    browser.force_login(owner)
    figures = []
    for name, url, parameters in pages(unit):
        took: list[float] = []
        for _ in range(rounds + 1):
            begin = time.perf_counter()
            answer = browser.get(url, parameters)
            took.append((time.perf_counter() - begin) * 1000)
            if answer.status_code != 200:
                raise RuntimeError(f"{name} was answered {answer.status_code}.")
        with CaptureQueriesContext(connection) as captured:
            browser.get(url, parameters)
        statements = [query["sql"] for query in captured]
        scans = sequential_scans(statements)
        del took[0]  # it warmed up
        figures += [
            Figure(f"{name}: queries", len(statements), limit=MOST_QUERIES, at_least=False),
            Figure(f"{name}: sequential scans of messages", scans.count("messages"), limit=0, at_least=False),
            Figure(f"{name}: time", median(took), "ms", rounds=[round(each, 1) for each in took]),
        ]
        if others := set(scans) - {"messages"}:
            say(f"  {name}: also reads all of {', '.join(sorted(others))}")
    return figures


def pages(unit: Unit) -> Iterator[tuple[str, str, dict[str, str]]]:
    """What is measured: name, address, query string."""
    inbox, api = f"/app/u/{unit.id}/", f"/units/{unit.id}/conversations"
    longest = Conversation.objects.filter(unit=unit).order_by("id")[0]
    yield "inbox, first page", inbox, {}
    yield "thread page", f"{inbox}conversations/{longest.id}", {}
    for kind, word in (("a common word", COMMON), ("a word of some", SOMETIMES), ("a rare word", RARE)):
        yield f"search for {kind}", inbox, {"q": word}
    yield "search for two words", inbox, {"q": f"{RARE[:6]} {COMMON}"}
    yield "search for the start of a word", inbox, {"q": COMMON[:2]}
    yield "search for a word of nobody", inbox, {"q": "inexistente"}
    yield "search for digits", inbox, {"q": "90012 34"}
    yield "API, search for a common word", api, {"search": COMMON}
    yield "API, search within the thread", f"{api}/{longest.id}/messages", {"search": COMMON}


def sequential_scans(statements: list[str]) -> list[str]:
    """The tables that these statements would read from their beginning to their end."""
    found: list[str] = []
    # With what they set for each other.
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            if statement.startswith("SET LOCAL"):
                cursor.execute(statement)
            if not statement.startswith(("SELECT", "(SELECT")):
                continue
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}")
            plan = cursor.fetchone()[0]
            found += _scanned((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    return found


def _scanned(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan":
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from _scanned(child)
