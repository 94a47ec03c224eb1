"""Checks that every catalogue is well-formed, has all that the source asks for, and is compiled. Needs GNU gettext."""

import gettext
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
# English is the language of the source: its catalogues may have gaps.
SOURCE_LANGUAGE = "en"
# What nobody sees but those who develop.
UNTRANSLATED = ("tests", "sandbox", "scripts", "bench")


def main() -> int:
    if shutil.which("msgfmt") is None:
        print("Not checked: GNU gettext is missing (Debian and Ubuntu: sudo apt install gettext).")
        return 0
    catalogues = [path for path in CHECKOUT.glob("**/LC_MESSAGES/*.po") if ".venv" not in path.parts]
    with tempfile.TemporaryDirectory() as directory:
        template = extract(Path(directory))
        problems = [problem for path in sorted(catalogues) for problem in problems_of(path, template)]
    print("\n".join(problems) or f"{len(catalogues)} catalogue(s) complete and compiled.")
    return 1 if problems else 0


def extract(directory: Path) -> Path:
    """The texts that the source asks for, read off a copy: `makemessages` writes into the tree that it reads."""
    copy = directory / "copy"
    shutil.copytree(CHECKOUT, copy, ignore=shutil.ignore_patterns(".*", "LC_MESSAGES", "__pycache__", *UNTRANSLATED))
    command = [sys.executable, "-m", "django", "makemessages", "--locale", "en", "--keep-pot"]
    subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True)
    return copy / "locale" / "django.pot"


def problems_of(source: Path, template: Path) -> list[str]:
    """What is wrong with one catalogue, a sentence each. `template`: what it must have."""
    name = source.relative_to(CHECKOUT)
    with tempfile.NamedTemporaryFile(suffix=".mo") as compiled:
        command = ["msgfmt", "--check", "--statistics", "--output-file", compiled.name, str(source)]
        result = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
        if result.returncode != 0:
            return [f"{name}: {result.stderr.strip()}"]
        expected = read(Path(compiled.name))
    problems = []
    if source.parent.parent.name != SOURCE_LANGUAGE and ("untranslated" in result.stderr or "fuzzy" in result.stderr):
        problems.append(f"{name}: not complete: {result.stderr.strip()}")
    if source.parent.parent.name != SOURCE_LANGUAGE:
        compared = subprocess.run(
            ["msgcmp", "--use-untranslated", str(source), str(template)], capture_output=True, text=True, check=False
        )
        if compared.returncode != 0:
            problems.append(f"{name}: not all that the source asks for; run: manage.py makemessages\n{compared.stderr}")
    beside = source.with_suffix(".mo")
    if not beside.exists() or read(beside) != expected:
        problems.append(f"{name}: its compiled form is not up to date; run: manage.py compilemessages")
    return problems


def read(path: Path) -> dict[object, str]:
    """The entries of a compiled catalogue but for its header, which holds dates."""
    with path.open("rb") as file:
        catalogue = dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]
    catalogue.pop("", None)
    return catalogue


if __name__ == "__main__":
    sys.exit(main())
