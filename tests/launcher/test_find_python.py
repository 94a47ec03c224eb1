import subprocess
from pathlib import Path

from crm_whatsapp.launcher.embedded import CHECKOUT


def find(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    script = CHECKOUT / "scripts" / "find-python"
    env = {"PATH": str(path), "HOME": str(path), **environment}
    return subprocess.run(["/bin/sh", str(script)], env=env, capture_output=True, text=True, check=False)


def program(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_without_a_new_enough_python_it_says_which_and_how(tmp_path: Path) -> None:
    program(tmp_path / "python3", "exit 1")  # too old
    program(tmp_path / "python3.13", "exit 127")  # a version manager's shim with nothing behind it
    answer = find(tmp_path)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.startswith("This needs Python 3.12 or newer")


def test_the_one_that_runs_is_taken(tmp_path: Path) -> None:
    program(tmp_path / "python3.13", "exit 127")
    works = program(tmp_path / "python3.12", "exit 0")
    assert find(tmp_path).stdout.strip() == str(works)


def test_a_version_managers_pythons_are_found_off_the_path(tmp_path: Path) -> None:
    works = program(tmp_path / ".pyenv" / "versions" / "3.13.1" / "bin" / "python", "exit 0")
    assert find(tmp_path).stdout.strip() == str(works)


def test_the_chosen_one_goes_first(tmp_path: Path) -> None:
    program(tmp_path / "python3.13", "exit 0")
    chosen = program(tmp_path / "my-python", "exit 0")
    assert find(tmp_path, PYTHON=str(chosen)).stdout.strip() == str(chosen)
