"""`make run`: the servers, the schema, demo data, and every process, until Ctrl-C."""

import os
import signal
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from types import FrameType

from crm_whatsapp.launcher.embedded import PORTS, EmbeddedServices
from crm_whatsapp.launcher.errors import LauncherError
from crm_whatsapp.launcher.processes import product_processes
from crm_whatsapp.launcher.supervisor import Supervisor
from crm_whatsapp.launcher.system import kill_group, port_is_free, spawn

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WEB_START_TIMEOUT = 60.0  # seconds


class Stop:
    """What Ctrl-C does: the first asks everything to end in order, the second ends it now."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.supervisor: Supervisor | None = None
        for number in STOP_SIGNALS:
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if not self.asked.is_set():
            self.asked.set()
        elif self.supervisor is not None:
            self.supervisor.force()


def run() -> int:
    """Run the product until it is told to stop. Returns the exit status.

    Raises:
        LauncherError: it cannot start, or a process does not stay up.
    """
    stop = Stop()
    with EmbeddedServices() as services:
        environment = services.environment()
        for name in PORTS:
            if not port_is_free(int(environment[name])):
                raise LauncherError(f"Port {environment[name]} is in use. Set {name} to another one, or free it.")
        print("Bringing the database up to date …", flush=True)
        manage(["migrate", "--verbosity", "0"], environment, services, stop)
        # What it says is shown in the box: without log lines.
        login = manage(["seed_demo"], {**environment, "LOG_LEVEL": "WARNING"}, services, stop)
        if stop.asked.is_set():
            return 0
        processes = product_processes(services.checkout, services.directory, environment)
        supervisor = Supervisor(processes, environment, directory=services.directory, output=sys.stdout)
        stop.supervisor = supervisor
        with supervisor:
            if await_web(environment, supervisor, stop):
                print(welcome(environment, login, sandbox=processes[-1].name == "sandbox"), flush=True)
            while not stop.asked.is_set() and not supervisor.wait(0.5):
                for name in services.restart_dead():
                    print(f"{name} died and was started again.", flush=True)
            print(
                "Stopping; a message on its way is waited for. Ctrl-C again ends everything at once.",
                flush=True,
            )
        if supervisor.failure:
            raise LauncherError(supervisor.failure)
    return 0


def manage(arguments: list[str], environment: Mapping[str, str], services: EmbeddedServices, stop: Stop) -> str:
    """Run a command of manage.py to its end, or until a stop is asked for. Returns what it printed.

    Raises:
        LauncherError: it failed; what it printed is the text.
    """
    # Not among the logs: what it prints holds the demo's token.
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, str(services.checkout / "manage.py"), *arguments]
        process = spawn(command, dies_with=signal.SIGTERM, env=environment, output=output)
        while (status := process.poll()) is None:
            if stop.asked.wait(0.05):
                kill_group(process, signal.SIGTERM)
                time.sleep(0.05)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if status != 0 and not stop.asked.is_set():
        raise LauncherError(f"manage.py {arguments[0]} failed:\n{text}")
    return text


def await_web(environment: Mapping[str, str], supervisor: Supervisor, stop: Stop) -> bool:
    """Wait until the web process answers that it is well. Returns whether it did, before a stop, a failure or
    the time-out.
    """
    url = f"http://127.0.0.1:{environment['WEB_PORT']}/healthz"
    deadline = time.monotonic() + WEB_START_TIMEOUT
    while not stop.asked.is_set() and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            if supervisor.wait(0.1):
                return False
    if not stop.asked.is_set():
        print(f"The web process does not answer at {url}; what it says is above.", flush=True)
    return False


def welcome(environment: Mapping[str, str], login: str, *, sandbox: bool) -> str:
    """The box that tells where to go: addresses, and what `seed_demo` said about logging in."""
    address = f"http://127.0.0.1:{environment['WEB_PORT']}"
    lines = [f"CRM WhatsApp   {address}/app/", f"Admin          {address}/admin/"]
    lines.append(f"Live events    http://127.0.0.1:{environment['LIVE_PORT']}")
    if sandbox:
        phone = f"{environment['EVOLUTION_URL']}/phone/"
        lines.append(f"Phone          {phone}   (a simulated WhatsApp: scan the QR code here)")
    lines += ["", *login.strip().splitlines(), "", "Ctrl-C stops everything; the data stays."]
    width = max(map(len, lines))
    bars = "─" * (width + 4)
    return os.linesep.join([f"╭{bars}╮", *(f"│  {line:<{width}}  │" for line in lines), f"╰{bars}╯"])
