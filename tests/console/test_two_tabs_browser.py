"""Two pages of one browser: one logs in, or as somebody else, or discards, while the other has something to send."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from messaging.models import Conversation
from tests import factories
from tests.browser import Watched, chromium, needs_chromium, open_page
from tests.console.helpers import at, colleague, message
from units.models import Unit, User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]
PASSWORD = "correct horse battery"


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    made = factories.conversation(unit, name="Marina Alves")
    message(made, "Qual o valor?", minutes_ago=5)
    return made


@pytest.fixture
def watched(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Watched]:
    settings.LIVE_URL = ""
    # Playwright has an event loop in this thread; the rows are made between its steps.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with chromium() as browser:
        found = open_page(browser, base_url=live_server.url)
        yield found
        expected = ("/events", "501", "/changes", "401", "ERR_FAILED")
        assert [said for said in found.complaints if not any(each in said for each in expected)] == []


@pytest.fixture
def page(watched: Watched, unit: Unit, chat: Conversation, ana: User) -> Page:
    """The conversation, open for Ana."""
    log_in(watched.page, ana)
    watched.page.goto(at(unit, f"conversations/{chat.id}"))
    # What is on its way would bring the cookies of this session back.
    expect(watched.page.locator("#panel-consent")).to_be_visible()
    return watched.page


def log_in(page: Page, user: User) -> None:
    page.goto("/app/login")
    fill_in(page, user)
    page.wait_for_url("**/app/u/**")


def log_in_elsewhere(page: Page, user: User) -> None:
    """As another tab does: the browser's cookies are those of a new session."""
    client = Client()
    client.get("/app/login")
    client.force_login(user)
    address = page.evaluate("location.origin")
    names = ("sessionid", "csrftoken")
    for name in names:
        page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": address}])


def fill_in(page: Page, user: User) -> None:
    page.locator("[name=username]").fill(user.email)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")


def send(page: Page, words: str) -> None:
    page.locator("#text").fill(words)
    page.locator("#text").press("Enter")


def bubbles(page: Page) -> Any:
    return page.locator("#messages > li.out[id^=message-]")


def bodies(chat: Conversation) -> list[str]:
    return list(chat.messages.filter(direction="outbound").order_by("created_at", "id").values_list("body", flat=True))


def test_what_is_written_as_the_session_ends_goes_once_after_the_log_in(
    page: Page, chat: Conversation, ana: User
) -> None:
    Session.objects.all().delete()
    send(page, "Está pronto")
    fill_in(page, ana)
    expect(bubbles(page)).to_have_count(1)
    assert bodies(chat) == ["Está pronto"]


def test_a_log_in_in_another_tab_does_not_keep_this_one_from_sending(
    page: Page, unit: Unit, chat: Conversation, ana: User
) -> None:
    log_in_elsewhere(page, ana)
    send(page, "Está pronto")
    expect(bubbles(page)).to_have_count(1)
    row = page.locator("#messages > li.in").last
    row.hover()
    row.locator("[data-message-menu]").click()
    page.locator("#message-menu [data-emoji='👍']").click()
    expect(row.locator(".reactions")).to_have_count(1)
    log_in_elsewhere(page, ana)
    page.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"Oi"})
    expect(page.locator("#files [data-state]")).to_contain_text("pront")
    # A form that is sent without htmx.
    page.locator("[popovertarget=me-menu]").click()
    page.locator("#me-menu form[action$=logout] button").click()
    page.wait_for_url("**/app/login**")


def test_nobody_sends_in_the_name_of_whoever_logged_in_in_another_tab(
    page: Page, unit: Unit, chat: Conversation, ana: User
) -> None:
    bia = colleague(unit)
    log_in_elsewhere(page, bia)
    send(page, "Está pronto")
    # The page is Bia's now, and what Ana wrote waits for her.
    expect(page.locator(f"#composer[data-person='{bia.pk}']")).to_be_visible()
    assert bodies(chat) == []
    log_in_elsewhere(page, ana)
    page.reload()
    expect(bubbles(page)).to_have_count(1)
    assert list(chat.messages.filter(direction="outbound").values_list("author", flat=True)) == [ana.pk]


def test_what_one_tab_discards_no_other_sends(page: Page, unit: Unit, chat: Conversation) -> None:
    refuse = "**/messages"
    page.context.route(refuse, lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    send(page, "Não era para ir")
    expect(page.locator("#messages .aside:not([hidden])")).to_contain_text("nunca vai duas vezes")
    other = page.context.new_page()
    other.goto(at(unit, f"conversations/{chat.id}"))
    expect(other.locator("#messages .sending")).to_have_count(1)
    page.locator("[data-discard]").click()
    expect(other.locator("#messages .sending")).to_have_count(0)
    page.context.unroute(refuse)
    send(other, "Isto sim")
    expect(bubbles(other)).to_have_count(1)
    assert bodies(chat) == ["Isto sim"]
