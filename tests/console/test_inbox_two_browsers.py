"""Two colleagues at one conversation, in two browsers: what one does, the other sees. And the keys of the inbox."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from messaging.inbox import steering
from messaging.models import Contact, Conversation, Label
from tests import factories
from tests.browser import log_in, needs_chromium, open_page, what_is_wrong
from tests.console.helpers import at, colleague, message, tell_of
from units.models import Unit, User
from units.services import create_unit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]
# Without the live stream a page asks every 5 s, once it has waited 4 s for it.
LIVE = 20_000


@pytest.fixture
def other(browser: Browser, live_server: LiveServer, unit: Unit) -> Iterator[Page]:
    """Bia's."""
    watched = open_page(browser, base_url=live_server.url)
    log_in(watched.page, live_server.url, colleague(unit))
    yield watched.page
    assert what_is_wrong(watched) == []
    watched.page.context.close()


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    made = factories.conversation(unit, name="Marina")
    message(made, "Bom dia", minutes_ago=3)
    return made


def test_what_one_does_the_other_sees(page: Page, other: Page, unit: Unit, chat: Conversation) -> None:
    Label.objects.create(unit=unit, name="Solar")
    for one in (page, other):
        one.goto(at(unit, f"conversations/{chat.id}"))
    row = other.locator(f"#row-{chat.id}")

    page.keyboard.press("Escape")
    page.locator("#thread-title").focus()
    page.keyboard.press("a")
    expect(page.locator("#assign-button")).to_contain_text("Ana")
    expect(page.locator("#toast button")).to_be_visible()
    expect(other.locator("#assign-button")).to_contain_text("Ana", timeout=LIVE)
    expect(row.locator(".avatar.tiny")).to_have_text("AN")

    page.locator("#thread-menu-button").click()
    page.locator("#labels-button").click()
    page.locator("#labels-menu").get_by_role("button", name="Solar").click()
    expect(page.locator("#labels-menu [aria-pressed=true]")).to_have_text("Solar")
    page.keyboard.press("Escape")
    expect(row.locator(".conversation-label")).to_have_text("Solar", timeout=LIVE)

    note = steering.write_note(chat, User.objects.get(email="bia@example.com"), "Dez por cento à vista")
    expect(page.locator(f"#note-{note.id}")).to_contain_text("Dez por cento à vista", timeout=LIVE)
    steering.delete_note(note)
    expect(page.locator(f"#note-{note.pk}")).to_have_count(0, timeout=LIVE)

    tell_of(message(chat, "Pode ser quinta"))
    for one in (page, other):
        expect(one.locator("#messages")).to_contain_text("Pode ser quinta", timeout=LIVE)


def test_a_colleague_who_answers_shows_and_is_gone(page: Page, other: Page, unit: Unit, chat: Conversation) -> None:
    page.goto(at(unit, f"conversations/{chat.id}"))
    other.goto(at(unit, f"conversations/{chat.id}"))
    other.evaluate(
        "url => fetch(url, {method: 'POST', headers: JSON.parse(document.body.getAttribute('hx-headers'))})",
        at(unit, f"conversations/{chat.id}/answering"),
    )
    expect(page.locator("#answering")).to_contain_text("Bia", timeout=LIVE)
    expect(page.locator("#answering")).to_have_text("", timeout=25_000)


def test_a_choice_is_undone_where_it_is_told(page: Page, unit: Unit, chat: Conversation) -> None:
    page.goto(at(unit, f"conversations/{chat.id}"))
    page.locator("#resolve-button").click()
    expect(page.locator("#thread-state")).to_have_attribute("data-state", "resolved")
    page.locator("#toast").get_by_role("button").click()
    expect(page.locator("#thread-state")).to_have_attribute("data-state", "open")
    chat.refresh_from_db()
    assert chat.status == "open"


