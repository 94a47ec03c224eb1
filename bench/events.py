"""Live events: what an open stream costs, and how soon it tells what was committed."""

import json
import os
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID, uuid4

from bench.installation import ROOT, Installation, resident_megabytes, wait_for
from bench.listeners import Plan
from bench.report import Figure, percentile, say
from crm_whatsapp.launcher.supervisor import Supervisor
from units import live
from units.models import ApiToken, User
from units.services import create_unit

# As many streams of one unit: the open tabs of its people.
STREAMS_A_UNIT = 10
# After so many events a tenth of the clients hangs up and comes back.
RESTLESS = 5

type Heard = list[list[tuple[int, float]]]


def run(installation: Installation, *, streams: int, rate: int, seconds: float) -> list[Figure]:
    """One live process, all streams on it, `rate` committed events a second spread over their units."""
    whose = _streams(streams)
    units = list(dict.fromkeys(UUID(unit) for unit, _token in whose))
    with installation.processes("web", "live") as supervisor:
        port = int(installation.environment["LIVE_PORT"])
        wait_for(lambda: _listens(port), seconds=60, what="the live process")
        with _listeners(installation, Plan(port, whose[: 2 * STREAMS_A_UNIT])):
            _publish(units[:2], rate, 1)  # warms up
        installation.sql("TRUNCATE live_events")
        before = _Use.of(supervisor)
        begin = time.monotonic()
        with _listeners(installation, Plan(port, whose, RESTLESS)) as heard:
            opened = time.monotonic() - begin
            listening = _Use.of(supervisor)
            took = _publish(units, rate, seconds)
            after = _Use.of(supervisor)
            # Even what no notice told of is there by then.
            time.sleep(3)
        delays, missed, twice = _judge(installation, whose, heard)
    each = 1024 * (listening.megabytes - before.megabytes) / streams
    say(f"  {streams} streams: {before.megabytes:.1f} → {listening.megabytes:.1f} MB; {len(delays):,} events heard")
    return [
        Figure("open streams on one process", streams, limit=streams),
        Figure("until all of them were open", opened, "s"),
        Figure("memory of the live process without streams", before.megabytes, "MB"),
        Figure("memory with the streams", listening.megabytes, "MB"),
        Figure("memory of a stream", each, "kB", limit=100, at_least=False),
        Figure(
            "memory after the events / before them", after.megabytes / listening.megabytes, limit=1.1, at_least=False
        ),
        Figure("events committed", rate, "/s"),
        Figure("events heard", len(delays) / took, "/s"),
        Figure("processors used by the live process", (after.processor - listening.processor) / took),
        Figure("from committed to received, p50", percentile(delays, 50), "s"),
        Figure("from committed to received, p95", percentile(delays, 95), "s", limit=0.5, at_least=False),
        Figure("from committed to received, p99", percentile(delays, 99), "s"),
        Figure("from committed to received, the slowest", max(delays), "s"),
        Figure("events that a stream missed", missed, limit=0, at_least=False),
        Figure("events that a stream got twice", twice, limit=0, at_least=False),
    ]


def _streams(count: int) -> list[tuple[str, str]]:
    """So many, as unit and token: ten of a person in each unit."""
    made = []
    for number in range(-(-count // STREAMS_A_UNIT)):
        owner = User.objects.create_user(f"events{number}-{uuid4().hex[:8]}@example.com")
        unit = create_unit(f"Ótica {number + 1}", owner=owner)
        _row, token = ApiToken.mint(owner, "bench")
        made += [(str(unit.pk), token)] * STREAMS_A_UNIT
    return made[:count]


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _publish(units: Sequence[UUID], rate: int, seconds: float) -> float:
    """`rate` changes a second, each in a transaction of its own; how long it took."""
    begin = time.monotonic()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, begin + number / rate - time.monotonic()))
        unit_id = units[number % len(units)]
        data = {"conversation_id": str(uuid4()), "direction": "inbound", "status": "received"}
        live.publish([live.Change(unit_id=unit_id, kind="message", object_id=uuid4(), data=data)])
    return time.monotonic() - begin


@contextmanager
def _listeners(installation: Installation, plan: Plan) -> Iterator[Heard]:
    """Clients that listen from the beginning to the end of the block; after it, what each has heard.

    Raises RuntimeError when they could not.
    """
    log = installation.directory / "listeners.log"
    heard: Heard = []
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "bench.listeners"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env=installation.environment,
        ) as running,
    ):
        if running.stdin is None or running.stdout is None:
            raise RuntimeError("A process without pipes.")
        try:
            running.stdin.write(json.dumps(asdict(plan)) + "\n")
            running.stdin.flush()
            if running.stdout.readline() == "ready\n":
                yield heard
                told, _errors = running.communicate("end\n")
                heard += json.loads(told or "[]")
        finally:
            if running.poll() is None:
                running.kill()
    if running.returncode:
        raise RuntimeError(f"The listeners failed:\n{log.read_text()[-2000:]}")


def _judge(installation: Installation, whose: list[tuple[str, str]], heard: Heard) -> tuple[list[float], int, int]:
    """Seconds from the commit of each event to each client that heard it; how many were missed, and came twice."""
    rows = installation.sql(
        "SELECT unit_id::text, seq, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM live_events"
    )
    committed: dict[str, dict[int, float]] = defaultdict(dict)
    for unit, seq, at in rows:
        committed[str(unit)][int(str(seq))] = float(str(at))
    delays: list[float] = []
    missed = twice = 0
    for (unit, _token), events in zip(whose, heard, strict=True):
        seqs = {seq for seq, _at in events}
        missed += len(committed[unit].keys() - seqs)
        twice += len(events) - len(seqs)
        delays += [at - committed[unit][seq] for seq, at in events]
    return delays, missed, twice


@dataclass(frozen=True, slots=True)
class _Use:
    """What a process and its children hold, in MB, and the seconds of processor that they took."""

    megabytes: float
    processor: float

    @classmethod
    def of(cls, supervisor: Supervisor) -> "_Use":
        """Of the live process. Memory that it shares with others counts in part (PSS), where the system tells it."""
        pid = supervisor.pid("live")
        if pid is None:
            raise RuntimeError("The live process is down.")
        if not Path("/proc/self/smaps_rollup").exists():
            return cls(resident_megabytes(pid), 0.0)
        family = _family(pid)
        return cls(sum(map(_pss, family)) / 1024, sum(map(_ticks, family)) / os.sysconf("SC_CLK_TCK"))


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _ticks(pid: int) -> int:
    # After the name, which may hold anything, in parentheses: the 12th and 13th are user and system time.
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])
