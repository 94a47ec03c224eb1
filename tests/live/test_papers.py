"""The JavaScript of docs/live-events.md, in a browser, on a page of another origin."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.browser import chromium, needs_chromium
from tests.live.process import LiveProcess
from tests.live.test_feed import publish
from tests.sandbox_process import ROOT
from units.models import ApiToken, Unit, User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("live"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]
HEAR = """([api, unit, token]) => {
  window.told = [];
  window.end = listen(api, unit, token, (kind, data, last) => window.told.push([kind, data.id ?? null, last]));
}"""


@contextmanager
def front_end(directory: Path) -> Iterator[str]:
    """The origin of a page that is no page of ours."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(directory)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_front_end_listens_with_the_javascript_of_the_paper(tmp_path: Path, unit: Unit, ana: User) -> None:
    paper = (ROOT / "docs/live-events.md").read_text()
    [script] = re.findall(r"```js\n(.*?)```", paper, re.S)
    token, secret = ApiToken.mint(ana, "CRM")
    with (
        front_end(tmp_path) as origin,
        LiveProcess(tmp_path, CORS_ALLOWED_ORIGINS=origin) as live,
        chromium() as browser,
    ):
        page = browser.new_page()
        page.goto(origin)
        page.add_script_tag(content=script)
        page.evaluate(HEAR, [live.url, str(unit.pk), secret])
        page.wait_for_function("told.length === 1")
        first, second = publish(unit, 2)
        page.wait_for_function("told.length === 3")
        token.delete()
        assert page.evaluate("window.end") == "gone"
        told = page.evaluate("window.told")
    assert told == [["ready", None, "0"], ["message", first, "1"], ["message", second, "2"]]
