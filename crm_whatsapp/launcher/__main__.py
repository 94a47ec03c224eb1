"""The launcher's commands, called by the Makefile.

python -m crm_whatsapp.launcher run                            everything, until Ctrl-C
python -m crm_whatsapp.launcher services                       only PostgreSQL and Valkey, until Ctrl-C
python -m crm_whatsapp.launcher exec [--ephemeral] -- WORDS    run a command with the servers and their variables
python -m crm_whatsapp.launcher stop                           stop what runs for this checkout or is left over
python -m crm_whatsapp.launcher clean                          stop it, and remove its data
"""

import argparse
import os
import signal
import sys

from crm_whatsapp.launcher.embedded import AlreadyRunning, EmbeddedServices
from crm_whatsapp.launcher.errors import LauncherError
from crm_whatsapp.launcher.run import Stop, run
from crm_whatsapp.launcher.system import command_line, moments, spawn

# Seconds: the worker may take 90 of them, the servers the rest.
STOP_TIMEOUT = 150.0


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m crm_whatsapp.launcher", description="Everything on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="everything, until Ctrl-C")
    commands.add_parser("services", help="only PostgreSQL and Valkey, until Ctrl-C")
    execute = commands.add_parser("exec", help="run a command with the servers and their variables")
    execute.add_argument("--ephemeral", action="store_true", help="servers of its own that leave nothing behind")
    execute.add_argument("words", nargs="+", metavar="COMMAND")
    commands.add_parser("stop", help="stop what runs for this checkout, or is left over")
    commands.add_parser("clean", help="stop it, and remove its data")
    options = parser.parse_args(arguments)
    try:
        match options.command:
            case "run":
                return run()
            case "services":
                return serve()
            case "exec":
                return execute_command(options.words, ephemeral=options.ephemeral)
            case "stop":
                stop()
            case "clean":
                stop()
                EmbeddedServices().remove()
    except LauncherError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def serve() -> int:
    """Keep the servers of this checkout up until a signal comes. Returns the exit status."""
    stopping = Stop()
    with EmbeddedServices() as services:
        print(
            f"PostgreSQL and Valkey are up; their addresses are in {services.env_file}. Ctrl-C stops them.",
            flush=True,
        )
        while not stopping.asked.wait(0.5):
            services.restart_dead()
    return 0


def execute_command(command: list[str], *, ephemeral: bool) -> int:
    """Run `command` with the servers up, those that already run for this checkout if they do. Returns its
    exit status.
    """
    services = EmbeddedServices(ephemeral=ephemeral)
    try:
        services.start()
    except AlreadyRunning:
        env = {**os.environ, "CRM_ENV_FILE": str(services.env_file)}
    else:
        env = services.environment()
        if ephemeral:
            # No gateway comes with them: to the tests, EVOLUTION_URL in the environment means a real one. Nor may
            # settings read it from the file of these servers.
            env["CRM_ENV_FILE"] = os.devnull
            for name in {"EVOLUTION_URL", "EVOLUTION_API_KEY"} - os.environ.keys():
                del env[name]
    try:
        process = spawn(command, dies_with=signal.SIGTERM, env=env, foreground=True)
        # Ctrl-C reaches the command directly, it shares our terminal: it decides, and we clean up after it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda received, frame: process.send_signal(received))
        status = process.wait()
        return status if status >= 0 else 128 - status
    finally:
        services.stop()


def stop() -> None:
    """Stop the launcher of this checkout and wait for it; without one, end what a killed one left.

    Raises:
        LauncherError: it does not stop.
    """
    try:
        EmbeddedServices().end_leftovers()
    except AlreadyRunning as running:
        print(f"Stopping process {running.pid}; a message on its way is waited for.", flush=True)
        os.kill(running.pid, signal.SIGTERM)
        if not any(not command_line(running.pid) for _ in moments(STOP_TIMEOUT)):
            raise LauncherError(f"Process {running.pid} does not stop. End it: kill -9 {running.pid}") from None


if __name__ == "__main__":
    sys.exit(main())
