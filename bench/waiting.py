"""A reply of one unit while another has a million waiting: from queued to sent."""

import time
from uuid import UUID

from bench.installation import Installation, wait_for
from bench.numbers import Queue, empty, fill
from bench.processes import gateway, process, worker_environment
from bench.report import Figure, percentile, say
from messaging.models import Message
from tests.factories import CONNECTED, conversation, reply
from units.models import WhatsAppConnection
from units.services import create_unit

REPLIES = 5


def run(installation: Installation, *, rounds: int, pending: int) -> list[Figure]:
    """One worker, which also sends for the other unit as fast as that may: replies, then a campaign."""
    waits: dict[str, list[float]] = {"replies": [], "a campaign": []}
    for kind, seconds in waits.items():
        fill(installation, Queue(numbers=1, each=pending, campaigns=kind == "a campaign"))
        unit = create_unit("Ótica Aurora", owner=None)
        WhatsAppConnection.objects.filter(unit=unit).update(**CONNECTED)
        chat = conversation(unit)
        with gateway(installation, 0.05) as far:
            environment = worker_environment(installation, far.url)
            with process("-m", "bench.worker", environment=environment, log=installation.directory / "waiting.log"):
                wait_for(lambda: bool(far.sends()), seconds=60, what="the other unit's first send")
                for _ in range(rounds * REPLIES):
                    message = reply(unit, to=chat)
                    wait_for(lambda pk=message.pk: _is_sent(pk), seconds=60, what="the reply")  # type: ignore[misc]
                    message.refresh_from_db()
                    if message.sent_at is None:
                        raise RuntimeError("A message is sent without a time.")
                    seconds.append((message.sent_at - message.created_at).total_seconds())
                    time.sleep(0.3)
        say(f"  {pending:,} {kind} waiting: {percentile(seconds, 50):.3f} s, the slowest {max(seconds):.3f} s")
    empty(installation)
    return [
        Figure(
            f"a reply, while {pending:,} of {kind} wait elsewhere: the slowest",
            max(seconds),
            "s",
            limit=2,
            at_least=False,
            rounds=[round(each, 4) for each in seconds],
        )
        for kind, seconds in waits.items()
    ]


def _is_sent(pk: UUID) -> bool:
    return Message.objects.filter(pk=pk, status="sent").exists()
