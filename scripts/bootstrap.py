"""Makes `.venv` what requirements-dev.txt says, and does nothing when it already is. Standard library only.

Run by the Makefile before every target:  python scripts/bootstrap.py
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
LOCKED = CHECKOUT / "requirements-dev.txt"
# Written last: without it, or with other words in it, the environment is half-finished or of other requirements.
STAMP = VENV / "installed-from"


def main() -> None:
    # Two `make` at once must not install into one environment.
    with (CHECKOUT / "scripts" / "bootstrap.py").open() as ourselves:
        fcntl.flock(ourselves, fcntl.LOCK_EX)
        requirements = hashlib.sha256(LOCKED.read_bytes()).hexdigest()
        if not usable():
            create()
        if not STAMP.exists() or STAMP.read_text() != requirements:
            install()
            STAMP.write_text(requirements)


def usable() -> bool:
    """Whether `.venv` is of a Python that runs and is the chosen one, and stands where it was made: its
    scripts hold that path.
    """
    question = "import sys, pip; print(*sys.version_info[:2], sys.prefix)"
    try:
        answer = subprocess.run(
            [VENV_PYTHON, "-c", question], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return False
    expected = f"{sys.version_info[0]} {sys.version_info[1]} {VENV}"
    scripts = VENV / "bin" / "pip"
    return answer == expected and scripts.exists() and str(VENV) in scripts.read_text()


def create() -> None:
    """Make an empty environment with pip in it, in place of what is there."""
    if VENV.exists():
        say("removing .venv, which is unfinished, of another Python or from another place")
        if VENV.is_symlink():
            VENV.unlink()
        else:
            shutil.rmtree(VENV)
    say(f"making .venv with Python {sys.version.split()[0]} ({sys.executable})")
    made = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        if "ensurepip" in made.stdout + made.stderr:
            package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
            sys.exit(
                f"{sys.executable} cannot make virtual environments. On Debian and Ubuntu: sudo apt install {package}"
            )
        sys.exit(f"Making .venv failed:\n{made.stdout}{made.stderr}")


def install() -> None:
    """Install exactly the locked requirements."""
    STAMP.unlink(missing_ok=True)
    say("installing the packages of requirements-dev.txt; the first time this takes a minute or two")
    pip = [str(VENV_PYTHON), "-m", "pip", "install", "-qq", "--require-hashes"]
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    installed = subprocess.run([*pip, "--requirement", str(LOCKED)], env=environment, check=False)
    if installed.returncode != 0:
        sys.exit("Installing failed; the reason is above. Run make again when it is solved: it goes on from here.")


def say(what: str) -> None:
    print(f"set-up: {what}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("set-up: interrupted; run make again to go on")
    except PermissionError as error:
        sys.exit(f"set-up: {error}. If another user made it: sudo chown -R {os.getuid()}:{os.getgid()} {VENV}")
