"""The live stream when there is none, nobody looks, the machine slept, or nobody is logged in any more."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
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


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    made = factories.conversation(unit, name="Marina Alves")
    message(made, "Qual o valor?", minutes_ago=5)
    return made


@pytest.fixture
def page(watched: Watched) -> Page:
    """Its streams are never answered: as when the browser has no connection left for them."""
    watched.page.route("**/events?*", lambda route: None)
    return watched.page


def look(page: Page, state: str) -> None:
    """Somebody goes to another tab (hidden), or comes back (visible)."""
    page.evaluate(
        """(state) => {
          Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        state,
    )


def test_a_stream_that_never_begins_is_polled_for(page: Page, unit: Unit, chat: Conversation) -> None:
    page.goto(at(unit, "contacts"))
    expect(page.locator("#live-note")).to_contain_text("Atualizando a cada 5 s")


def test_a_tab_that_nobody_looks_at_gives_its_connection_back(page: Page, unit: Unit) -> None:
    page.clock.install()
    with page.expect_request("**/events?*"):
        page.goto(at(unit, "contacts"))
    look(page, "hidden")
    with page.expect_event("requestfailed", lambda request: "/events" in request.url):
        page.clock.run_for(21_000)
    with page.expect_request("**/changes?*"):
        page.clock.run_for(60_000)
    with page.expect_request("**/events?*"):
        look(page, "visible")


def test_a_machine_that_slept_asks_for_a_new_stream(page: Page, unit: Unit) -> None:
    page.clock.install()
    with page.expect_request("**/events?*"):
        page.goto(at(unit, "contacts"))
    page.clock.run_for(30_000)
    with page.expect_request("**/events?*"):
        page.clock.fast_forward("08:00:00")


def test_back_after_the_log_out_shows_nothing(page: Page, unit: Unit, chat: Conversation, watched: Watched) -> None:
    page.unroute("**/events?*")
    page.goto(at(unit, "contacts"))
    page.goto(at(unit, f"conversations/{chat.id}"))
    page.locator("[popovertarget=me-menu]").click()
    page.locator("#me-menu form[action$=logout] button").click()
    page.wait_for_url("**/app/login**")
    # No timer runs: the asking that begins after 4 s has no part in it.
    page.clock.install()
    page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
    page.go_back(wait_until="commit")
    expect(page.locator("[name=password]")).to_be_visible()
    # Its stream may have ended before it did: it asks, is refused and leaves, and Back leads to the page before.
    watched.complaints.clear()


def test_a_page_that_the_browser_kept_is_left_at_once_after_the_log_out(
    page: Page, unit: Unit, chat: Conversation, watched: Watched
) -> None:
    page.unroute("**/events?*")
    page.clock.install()
    page.goto(at(unit, f"conversations/{chat.id}"))
    # It has asked, and no timer runs from here on.
    with page.expect_response("**/changes?*"):
        page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
    Session.objects.all().delete()
    # Back brings a page as it was left, scripts and all. The browser of the tests keeps none: this is what one is told.
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(page.locator("[name=password]")).to_be_visible()
    # What it asked for was refused.
    watched.complaints.clear()
