"""The process table of `make run` and of the end-to-end tests. `docker-compose.yml` has its counterpart for servers."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process to keep running.

    `stop_order`: lower ones are stopped first, equal ones together. `stop_timeout`: seconds from SIGTERM to
    SIGKILL. `environment` is added to the common one.
    """

    name: str
    command: tuple[str, ...]
    stop_order: int = 0
    stop_timeout: float = 10.0
    environment: Mapping[str, str] = field(default_factory=dict)


def product_processes(checkout: Path, state: Path, environment: Mapping[str, str]) -> list[Process]:
    """Every process of the product, with the ports of `environment`; `state` is a directory for the files of beat.

    The sandbox is among them only if EVOLUTION_URL points at it.
    Stopped in this order: what takes requests in, what plans, what sends (a send may last 75 s and must not
    be cut off), and last what those that send talk to.
    """
    web, live, sandbox = (environment[name] for name in ("WEB_PORT", "LIVE_PORT", "SANDBOX_PORT"))
    celery = (sys.executable, "-m", "celery", "--quiet", "--app", "crm_whatsapp", "--workdir", str(checkout))
    processes = [
        Process(
            "web",
            # A request that asks the gateway something may last 30 s; it is given most of them.
            (*_granian("wsgi", web, checkout, patience=20), "--blocking-threads", "8", "crm_whatsapp.wsgi:application"),
            stop_timeout=25,
            # Celery closes database pools around every task, so only this process has one.
            environment={"DATABASE_POOL": "true"},
        ),
        Process("beat", (*celery, "beat", "--schedule", str(state / "beat-schedule")), stop_order=1),
        Process(
            "worker",
            # One machine, one worker: nothing to gossip about.
            (
                *celery,
                "worker",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
            ),
            stop_order=2,
            stop_timeout=90,
            # Celery advises root against running it; on a machine of one's own that is noise.
            environment={"PYTHONWARNINGS": "ignore:You're running the worker"},
        ),
        Process(
            "pump",
            (sys.executable, str(checkout / "manage.py"), "drain", "--loop"),
            stop_order=2,
            stop_timeout=90,
        ),
        # Without lifespan events, which Django does not know.
        Process("live", (*_granian("asginl", live, checkout), "crm_whatsapp.asgi:application"), stop_order=3),
    ]
    if environment["EVOLUTION_URL"] == f"http://127.0.0.1:{sandbox}":
        processes.append(
            Process(
                "sandbox",
                (*_granian("asgi", sandbox, checkout), "sandbox.app:app"),
                stop_order=3,
                environment={
                    "SANDBOX_API_KEY": environment["EVOLUTION_API_KEY"],
                    "SANDBOX_SERVER_URL": environment["EVOLUTION_URL"],
                },
            )
        )
    return processes


def _granian(interface: str, port: str, checkout: Path, *, patience: int = 3) -> tuple[str, ...]:
    """`patience`: seconds that requests get at the stop; short where event streams never end by themselves."""
    return (
        *(sys.executable, "-m", "granian", "--interface", interface, "--host", "127.0.0.1", "--port", port),
        *("--workers", "1", "--no-ws", "--workers-kill-timeout", str(patience), "--log-level", "error"),
        *("--working-dir", str(checkout)),
    )
