"""Real servers, started and killed: what a person's machine may do to them."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import redis

from crm_whatsapp.launcher.embedded import CHECKOUT, AlreadyRunning, EmbeddedServices, read_env_file
from crm_whatsapp.launcher.errors import LauncherError
from crm_whatsapp.launcher.postgres import EmbeddedPostgres
from crm_whatsapp.launcher.system import command_line, moments, port_is_free
from crm_whatsapp.launcher.valkey import EmbeddedValkey
from tests.launcher.conftest import ENVIRON

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about being started by root")


def services_of(checkout: Path) -> EmbeddedServices:
    return EmbeddedServices(checkout, environ=ENVIRON)


def servers_of(services: EmbeddedServices) -> tuple[EmbeddedPostgres, EmbeddedValkey]:
    assert services.postgres is not None
    assert services.valkey is not None
    return services.postgres, services.valkey


def kill(server: EmbeddedPostgres | EmbeddedValkey) -> None:
    assert server.process is not None
    server.process.kill()
    server.process.wait()


def query(services: EmbeddedServices, statement: str) -> object:
    with psycopg.connect(services.variables["DATABASE_URL"], autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_ephemeral_servers_answer_and_leave_nothing_behind() -> None:
    with EmbeddedServices(ephemeral=True, environ=ENVIRON) as services:
        directory, ports = services.directory, [server.port for server in servers_of(services)]
        assert str(query(services, "SHOW server_version")).startswith("18.")
        assert query(services, "SELECT datlocale FROM pg_database WHERE datname = 'crm'") == "C.UTF-8"
        with redis.Redis.from_url(services.variables["REDIS_URL"]) as client:
            assert client.info("server")["valkey_version"].startswith("9.")
    assert not directory.exists()
    assert all(port_is_free(port) for port in ports)


def test_both_servers_want_their_password() -> None:
    with EmbeddedServices(ephemeral=True, environ=ENVIRON) as services:
        postgres, valkey = servers_of(services)
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(f"postgres://crm@127.0.0.1:{postgres.port}/crm")
        with redis.Redis(port=valkey.port) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_a_second_start_keeps_data_addresses_and_keys(checkout: Path) -> None:
    with services_of(checkout) as services:
        query(services, "CREATE TABLE kept AS SELECT 42 AS answer")
        with redis.Redis.from_url(services.variables["REDIS_URL"]) as client:
            client.set("kept", "yes")
        first = services.variables
    # Between two starts somebody else on this machine may take a port: then the next start keeps what this one chose.
    for _ in range(3):
        with services_of(checkout) as services:
            before, first = first, services.variables
        if first == before:
            break
    assert first == before
    with services_of(checkout) as services:
        assert query(services, "SELECT answer FROM kept") == 42
        with redis.Redis.from_url(services.variables["REDIS_URL"]) as client:
            assert client.get("kept") == b"yes"
        private = (services.env_file, services.log_directory, services.directory / "valkey")
        assert all(path.stat().st_mode & 0o077 == 0 for path in private)
        assert read_env_file(services.env_file) == services.variables


def test_a_checkout_is_served_once(checkout: Path) -> None:
    with services_of(checkout), pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
        services_of(checkout).start()


def test_others_run_side_by_side(checkout: Path) -> None:
    with services_of(checkout) as ours, EmbeddedServices(ephemeral=True, environ=ENVIRON) as others:
        query(ours, "CREATE TABLE of_ours ()")
        assert query(others, "SELECT to_regclass('of_ours')") is None


def test_servers_that_outlived_their_launcher_are_replaced(checkout: Path) -> None:
    services = services_of(checkout)
    services.start()
    query(services, "CREATE TABLE kept AS SELECT 42 AS answer")
    outlived = [server.process for server in servers_of(services)]
    # As after kill -9 where the system does not end children with their parent.
    assert services._lock is not None
    services._lock.close()
    with services_of(checkout) as again:
        assert query(again, "SELECT answer FROM kept") == 42
        assert [process.wait(5) for process in outlived if process] == [0, 0]


def test_processes_that_outlived_their_launcher_are_ended(checkout: Path) -> None:
    pids = checkout / ".local" / "pids"
    pids.mkdir(parents=True)
    ours = subprocess.Popen(["sh", "-c", f"echo up; while :; do sleep 0.1; done; : {checkout}"], stdout=subprocess.PIPE)
    assert ours.stdout is not None
    assert ours.stdout.readline() == b"up\n"  # before that, a busy machine shows it without a command line
    stranger = subprocess.Popen(["sleep", "60"])  # it got a pid that was ours once
    (pids / "worker").write_text(str(ours.pid))
    (pids / "web").write_text(str(stranger.pid))
    with services_of(checkout):
        assert ours.wait(5) != 0
        ours.stdout.close()
        assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_killed_server_comes_back_at_its_address_with_its_data(checkout: Path) -> None:
    with services_of(checkout) as services:
        query(services, "CREATE TABLE kept AS SELECT 42 AS answer")
        for server in servers_of(services):
            kill(server)
        assert services.restart_dead() == ["postgres", "valkey"]
        assert query(services, "SELECT answer FROM kept") == 42


def test_a_lock_file_whose_pid_is_another_program_by_now_does_not_matter(checkout: Path) -> None:
    with services_of(checkout) as services:
        data = servers_of(services)[0].data
    stranger = subprocess.Popen(["sleep", "60"], user=data.stat().st_uid)
    try:
        (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n")
        with services_of(checkout) as services:
            assert query(services, "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_interrupted_first_start_is_begun_anew(checkout: Path) -> None:
    half = checkout / ".local" / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with services_of(checkout) as services:
        assert query(services, "SELECT 1") == 1
    assert not half.exists()


def test_unfinished_data_is_put_aside_not_deleted(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = checkout / ".local" / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    with services_of(checkout) as services:
        assert query(services, "SELECT 1") == 1
    assert "not finished by an earlier start" in capsys.readouterr().out
    assert [path.name for path in data.parent.glob("data.unfinished-*/*")] == ["PG_VERSION"]


def test_data_of_another_major_version_is_refused_with_the_way_out(checkout: Path) -> None:
    data = checkout / ".local" / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    (data / "crm-password").write_text("x")
    with pytest.raises(LauncherError, match="of PostgreSQL 17, this needs 18"):
        services_of(checkout).start()
    assert (data / "PG_VERSION").read_text() == "17\n"


def test_a_server_named_by_the_environment_is_not_started() -> None:
    own = {"DATABASE_URL": "postgres://elsewhere/crm", "REDIS_URL": "redis://elsewhere"}
    with EmbeddedServices(ephemeral=True, environ={**ENVIRON, **own}) as services:
        assert (services.postgres, services.valkey) == (None, None)
        assert not own.keys() & services.variables.keys()
        assert services.environment()["DATABASE_URL"] == "postgres://elsewhere/crm"


def test_a_busy_port_is_replaced(checkout: Path) -> None:
    with services_of(checkout) as services:
        port = servers_of(services)[0].port
    with closing(socket.create_server(("127.0.0.1", port))), services_of(checkout) as services:
        assert (new := servers_of(services)[0].port) != port
        assert query(services, "SELECT 1") == 1
        assert f":{new}/" in read_env_file(services.env_file)["DATABASE_URL"]


def test_a_command_gets_the_variables_and_its_status_is_ours() -> None:
    command = [sys.executable, "-m", "crm_whatsapp.launcher", "exec", "--ephemeral", "--"]
    done = subprocess.run(
        [*command, "sh", "-c", "echo $DATABASE_URL; exit 7"],
        env=ENVIRON,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("postgres://crm:")
    assert done.returncode == 7


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_nothing_runs_on_when_the_launcher_is_killed() -> None:
    command = [sys.executable, "-m", "crm_whatsapp.launcher", "exec", "--ephemeral", "--"]
    launcher = subprocess.Popen(
        [*command, "sh", "-c", "echo $HEARTBEAT_DIR; exec sleep 60"],
        env=ENVIRON,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert launcher.stdout is not None
    directory = Path(launcher.stdout.readline().strip()).parent
    pid = int((directory / "valkey" / "pid").read_text())
    postmaster = int((directory / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    launcher.kill()
    launcher.wait()
    assert any(not command_line(pid) and not command_line(postmaster) for _ in moments(10))
    # The next one clears away what it left on the disk.
    with EmbeddedServices(ephemeral=True, environ=ENVIRON):
        assert not directory.exists()


@as_root
def test_root_serves_a_checkout_where_the_unprivileged_user_may_not_go(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout.chmod(0o700)
    with services_of(checkout) as services:
        assert query(services, "SELECT 1") == 1
        data = servers_of(services)[0].data
    assert f"its data goes to {data.parent}" in capsys.readouterr().out
    services.remove()
    assert not data.exists()


@as_root
def test_a_plain_user_is_told_how_to_take_over_from_root(checkout: Path) -> None:
    (checkout / ".local").mkdir(mode=0o711)
    script = (
        "from crm_whatsapp.launcher.embedded import *\n"
        "os.setuid(65534)\n"  # only now: Python itself may lie where that user may not go
        f"try: EmbeddedServices(Path({str(checkout)!r}), environ={{}}).start()\n"
        "except LauncherError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True)
    assert f"sudo chown -R 65534:0 {checkout / '.local'}" in said.stdout
