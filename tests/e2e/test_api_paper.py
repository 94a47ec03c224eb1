"""docs/api.md is true: what it shows is run as it stands there, against the product's own processes."""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.browser import chromium, needs_chromium
from tests.sandbox_process import ROOT, free_port
from tests.stack import Stack

PAPER = (ROOT / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAPER, re.MULTILINE | re.DOTALL)
# On a machine of somebody's own they may be missing; CI installs them, and there their absence is an error.
needs_curl_and_jq = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("jq")) and not os.environ.get("CI"), reason="no curl or no jq here"
)
PAGE = "<!doctype html><title>front end</title><script type=module>const {{API, LIVE, UNIT, TOKEN}} = {};\n{}</script>"


@pytest.fixture(scope="module")
def port() -> int:
    """Of the front end: another origin than the product's."""
    return free_port()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), CORS_ALLOWED_ORIGINS=f"http://127.0.0.1:{port}") as running:
        running.connect()
        yield running


def shape(value: Any) -> Any:
    """What of an example has to be so in an answer: members, and whether they are lists."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(each) for each in value[:1]] if isinstance(value, list) else None


def has(shown: Any, told: Any) -> bool:
    if isinstance(shown, dict):
        return isinstance(told, dict) and all(name in told and has(each, told[name]) for name, each in shown.items())
    if isinstance(shown, list):
        return isinstance(told, list) and (not shown or not told or has(shown[0], told[0]))
    return True


@needs_curl_and_jq
def test_every_example_with_curl_works_and_answers_what_is_shown(stack: Stack, tmp_path: Path) -> None:
    script = ["set -euo pipefail"]
    places = []
    for place, (language, text) in enumerate(BLOCKS):
        if language == "sh":
            script.append(f"exec > {place}.out\n{text}")
        elif language == "json":
            places.append(place)
    known = {"API": stack.url, "TOKEN": stack.token, "UNIT": stack.unit, "no_proxy": "*"}
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]} | known,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    last = max(tmp_path.glob("*.out"), key=lambda file: int(file.stem))
    assert done.returncode == 0, f"{done.stderr}\n{last.read_text()[-600:]}\n{BLOCKS[int(last.stem)][1]}"
    for place in places:
        answered = (tmp_path / f"{place - 1}.out").read_text()
        told = json.loads(answered[answered.rindex('{"') if answered.count("}{") else 0 :])
        assert has(shape(json.loads(BLOCKS[place][1])), told), answered


@needs_chromium
def test_the_front_end_on_another_origin_sends_and_hears_of_it(stack: Stack, tmp_path: Path, port: int) -> None:
    (code,) = (text for language, text in BLOCKS if language == "js")
    known = {"API": stack.url, "LIVE": stack.live_url, "UNIT": stack.unit, "TOKEN": stack.token}
    (tmp_path / "index.html").write_text(PAGE.format(json.dumps(known), code))
    pages = ThreadingHTTPServer(("127.0.0.1", port), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    try:
        with chromium() as browser:
            page, said = browser.new_page(), set[str]()

            def has_gone(message: Any) -> bool:
                """Whether of one message both were said: our answer to it, and the event that it was sent."""
                said.add(message.text)
                return any(f"sent {text.removeprefix('kept ')}" in said for text in said if text.startswith("kept "))

            with page.expect_console_message(has_gone):
                page.goto(f"http://127.0.0.1:{port}/")
    finally:
        pages.shutdown()
        pages.server_close()