def test_filters_stay_in_the_address_and_bring_back(page: Page, unit: Unit, chat: Conversation, ana: User) -> None:
    mine = factories.conversation(unit, name="Osvaldo")
    steering.assign(mine, ana.pk)
    page.goto(at(unit, f"conversations/{chat.id}"))
    page.locator("#whose-mine").click()
    expect(page.locator("#rows a.row")).to_have_count(1)
    expect(page).to_have_url(re.compile(rf"{chat.id}\?whose=mine$"))
    page.locator("#unread-pill").click()
    expect(page.locator("#rows-empty")).to_be_visible()
    page.locator("#rows-empty a").click()
    expect(page.locator("#rows a.row")).to_have_count(2)
    page.locator("#list-search").fill("osval")
    expect(page.locator("#rows a.row")).to_have_count(1)
    expect(page).to_have_url(re.compile(rf"{chat.id}\?q=osval$"))
    page.locator("#rows a.row").click()
    expect(page.locator("#thread-title")).to_have_text("Osvaldo")
    expect(page).to_have_url(re.compile(rf"{mine.id}\?q=osval$"))
    page.reload()
    expect(page.locator("#rows a.row")).to_have_count(1)


def test_a_search_comes_at_once_with_what_the_list_asks_by_itself(page: Page, unit: Unit, chat: Conversation) -> None:
    """Both at the same moment are one question, and the pointer over the list holds back only what nobody asked for."""
    factories.conversation(unit, name="Osvaldo")
    page.goto(at(unit))
    page.locator("#rows a.row").first.hover()
    page.locator("#list-search").evaluate("field => { field.value = 'osval' }")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('live:conversations'))")
    expect(page.locator("#rows a.row")).to_have_count(1)


def test_several_labels_are_chosen_without_opening_the_menu_again(page: Page, unit: Unit, chat: Conversation) -> None:
    for name in ("Retirada", "Solar"):
        steering.add_label(chat, Label.objects.create(unit=unit, name=name))
    factories.conversation(unit, name="Osvaldo")
    page.goto(at(unit))
    page.locator("#labels-pill").click()
    for name in ("Retirada", "Solar"):
        page.locator("#labels-filter").get_by_role("link", name=name).click()
        expect(page.locator("#labels-filter [aria-current]").filter(has_text=name)).to_be_visible()
    expect(page.locator("#rows a.row")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("#labels-filter")).to_be_hidden()
    expect(page.locator("#labels-pill .num")).to_have_text("2")


