"""What the launcher needs of the operating system: ports, processes, and an unprivileged user when run as root."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, NamedTuple

from crm_whatsapp.launcher.errors import LauncherError

CHILD = Path(__file__).with_name("child.py")


class Owner(NamedTuple):
    """Whom a server runs as. `uid` and `gid` are -1 for "whoever we are"."""

    uid: int = -1
    gid: int = -1

    @classmethod
    def of(cls, directory: Path) -> "Owner":
        """The user who is to run a server whose data lies in `directory`.

        PostgreSQL refuses to run as root. Started by root, it runs as whoever owns the data, or as `nobody`
        when there is none yet, so that a checkout that was first used by a plain user stays usable by that
        user.
        """
        if os.geteuid() != 0:
            return cls()
        if directory.exists() and (status := directory.stat()).st_uid != 0:
            return cls(status.st_uid, status.st_gid)
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid)

    def may(self, flag: str, path: Path) -> bool:
        """Whether this user passes `test FLAG PATH` (`-x`, `-w`, …). Asked of the kernel: modes alone leave
        out ACLs and mounts.
        """
        test = shutil.which("test") or "/usr/bin/test"
        try:
            if self.uid < 0:
                return subprocess.run([test, flag, str(path)], check=False).returncode == 0
            return (
                subprocess.run(
                    [test, flag, str(path)], check=False, user=self.uid, group=self.gid, extra_groups=[]
                ).returncode
                == 0
            )
        except PermissionError as error:
            raise LauncherError(
                "PostgreSQL does not run as root, and this root may not become another user (a container "
                "without SETUID?). Start as a plain user, or set DATABASE_URL to a server of your own."
            ) from error

    def own(self, path: Path) -> None:
        """Give `path` to this user."""
        if self.uid >= 0:
            os.chown(path, self.uid, self.gid)


STARTER = Owner()
# Below the ports that systems give to outgoing connections: one of those could take a server's port while it restarts.
UNASSIGNED_PORTS = range(20_000, 32_000)


def spawn(
    command: list[str],
    *,
    dies_with: signal.Signals,
    env: Mapping[str, str],
    output: IO[bytes] | int | None = None,
    owner: Owner = STARTER,
    directory: Path | None = None,
    foreground: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `command`, looked up in the PATH of `env`, as `owner`.

    `dies_with` is the signal it gets if the calling *thread* ends (Linux). It gets a session of its own and
    no input, so that Ctrl-C reaches only the launcher, which then stops it in order; `foreground` leaves it
    at our terminal. `output` takes both its output streams, None is our own.

    Raises:
        LauncherError: there is no such command.
    """
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None:
        raise LauncherError(f"There is no command {command[0]}.")
    shim = [
        sys.executable,
        "-I",
        "-S",
        str(CHILD),
        str(int(dies_with)),
        str(os.getpid()),
        str(owner.uid),
        str(owner.gid),
    ]
    return subprocess.Popen(
        [*shim, os.path.abspath(program), *command[1:]],
        env=env,
        cwd=directory,
        stdin=None if foreground else subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=not foreground,
    )


def kill_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the whole process group of a child started by `spawn`; none left is fine."""
    with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM when only zombies are left
        os.killpg(process.pid, number)


def command_line(pid: int) -> str:
    """The command line of a running process, "" when there is none (or it is a zombie)."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    listing = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listing.stdout.strip()


def end_leftover(pid: int, mark: str, *, number: signal.Signals = signal.SIGTERM, wait: float = 10.0) -> bool:
    """End process `pid` if its command line contains `mark`, by `number` first and SIGKILL after `wait` seconds.

    Pids are reused, so a recorded pid alone proves nothing. Returns whether there was such a process.
    """
    if pid <= 0 or mark not in command_line(pid):
        return False
    for attempt, seconds in ((number, wait), (signal.SIGKILL, 5.0)):
        try:
            os.kill(pid, attempt)
        except ProcessLookupError:
            return True
        except PermissionError as error:
            raise LauncherError(
                f"Process {pid} is left over from an earlier start by another user. "
                "End it as that user, then start again."
            ) from error
        if any(mark not in command_line(pid) for _ in moments(seconds)):
            return True
    raise LauncherError(f"Process {pid} is left over from an earlier start and does not end. End it, then start again.")


def moments(seconds: float, pause: float = 0.03) -> Iterator[None]:
    """Yield again and again for `seconds`, at least twice: the body of a wait."""
    deadline = time.monotonic() + seconds
    while True:
        yield
        if time.monotonic() > deadline:
            yield
            return
        time.sleep(pause)


def port_is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            # Two sockets with SO_REUSEADDR may both bind; only one may listen.
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(preferred: int | None = None, *, taken: frozenset[int] = frozenset()) -> int:
    """`preferred` if it is free, else the next free one of the hundred above it; without a preference any free one.

    `taken` are ports that were given away but are not listened on yet.
    """
    if preferred is not None:
        for port in range(preferred, min(preferred + 100, 65536)):
            if port not in taken and port_is_free(port):
                return port
    while True:
        port = UNASSIGNED_PORTS.start + secrets.randbelow(len(UNASSIGNED_PORTS))
        if port not in taken and port_is_free(port):
            return port


def write_private(path: Path, content: str) -> None:
    """Write `content` to `path` readable by its owner alone, and so that a reader sees the old file or the
    new one, never half.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if os.geteuid() == 0 and path.exists():
            os.fchown(file.fileno(), path.stat().st_uid, path.stat().st_gid)
    draft.replace(path)
