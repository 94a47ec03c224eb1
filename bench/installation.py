"""The product on servers of its own, which are durable like those of an installation, and gone when the run ends."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self

import psycopg

from bench.load import Answers, Plan, Target
from crm_whatsapp.launcher.embedded import EmbeddedServices, fresh_environment
from crm_whatsapp.launcher.processes import Process, product_processes
from crm_whatsapp.launcher.supervisor import Supervisor
from crm_whatsapp.launcher.system import free_port

ROOT = Path(__file__).resolve().parent.parent
# On a disk: a temporary directory may lie in memory, where durable costs nothing.
DISK = Path("/var/tmp")  # noqa: S108
START_TIMEOUT = 90.0  # seconds
# What the bare view (bench/bare.py) inserts into.
BARE_TABLE = "CREATE TABLE bench_bodies (id uuid PRIMARY KEY DEFAULT uuidv7(), body text NOT NULL)"


class Installation:
    """``with Installation() as installation``: PostgreSQL and Valkey are up, and the schema is there.

    Attributes:
        directory: everything of it; nothing stays.
        environment: for the product's processes; this process gets it as well, with what a person at work needs.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="crm-whatsapp-bench-", dir=DISK if DISK.is_dir() else None))
        # PostgreSQL's user passes through, where that is another one.
        self.directory.chmod(0o711)
        self._services = EmbeddedServices(self.directory, environ=fresh_environment())
        self.environment: dict[str, str] = {}
        self._bare_port = free_port()

    def __enter__(self) -> Self:
        self._services.start()
        try:
            self._prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._services.stop()
        self._services.remove()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _prepare(self) -> None:
        self.environment = self._services.environment() | {
            "CRM_ENV_FILE": os.devnull,
            # As on a server: no list of queries is kept, log lines are JSON.
            "DEBUG": "false",
            "CELERY_QUEUE": "bench",
            "HEARTBEAT_DIR": str(self.directory / "heartbeats"),
            "MEDIA_ROOT": str(self.directory / "media"),
            # What is measured is how fast it could be.
            "WEBHOOK_RATE": "",
        }
        # When a message became visible is when its transaction committed; the server remembers that only if asked to.
        self.sql("ALTER SYSTEM SET track_commit_timestamp = on")
        if (server := self._services.postgres) is not None:
            port = server.port
            server.stop()
            server.start(port)
        done = subprocess.run(  # noqa: S603
            [sys.executable, str(ROOT / "manage.py"), "migrate", "-v0"], env=self.environment, check=False
        )
        if done.returncode:
            raise RuntimeError("The schema could not be made; what is wrong is above.")
        self.sql(BARE_TABLE)

    def collect_static(self) -> None:
        """The files of the pages, compressed as a server has them; for processes that start afterwards."""
        self.environment["STATIC_ROOT"] = str(self.directory / "static")
        command = [sys.executable, str(ROOT / "manage.py"), "collectstatic", "--noinput", "-v0"]
        subprocess.run(command, env=self.environment, check=True)  # noqa: S603

    # Servers

    def sql(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """The rows of one statement, committed by itself."""
        with psycopg.connect(self.environment["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def without_broker(self) -> Iterator[None]:
        """Nobody listens where Valkey was."""
        broker = self._services.valkey
        if broker is None:
            raise RuntimeError("There is no Valkey of our own to stop.")
        port = broker.port
        broker.stop()
        try:
            yield
        finally:
            broker.start(port)

    # Processes

    @contextmanager
    def processes(self, *names: str) -> Iterator[Supervisor]:
        """These processes of the product (all but the sandbox when none is named), and the bare server beside them."""
        table = product_processes(ROOT, self.directory, self.environment)
        wanted = [p for p in table if p.name in names or (not names and p.name != "sandbox")]
        web = next(process for process in table if process.name == "web")
        with Supervisor([*wanted, self._bare(web)], self.environment, directory=self.directory) as supervisor:
            for port in (self.web_port, self._bare_port):
                self._await(supervisor, port)
            yield supervisor

    @property
    def web_port(self) -> int:
        return int(self.environment["WEB_PORT"])

    def _bare(self, web: Process) -> Process:
        """The product's web server with the bare view in it."""
        words = {str(self.web_port): str(self._bare_port), "crm_whatsapp.wsgi:application": "bench.bare:application"}
        return replace(
            web,
            name="bare",
            command=tuple(words.get(word, word) for word in web.command),
            environment={"DJANGO_SETTINGS_MODULE": "bench.bare_settings"},
        )

    @staticmethod
    def _await(supervisor: Supervisor, port: int) -> None:
        def answers() -> bool:
            if supervisor.failure:
                raise RuntimeError(supervisor.failure)
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                return False
            return True

        wait_for(answers, seconds=START_TIMEOUT, what=f"port {port}")

    # Load

    def post(self, targets: Sequence[Target], count: int, *, run: str, contacts: int = 200, rate: float = 0) -> Answers:
        """Post `count` messages to the product. Raises RuntimeError unless every answer is 200."""
        return self._load(Plan(self.web_port, list(targets), count, run, contacts, rate=rate))

    def post_bare(self, count: int) -> Answers:
        """Post `count` messages to the bare view, into an empty table. Raises RuntimeError as `post` does."""
        self.sql("TRUNCATE bench_bodies")
        return self._load(Plan(self._bare_port, [Target("/insert", "bare")], count, "bare"))

    def _load(self, plan: Plan) -> Answers:
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"],
            input=json.dumps(asdict(plan)),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=self.environment,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"The load generator failed:\n{done.stderr}")
        answers = Answers(**json.loads(done.stdout))
        if answers.statuses != {"200": plan.count}:
            logs = "".join(
                f"{path.name}:\n{path.read_text()[-2000:]}" for path in (self.directory / "log").glob("*.log")
            )
            raise RuntimeError(f"{plan.count} posts were answered {answers.statuses}. The logs end with:\n{logs}")
        return answers


def wait_for(look: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Until `look` is true. Raises TimeoutError when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:.0f} s for {what}.")
        time.sleep(0.1)


def resident_megabytes(pid: int) -> float:
    """Memory of a process and of all below it, in MB."""
    table = subprocess.run(["ps", "-Ao", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout  # noqa: S607
    rows = [tuple(map(int, line.split())) for line in table.splitlines()]
    family = {pid}
    # Parents come before their children wherever pids grow; where they wrapped, a second pass finds the rest.
    for _ in range(2):
        family |= {child for child, parent, _ in rows if parent in family}
    return sum(size for child, _, size in rows if child in family) / 1024
