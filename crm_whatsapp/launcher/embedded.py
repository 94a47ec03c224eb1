"""The servers of one checkout: a PostgreSQL and a Valkey that come and go with the launcher, and the
addresses of everything else.

`.local/env` is the contract with the settings: the launcher writes it, `crm_whatsapp.settings` reads it, and
a variable of the environment wins over it. DATABASE_URL or REDIS_URL in the environment means "I have my
own", and that server is not started.
"""

import base64
import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import urlsplit

from crm_whatsapp.launcher.errors import LauncherError
from crm_whatsapp.launcher.postgres import EmbeddedPostgres
from crm_whatsapp.launcher.system import Owner, end_leftover, free_port, write_private
from crm_whatsapp.launcher.valkey import EmbeddedValkey

CHECKOUT = Path(__file__).resolve().parents[2]
# The first choice; the next free one is taken and kept when it is busy.
PORTS = {"WEB_PORT": 8000, "LIVE_PORT": 8001, "SANDBOX_PORT": 8002}
# Addresses that follow from a port unless someone chose another.
ADDRESSES = {"PUBLIC_URL": "WEB_PORT", "LIVE_URL": "LIVE_PORT", "EVOLUTION_URL": "SANDBOX_PORT"}
HEADER = """\
# Written by the launcher at every start and read by the settings; a variable of the environment wins.
# Keys, ports and lines of your own are kept. DATABASE_URL and REDIS_URL are those of the embedded servers.
"""
# Everything a launcher may choose.
CHOSEN = {
    "SECRET_KEY", "ENCRYPTION_KEYS", "EVOLUTION_API_KEY", "DEBUG", "HTTPS", "DATABASE_URL", "REDIS_URL",
    "MEDIA_ROOT", "HEARTBEAT_DIR", "CRM_ENV_FILE", *PORTS, *ADDRESSES,
}  # fmt: skip
TEMPORARY_PREFIX = "crm-whatsapp-"


