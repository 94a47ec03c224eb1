"""Processes of the bench itself, beside those of the product."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.gateway import Sends
from bench.installation import ROOT, Installation, wait_for
from crm_whatsapp.launcher.system import free_port

END_SECONDS = 90.0


@contextmanager
def process(*words: str, environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`python WORDS…` in the checkout, ended by SIGTERM."""
    with log.open("ab") as out:
        running = subprocess.Popen(  # noqa: S603
            [sys.executable, *words], cwd=ROOT, env=dict(environment), stdout=out, stderr=subprocess.STDOUT
        )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


class Far:
    """The gateway of the bench (bench/gateway.py), once it answers."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def sends(self) -> Sends:
        """What was sent since this was last asked: number, when it came and when it was answered (one clock)."""
        with urllib.request.urlopen(f"{self.url}/sends", timeout=10) as answer:  # noqa: S310 - our own, on loopback
            return [(name, came, answered) for name, came, answered in json.load(answer)]


@contextmanager
def gateway(installation: Installation, seconds: float, *hook: str) -> Iterator[Far]:
    """One that answers each send after `seconds`, and posts webhooks to `hook` (port and path), if any."""
    far = Far(free_port())
    words = ("-m", "bench.gateway", str(far.port), str(seconds), *hook)
    with process(*words, environment=installation.environment, log=installation.directory / "gateway.log"):
        wait_for(lambda: _answers(far), seconds=20, what="the gateway")
        yield far


def _answers(far: Far) -> bool:
    try:
        far.sends()
    except OSError:
        return False
    return True


def worker_environment(installation: Installation, far_url: str, key: str = "bench") -> dict[str, str]:
    """Of a process that sends to another gateway than the installation's."""
    return installation.environment | {
        "EVOLUTION_URL": far_url,
        "EVOLUTION_API_KEY": key,
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
    }
