"""The shell, settings and overview in a real browser: what leads where, on a desk and on a phone."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from console.pages import GONE
from messaging.models import CannedReply
from tests import factories
from tests.browser import FORGIVEN, needs_chromium
from tests.console.helpers import at
from units.models import ApiToken, Unit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def screen() -> dict[str, Any]:
    return {"viewport": {"width": 1280, "height": 800}}


phone = pytest.mark.parametrize("screen", [{"viewport": {"width": 360, "height": 800}}])


@phone
def test_a_phone_has_tabs_and_the_rest_under_more(page: Page, unit: Unit) -> None:
    page.goto(at(unit, "overview"))
    rail = page.locator(".rail")
    expect(rail.get_by_role("link").filter(visible=True)).to_have_count(4)
    rail.get_by_role("button").click()
    page.locator("#more-menu a").nth(1).click()
    expect(page).to_have_url(re.compile("settings/number$"))
    page.goto(at(unit, "settings/audit"))
    expect(page.locator(".settings-tabs [aria-current]")).to_be_in_viewport()


def test_the_way_to_the_content_is_the_first_stop(page: Page, unit: Unit) -> None:
    page.goto(at(unit, "overview"))
    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_a_chosen_theme_holds_against_the_devices(page: Page, unit: Unit) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(at(unit, "profile"))
    page.locator("input[name=theme][value=dark]").check()
    page.locator("form:has(input[value=about]) button").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 17, 19)"


def test_a_token_is_copied_from_the_only_page_that_shows_it(page: Page, unit: Unit) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(at(unit, "settings/tokens/new"))
    page.locator("[name=name]").fill("Planilha")
    page.locator("main button[type=submit]").click()
    secret = page.locator("#secret").input_value()
    page.locator("[data-copy]").click()
    expect(page.locator("#announcer")).not_to_be_empty()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    page.reload()
    expect(page.get_by_text("Planilha").first).to_be_visible()
    expect(page.locator("#secret")).to_have_count(0)
    # And no second one was made.
    assert secret.startswith(ApiToken.objects.get().prefix)


@pytest.mark.parametrize("forgiven", [(*FORGIVEN, "404")])
def test_a_reply_that_is_refused_keeps_what_was_typed_and_one_that_is_gone_says_so(page: Page, unit: Unit) -> None:
    page.goto(at(unit, "settings/replies"))
    page.locator("a[href$='/replies/new']").click()
    dialog = page.locator("dialog")
    dialog.locator("[name=body]").fill("Abrimos às 9h")
    dialog.locator("button[type=submit]").click()
    expect(dialog.locator("#id_shortcut_error")).to_be_visible()
    expect(dialog.locator("[name=body]")).to_have_value("Abrimos às 9h")
    dialog.locator("[name=shortcut]").fill("horario")
    dialog.locator("button[type=submit]").click()
    expect(page.locator("main table")).to_contain_text("/horario")
    page.locator("a[href*='/replies/'][hx-get]:not([href$='new'])").first.click()
    expect(dialog).to_be_visible()
    CannedReply.objects.all().delete()
    dialog.locator("button[type=submit]").click()
    expect(page.locator("#failure .words")).to_have_text(str(GONE))
    expect(dialog).to_have_count(0)


@phone
def test_what_became_of_a_long_form_is_in_sight(page: Page, unit: Unit) -> None:
    page.goto(at(unit, "profile"))
    page.locator("[name=old_password]").fill("wrong")
    page.locator("[name=new_password2]").press("Enter")
    expect(page.locator("[name=old_password]")).to_be_focused()
    expect(page.locator("#id_old_password_error")).to_be_in_viewport()
    page.goto(at(unit, "settings/number"))
    page.locator("[name=daily_cap]").fill("300")
    page.locator("#pace button").click()
    expect(page.locator(".banner.ok")).to_be_in_viewport()


@phone
def test_the_overview_opens_its_numbers_as_a_table(page: Page, unit: Unit) -> None:
    factories.message(factories.conversation(unit), minutes_ago=5)
    page.goto(at(unit, "overview?days=7"))
    expect(page.locator("svg[role=img]").first).to_be_visible()
    page.locator("summary").first.click()
    expect(page.locator("details[open] tbody tr")).to_have_count(7)
    page.emulate_media(media="print")
    expect(page.locator(".rail")).to_be_hidden()
    # All of it is on paper, not only what the screen shows.
    assert page.evaluate("document.documentElement.scrollHeight") > 1_200


def test_the_search_of_the_header_is_worked_by_keys(page: Page, unit: Unit) -> None:
    chat = factories.conversation(unit, name="Otto Reis")
    factories.message(chat, "Chegou a armação?")
    page.goto(at(unit, "settings/labels"))
    page.keyboard.press("/")
    expect(page.locator("#search-everything")).to_be_focused()
    page.keyboard.type("otto")
    found = page.locator("#search-found .found-row")
    expect(found).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.locator("#search-found")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type(" reis")
    expect(found.first).to_be_visible()
    # "See all", the contact, "See all", the conversation.
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    expect(found.last).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"conversations/{chat.id}"))


@phone
def test_on_a_phone_the_search_is_a_page(page: Page, unit: Unit) -> None:
    page.goto(at(unit, "contacts"))
    page.locator("#search-page").click()
    expect(page.locator("#search-everything")).to_be_focused()


def test_the_chosen_file_is_named_beside_the_button(page: Page, unit: Unit) -> None:
    page.goto(at(unit, "campaigns/new"))
    page.locator("#id_file").set_input_files({"name": "cartaz.png", "mimeType": "image/png", "buffer": b"x"})
    expect(page.locator(".file-name").first).to_have_text("cartaz.png")
