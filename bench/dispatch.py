"""Sends a second of one worker process, against a bare loop of requests with as many threads to the same sandbox."""

import json
import subprocess
import sys

from bench.installation import ROOT, Installation, wait_for
from bench.numbers import Queue, fill, queue_again
from bench.processes import process, worker_environment
from bench.report import Figure, of_rounds, say
from tests.sandbox_process import Sandbox

LANES = 200
# Of both, and as many as a worker has. More lanes than threads, so that none waits for its lane to be recorded.
THREADS = 64


def run(installation: Installation, *, rounds: int, sends: int) -> list[Figure]:
    """In turns, to phones that are connected at one sandbox, which answers at once."""
    ratios, bares, ours = [], [], []
    numbers = min(LANES, sends)
    queue = Queue(numbers, each=-(-sends // numbers), campaigns=False)
    fill(installation, queue)
    names = [str(name) for (name,) in installation.sql("SELECT instance_name FROM unit_whatsapp_connections")]
    with Sandbox(SANDBOX_ANSWER_MS="0", SANDBOX_ECHO="off") as sandbox:
        _connect(sandbox, names)
        for number in range(-1, rounds):  # the first warms up
            queue_again(installation, queue)
            loop = _bare(installation, sandbox, names, sends)
            lanes = _lanes(installation, sandbox)
            say(f"  round {number + 1}: requests {loop:,.0f}/s, through lanes {lanes:,.0f}/s, {lanes / loop:.2f}")
            if number >= 0:
                bares.append(loop)
                ours.append(lanes)
                ratios.append(lanes / loop)
    return [
        of_rounds("through lanes / bare requests", ratios, limit=0.65),
        of_rounds("bare requests", bares, "/s"),
        of_rounds("through lanes", ours, "/s"),
    ]


def _connect(sandbox: Sandbox, names: list[str]) -> None:
    for number, name in enumerate(names):
        sandbox.evolution("POST", "/instance/create", {"instanceName": name, "integration": "WHATSAPP-BAILEYS"})
        sandbox.evolution("GET", f"/instance/connect/{name}")
        sandbox.scan(name, number=f"55118{number:08d}")


def _bare(installation: Installation, sandbox: Sandbox, names: list[str], sends: int) -> float:
    words = ["-m", "bench.bare_sends", sandbox.url, sandbox.api_key, str(THREADS), str(sends)]
    done = subprocess.run(  # noqa: S603
        [sys.executable, *words],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=installation.environment,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The bare loop failed:\n{done.stderr}")
    return float(done.stdout)


def _lanes(installation: Installation, sandbox: Sandbox) -> float:
    """One worker sends what is queued. From the first `dispatching` to the last record, by the database's clock."""
    environment = worker_environment(installation, sandbox.url, sandbox.api_key) | {"DELIVERY_THREADS": str(THREADS)}
    with process("-m", "bench.worker", environment=environment, log=installation.directory / "worker.log"):
        left = "SELECT count(*) FROM messages WHERE status <> 'sent'"
        wait_for(lambda: installation.sql(left)[0][0] == 0, seconds=300, what="all messages to be sent")
    count, seconds = installation.sql(
        "SELECT count(*), extract(epoch FROM max(sent_at) - min(dispatched_at))::float8 FROM messages"
    )[0]
    return int(str(count)) / float(str(seconds))