def test_the_inbox_is_used_by_keys_alone(page: Page, unit: Unit, chat: Conversation) -> None:
    second = factories.conversation(unit, name="Osvaldo")
    message(second, "Oi", minutes_ago=9)
    page.goto(at(unit))
    page.keyboard.press("j")
    # With caps lock.
    page.keyboard.press("J")
    expect(page.locator(f"#row-{second.id} a.row")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_be_focused()
    # A letter is a letter while one types.
    page.keyboard.type("e?")
    expect(page.locator("#text")).to_have_value("e?")
    page.locator("#text").fill("")
    # A note stays a note, however often it is asked for.
    for key, pressed in (("n", "true"), ("n", "true"), ("r", "false")):
        page.locator("#thread-title").focus()
        page.keyboard.press(key)
        expect(page.locator("#note-mode")).to_have_attribute("aria-pressed", pressed)
        expect(page.locator("#text")).to_be_focused()
    # "?" as Windows tells of it on an ABNT2 keyboard without its key.
    page.locator("#thread-title").evaluate("""node => node.dispatchEvent(new KeyboardEvent('keydown', {
        key: '?', code: 'KeyW', ctrlKey: true, altKey: true, modifierAltGraph: true, bubbles: true, cancelable: true
    }))""")
    expect(page.get_by_role("dialog")).to_be_visible()
    for key in ("e", "/"):
        page.keyboard.press(key)
    page.keyboard.press("Escape")
    expect(page.locator("#thread-state")).to_have_attribute("data-state", "open")
    page.locator("#thread-title").focus()
    page.keyboard.press("s")
    expect(page.locator("#snooze-menu")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#thread-state")).to_have_attribute("data-state", "snoozed")
    page.locator("#thread-title").focus()
    page.keyboard.press("l")
    expect(page.locator("#label-search")).to_be_focused()
    page.keyboard.type("Garantia")
    page.keyboard.press("Enter")
    expect(page.locator("#labels-menu [aria-pressed=true]")).to_have_text("Garantia")
    page.keyboard.press("Escape")
    page.locator("#thread-title").focus()
    page.keyboard.press("/")
    expect(page.locator("#list-search")).to_be_focused()
    assert second.labels.get().name == "Garantia"


def test_who_wants_no_single_keys_has_none(page: Page, unit: Unit, chat: Conversation, ana: User) -> None:
    User.objects.filter(pk=ana.pk).update(has_shortcuts=False)
    page.goto(at(unit, f"conversations/{chat.id}"))
    page.locator("#thread-title").focus()
    for key in ("e", "?", "j"):
        page.keyboard.press(key)
    expect(page.locator("#thread-state")).to_have_attribute("data-state", "open")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#thread-title")).to_be_focused()


def test_an_open_menu_stays_while_a_colleague_changes_something(
    page: Page, unit: Unit, chat: Conversation, ana: User
) -> None:
    page.goto(at(unit, f"conversations/{chat.id}"))
    page.locator("#thread-menu-button").click()
    page.locator("#labels-button").click()
    page.locator("#label-search").fill("Gar")
    steering.assign(chat, ana.pk)
    expect(page.locator(f"#row-{chat.id} .avatar.tiny")).to_be_visible(timeout=LIVE)
    expect(page.locator("#label-search")).to_have_value("Gar")
    page.keyboard.press("Escape")
    expect(page.locator("#assign-button")).to_contain_text("Ana")


def test_new_unread_conversations_are_said_aloud(page: Page, unit: Unit, chat: Conversation) -> None:
    page.goto(at(unit, f"conversations/{chat.id}"))
    for name in ("Osvaldo", "Camila"):
        tell_of(message(factories.conversation(unit, name=name)))
    expect(page.locator("#announcer")).to_have_text(re.compile(r"^2 \w+"), timeout=LIVE)
    expect(page).to_have_title(re.compile(r"^\(2\) Marina"))


def test_what_one_types_in_the_search_counts_wherever_the_pointer_is(
    page: Page, unit: Unit, chat: Conversation
) -> None:
    factories.conversation(unit, name="Osvaldo")
    page.goto(at(unit))
    page.locator("#list-search").focus()
    page.locator(f"#row-{chat.id}").hover()
    page.keyboard.type("osval")
    expect(page.locator(f"#row-{chat.id}")).to_have_count(0)


def test_an_arrow_moves_through_a_menu_one_by_one_with_several_units_too(
    page: Page, unit: Unit, chat: Conversation, ana: User
) -> None:
    create_unit("Ótica Lapa", owner=ana)
    page.goto(at(unit, f"conversations/{chat.id}"))
    page.locator("#snooze-button").click()
    expect(page.locator("#snooze-menu .menu-item").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#snooze-menu .menu-item").nth(1)).to_be_focused()


@pytest.mark.parametrize("width", [768, 900, 1280])
def test_the_name_has_room_in_the_header(page: Page, unit: Unit, chat: Conversation, width: int) -> None:
    Contact.objects.filter(pk=chat.contact_id).update(name="Marina Alves")
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(at(unit, f"conversations/{chat.id}"), wait_until="networkidle")
    assert page.evaluate("""() => {
        const name = document.getElementById('thread-title');
        const buttons = document.getElementById('thread-state').getBoundingClientRect();
        return name.scrollWidth <= name.clientWidth && name.getBoundingClientRect().right <= buttons.left;
    }""")
