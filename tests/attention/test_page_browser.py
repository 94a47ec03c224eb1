"""The attention page in a real browser, on a phone: it is done right there, and nothing folds up by itself."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from attention import episodes
from tests.attention import helpers
from tests.browser import needs_chromium
from tests.console.helpers import at
from units.models import Unit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]
# Without the live stream the page asks every 5 s, once it has waited 4 s for it.
LIVE = 20_000


@pytest.fixture
def screen() -> dict[str, Any]:
    """A phone."""
    return {"viewport": {"width": 360, "height": 780}}


def test_a_person_settles_one_after_another(page: Page, unit: Unit) -> None:
    for number in range(5):
        helpers.unconfirmed(unit, f"Texto {number}")
    helpers.lost_file(unit)
    episodes.observe()
    page.goto(at(unit, "attention"))
    badge = page.locator("#attention-badge")
    expect(badge).to_contain_text("1")
    page.get_by_text("Ver mais 2").click()
    last = page.get_by_text("Texto 4")
    expect(last).to_be_visible()
    page.get_by_role("button", name=re.compile("^Chegou para")).first.click()
    expect(page.get_by_role("heading", name="4 mensagens sem confirmação")).to_be_visible()
    # What was unfolded is.
    expect(page.locator("details[open] .need-rows li")).to_have_count(1)
    for left in range(3, -1, -1):
        page.get_by_role("button", name=re.compile("^Chegou para")).first.click()
        expect(page.get_by_role("button", name=re.compile("^Chegou para"))).to_have_count(left)
    expect(page.get_by_role("heading", name="Nada precisa de você agora")).to_be_visible()
    expect(page.get_by_role("heading", name="1 arquivo não baixou")).to_be_visible()
    expect(badge.locator(".badge")).to_have_count(0)


def test_what_begins_elsewhere_shows_by_itself(page: Page, unit: Unit) -> None:
    page.goto(at(unit, "contacts"))
    badge = page.locator("#attention-badge .badge")
    expect(badge).to_have_count(0)
    helpers.disconnect(unit)
    episodes.observe()
    expect(badge).to_have_text("1", timeout=LIVE)
    page.get_by_role("link", name="Atenção").click()
    expect(page.get_by_role("heading", name="Número desconectado")).to_be_visible()
    page.get_by_role("link", name="Conectar de novo").click()
    expect(page).to_have_url(page.url.split("/app/")[0] + at(unit, "number"))
