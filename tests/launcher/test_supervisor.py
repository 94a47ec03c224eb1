import os
import signal
import sys
import time
from pathlib import Path

import pytest

from crm_whatsapp.launcher import supervisor as supervising
from crm_whatsapp.launcher.processes import Process, product_processes
from crm_whatsapp.launcher.supervisor import Supervisor
from crm_whatsapp.launcher.system import command_line, moments

RUNS = "print('up')\nwhile True: time.sleep(0.05)"
FINISHES = f"""
def finish(*_):
    print('finishing'); time.sleep(0.5); print('finished', time.monotonic()); sys.exit()
signal.signal(signal.SIGTERM, finish)
{RUNS}"""
STUBBORN = f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{RUNS}"
FORKS = f"child = subprocess.Popen(['sleep', '60'])\nprint(child.pid)\n{RUNS}"


def python(name: str, code: str, *, stop_order: int = 0, stop_timeout: float = 10.0) -> Process:
    command = (sys.executable, "-c", f"import os, signal, subprocess, sys, time\n{code}")
    return Process(name, command, stop_order=stop_order, stop_timeout=stop_timeout)


def supervise(directory: Path, *processes: Process) -> Supervisor:
    return Supervisor(processes, os.environ, directory=directory)


def wait_for(supervisor: Supervisor, name: str, text: str, times: int = 1) -> None:
    assert any(supervisor.log(name).count(text) >= times for _ in moments(10)), supervisor.log(name)


def pid_of(supervisor: Supervisor, name: str) -> int:
    pid = supervisor.pid(name)
    assert pid is not None
    return pid


def test_a_killed_process_comes_back(tmp_path: Path) -> None:
    with supervise(tmp_path, python("worker", RUNS)) as supervisor:
        wait_for(supervisor, "worker", "up")
        first = pid_of(supervisor, "worker")
        supervisor.kill("worker")
        wait_for(supervisor, "worker", "up", times=2)
        assert supervisor.starts("worker") == 2
        assert supervisor.pid("worker") not in (first, None)


def test_a_stop_lets_a_process_finish_and_leaves_none_behind(tmp_path: Path) -> None:
    with supervise(tmp_path, python("worker", FINISHES)) as supervisor:
        wait_for(supervisor, "worker", "up")
        pid = pid_of(supervisor, "worker")
    assert "finished" in supervisor.log("worker")
    assert command_line(pid) == ""
    assert list((tmp_path / "pids").iterdir()) == []


def test_processes_stop_in_their_order(tmp_path: Path) -> None:
    with supervise(tmp_path, python("last", FINISHES, stop_order=2), python("first", FINISHES)) as supervisor:
        wait_for(supervisor, "first", "up")
        wait_for(supervisor, "last", "up")
    first, last = (float(supervisor.log(name).split()[-1]) for name in ("first", "last"))
    assert last - first >= 0.5


def test_who_does_not_stop_in_time_is_killed(tmp_path: Path) -> None:
    with supervise(tmp_path, python("worker", STUBBORN, stop_timeout=0.3)) as supervisor:
        wait_for(supervisor, "worker", "up")
        pid = pid_of(supervisor, "worker")
    assert command_line(pid) == ""


def test_a_forced_stop_does_not_wait(tmp_path: Path) -> None:
    with supervise(tmp_path, python("worker", STUBBORN, stop_timeout=60)) as supervisor:
        wait_for(supervisor, "worker", "up")
        begin = time.monotonic()
        supervisor.force()
    assert time.monotonic() - begin < 5


def test_children_of_a_process_end_with_it(tmp_path: Path) -> None:
    with supervise(tmp_path, python("web", FORKS)) as supervisor:
        wait_for(supervisor, "web", "up")
        child = int(supervisor.log("web").split()[0])
        os.kill(pid_of(supervisor, "web"), signal.SIGKILL)
        wait_for(supervisor, "web", "up", times=2)
        assert any(command_line(child) == "" for _ in moments(5))


def test_what_never_stays_up_is_given_up_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "LONGEST_PAUSE", 0.05)
    with supervise(tmp_path, python("web", "sys.exit(3)"), python("worker", RUNS)) as supervisor:
        assert supervisor.wait(20)
    assert "web ended with status 3, 6 times in a row right after its start." in str(supervisor.failure)
    assert supervisor.pid("worker") is None


def test_a_command_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    with supervise(tmp_path, Process("web", ("no-such-command",))) as supervisor:
        assert supervisor.wait(10)
    assert supervisor.failure == "There is no command no-such-command."


ENVIRONMENT = {
    "WEB_PORT": "1", "LIVE_PORT": "2", "SANDBOX_PORT": "3",
    "EVOLUTION_URL": "http://127.0.0.1:3", "EVOLUTION_API_KEY": "key",
}  # fmt: skip


def test_what_takes_requests_stops_before_what_sends_and_the_gateway_last(tmp_path: Path) -> None:
    order = {process.name: process.stop_order for process in product_processes(tmp_path, tmp_path, ENVIRONMENT)}
    assert order["web"] < order["beat"] < order["worker"] == order["pump"] < order["sandbox"]


def test_a_gateway_of_ones_own_needs_no_sandbox(tmp_path: Path) -> None:
    environment = ENVIRONMENT | {"EVOLUTION_URL": "https://evolution.example.com"}
    assert "sandbox" not in {process.name for process in product_processes(tmp_path, tmp_path, environment)}
