"""Keeps processes running: starts them, restarts what dies, stops them in order, and leaves none behind."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TextIO

from crm_whatsapp.launcher.errors import LauncherError
from crm_whatsapp.launcher.processes import Process
from crm_whatsapp.launcher.system import kill_group, moments, spawn

# Seconds. A process that dies sooner counts as not having started.
QUICK_DEATH = 5.0
# So many in a row, with the pauses between them some 15 s, and it is not going to start.
MOST_QUICK_DEATHS = 6
LONGEST_PAUSE = 8.0
COLOURS = (36, 33, 32, 35, 34, 31)  # ANSI foreground colours


@dataclass
class _Child:
    """What the supervisor knows of one process."""

    process: Process
    log: Path
    running: subprocess.Popen[bytes] | None = None
    reader: threading.Thread | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    starts: int = 0
    quick_deaths: int = 0
    killed_by_us: bool = False


class Supervisor:
    """Runs `processes` with `environment` until told to stop, as a context manager:

        with Supervisor(processes, environment, directory=state) as supervisor:
            supervisor.kill("worker")     # it comes back
            supervisor.log("worker")      # what it wrote

    `directory` takes `log/NAME.log` and `pids/NAME`. `output` gets every line with the name of its process
    before it, in colour on a terminal. A process that does not stay up is given up with all others: `failure`
    then says so, and `wait` returns.
    """

    def __init__(
        self,
        processes: Iterable[Process],
        environment: Mapping[str, str],
        *,
        directory: Path,
        output: TextIO | None = None,
    ) -> None:
        # Lines must come when they are written, not when a buffer is full.
        self._environment = {**environment, "PYTHONUNBUFFERED": "1"}
        self._pids = directory / "pids"
        logs = directory / "log"
        for path in (self._pids, logs):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._children = {process.name: _Child(process, logs / f"{process.name}.log") for process in processes}
        self._output = output
        self._output_lock = threading.Lock()
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._forced = threading.Event()
        # All children are started by this one thread, which stays: on Linux they get SIGTERM when their starter ends.
        self._thread = threading.Thread(target=self._run, name="supervisor")
        self.failure: str | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start all processes. Returns at once; readiness is the caller's question to them."""
        for child in self._children.values():
            child.log.write_bytes(b"")
        self._thread.start()

    def stop(self) -> None:
        """Stop all processes in their order and wait for it."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def force(self) -> None:
        """Make a stop, under way or to come, kill at once. Safe in a signal handler."""
        self._forced.set()
        self._stopping.set()

    def wait(self, seconds: float) -> bool:
        """Wait until everything is stopped or being stopped, for `seconds` at most. Returns whether it is."""
        return self._stopping.wait(seconds)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the whole process group of `name`, as the end of a machine would. It is then
        started again.
        """
        with self._lock:
            child = self._children[name]
            if child.running is not None:
                child.killed_by_us = True
                kill_group(child.running, number)

    def pid(self, name: str) -> int | None:
        """The pid of `name`, None while it is down."""
        with self._lock:
            child = self._children[name]
            return child.running.pid if child.running is not None and child.running.poll() is None else None

    def starts(self, name: str) -> int:
        """How often `name` has been started."""
        return self._children[name].starts

    def log(self, name: str) -> str:
        """Everything `name` has written since the supervisor's start."""
        return self._children[name].log.read_text(errors="replace")

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                for child in self._children.values():
                    self._look_after(child)
                self._stopping.wait(0.1)
        except LauncherError as error:
            self.failure = str(error)
        finally:
            self._stopping.set()
            self._stop_all()

    def _look_after(self, child: _Child) -> None:
        with self._lock:
            if child.running is None:
                if time.monotonic() >= child.restart_at:
                    self._start(child)
            elif (status := child.running.poll()) is not None:
                kill_group(child.running, signal.SIGKILL)  # its own children, if it left any
                self._forget(child)
                self._plan_restart(child, status)

    def _start(self, child: _Child) -> None:
        child.running = running = spawn(
            list(child.process.command),
            dies_with=signal.SIGTERM,
            env={**self._environment, **child.process.environment},
            output=subprocess.PIPE,
        )
        child.started_at = time.monotonic()
        child.starts += 1
        (self._pids / child.process.name).write_text(str(running.pid))
        child.reader = threading.Thread(target=self._read, args=(child, running.stdout), daemon=True)
        child.reader.start()

    def _plan_restart(self, child: _Child, status: int) -> None:
        """After a long life at once, after short ones later and later, and at last not at all."""
        name = child.process.name
        short = time.monotonic() - child.started_at < QUICK_DEATH and not child.killed_by_us
        child.killed_by_us = False
        child.quick_deaths = child.quick_deaths + 1 if short else 0
        pause = min(0.25 * 2**child.quick_deaths, LONGEST_PAUSE) if short else 0.0
        child.restart_at = time.monotonic() + pause
        end = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        if child.quick_deaths >= MOST_QUICK_DEATHS:
            times = f"{MOST_QUICK_DEATHS} times in a row right after its start"
            self.failure = f"{name} {end}, {times}. What it said: {child.log}"
            self._stopping.set()
        else:
            self._say(child, f"{end}; starting it again" + (f" in {pause:g} s" if pause else ""))

    def _stop_all(self) -> None:
        by_order = sorted(self._children.values(), key=attrgetter("process.stop_order"))
        for _, group in groupby(by_order, key=attrgetter("process.stop_order")):
            begin = time.monotonic()
            together = [(child, child.running) for child in group if child.running is not None]
            for _, running in together:
                running.terminate()
            for child, running in together:
                self._await_end(child, running, begin + child.process.stop_timeout)

    def _await_end(self, child: _Child, running: subprocess.Popen[bytes], deadline: float) -> None:
        for _ in moments(max(0.0, deadline - time.monotonic())):
            if self._forced.is_set() or running.poll() is not None:
                break
        else:
            self._say(child, f"did not stop within {child.process.stop_timeout:g} s and is killed")
        kill_group(running, signal.SIGKILL)
        running.wait()
        with self._lock:
            self._forget(child)

    def _forget(self, child: _Child) -> None:
        """Drop the record of a process that has ended, once its last lines are read."""
        if child.reader is not None:
            child.reader.join(2)
        child.running = child.reader = None
        (self._pids / child.process.name).unlink(missing_ok=True)

    def _read(self, child: _Child, output: IO[bytes]) -> None:
        """Pass on what a process writes, line by line, until its last descendant has closed the pipe."""
        with child.log.open("ab", buffering=0) as log, output:
            for line in output:
                log.write(line)
                self._say(child, line.decode(errors="replace").rstrip("\n"))

    def _say(self, child: _Child, line: str) -> None:
        if self._output is None:
            return
        names = list(self._children)
        prefix = f"{child.process.name:<{max(map(len, names))}} |"
        if self._output.isatty() and "NO_COLOR" not in os.environ:
            prefix = f"\033[{COLOURS[names.index(child.process.name) % len(COLOURS)]}m{prefix}\033[0m"
        with self._output_lock:
            try:
                print(prefix, line, file=self._output, flush=True)
            except (OSError, ValueError):  # the reader of our output is gone; the log file has it all
                self._output = None
