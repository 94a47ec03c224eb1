"""Campaigns in a real browser, on a phone."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests import factories
from tests.browser import chromium, needs_chromium, open_page
from tests.console.helpers import at
from units.models import Unit, User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def page(live_server: LiveServer, ana: User, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Page]:
    """Ana's browser on a phone, logged in."""
    # The stream is another process's, which does not run here: this one says so.
    settings.LIVE_URL = ""
    # Playwright has an event loop in this thread; the rows are made between its steps.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    client = Client()
    client.force_login(ana)
    with chromium() as browser:
        watched = open_page(browser, viewport={"width": 360, "height": 740}, base_url=live_server.url)
        watched.page.context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
        )
        yield watched.page
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_start_stays_in_reach_of_the_thumb(page: Page, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=8, start=False)
    page.goto(at(unit, f"campaigns/{campaign.id}/rehearsal"))
    start = page.locator("#campaign-go")
    expect(start).to_be_in_viewport(ratio=1)
    page.locator(".sample").last.scroll_into_view_if_needed()
    expect(start).to_be_in_viewport(ratio=1)
    start.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_pace_that_cannot_be_is_said_where_it_was_typed(page: Page, unit: Unit) -> None:
    page.goto(at(unit, "number"))
    page.locator("[name=interval_seconds]").fill("0.2")
    page.locator("#pace button[type=submit]").click()
    expect(page.locator("#pace [role=alert]")).to_be_in_viewport()
    expect(page.locator("[name=interval_seconds]")).to_have_value("0.2")
    expect(page.locator("#id_interval_seconds_error")).to_be_visible()
