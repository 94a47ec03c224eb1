"""Two pages of one browser: one logs in, or as somebody else, or discards, while the other has something to send."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from playwright.sync_api import FilePayload, Page, expect

from messaging.models import Conversation
from tests import factories
from tests.browser import FORGIVEN, Watched, needs_chromium
from tests.console.helpers import at, colleague, message
from tests.files import picture
from units.models import Unit, User

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
def forgiven() -> tuple[str, ...]:
    return *FORGIVEN, "/changes", "401", "ERR_FAILED"


@pytest.fixture
def page(watched: Watched, unit: Unit, chat: Conversation) -> Page:
    """The conversation, open for Ana."""
    watched.page.goto(at(unit, f"conversations/{chat.id}"))
    # What is on its way would bring the cookies of this session back.
    expect(watched.page.locator("#panel-consent")).to_be_visible()
    return watched.page


def log_in_elsewhere(page: Page, user: User) -> None:
    """As another tab does: the browser's cookies are those of a new session."""
    client = Client()
    client.get("/app/login")
    client.force_login(user)
    address = page.evaluate("location.origin")
    names = ("sessionid", "csrftoken")
    for name in names:
        page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": address}])


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
    # The page does not find out by itself before.
    page.route("**/changes?*", lambda route: None)
    Session.objects.all().delete()
    send(page, "Está pronto")
    page.locator("[name=username]").fill(ana.email)
    page.locator("[name=password]").fill("correct horse battery")
    page.locator("[name=password]").press("Enter")
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


def test_files_wait_for_who_chose_them_until_they_are_sent(
    page: Page, unit: Unit, chat: Conversation, ana: User
) -> None:
    rows = page.locator("#files > li")
    page.set_input_files("#file", FilePayload(name="armacao.png", mimeType="image/png", buffer=picture("PNG")))
    expect(rows).to_contain_text("pronto")
    for person, files in ((colleague(unit), 0), (ana, 1)):
        log_in_elsewhere(page, person)
        page.goto(at(unit, f"conversations/{chat.id}"))
        expect(page.locator(f"#composer[data-person='{person.pk}']")).to_be_visible()
        page.wait_for_load_state("networkidle")
        expect(rows).to_have_count(files)
    other = page.context.new_page()
    other.goto(at(unit, f"conversations/{chat.id}"))
    expect(other.locator("#files > li")).to_contain_text("pronto")
    send(page, "Esta aqui")
    expect(bubbles(page).locator("img")).to_be_visible()
    expect(other.locator("#files > li")).to_have_count(0)
    page.reload(wait_until="networkidle")
    expect(rows).to_have_count(0)
    assert list(chat.messages.filter(direction="outbound").values_list("kind", "body")) == [("image", "Esta aqui")]
