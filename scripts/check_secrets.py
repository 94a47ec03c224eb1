"""Looks for secrets that got into a file. What was looked at and is none stands in `.secrets.baseline`.

python scripts/check_secrets.py             says what is new, with status 1
python scripts/check_secrets.py --accept    writes what is found into the baseline: read the difference first
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from detect_secrets.core import baseline
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings

CHECKOUT = Path(__file__).resolve().parent.parent
BASELINE = CHECKOUT / ".secrets.baseline"
# Hashes, translations, other people's code, and recordings whose keys are made up (tests/evolution).
LEFT_OUT = re.compile(
    r"requirements.*\.txt|locale/|.*/vendor/|tests/evolution/|.*\.(png|svg|woff2?|mo)$|\.secrets\.baseline"
)
# Tests are full of passwords of people who are not there; a key that looks like one is found there, too.
WORDS = {"Secret Keyword", "Basic Auth Credentials"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="write the baseline")
    accept = parser.parse_args().accept
    with default_settings():
        found = scan()
        if accept:
            baseline.save_to_file(found, str(BASELINE))
            return
        known = SecretsCollection.load_from_baseline(json.loads(BASELINE.read_text()))
        new = [secret for _name, secret in found - known]
    for secret in new:
        print(f"{secret.filename}:{secret.line_number}: {secret.type}")
    if new:
        sys.exit("If none of these is a secret: python scripts/check_secrets.py --accept, and read what it changes.")


def scan() -> SecretsCollection:
    """Of every file that is, or would be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = SecretsCollection(root=str(CHECKOUT))
    for name in filter(None, listed.stdout.split("\0")):
        if not LEFT_OUT.match(name) and (CHECKOUT / name).is_file():
            found.scan_file(name)
    kept = SecretsCollection(root=str(CHECKOUT))
    for name, secret in found:
        if not (name.startswith("tests/") and secret.type in WORDS):
            # A path of this machine would be another secret on the next one.
            secret.filename = name
            kept[name].add(secret)
    return kept


if __name__ == "__main__":
    main()
