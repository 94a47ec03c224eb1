"""Claims and records a second, without the sending between them, and what lanes with nothing to send cost."""

import time

from django.conf import settings

from bench.installation import Installation
from bench.numbers import Queue, fill
from bench.report import Figure, of_rounds, say
from messaging.delivery.loop import Delivery
from messaging.delivery.outcomes import record
from units.gateways.evolution import SentMessage

# Of the lanes, in each round: it uses them up, since each may send once in two seconds.
SHARE = 0.6


def run(installation: Installation, *, rounds: int, lanes: int) -> list[Figure]:
    """One process claims as many as it has threads, dispatches and records; the answers are made up."""
    rates, first = [], []
    for number in range(rounds):
        fill(installation, Queue(numbers=lanes, each=2))
        rates.append(_rate(int(lanes * SHARE)))
        first.append(_first_past_empty_ones(installation, lanes))
        say(f"  round {number + 1}: {rates[-1]:,.0f}/s; a full lane behind {lanes:,} empty ones: {first[-1]:.3f} s")
    return [
        of_rounds(f"claims and records, {lanes:,} lanes", rates, "/s", limit=1000),
        of_rounds(f"a full lane behind {lanes:,} empty ones: claimed after", first, "s", limit=1, at_least=False),
    ]


def _rate(count: int) -> float:
    delivery = Delivery()
    done = 0
    started = time.perf_counter()
    while done < count:
        sends = delivery.dispatch(delivery.claim(settings.DELIVERY_THREADS))
        if not sends:
            raise RuntimeError(f"Nothing was due after {done} of {count}.")
        for number, send in enumerate(sends):
            send.outcome = SentMessage(f"3EB0{done + number:016X}", send.recipient, None)
        record(sends)
        done += len(sends)
    return done / (time.perf_counter() - started)


def _first_past_empty_ones(installation: Installation, count: int) -> float:
    """Seconds until the one lane that has something is claimed, when all others are due before it and have nothing."""
    installation.sql("UPDATE messages SET status = 'cancelled'")
    installation.sql("UPDATE send_lanes SET due_at = crm_now() - interval '1 minute', next_send_at = crm_now()")
    installation.sql(
        "WITH last AS (UPDATE send_lanes SET due_at = crm_now() WHERE connection_id ="
        " (SELECT connection_id FROM send_lanes ORDER BY connection_id DESC LIMIT 1) RETURNING connection_id)"
        " UPDATE messages m SET status = 'queued', claim_token = NULL, external_id = NULL FROM last WHERE m.id ="
        " (SELECT id FROM messages WHERE connection_id = last.connection_id LIMIT 1)"
    )
    delivery = Delivery()
    started = time.perf_counter()
    while not delivery.claim(1):
        if time.perf_counter() - started > 60:
            raise RuntimeError("The full lane was not found within a minute.")
    return time.perf_counter() - started
