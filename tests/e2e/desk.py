"""People at the console and customers at their phones, as the flows know them: from outside."""

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, StorageState, expect

from tests.browser import Watched, open_page
from tests.stack import Stack

SAMPLES = Path(__file__).parents[2] / "sandbox" / "static" / "samples"
ANA, BIA = "ana@example.com", "bia@example.com"

# A question that a newer one has made idle (hx-sync) is taken back: htmx says so as loudly as of a failure.
TAKEN_BACK = "^htmx:(afterRequest|sendAbort),"

# Of each installation and person: a password is slow to check, and typed once.
_known: dict[tuple[str, str], StorageState] = {}


def log_in(shop: Stack, page: Page, email: str = ANA) -> None:
    """By the form; both have the password of the demo data."""
    page.goto(f"{shop.url}/app/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Senha").fill(shop.password)
    page.get_by_role("button", name="Entrar").click()
    expect(page.get_by_role("link", name=re.compile("Conversas")).first).to_be_visible()
    _known[shop.url, email] = page.context.storage_state()


@contextmanager
def seat(shop: Stack, browser: Browser, email: str = ANA, *, forgiven: str = "^$", **options: Any) -> Iterator[Watched]:
    """A person's browser, logged in. Whatever it complains of fails the test, but what is `forgiven` (a pattern)."""
    session = _known.get((shop.url, email))
    watched = open_page(browser, storage_state=session, base_url=f"{shop.url}/app/u/{shop.unit}/", **options)
    if session is None:
        log_in(shop, watched.page, email)
    yield watched
    watched.page.context.close()
    complaints = [said for said in watched.complaints if not re.search(f"{TAKEN_BACK}|{forgiven}", said)]
    assert not complaints, complaints


def both_see(one: Locator, other: Locator) -> None:
    expect(one).to_be_visible()
    expect(other).to_be_visible()


def row(page: Page, name: str) -> Locator:
    """A conversation in the list."""
    return page.locator("#rows").get_by_role("link", name=re.compile(name))


def thread(page: Page) -> Locator:
    return page.locator("#messages")


def ticked(page: Page, word: str) -> Locator:
    """The ticks of our messages that say this."""
    return thread(page).locator(".meta .sr-only").get_by_text(word, exact=True)


def field(page: Page) -> Locator:
    """Where answers are written."""
    return page.locator("#text")


def answer(page: Page, text: str) -> None:
    field(page).fill(text)
    field(page).press("Enter")


def message_menu(page: Page, text: str) -> Locator:
    """The menu of the message with this text, open."""
    message = thread(page).locator("li[id^=message-]").filter(has_text=text).last
    message.hover()
    message.locator("[data-message-menu]").click()
    return page.locator("#message-menu")


def letters_in(directory: Path) -> list[EmailMessage]:
    """E-mails, oldest first."""
    # What one process sends at once is one file, with lines of dashes between.
    texts = [each for file in sorted(directory.iterdir()) for each in re.split(rb"\n-{79}\n", file.read_bytes())]
    return [message_from_bytes(text, policy=policy.default) for text in texts if text.strip()]


@dataclass(frozen=True)
class Customer:
    """Somebody with a phone, who writes to the unit."""

    shop: Stack
    number: str
    name: str

    def writes(self, text: str = "", **more: Any) -> str:
        """A message, and its id."""
        return self.shop.sandbox.inbound(self.shop.instance, self.number, text, self.name, **more)

    def sends(self, kind: str, sample: str, text: str = "") -> None:
        """A file."""
        content = b64encode((SAMPLES / sample).read_bytes()).decode()
        self.writes(text, media={"mediatype": kind, "base64": content, "fileName": sample})

    def reacts(self, message: str, emoji: str) -> None:
        self.writes(reaction={"id": message, "emoji": emoji})

    def edits(self, message: str, text: str) -> None:
        self.shop.sandbox.edit(self.shop.instance, message, text)

    def deletes(self, message: str) -> None:
        self.shop.sandbox.delete(self.shop.instance, message)

    def got(self) -> list[str]:
        """What arrived at his phone, oldest first."""
        return [sent["text"] for sent in self.shop.sent() if sent["to"].startswith(self.number)]
