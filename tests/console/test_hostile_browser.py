"""What a stranger wrote is text: it does nothing, turns nothing round, and pushes nothing off the page."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from messaging.models import Conversation
from tests import factories
from tests.browser import Watched, needs_chromium
from tests.console.helpers import at, message
from units.models import Unit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]
MARKUP = "</title><img src=x onerror=alert(1)><b hx-get=/ hx-trigger=load>"
# Turns what follows round.
TURN = "\u202e"


@pytest.fixture(params=[1280, 360])
def screen(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A desk and a phone."""
    return {"viewport": {"width": request.param, "height": 800}}


@pytest.fixture
def page(watched: Watched) -> Iterator[Page]:
    """No script of a stranger's opens a dialog in it."""
    asked: list[str] = []
    watched.page.on("dialog", lambda dialog: asked.append(dialog.message))
    yield watched.page
    assert asked == []


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    made = factories.conversation(unit, name=f"{TURN}Marina {MARKUP}{'W' * 100}")
    link = "javascript:alert(1)"
    message(made, f"{'A' * 10_000}\n{MARKUP} {link}")
    message(made, "Veja", details={"preview": {"title": MARKUP, "url": link}})
    message(made, "", kind="location", details={"latitude": 1, "longitude": link, "name": MARKUP})
    message(made, "", kind="contact", details={"contacts": [{"name": MARKUP, "phones": [link, f'">{MARKUP}']}]})
    message(made, "", kind="poll", details={"options": [{"title": MARKUP}, {"title": "O" * 500}]})
    message(made, "", kind="document", details={"media": {"file_name": f"fatura{TURN}fdp.exe"}})
    message(made, "", kind=MARKUP[:20], details={"type": MARKUP})
    return made


def assert_in_place(page: Page) -> None:
    wide = """() => [...document.querySelectorAll('main *')]
        .filter((node) => node.checkVisibility() && !node.matches('.sr-only, .sr-only *'))
        .filter((node) => node.getBoundingClientRect().left > innerWidth
            || (node.matches('h1, h2, button, .crumbs, .card') && node.getBoundingClientRect().right > innerWidth + 1))
        .map((node) => node.outerHTML.slice(0, 120))"""
    assert page.evaluate(wide) == []


def test_a_stranger_s_words_are_words(page: Page, unit: Unit, chat: Conversation) -> None:
    page.goto(at(unit, f"conversations/{chat.id}"))
    thread = page.locator("#messages")
    expect(thread).to_contain_text("faturafdp.exe")
    assert thread.locator("a[href^=javascript], img, [hx-trigger=load]").count() == 0
    assert TURN not in page.title()
    assert TURN not in page.locator("#thread-title").inner_text()
    expect(page.get_by_role("button", name="Enviar")).to_be_in_viewport()
    assert_in_place(page)
    page.goto(at(unit, f"contacts/{chat.contact_id}"))
    expect(page.get_by_role("button", name="Abrir conversa")).to_be_in_viewport()
    assert_in_place(page)
