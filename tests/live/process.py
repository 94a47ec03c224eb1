"""The live process, as `make run` starts it, and clients that listen to it over HTTP."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import httpx
from django.conf import settings
from django.db import connection

from crm_whatsapp.launcher.processes import product_processes
from crm_whatsapp.launcher.supervisor import Supervisor
from tests.sandbox_process import ROOT, free_port
from tests.stack import wait_for

KILLED = signal.SIGKILL


class LiveProcess:
    """``with LiveProcess(directory) as live``: on the database of the tests, unless `DATABASE_URL` says another."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {
            "CRM_ENV_FILE": os.devnull,
            # Sessions that a test begins are good here.
            "SECRET_KEY": settings.SECRET_KEY,
            "ENCRYPTION_KEYS": ",".join(settings.ENCRYPTION_KEYS),
            "DEBUG": "true",
            "DATABASE_URL": database_url(),
            "REDIS_URL": settings.REDIS_URL,
            "PUBLIC_URL": "http://127.0.0.1:8000",
            "EVOLUTION_URL": "http://127.0.0.1:9",
            "WEB_PORT": "0",
            "SANDBOX_PORT": "0",
            "LIVE_PORT": str(self.port),
            **environment,
        }
        environ = os.environ | own
        processes = [one for one in product_processes(ROOT, directory, environ) if one.name == "live"]
        self._supervisor = Supervisor(processes, environ, directory=directory)

    def __enter__(self) -> Self:
        self._supervisor.start()
        self.await_start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._supervisor.stop()

    def await_start(self) -> None:
        """Until it answers. Raises AssertionError."""
        wait_for(self._answers, seconds=60, what="the live process")

    def kill(self) -> None:
        """As if its machine had died; it is then started again."""
        self._supervisor.kill("live", KILLED)

    @property
    def starts(self) -> int:
        return self._supervisor.starts("live")

    @property
    def log(self) -> str:
        return self._supervisor.log("live")

    @property
    def pid(self) -> int:
        pid = self._supervisor.pid("live")
        assert pid
        return pid

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    # Clients

    def ask(self, unit_id: Any, method: str = "GET", query: str = "", **headers: str) -> httpx.Response:
        """A request that is refused, or that opens no stream."""
        url = f"{self.url}/units/{unit_id}/events{query}"
        return httpx.request(method, url, headers=_names(headers), trust_env=False, timeout=20)

    @contextmanager
    def listen(self, unit_id: Any, query: str = "", **headers: str) -> Iterator["Listener"]:
        """A client with its first event, `ready`, behind it. Raises AssertionError when it is refused."""
        url = f"{self.url}/units/{unit_id}/events{query}"
        with httpx.stream("GET", url, headers=_names(headers), trust_env=False, timeout=30) as response:
            assert response.status_code == 200, response.read()
            listener = Listener(response)
            assert listener.ready.kind == "ready"
            yield listener


@dataclass(frozen=True)
class Event:
    """As it came. `seq`: None where there was none."""

    kind: str
    seq: int | None
    data: dict[str, Any]


class Listener:
    """What a client hears. A client that hears nothing for 30 s, not even a heartbeat, raises httpx.ReadTimeout."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()
        self.ready = self.next()

    def next(self) -> Event:
        """The next event. Raises StopIteration at the end of the stream."""
        return next(self._events())

    def take(self, count: int) -> list[Event]:
        return [self.next() for _ in range(count)]

    def rest(self) -> list[Event]:
        """All that still comes, until the server ends the stream."""
        return list(self._events())

    def _events(self) -> Iterator[Event]:
        told: dict[str, str] = {}
        for line in self._lines:
            if line:
                name, _colon, value = line.partition(": ")
                told[name] = value
            elif "data" in told:
                yield Event(told["event"], int(told["id"]) if "id" in told else None, json.loads(told["data"]))
                told = {}
            else:  # a comment
                told = {}


def database_url() -> str:
    """Of the database that pytest-django has made."""
    name = connection.settings_dict["NAME"]
    return urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}"))


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
