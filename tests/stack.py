"""The whole product, as the processes that `make run` starts, on a database and on ports of its own.

Used by the end-to-end tests, by `make demo` and by the pictures: they see it from outside only, over HTTP.
"""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self, TextIO
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg

from crm_whatsapp.launcher.processes import product_processes
from crm_whatsapp.launcher.supervisor import Supervisor
from tests.sandbox_process import FAST, ROOT, Sandbox, free_port

# The same for all: what one has stored another can read.
KEYS = {
    "CRM_ENV_FILE": os.devnull,
    "DEBUG": "true",
    "SECRET_KEY": "a key for processes that live for a minute or two only",
    "ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
}


def wait_for[T](look: Callable[[], T | None], *, seconds: float = 20, what: str = "it") -> T:
    """The first true answer of `look`. Raises AssertionError when there is none within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds:.0f} s for {what}.")
        time.sleep(0.05)


class Stack:
    """``with Stack(directory) as stack``: started on entry, stopped and its database dropped on exit.

    `redis_url` replaces the broker (an address where nobody listens is a broker that is down). `gateway_url` is what
    the product takes for the gateway, in place of its sandbox. Keyword arguments are environment variables for all
    processes.
    """

    def __init__(
        self,
        directory: Path,
        *,
        redis_url: str | None = None,
        gateway_url: str | None = None,
        output: TextIO | None = None,
        **environment: str,
    ) -> None:
        self._database = f"stack_{uuid.uuid4().hex[:12]}"
        web, live, sandbox = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{web}"
        self.live_url = f"http://127.0.0.1:{live}"
        self.sandbox = Sandbox(port=sandbox)
        self.environment = {
            **os.environ,
            **FAST,
            **KEYS,
            "LOG_JSON": "false",
            "DATABASE_URL": _database_url(self._database),
            "REDIS_URL": redis_url or os.environ["REDIS_URL"],
            # Others use the same broker: a queue of our own.
            "CELERY_QUEUE": self._database,
            "EVOLUTION_URL": self.sandbox.url,
            "EVOLUTION_API_KEY": self.sandbox.api_key,
            "PUBLIC_URL": self.url,
            "LIVE_URL": self.live_url,
            "WEB_PORT": str(web),
            "LIVE_PORT": str(live),
            "SANDBOX_PORT": str(sandbox),
            "HEARTBEAT_DIR": str(directory / "heartbeats"),
            "MEDIA_ROOT": str(directory / "media"),
            **environment,
        }
        self._directory = directory
        processes = product_processes(ROOT, directory, self.environment)
        # Only now: of a gateway that is somewhere else the launcher starts no sandbox.
        self.environment["EVOLUTION_URL"] = gateway_url or self.sandbox.url
        self.supervisor = Supervisor(processes, self.environment, directory=directory, output=output)
        self.email = self.password = self.token = self.unit = ""
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        shop = _shop()
        with _maintenance() as connection:
            connection.execute(f'CREATE DATABASE "{self._database}" TEMPLATE "{shop.database}"')
        shutil.copytree(shop.media, self.environment["MEDIA_ROOT"])
        self.email, self.password, self.token, self.unit = shop.email, shop.password, shop.token, shop.unit
        self._http.headers["Authorization"] = f"Bearer {self.token}"
        self.supervisor.start()
        for url in (f"{self.url}/healthz", f"{self.live_url}/healthz", f"{self.sandbox.url}/"):
            wait_for(lambda url=url: self._answers(url), seconds=60, what=url)  # type: ignore[misc]
        return self

    def __exit__(self, *exception: object) -> None:
        self.supervisor.stop()
        self._http.close()
        _drop(self._database)

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py against this database. Raises RuntimeError, with what it printed."""
        return _manage(self.environment, *arguments)

    # The API, as a program uses it

    def api(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """One API call below `/units/{unit}`."""
        return self._http.request(method, f"/units/{self.unit}{path}", json=body)

    def get(self, path: str) -> Any:
        """The JSON at `path` below `/units/{unit}`. Raises httpx.HTTPStatusError."""
        return self.api("GET", path).raise_for_status().json()

    def post(self, path: str, body: Any = None) -> Any:
        """What a POST answered. Raises httpx.HTTPStatusError."""
        return self.api("POST", path, body).raise_for_status().json()

    @property
    def instance(self) -> str:
        """The unit's instance at the gateway."""
        return f"unit_{self.unit}"

    def connect(self) -> None:
        """Connect the number and scan the code."""
        self.post("/whatsapp/connect")
        self.sandbox.scan(self.instance)
        wait_for(lambda: self.get("/whatsapp/status")["status"] == "connected", what="the connection")

    def campaign(self, phones: list[str], content: str = "Lentes com 30% até sábado") -> str:
        """Create and start a campaign; its id."""
        campaign: str = self.post("/campaigns", {"name": "Volta às aulas", "content": content, "phones": phones})["id"]
        self.post(f"/campaigns/{campaign}/start")
        return campaign

    def message(self, message_id: str) -> Any:
        return self.get(f"/messages/{message_id}")

    def sent(self, text: str | None = None) -> list[dict[str, Any]]:
        """What reached WhatsApp, oldest first; only messages of `text`, when given."""
        return [m for m in self.sandbox.sent(self.instance) if text is None or m["text"] == text]

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Look, or turn a clock forward, in the database itself."""
        with psycopg.connect(_database_url(self._database), autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def holding(self, statement: str) -> Iterator[psycopg.Connection[Any]]:
        """A transaction that holds what `statement` locks, and so stops whoever needs it."""
        with psycopg.connect(_database_url(self._database)) as connection:
            connection.execute(statement)
            yield connection

    def stopped_at(self, statement: str) -> bool:
        """Whether somebody waits for a lock with a statement that begins like this."""
        return bool(
            self.sql(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                " AND ltrim(query, E'\\n ') LIKE %s",
                f"{statement}%",
            )
        )

    def _answers(self, url: str) -> bool:
        if self.supervisor.failure:
            raise AssertionError(self.supervisor.failure)
        try:
            return self._http.get(url).is_success
        except httpx.HTTPError:
            return False


def _database_url(name: str) -> str:
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def _maintenance() -> psycopg.Connection[Any]:
    return psycopg.connect(_database_url("postgres"), autocommit=True)


def _drop(database: str) -> None:
    with _maintenance() as connection:
        connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)')


def _manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"manage.py {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


@dataclass(frozen=True)
class Shop:
    """The demo data, and who may see it."""

    database: str
    media: Path
    email: str
    password: str
    token: str
    unit: str


@cache
def _shop() -> Shop:
    """What every stack begins with a copy of: to make it takes ten seconds, to copy it less than one."""
    database = f"stack_{uuid.uuid4().hex[:12]}"
    media = Path(tempfile.mkdtemp(prefix="crm-shop-"))
    environment = {**os.environ, **KEYS, "DATABASE_URL": _database_url(database), "MEDIA_ROOT": str(media)}
    atexit.register(shutil.rmtree, media)
    with _maintenance() as connection:
        connection.execute(f'CREATE DATABASE "{database}"')
    atexit.register(_drop, database)
    _manage(environment, "migrate", "-v0")
    told = dict(line.split(maxsplit=1) for line in _manage(environment, "seed_demo").splitlines())
    email, password = told["Login"].split()
    return Shop(database, media, email, password, token=told["Token"].strip(), unit=told["Unit"].split()[0])
