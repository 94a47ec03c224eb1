"""Bodies that nobody should send, by the hundred thousand, to the product's web server over HTTP.

    python -m bench.fuzz --bodies 100000

Made by the same mutations of real bodies as the fuzz test's (tests/webhooks/mutations.py). Prints one line of JSON: how
often each answer came, and where the stored events ended. Status 1 unless each answer was 200 (404 without a secret),
no body was lost, and each event was handled, was ignored, or waits for the message that it speaks of.
"""

import argparse
import hashlib
import json
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any

import django

from bench.installation import Installation

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
    " count(*) FILTER (WHERE status = 'received' AND attempts > 0 AND awaits = '') FROM webhook_events"
)
_ENDS = (
    "SELECT CASE WHEN status = 'received' THEN 'waiting' ELSE status END, count(*)"
    " FROM webhook_events GROUP BY 1 ORDER BY 1"
)
_EXAMPLES = (
    "SELECT id, event, reason, left(body, 500) FROM webhook_events"
    " WHERE status = 'dead' OR (status = 'received' AND awaits = '') LIMIT 10"
)


@dataclass(slots=True)
class Posted:
    """What was posted and answered, over all clients; of what was accepted the fingerprints, equal ones once."""

    answers: Counter[str] = field(default_factory=Counter)
    fingerprints: set[bytes] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


def post(port: int, path: str, instance: str, seed: int, count: int, posted: Posted) -> None:
    """Post `count` bodies over one connection, and count what comes back; "none" where nothing does."""
    from tests.webhooks.mutations import Mutator

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


def wait_for_the_drain(installation: Installation) -> bool:
    """Until every event was tried at least once; False when that stops before its end."""
    last, since = -1, time.monotonic()
    while True:
        [(untried, _failed)] = installation.sql(_LEFT)
        if untried == 0:
            return True
        if untried != last:
            last, since = untried, time.monotonic()  # type: ignore[assignment]
        elif time.monotonic() - since > PATIENCE:
            return False
        time.sleep(0.5)


def run(installation: Installation, *, bodies: int, seed: int) -> dict[str, Any]:
    """Post `bodies` and see what becomes of them."""
    from django.db import connections

    from tests.factories import CONNECTED, hook
    from units.models import WhatsAppConnection
    from units.services import create_unit

    unit = create_unit("Fuzz")
    WhatsAppConnection.objects.filter(unit=unit).update(**CONNECTED)
    connection = WhatsAppConnection.objects.get(unit=unit)
    path = hook(connection)
    connections.close_all()
    posted = Posted()
    with installation.processes():
        started = time.monotonic()
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
        seconds = time.monotonic() - started
        drained = wait_for_the_drain(installation)
    ends = {str(status): int(str(count)) for status, count in installation.sql(_ENDS)}
    [(_, failed)] = installation.sql(_LEFT)
    return {
        "bodies": sum(posted.answers.values()),
        "seconds": round(seconds, 1),
        "answers": dict(sorted(posted.answers.items())),
        "accepted": len(posted.fingerprints),
        "ends": ends,
        "lost": len(posted.fingerprints) - sum(ends.values()),
        "failed": failed,
        "drained": drained,
        "examples": [[str(member) for member in row] for row in installation.sql(_EXAMPLES)],
    }


def is_good(found: dict[str, Any], bodies: int) -> bool:
    """All posted; only 200 and 404, each where it belongs; nothing lost, nothing dead, nothing left."""
    return (
        found["bodies"] == bodies // CLIENTS * CLIENTS
        and set(found["answers"]) <= {"200", "404"}
        and found["drained"]
        and found["lost"] == found["failed"] == found["ends"].get("dead", 0) == 0
    )


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz")
    parser.add_argument("--bodies", type=int, default=100_000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="other bodies with another one (%(default)s)")
    options = parser.parse_args(arguments)
    with Installation() as installation:
        # Settings are read from the environment when Django starts.
        os.environ.update(installation.environment)
        os.environ["DJANGO_SETTINGS_MODULE"] = "crm_whatsapp.settings"
        # Static files from where they lie: nothing is collected for this.
        os.environ["DEBUG"] = "true"
        django.setup()
        found = run(installation, bodies=options.bodies, seed=options.seed)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if is_good(found, options.bodies) else 1


if __name__ == "__main__":
    sys.exit(main())
