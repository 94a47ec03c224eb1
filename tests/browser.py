"""The system's Chromium for tests that look at pages. Pages are watched: what goes wrong in them is kept."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

# The pictures are taken without Django's set-up.
if TYPE_CHECKING:
    from units.models import User

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

# On a machine of somebody's own a browser may be missing; CI installs one, and there its absence is an error.
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium here: apt-get install chromium"
)

_SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    # Without these, Chromium looks for Google's servers at every start.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # A microphone that beeps, and nobody is asked whether it may be used.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]

# The live process is not there in most tests: a server without streams answers 501.
FORGIVEN = ("/events", "501")

# A person waits, too, on a machine that is busy.
expect.set_options(timeout=15_000)


# What htmx says of a request that the page itself gave up, for a newer one or since it was left. Of one that failed it
# says something else besides.
_GIVEN_UP = ("htmx:sendAbort", "htmx:afterRequest")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser, closed at the end."""
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Playwright has an event loop in this thread; rows are made between its steps.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_SWITCHES)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page of its own session, and every complaint of it: console errors, failed requests, answers of 400 and up."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("response", self._answered)

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_GIVEN_UP):
            self.complaints.append(message.text)

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")


def open_page(browser: Browser, **options: Any) -> Watched:
    """A page in a session of its own: pt-BR, desktop, unless `options` (of Browser.new_context) say otherwise."""
    settings = {"locale": "pt-BR", "timezone_id": "America/Sao_Paulo", "viewport": {"width": 1440, "height": 900}}
    context = browser.new_context(**(settings | options))
    context.set_default_timeout(15_000)
    return Watched(context.new_page())


def log_in(page: Page, url: str, user: "User") -> None:
    """Give the page a session of `user` at `url`."""
    client = Client()
    client.force_login(user)
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}])


def what_is_wrong(watched: Watched, forgiven: tuple[str, ...] = FORGIVEN) -> list[str]:
    """Its complaints but for those that have a word of `forgiven`; and whether it scrolls sideways."""
    found = [said for said in watched.complaints if not any(each in said for each in forgiven)]
    if watched.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("it scrolls sideways")
    return found
