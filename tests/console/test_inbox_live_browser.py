"""A message that is committed is seen, whatever happens on its way: in a real browser, with the real live process."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from playwright.sync_api import Page, Route, expect
from rest_framework.test import APIClient

from messaging.contacts import tags
from messaging.inbox import steering
from messaging.models import Contact, Conversation, Message
from messaging.services import changes_of
from tests import factories
from tests.browser import needs_chromium
from tests.console.helpers import at
from tests.factories import message
from tests.live.process import LiveProcess
from units import live
from units.models import Unit, User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture(scope="module")
def process(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProcess]:
    with LiveProcess(tmp_path_factory.mktemp("live")) as running:
        yield running


@pytest.fixture
def live_url(process: LiveProcess, settings: Any) -> str:
    url = f"http://localhost:{process.port}"
    policy = settings.SECURE_CSP
    settings.SECURE_CSP = policy | {"connect-src": [*policy["connect-src"], url]}
    return url


@pytest.fixture
def forgiven() -> tuple[str, ...]:
    """What a test makes fail."""
    return ("502",)


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    made = factories.conversation(unit, name="Marina")
    message(made, "Bom dia", minutes_ago=300)
    return made


def writes(chat: Conversation, *texts: str) -> list[Message]:
    """They are there, and told of, in one transaction: as a drain does it."""
    with transaction.atomic():
        rows = [message(chat, text) for text in texts]
        live.publish(changes_of(rows))
    return rows


def listening(page: Page, path: str) -> None:
    """Open a page, and its stream."""
    with page.expect_response("**/events*"):
        page.goto(path)


def wait_until(page: Page, look: Callable[[], Any]) -> None:
    for _ in range(300):
        if look():
            return
        page.wait_for_timeout(20)
    raise AssertionError("it did not happen")


def test_what_comes_between_the_page_and_its_stream_is_seen(page: Page, unit: Unit, chat: Conversation) -> None:
    asked: list[Route] = []

    def begin(route: Route) -> None:
        writes(chat, "entre os dois")
        route.continue_()

    page.route("**/events*", begin)
    page.route("**/changes*", lambda route: asked.append(route))
    listening(page, at(unit, f"conversations/{chat.id}"))
    writes(chat, "pelo canal")
    expect(page.locator("#messages")).to_contain_text("pelo canal")
    for route in asked:
        route.continue_()
    expect(page.locator("#messages")).to_contain_text("entre os dois")


def test_many_at_once_are_all_seen(page: Page, unit: Unit, chat: Conversation) -> None:
    listening(page, at(unit, f"conversations/{chat.id}"))
    for start in (0, 130):
        writes(chat, *(f"pedido {number}" for number in range(start, start + 130)))
    expect(page.locator("#messages")).to_contain_text("pedido 259")
    kept = {f"message-{pk}" for pk in chat.messages.values_list("pk", flat=True)}
    wait_until(page, lambda: set(page.locator("#messages > li.in").evaluate_all("all => all.map(e => e.id)")) == kept)


def test_an_answer_that_failed_is_asked_for_again(page: Page, unit: Unit, chat: Conversation) -> None:
    listening(page, at(unit, f"conversations/{chat.id}"))
    page.route(re.compile("/messages.*ids="), lambda route: route.fulfill(status=502), times=1)
    writes(chat, "Alguém aí?")
    expect(page.locator("#messages")).to_contain_text("Alguém aí?")


def test_what_comes_while_a_conversation_opens_is_seen(page: Page, unit: Unit, chat: Conversation) -> None:
    listening(page, at(unit))
    held: list[Any] = []
    page.route(re.compile(f"conversations/{chat.id}$"), lambda route: held.append((route, route.fetch())), times=1)
    page.locator(f"#row-{chat.id} a.row").click()
    wait_until(page, lambda: held)
    writes(chat, "Cheguei antes")
    expect(page.locator(f"#row-{chat.id}")).to_contain_text("Cheguei antes")
    route, answer = held[0]
    route.fulfill(response=answer)
    expect(page.locator("#messages")).to_contain_text("Bom dia")
    expect(page.locator("#messages")).to_contain_text("Cheguei antes")


def test_the_list_moves_while_more_comes_than_it_can_show(page: Page, unit: Unit, chat: Conversation) -> None:
    listening(page, at(unit, f"conversations/{chat.id}"))
    held: list[Route] = []
    page.route(re.compile(r"/conversations\?"), lambda route: held.append(route))
    writes(chat, "um")
    wait_until(page, lambda: held)
    writes(chat, "dois")
    expect(page.locator("#messages")).to_contain_text("dois")
    # The first answer comes only now, and is not thrown away for the second.
    held[0].continue_()
    expect(page.locator(f"#row-{chat.id}")).to_contain_text("dois")
    wait_until(page, lambda: len(held) == 2)
    held[1].continue_()


def test_a_late_answer_to_a_send_does_not_take_a_tick_away(page: Page, unit: Unit, chat: Conversation) -> None:
    listening(page, at(unit, f"conversations/{chat.id}"))
    held: list[Any] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append((route, route.fetch()))
        else:
            route.continue_()

    page.route(re.compile(f"{chat.id}/messages"), hold)
    page.locator("#text").fill("Já saiu")
    page.keyboard.press("Enter")
    wait_until(page, lambda: held)
    sent = chat.messages.get(body="Já saiu")
    with transaction.atomic():
        Message.objects.filter(pk=sent.pk).update(status="delivered")
        live.publish(changes_of([sent]))
    ticks = page.locator(f"#message-{sent.pk} .meta [title]")
    expect(ticks).to_have_attribute("title", re.compile("^Entregue"))
    route, answer = held[0]
    route.fulfill(response=answer)
    expect(page.locator("#messages .sending")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    expect(ticks).to_have_attribute("title", re.compile("^Entregue"))


def test_a_row_under_the_pointer_stays_until_it_has_left(page: Page, unit: Unit, chat: Conversation) -> None:
    other = factories.conversation(unit, name="Osvaldo")
    message(other, "Oi", minutes_ago=9)
    listening(page, at(unit, f"conversations/{other.id}"))
    row = page.locator(f"#row-{chat.id}")
    row.hover()
    steering.set_status(chat, "resolved")
    steering.set_status(other, "pending")
    expect(page.locator(f"#row-{other.id} .mark-state")).to_be_visible()
    expect(row).to_be_visible()
    page.mouse.move(900, 400)
    expect(row).to_have_count(0)


def test_what_a_program_changes_of_the_contact_shows_and_takes_nothing_from_who_types(
    page: Page, unit: Unit, chat: Conversation, api: APIClient
) -> None:
    contact, panel = f"/units/{unit.id}/contacts/{chat.contact_id}", page.locator("#contact-body")
    listening(page, at(unit, f"conversations/{chat.id}"))
    expect(panel.locator("dl")).to_contain_text("Marina")
    api.patch(contact, {"name": "Marina Alves", "tags": ["VIP"]}, format="json")
    expect(panel.locator(".panel-tags")).to_contain_text("VIP")
    for name in (panel.locator("dl"), page.locator("#thread-title"), page.locator(f"#row-{chat.id}")):
        expect(name).to_contain_text("Marina Alves")
    page.locator("#panel-tag").fill("Multif")
    api.post(f"{contact}/opt-out", {"reason": "Pediu"}, format="json")
    expect(page.locator("#opted-out")).to_be_visible()
    expect(page.locator("#panel-tag")).to_have_value("Multif")
    page.locator("#panel-tag").fill("")
    page.locator("#text").focus()
    expect(panel.locator("#panel-allow")).to_be_visible()
    page.locator("#panel-edit").click()
    panel.locator("[name=name]").fill("Marina Alves Lima")
    tags.add(unit, Contact.objects.filter(unit=unit), tags.named(unit, [f"t{number}" for number in range(3)]))
    steering.set_status(chat, "pending")
    expect(page.locator(f"#row-{chat.id} .mark-state")).to_be_visible()
    expect(panel.locator("[name=name]")).to_have_value("Marina Alves Lima")
    panel.get_by_role("button", name="Cancelar").click()
    expect(panel.locator(".panel-tags")).to_contain_text("t2")


def test_the_first_message_takes_the_place_of_the_words_that_there_is_none(page: Page, unit: Unit) -> None:
    chat = factories.conversation(unit, name="Marina")
    listening(page, at(unit, f"conversations/{chat.id}"))
    expect(page.locator("#messages-empty")).to_be_visible()
    writes(chat, "Primeira")
    expect(page.locator("#messages")).to_contain_text("Primeira")
    expect(page.locator("#messages-empty")).to_have_count(0)


def test_what_a_colleague_does_is_a_line_at_once(page: Page, unit: Unit, chat: Conversation, ana: User) -> None:
    listening(page, at(unit, f"conversations/{chat.id}"))
    steering.assign(chat, ana.pk, by=ana)
    expect(page.locator("#messages .event")).to_contain_text("Ana")
