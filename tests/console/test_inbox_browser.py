"""The thread in a real browser: quotes that lead back, reactions that come and go, and nothing out of its place."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from messaging.models import Conversation, Message
from tests import factories
from tests.browser import needs_chromium
from tests.console.helpers import at, tell_of
from tests.factories import message, reaction
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


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    """A conversation of three pages."""
    made = factories.conversation(unit, name="Marina")
    for number in range(90):
        message(made, f"linha {number}", minutes_ago=1000 - number)
    return made


def test_a_quote_leads_to_its_message_however_far_back(page: Page, unit: Unit, chat: Conversation) -> None:
    first = chat.messages.earliest("happened_at")
    message(chat, "Sobre isto", reply_to_external_id=first.external_id)
    page.goto(at(unit, f"conversations/{chat.id}"))
    expect(page.locator(f"#message-{first.id}")).to_have_count(0)
    page.locator("a.quote").click()
    expect(page.locator(f"#message-{first.id}")).to_be_focused()
    expect(page.locator(f"#message-{first.id}")).to_be_in_viewport()


def test_a_reaction_comes_and_goes_while_one_looks(page: Page, unit: Unit, chat: Conversation) -> None:
    last = chat.messages.latest("happened_at")
    page.goto(at(unit, f"conversations/{chat.id}"))
    reaction(last, "❤️", minutes_ago=2)
    tell_of(last)
    hung = page.locator(f"#message-{last.id} .reactions")
    expect(hung).to_contain_text("Marina", timeout=LIVE)
    reaction(last, "", minutes_ago=1)
    tell_of(last)
    expect(hung).to_have_count(0, timeout=LIVE)


def test_a_message_deleted_while_one_looks_is_gone(page: Page, unit: Unit, chat: Conversation) -> None:
    last = chat.messages.latest("happened_at")
    quoting = message(chat, "Isto", out=True, reply_to_external_id=last.external_id)
    page.goto(at(unit, f"conversations/{chat.id}"))
    expect(page.locator(f"#message-{quoting.id} .quote")).to_contain_text("linha 89")
    Message.objects.filter(pk=last.pk).update(deleted_at=last.created_at)
    tell_of(last)
    expect(page.locator(f"#message-{last.id}")).to_contain_text("Mensagem apagada", timeout=LIVE)
    expect(page.locator(f"#message-{quoting.id} .quote")).to_contain_text("Mensagem apagada")
    assert "linha 89" not in page.locator("#messages").inner_html()


def test_a_change_far_back_stays_there(page: Page, unit: Unit, chat: Conversation) -> None:
    first, last = chat.messages.earliest("happened_at"), chat.messages.latest("happened_at")
    page.goto(at(unit, f"conversations/{chat.id}"))
    for row in (first, last):
        reaction(row, "👍")
        tell_of(row)
    expect(page.locator(f"#message-{last.id} .reactions")).to_be_visible(timeout=LIVE)
    expect(page.locator(f"#message-{first.id}")).to_have_count(0)


def test_what_comes_in_is_said_aloud_in_words(page: Page, unit: Unit, chat: Conversation) -> None:
    page.goto(at(unit, f"conversations/{chat.id}"))
    tell_of(message(chat, "na porta", kind="image"))
    expect(page.locator("#announcer")).to_have_text(re.compile("^Marina: Foto: na porta$"), timeout=LIVE)


def test_a_contact_card_opens_the_dialog_filled_in(page: Page, unit: Unit, chat: Conversation) -> None:
    card = {"contacts": [{"name": "Dra. Helena", "phones": ["+5511900000455"]}]}
    message(chat, "", kind="contact", details=card)
    page.goto(at(unit, f"conversations/{chat.id}"))
    page.get_by_role("link", name=re.compile("Iniciar conversa")).click()
    expect(page.get_by_role("textbox", name="Telefone", exact=True)).to_have_value("+5511900000455")
    page.get_by_role("button", name="Abrir conversa").click()
    expect(page.locator("#thread-title")).to_have_text("Dra. Helena")


def test_zoomed_to_400_per_cent_one_reads_and_answers(page: Page, unit: Unit, chat: Conversation) -> None:
    page.set_viewport_size({"width": 320, "height": 256})
    page.goto(at(unit))
    page.locator(f"#row-{chat.id} a.row").click()
    expect(page.locator("#messages")).to_contain_text("linha 89")
    page.locator("#text").fill("Está pronto\n" * 9)
    # A click by a person: what is covered, or out of the window, is not clicked.
    for place in ("#note-mode", "#note-mode", "#send"):
        expect(page.locator(place)).to_be_in_viewport(ratio=1)
        page.locator(place).click()
    expect(page.locator("#messages > li.out[id^=message-]")).to_have_count(1)
    assert page.locator("#scroll").evaluate("node => node.clientHeight") > 80
