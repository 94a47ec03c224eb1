"""How many numbers keep their pace: a campaign each at one message in two seconds, a gateway that answers in 150 ms."""

import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from bench.gateway import Sends
from bench.installation import Installation, wait_for
from bench.numbers import Queue, fill
from bench.processes import Far, gateway, process, worker_environment
from bench.report import Figure, say

INTERVAL, ANSWER = 2.0, 0.15
# A number holds its pace at this share of one message in INTERVAL + ANSWER.
HOLDS = 0.95
WARM_UP = 6.0  # seconds
WORKERS = (1, 2, 4)
# So many times the numbers, to see how far it goes; and of the whole product, until all hold their pace.
FURTHER = (2, 3)
FEWER = (1, 0.8, 0.6, 0.4)
# Fewer numbers than these are only to see that it runs.
FEW = 100
SECRET = "bench-global-secret-bench-global-secret"  # noqa: S105 - of an installation that is gone when the run ends
HOOK = f"/webhooks/whatsapp/evolution/{SECRET}"


@dataclass(frozen=True, slots=True)
class Found:
    """`rate`: sends of all numbers against one each in INTERVAL + ANSWER; `holding`: the share of numbers that keep
    HOLDS of it; `gap`: the shortest from an answer to the next send of the same number, in seconds.
    """

    rate: float
    holding: float
    gap: float


def run(installation: Installation, *, numbers: int, seconds: float) -> list[Figure]:
    """One, two and four workers; more numbers; with echoes and receipts; and fed by the campaigns' own feeder."""
    figures = []
    many = numbers >= FEW
    for workers in WORKERS if many else WORKERS[-1:]:
        found = _measure(installation, numbers, seconds, workers=workers)
        figures += _figures(f"{numbers} numbers, {workers} worker{'s' if workers > 1 else ''}", found)
    for times in FURTHER if many else ():
        found = _measure(installation, numbers * times, seconds, workers=2)
        figures += _figures(f"{numbers * times:,} numbers, 2 workers", found, judged=False)
    for share in FEWER:
        some = max(1, int(numbers * share))
        found = _measure_product(installation, some, seconds)
        figures += _figures(f"{some} numbers, whole product, echoes and receipts", found, judged=False)
        if found.rate >= HOLDS or not many:
            break
    found = _measure(installation, numbers, seconds, workers=1, fed=True)
    figures += _figures(f"{numbers} numbers, 1 worker, fed by the feeder", found, judged=False)
    return figures


def _figures(what: str, found: Found, *, judged: bool = True) -> list[Figure]:
    """That the floor holds is judged always."""
    limit = HOLDS if judged else None
    return [
        Figure(f"{what}: rate / possible", found.rate, limit=limit),
        Figure(f"{what}: hold their pace", 100 * found.holding, "%"),
        Figure(f"{what}: shortest gap", found.gap, "s", limit=INTERVAL),
    ]


def _measure(installation: Installation, numbers: int, seconds: float, *, workers: int, fed: bool = False) -> Found:
    """Worker processes alone; the messages are queued before, or by the feeder in one more process."""
    _queue(installation, numbers, seconds, queued=not fed)
    with ExitStack() as stack:
        far = stack.enter_context(gateway(installation, ANSWER))
        environment = worker_environment(installation, far.url)
        log = installation.directory / "pace.log"
        if fed:
            stack.enter_context(process("-m", "bench.worker", "feed", environment=environment, log=log))
        for _ in range(workers):
            stack.enter_context(process("-m", "bench.worker", environment=environment, log=log))
        found = _watch(far, numbers, seconds)
    say(f"  {numbers} numbers, {workers} workers{', fed' if fed else ''}: {found}")
    return found


def _measure_product(installation: Installation, numbers: int, seconds: float) -> Found:
    """Every process of the product; each send comes back as an echo and two receipts."""
    _queue(installation, numbers, seconds, queued=True)
    installation.sql("UPDATE campaigns SET status = 'draft'")  # The feeder would have nothing to add.
    kept = dict(installation.environment)
    try:
        with gateway(installation, ANSWER, str(installation.web_port), HOOK) as far:
            installation.environment |= worker_environment(installation, far.url)
            installation.environment["EVOLUTION_GLOBAL_WEBHOOK_SECRET"] = SECRET
            with installation.processes():
                found = _watch(far, numbers, seconds)
                caught_up = _catch_up(installation)
    finally:
        installation.environment = kept
    say(f"  {numbers} numbers, whole product, echoes and receipts: {found}; all read {caught_up:.0f} s after")
    return found


def _catch_up(installation: Installation) -> float:
    """Send no more, and wait for the echoes and receipts of everything that was sent; the seconds."""
    installation.sql("UPDATE messages SET status = 'cancelled' WHERE status = 'queued'")
    started = time.monotonic()
    unread = "SELECT count(*) FROM messages WHERE status NOT IN ('read', 'cancelled')"
    wait_for(lambda: installation.sql(unread)[0][0] == 0, seconds=180, what="the receipts of all messages")
    return time.monotonic() - started


def _queue(installation: Installation, numbers: int, seconds: float, *, queued: bool) -> None:
    fill(installation, Queue(numbers, each=int((WARM_UP + seconds) / INTERVAL) + 10, queued=queued))
    # As in a day that goes on: not all in the same moment.
    installation.sql(
        "UPDATE send_lanes SET next_send_at = crm_now() + make_interval(secs => 3 + %s * random()), due_at = crm_now()",
        INTERVAL + ANSWER,
    )


def _watch(far: Far, numbers: int, seconds: float) -> Found:
    """What the gateway's clock says, after everything has warmed up."""
    seen: Sends = []

    def everybody_sends() -> bool:
        seen.extend(far.sends())
        return len({name for name, _, _ in seen}) == numbers

    wait_for(everybody_sends, seconds=120, what="the first send of each number")
    time.sleep(min(WARM_UP, seconds))
    seen.extend(far.sends())
    time.sleep(seconds + 0.5)
    # By the gateway's own clock: on a busy machine a pause of ours may be longer than it should.
    until = max(answered for _, _, answered in seen) + seconds
    counted = [send for send in far.sends() if send[2] <= until]
    return _found([*seen, *counted], counted, numbers, seconds)


def _found(everything: Sends, counted: Sends, numbers: int, seconds: float) -> Found:
    possible = 1 / (INTERVAL + ANSWER)
    # Of one number the rate is known to one message in its time: the median gap says more.
    periods = _periods(everything[-len(counted) - numbers :])
    holding = sum(1 for period in periods.values() if period <= 1 / (possible * HOLDS))
    return Found(len(counted) / seconds / numbers / possible, holding / numbers, _shortest_gap(everything))


def _by_number(sends: Sends) -> dict[str, list[tuple[float, float]]]:
    by_number = defaultdict(list)
    for name, came, answered in sends:
        by_number[name].append((came, answered))
    return {name: sorted(times) for name, times in by_number.items()}


def _periods(sends: Sends) -> dict[str, float]:
    """Median seconds from send to send, by number; those with two sends at least."""
    return {
        name: median(later - earlier for (earlier, _), (later, _) in pairwise(times))
        for name, times in _by_number(sends).items()
        if len(times) > 1
    }


def _shortest_gap(sends: Sends) -> float:
    gaps: Sequence[float] = [
        later - answered for times in _by_number(sends).values() for (_, answered), (later, _) in pairwise(times)
    ]
    return min(gaps, default=float("inf"))