class AlreadyRunning(LauncherError):
    """Another launcher serves this checkout. `pid` is its process."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"This checkout is already running (process {pid}). Use that one, or stop it first: make stop")
        self.pid = pid


class EmbeddedServices:
    """PostgreSQL and Valkey for one checkout, as a context manager:

        with EmbeddedServices(ephemeral=True) as services:
            subprocess.run(["…"], env=services.environment())

    Persistent ones live in `.local/` of `checkout` and keep their data, addresses and keys; one launcher at a
    time. Ephemeral ones live in a temporary directory, on ports of their own, and leave nothing behind.
    Start them from a thread that stays: on Linux the servers end with the thread that started them, so that a
    killed launcher does not leave them running.

    Attributes:
        variables: what was chosen, by the names of the environment variables; empty before the start.
        postgres, valkey: the servers, None where the environment names an external one or before the start.
    """

    def __init__(
        self, checkout: Path = CHECKOUT, *, ephemeral: bool = False, environ: Mapping[str, str] = os.environ
    ) -> None:
        self.checkout = checkout
        self.ephemeral = ephemeral
        self.variables: dict[str, str] = {}
        self.postgres: EmbeddedPostgres | None = None
        self.valkey: EmbeddedValkey | None = None
        self.directory = checkout / ".local"
        self._environ = dict(environ)
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def env_file(self) -> Path:
        """The file that holds `variables` while the services run (and, for persistent ones, after)."""
        return self.directory / "env"

    @property
    def log_directory(self) -> Path:
        return self.directory / "log"

    def environment(self) -> dict[str, str]:
        """The whole environment for a process that shall use these services."""
        return {**self._environ, **self.variables, "CRM_ENV_FILE": str(self.env_file)}

    def start(self) -> None:
        """Start what the environment does not name, and write `env_file`.

        Raises:
            AlreadyRunning: another launcher serves this checkout.
            LauncherError: a server does not start, or the data cannot be used.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the servers; remove everything if ephemeral. Harmless when nothing was started."""
        for server in (self.valkey, self.postgres):
            if server is not None:
                server.stop()
        self.valkey = self.postgres = None
        if self._lock is not None:
            if self.ephemeral:
                shutil.rmtree(self.directory, ignore_errors=True)
            self._lock.close()
            self._lock = None

    def end_leftovers(self) -> None:
        """End what a killed launcher of this checkout left running. A start does that by itself.

        Raises:
            AlreadyRunning: a launcher serves this checkout; nothing is left over.
        """
        if not self.directory.exists():
            return
        self._check_ownership()
        with _lock(self.directory / "lock"):
            self._end_leftover_processes()
            EmbeddedValkey(self.directory / "valkey", log=self.log_directory / "valkey.log").end_leftover()
            self._new_postgres().end_leftover()

    def remove(self) -> None:
        """Remove everything that belongs to this checkout, data included. Nothing of it may be running."""
        for directory in (self.directory, _reachable_directory(self.checkout)):
            shutil.rmtree(directory, ignore_errors=not directory.exists())

    def restart_dead(self) -> list[str]:
        """Start again, at the same address, the servers that died. Returns their names.

        Raises:
            LauncherError: a server does not start, or its port is gone.
        """
        restarted = []
        for name, server in (("postgres", self.postgres), ("valkey", self.valkey)):
            if server is not None and not server.is_running:
                port = server.port
                server.start(port)
                if server.port != port:
                    raise LauncherError(f"{name} died and another program took its port {port}. Start again.")
                restarted.append(name)
        return restarted

    def _start(self) -> None:
        if self.ephemeral:
            _sweep_temporary()
            self.directory = _temporary_directory()
        else:
            self._check_ownership()
            self.directory.mkdir(mode=0o700, exist_ok=True)
        self._lock = _lock(self.directory / "lock")
        self.log_directory.mkdir(mode=0o700, exist_ok=True)
        # Before ports are chosen: a killed launcher's processes may still be on their way out, on our ports.
        self._end_leftover_processes()

        kept = read_env_file(self.env_file)
        self.variables = choose_variables(kept, self._environ, ephemeral=self.ephemeral)
        if self.ephemeral:
            for name, place in (("MEDIA_ROOT", "media"), ("HEARTBEAT_DIR", "heartbeats")):
                self.variables[name] = str(self.directory / place)
        if "DATABASE_URL" not in self._environ:
            self.postgres = self._new_postgres()
            self.postgres.start(urlsplit(kept.get("DATABASE_URL", "")).port)
            self.variables["DATABASE_URL"] = self.postgres.url
        if "REDIS_URL" not in self._environ:
            before = urlsplit(kept.get("REDIS_URL", ""))
            self.valkey = EmbeddedValkey(
                self.directory / "valkey",
                log=self.log_directory / "valkey.log",
                ephemeral=self.ephemeral,
                password=before.password,
            )
            self.valkey.start(before.port)
            self.variables["REDIS_URL"] = self.valkey.url
        lines = (f"{name}={value}\n" for name, value in {**kept, **self.variables}.items())
        write_private(self.env_file, HEADER + "".join(lines))

    def _new_postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(
            self._postgres_directory(),
            log=self.log_directory / "postgresql.log",
            reachable=_reachable_directory(self.checkout),
            ephemeral=self.ephemeral,
        )

    def _end_leftover_processes(self) -> None:
        """End what a supervisor that was killed left running (see `Supervisor`, `pids/NAME`)."""
        for record in (self.directory / "pids").glob("*"):
            end_leftover(int(record.read_text() or 0), str(self.checkout), wait=20)
            record.unlink()

    def _check_ownership(self) -> None:
        """Refuse, with the remedy, what an earlier start as root left in `.local/`."""
        if os.geteuid() == 0 or not self.directory.exists():
            return
        # Not iterdir(), which fails where we may not look; then the directory itself tells enough.
        for path in (self.directory, *self.directory.glob("*")):
            if path.stat().st_uid != os.geteuid():
                raise LauncherError(
                    f"{path} belongs to another user: this checkout was started as root before.\n"
                    f"Start as root again, or take it over: "
                    f"sudo chown -R {os.geteuid()}:{os.getegid()} {self.directory}"
                )

    def _postgres_directory(self) -> Path:
        """`postgres/` in our directory, or, when root's unprivileged user cannot go there (a checkout in
        /root), below /var/lib.
        """
        own = self.directory / "postgres"
        owner = Owner.of(own / "data")
        if owner.uid < 0:
            return own
        if self.ephemeral or owner.may("-x", self.checkout):
            self.directory.chmod(0o711)  # that user passes through; nobody but root looks around
            return own
        elsewhere = _reachable_directory(self.checkout) / "postgres"
        if not elsewhere.exists():
            print(
                f"PostgreSQL cannot run as root, and its user may not enter {self.checkout}: "
                f"its data goes to {elsewhere}."
            )
        return elsewhere


def fresh_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`environ` without what a launcher chose: for servers of one's own inside `launcher exec`, as tests need them."""
    return {name: value for name, value in environ.items() if name not in CHOSEN}


