"""Bodies that nobody should send, by the hundred thousand, to the product's web server over HTTP.

Made by the same mutations of real bodies as the fuzz test's (tests/webhooks/mutations.py). Each answer must be 200,
or 404 without a secret; no body may be lost; each event must be handled, be ignored, or wait for its message.
"""

import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

from django.db import connections

from bench.installation import Installation
from bench.report import Figure, say
from tests.factories import CONNECTED, hook
from tests.webhooks.mutations import Mutator
from units.models import WhatsAppConnection
from units.services import create_unit

CLIENTS = 4
# Of this many bodies one comes without a secret, and one by the address of a single event.
STRANGERS, BY_EVENT = 100, 20
# Bytes that the view reads from anybody.
SMALL = 60_000
# Without progress for so long the drain has stopped.
PATIENCE = 120.0
# What can still come: an event that waits says for which message; anything else that is left has failed.
_LEFT = (
    "SELECT count(*) FILTER (WHERE status = 'received' AND attempts = 0),"
    " count(*) FILTER (WHERE status = 'received' AND attempts > 0 AND awaits = '{}')"
    " FROM webhook_events WHERE connection_id = %s"
)
_ENDS = (
    "SELECT CASE WHEN status = 'received' THEN 'waiting' ELSE status END, count(*)"
    " FROM webhook_events WHERE connection_id = %s GROUP BY 1 ORDER BY 1"
)
_EXAMPLES = (
    "SELECT id, event, reason, left(body, 300) FROM webhook_events"
    " WHERE connection_id = %s AND (status = 'dead' OR (status = 'received' AND awaits = '{}')) LIMIT 10"
)


@dataclass(slots=True)
class Posted:
    """What was posted and answered, over all clients; of what was accepted the fingerprints, equal ones once."""

    answers: Counter[str] = field(default_factory=Counter)
    fingerprints: set[bytes] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


def post(port: int, path: str, instance: str, seed: int, count: int, posted: Posted) -> None:
    """Post `count` bodies over one connection, and count what comes back; "none" where nothing does."""
    mutator = Mutator(instance, seed)
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for number in range(count):
        while is_hint(body := mutator.body()):
            pass
        is_stranger = number % STRANGERS == 1
        address = "/webhooks/whatsapp/evolution/guessed" if is_stranger else path
        if is_stranger:
            # A larger one is refused unread, and whoever is still sending it may see the line break before the answer.
            body = body[:SMALL]
        address += "/messages-upsert" if number % BY_EVENT == 2 else ""
        said = _answer(connection, address, body) or _answer(connection, address, body) or "none"
        expected = "404" if is_stranger else "200"
        with posted.lock:
            posted.answers[said if said == expected else f"{said} instead of {expected}"] += 1
            if said == "200":
                posted.fingerprints.add(hashlib.sha256(address.encode() + b"\0" + body).digest())


def _answer(connection: HTTPConnection, address: str, body: bytes) -> str:
    """The status; "" when the server has hung up, as it may after it has refused a body without reading it."""
    try:
        connection.request("POST", address, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        connection.close()
        return ""
    return str(answer.status)


def is_hint(body: bytes) -> bool:
    """Of these one in ten seconds is kept on purpose: nothing could be said of the others."""
    return b"connecting" in body


def is_drained(installation: Installation, connection: WhatsAppConnection) -> bool:
    """Wait until every event was tried at least once; False when that stops before its end."""
    last, since = "", time.monotonic()
    while True:
        [(untried, _failed)] = installation.sql(_LEFT, connection.pk)
        if untried == 0:
            return True
        if str(untried) != last:
            last, since = str(untried), time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            return False
        time.sleep(0.5)


def run(installation: Installation, *, bodies: int, seed: int) -> list[Figure]:
    """Post `bodies` and see what becomes of them."""
    unit = create_unit("Fuzz")
    WhatsAppConnection.objects.filter(unit=unit).update(**CONNECTED)
    connection = WhatsAppConnection.objects.get(unit=unit)
    path = hook(connection)
    connections.close_all()
    posted = Posted()
    with installation.processes():
        threads = [
            threading.Thread(
                target=post,
                args=(installation.web_port, path, connection.instance_name, seed + n, bodies // CLIENTS, posted),
            )
            for n in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        drained = is_drained(installation, connection)
    ends = {str(status): int(str(count)) for status, count in installation.sql(_ENDS, connection.pk)}
    [(_, failed)] = installation.sql(_LEFT, connection.pk)
    for example in installation.sql(_EXAMPLES, connection.pk):
        say(f"  not settled: {example}")
    refused = {answer: count for answer, count in posted.answers.items() if answer not in ("200", "404")}
    if refused:
        say(f"  answers: {refused}")
    accepted = len(posted.fingerprints)
    return [
        Figure("bodies posted", sum(posted.answers.values()), limit=bodies // CLIENTS * CLIENTS),
        Figure("answers that are neither 200 nor 404", sum(refused.values()), limit=0, at_least=False),
        Figure("accepted, each counted once", accepted),
        Figure("lost", accepted - sum(ends.values()), limit=0, at_least=False),
        Figure("dead, or failed", ends.get("dead", 0) + int(str(failed)), limit=0, at_least=False),
        Figure("not tried by the drain", 0 if drained else 1, limit=0, at_least=False),
        *(Figure(status, ends.get(status, 0)) for status in ("handled", "ignored", "waiting")),
    ]
