"""From posted to visible: messages a second, against the bare view's INSERTs, and whether memory stays flat."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from bench.installation import Installation, resident_megabytes, wait_for
from bench.load import Answers, Target, external_id
from bench.people import targets
from bench.report import Figure, of_rounds, say
from crm_whatsapp.launcher.supervisor import Supervisor

UNITS = 20
# Of some that sends as fast as it can: what is not visible after so long will not be.
PATIENCE = 600.0  # seconds


def run(installation: Installation, *, rounds: int, messages: int) -> list[Figure]:
    """Every process of the product beside the bare server, posts as fast as they are answered, in turns with it."""
    one, many = targets(1), targets(UNITS)
    bare, to_one, to_many = [], [], []
    with installation.processes() as supervisor, memory_of(supervisor, "web", "worker") as memory:
        for number in range(-1, rounds):  # the first warms up
            if number == 0:
                memory.begin()
            rate = installation.post_bare(messages).rate
            first = visible_rate(installation, one, messages, f"o{number + 1}")
            second = visible_rate(installation, many, messages, f"m{number + 1}")
            say(f"  round {number + 1}: bare {rate:,.0f}/s, one unit {first:,.0f}/s, {UNITS} units {second:,.0f}/s")
            if number >= 0:
                bare.append(rate)
                to_one.append(first)
                to_many.append(second)
    return [
        of_rounds("end to end / bare INSERT, one unit", _ratios(to_one, bare), limit=0.35),
        of_rounds(f"end to end / bare INSERT, {UNITS} units", _ratios(to_many, bare), limit=0.35),
        of_rounds("bare INSERT", bare, "/s"),
        of_rounds("end to end, one unit", to_one, "/s"),
        of_rounds(f"end to end, {UNITS} units", to_many, "/s"),
        *memory.figures(),
    ]


def visible_rate(installation: Installation, units: Sequence[Target], messages: int, name: str) -> float:
    """Messages a second, from the first post until the transaction of the last one has committed."""
    answers = installation.post(units, messages, run=name)
    await_messages(installation, name, messages)
    last = installation.sql(
        "SELECT extract(epoch FROM max(pg_xact_commit_timestamp(xmin))) FROM messages WHERE external_id LIKE %s",
        f"{_ids(name)}%",
    )[0][0]
    return messages / (float(str(last)) - answers.started)


def await_messages(installation: Installation, name: str, count: int) -> None:
    """Until all messages of a run are there. Raises TimeoutError."""
    look = "SELECT count(*) FROM messages WHERE external_id LIKE %s"
    wait_for(
        lambda: int(str(installation.sql(look, f"{_ids(name)}%")[0][0])) >= count,
        seconds=PATIENCE,
        what=f"{count} messages",
    )


def delays(installation: Installation, answers: Answers, name: str) -> list[float]:
    """Seconds from each 200 to the commit that made its message visible. Both clocks are this machine's."""
    rows = installation.sql(
        "SELECT external_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8"
        " FROM messages WHERE external_id LIKE %s",
        f"{_ids(name)}%",
    )
    committed = {str(key): float(str(at)) for key, at in rows}
    return [committed[external_id(name, n)] - at for n, at in enumerate(answers.answered)]


def _ids(name: str) -> str:
    return external_id(name, 0)[:-7]


def _ratios(values: Sequence[float], of: Sequence[float]) -> list[float]:
    return [value / base for value, base in zip(values, of, strict=True)]


@dataclass
class Memory:
    """What processes hold, in MB, looked at every second."""

    samples: dict[str, list[float]] = field(default_factory=dict)

    def begin(self) -> None:
        """Forget what was seen while everything warmed up."""
        for seen in self.samples.values():
            seen.clear()

    def figures(self) -> Iterator[Figure]:
        """The last third against the first, by process."""
        for name, seen in self.samples.items():
            third = max(1, len(seen) // 3)
            first, last = median(seen[:third]), median(seen[-third:])
            yield Figure(f"memory of {name}, last third / first", last / first, limit=1.1, at_least=False)
            yield Figure(f"memory of {name}", last, "MB")


@contextmanager
def memory_of(supervisor: Supervisor, *names: str) -> Iterator[Memory]:
    """Watch these processes, each with all below it."""
    memory = Memory({name: [] for name in names})
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1):
            for name in names:
                if pid := supervisor.pid(name):
                    memory.samples[name].append(resident_megabytes(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        over.set()
        watcher.join()
