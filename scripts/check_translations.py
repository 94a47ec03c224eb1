"""Checks that every catalogue is well-formed and complete, and that its compiled form is up to date. Needs
GNU gettext's msgfmt.
"""

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


def main() -> int:
    if shutil.which("msgfmt") is None:
        print("Not checked: GNU gettext is missing (Debian and Ubuntu: sudo apt install gettext).")
        return 0
    catalogues = [path for path in CHECKOUT.glob("**/LC_MESSAGES/*.po") if ".venv" not in path.parts]
    problems = [problem for path in sorted(catalogues) for problem in problems_of(path)]
    print("\n".join(problems) or f"{len(catalogues)} catalogue(s) complete and compiled.")
    return 1 if problems else 0


def problems_of(source: Path) -> list[str]:
    """What is wrong with one catalogue, a sentence each."""
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