def read_env_file(path: Path) -> dict[str, str]:
    """The NAME=value lines of a file written by us; {} when there is none."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def choose_variables(kept: Mapping[str, str], environ: Mapping[str, str], *, ephemeral: bool = False) -> dict[str, str]:
    """Keys, ports and addresses: what the environment says, else what was chosen before, else new.

    A kept port that is busy is replaced by the next free one, and with it the addresses that were made from
    it. DEBUG and HTTPS suit a machine of one's own: pages over plain HTTP, static files from where they lie.
    """
    chosen = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),  # a Fernet key
        "EVOLUTION_API_KEY": secrets.token_urlsafe(24),
        "DEBUG": "true",
        "HTTPS": "false",
    }
    chosen |= {name: kept[name] for name in chosen.keys() & kept.keys()}
    # Whose port is busy must not take that of another one of ours.
    ports = {name: int(environ.get(name) or kept.get(name) or default) for name, default in PORTS.items()}
    for name in PORTS.keys() - environ.keys():
        others = frozenset(port for other, port in ports.items() if other != name)
        ports[name] = free_port(None if ephemeral else ports[name], taken=others)
        chosen[name] = str(ports[name])
    for name, port in ADDRESSES.items():
        made_from_port = f"http://127.0.0.1:{kept.get(port)}"
        if name not in kept or kept[name] == made_from_port:
            chosen[name] = f"http://127.0.0.1:{environ.get(port) or chosen[port]}"
        else:
            chosen[name] = kept[name]
    return {name: value for name, value in chosen.items() if name not in environ}


def _lock(path: Path) -> IO[str]:
    """Hold `path` for as long as this process lives; the kernel lets go when it is killed.

    Raises:
        AlreadyRunning: another process holds it.
    """
    # Not "w": that would empty the file of the one who holds it.
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = file.read().strip()
        file.close()
        raise AlreadyRunning(int(pid or 0)) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _reachable_directory(checkout: Path) -> Path:
    """Where root keeps what its unprivileged PostgreSQL must reach, one directory a checkout.

    Not under /var/tmp: that is cleaned by age.
    """
    name = hashlib.sha256(str(checkout).encode()).hexdigest()[:12]
    return Path("/var/lib/crm-whatsapp") / name


def _temporary_directory() -> Path:
    """A new temporary directory that PostgreSQL's user can pass through."""
    for base in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108
        if base.is_dir() and Owner.of(base / "none").may("-x", base):
            break
    directory = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=base))
    directory.chmod(0o711)
    return directory


def _sweep_temporary() -> None:
    """Remove what killed ephemeral launchers left: nobody holds their lock any more."""
    for directory in Path(tempfile.gettempdir()).glob(f"{TEMPORARY_PREFIX}*"):
        try:
            if directory.lstat().st_uid != os.geteuid():
                continue
            with (directory / "lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:  # held, not there yet, or just gone
            continue
