"""What a person does with the composer, with a message and beside the thread, in a real browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from messaging import merging
from messaging.contacts import consent
from messaging.models import CannedReply, Conversation, Message, MessageStatus, Note
from messaging.outgoing import attachments
from messaging.outgoing.contents import Media
from messaging.outgoing.queueing import queue
from tests import factories
from tests.browser import Watched, needs_chromium
from tests.console.helpers import at, message
from tests.files import picture
from units.models import ConnectionStatus, Unit, User, WhatsAppConnection

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("console"),
    needs_chromium,
    pytest.mark.django_db(transaction=True),
]
MB = 1024 * 1024
# Without the live stream the page asks every 5 s, once it has waited 4 s for it.
LIVE = 20_000


@pytest.fixture
def screen() -> dict[str, Any]:
    return {"permissions": ["microphone"]}


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    made = factories.conversation(unit, name="Marina Alves")
    message(made, "Qual o valor da armação?", minutes_ago=5)
    return made


@pytest.fixture
def page(watched: Watched, unit: Unit, chat: Conversation) -> Page:
    watched.page.goto(at(unit, f"conversations/{chat.id}"))
    return watched.page


def field(page: Page) -> Any:
    return page.locator("#text")


def out(chat: Conversation) -> list[Message]:
    return list(chat.messages.filter(direction="outbound").order_by("created_at", "id"))


def bubbles(page: Page) -> Any:
    """Messages of ours that the server has."""
    return page.locator("#messages > li.out[id^=message-]")


def test_enter_sends_and_what_is_half_written_survives(page: Page, chat: Conversation) -> None:
    field(page).fill("R$ 300")
    field(page).press("Enter")
    expect(bubbles(page)).to_have_count(1)
    field(page).press_sequentially("Posso")
    field(page).press("Shift+Enter")
    field(page).press_sequentially("reservar?")
    page.reload()
    expect(field(page)).to_have_value("Posso\nreservar?")
    assert [row.body for row in out(chat)] == ["R$ 300"]


def test_an_answer_that_was_lost_makes_no_second_message(watched: Watched, page: Page, chat: Conversation) -> None:
    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/messages", lose)
    field(page).fill("Está pronto")
    field(page).press("Enter")
    field(page).fill("Pode vir")
    field(page).press("Enter")
    expect(page.locator("#messages .aside:not([hidden])").first).to_contain_text("nunca vai duas vezes")
    page.unroute("**/messages", lose)
    expect(bubbles(page)).to_have_count(2)
    assert [row.body for row in out(chat)] == ["Está pronto", "Pode vir"]
    watched.complaints[:] = [said for said in watched.complaints if "ERR_FAILED" not in said]


def test_what_is_written_offline_goes_when_the_network_is_back(
    watched: Watched, page: Page, chat: Conversation
) -> None:
    page.context.set_offline(True)
    field(page).fill("Chegou a sua lente")
    field(page).press("Enter")
    expect(page.locator("#messages .aside:not([hidden])")).to_contain_text("Esperando a conexão")
    assert out(chat) == []
    page.context.set_offline(False)
    expect(bubbles(page)).to_have_count(1)
    offline = ("ERR_INTERNET_DISCONNECTED", "htmx:sendError")
    watched.complaints[:] = [said for said in watched.complaints if not any(each in said for each in offline)]


def test_a_browser_that_keeps_nothing_loses_nothing(page: Page, unit: Unit, chat: Conversation) -> None:
    page.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') };"
        "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError') };"
    )
    other = factories.conversation(unit, name="Osvaldo")
    page.reload()
    page.set_input_files("#file", FilePayload(name="foto.png", mimeType="image/png", buffer=picture("PNG")))
    field(page).fill("Esta aqui")
    page.locator(f"#row-{other.id} a.row").click()
    expect(page.locator("#thread-title")).to_have_text("Osvaldo")
    page.locator(f"#row-{chat.id} a.row").click()
    expect(page.locator("#files")).to_contain_text("foto.png")
    expect(field(page)).to_have_value("Esta aqui")
    expect(page.locator("#composer-hint")).not_to_have_text("Rascunho salvo")
    with page.expect_event("dialog") as asked:
        page.evaluate("void setTimeout(() => location.reload())")
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    field(page).press("Enter")
    expect(bubbles(page).locator("img")).to_be_visible()
    field(page).fill("Serve?")
    field(page).press("Enter")
    expect(bubbles(page)).to_have_count(2)
    assert [(row.kind, row.body) for row in out(chat)] == [("image", "Esta aqui"), ("text", "Serve?")]


def test_what_is_refused_is_in_the_field_again_with_the_reason(
    watched: Watched, page: Page, chat: Conversation, ana: User
) -> None:
    consent.block(chat.contact, reason="Spam", by=ana)
    field(page).fill("Oi, tudo bem?")
    field(page).press("Enter")
    expect(page.locator("#composer-error")).to_contain_text("bloqueado")
    expect(field(page)).to_have_value("Oi, tudo bem?")
    assert out(chat) == []
    watched.complaints[:] = [said for said in watched.complaints if "422" not in said]


def test_files_are_seen_before_they_go_and_the_first_takes_the_words(page: Page, chat: Conversation) -> None:
    page.set_input_files(
        "#file",
        [
            FilePayload(name="armacao.png", mimeType="image/png", buffer=picture("PNG")),
            FilePayload(name="filme.mp4", mimeType="video/mp4", buffer=b"0" * 17 * MB),
        ],
    )
    rows = page.locator("#files > li")
    expect(rows.nth(0).locator("img")).to_be_visible()
    expect(rows.nth(1)).to_contain_text(re.compile("17 MB: o limite é 16 MB"))
    field(page).fill("Esta aqui")
    field(page).press("Enter")
    expect(bubbles(page)).to_have_count(1)
    expect(bubbles(page).locator("img")).to_be_visible()
    expect(rows).to_have_count(1)
    (made,) = out(chat)
    assert (made.kind, made.body) == ("image", "Esta aqui")


@pytest.mark.parametrize("how", ["paste", "drop"])
def test_a_picture_is_pasted_or_dropped(page: Page, chat: Conversation, how: str) -> None:
    where = "#text" if how == "paste" else "#scroll"
    page.locator(where).evaluate(
        """(node, [how, bytes]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], 'foto.png', { type: 'image/png' }));
          const options = { bubbles: true, cancelable: true };
          if (how === 'paste') node.dispatchEvent(new ClipboardEvent('paste', { ...options, clipboardData: data }));
          else node.dispatchEvent(new DragEvent('drop', { ...options, dataTransfer: data }));
        }""",
        [how, list(picture("PNG", (40, 30)))],
    )
    expect(page.locator("#files")).to_contain_text("foto.png")
    page.locator("#send").click()
    expect(bubbles(page)).to_have_count(1)
    assert out(chat)[0].kind == "image"


def test_a_slash_finds_a_canned_reply(page: Page, unit: Unit, chat: Conversation) -> None:
    CannedReply.objects.create(unit=unit, shortcut="encaixe", body="Temos encaixe às 16h20.")
    CannedReply.objects.create(unit=unit, shortcut="entrega", body="Oi, {{ primeiro_nome }}! Fica pronto em 5 dias.")
    field(page).press_sequentially("/en")
    options = page.locator("#canned-list [role=option]")
    expect(options).to_have_count(2)
    field(page).press("ArrowDown")
    field(page).press("Enter")
    expect(field(page)).to_have_value("Oi, Marina! Fica pronto em 5 dias.")
    expect(page.locator("#canned")).to_be_hidden()
    assert out(chat) == []


def test_a_note_goes_to_the_team_and_the_next_one_as_well(page: Page, chat: Conversation) -> None:
    page.locator("#note-mode").click()
    for words in ("Pedir a receita", "E o grau"):
        field(page).fill(words)
        page.get_by_role("button", name="Salvar nota").click()
        expect(page.locator("#messages .note", has_text=words)).to_be_visible()
    assert Note.objects.filter(conversation=chat).count() == 2
    assert out(chat) == []


def test_m_opens_the_menu_and_r_quotes(page: Page, chat: Conversation) -> None:
    page.locator("#scroll").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("m")
    expect(page.locator("#message-menu")).to_be_visible()
    page.keyboard.press("r")
    expect(page.locator("#quoting")).to_contain_text("Qual o valor da armação?")
    expect(field(page)).to_be_focused()
    field(page).fill("R$ 300")
    field(page).press("Enter")
    expect(bubbles(page).locator(".quote")).to_contain_text("Qual o valor")
    expect(page.locator("#quoting")).to_be_hidden()


def test_a_reaction_is_hung_by_the_menu_and_taken_back(page: Page, chat: Conversation) -> None:
    row = page.locator("#messages > li.in").last
    for count in (1, 0):
        row.hover()
        row.locator("[data-message-menu]").click()
        page.locator("#message-menu [data-emoji='👍']").click()
        expect(row.locator(".reactions")).to_have_count(count)


def test_emoji_are_found_by_their_name(page: Page, chat: Conversation) -> None:
    field(page).fill("Obrigada ")
    page.locator("#emoji-button").click()
    page.locator("#emoji-search").fill("coracao vermelho")
    page.keyboard.press("Enter")
    expect(field(page)).to_have_value("Obrigada ❤️")


def test_a_voice_message_is_recorded_and_sent(page: Page, chat: Conversation) -> None:
    page.locator("#voice-button").click()
    expect(page.locator("#recording [data-time]")).to_have_text("0:02")
    page.locator("#recording [data-finish]").click()
    expect(bubbles(page).locator(".player")).to_be_visible()
    (made,) = out(chat)
    assert (made.kind, made.details["media"]["voice"]) == ("audio", True)


def test_pictures_are_looked_at_one_after_the_other(page: Page, unit: Unit, chat: Conversation) -> None:
    for name in ("um.png", "dois.png"):
        file = attachments.attach(unit, picture("PNG"), name=name)
        queue(conversation=chat, content=Media(attachment=file, caption=name), author=None)
    page.reload()
    page.locator("a.media-picture").first.click()
    box = page.locator("#lightbox")
    expect(box.locator(".lightbox-words")).to_have_text("um.png")
    page.keyboard.press("ArrowRight")
    expect(box.locator(".lightbox-words")).to_have_text("dois.png")
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(page.locator("a.media-picture").last).to_be_focused()


def test_a_long_text_is_opened_and_stays_so(page: Page, chat: Conversation) -> None:
    message(chat, "linha\n" * 40)
    page.reload()
    page.get_by_role("button", name="Ler tudo").click()
    expect(page.locator(".bubble.long")).to_have_count(0)


def test_the_panel_takes_a_tag_and_makes_one_of_two(page: Page, unit: Unit, chat: Conversation) -> None:
    same = factories.conversation(unit, name="Marina (trabalho)")
    message(same, "Sou eu de novo", minutes_ago=3)
    panel = page.locator("#contact")
    panel.get_by_label("Nova etiqueta").fill("Multifocal")
    panel.get_by_role("button", name="Adicionar").click()
    expect(panel.locator(".panel-tags")).to_contain_text("Multifocal")
    panel.get_by_role("link", name="Juntar com outro contato").click()
    page.get_by_role("link", name=re.compile("Comparar com Marina")).click()
    page.get_by_role("button", name="Juntar os dois contatos").click()
    expect(page.locator("#messages")).to_contain_text("Sou eu de novo")
    expect(page.locator("#thread-title")).to_have_text("Marina Alves")


def test_what_is_half_written_goes_along_as_two_become_one(
    watched: Watched, page: Page, unit: Unit, chat: Conversation
) -> None:
    same = factories.conversation(unit, name="Marina (trabalho)")
    kept, absorbed = merging.in_order(chat.contact, same.contact)
    was, is_now = (same, chat) if kept == chat.contact else (chat, same)
    page.goto(at(unit, f"conversations/{was.id}"))
    field(page).fill("Posso reservar?")
    merging.merge(kept, absorbed)
    page.wait_for_url(f"**/conversations/{is_now.id}", timeout=LIVE)
    expect(field(page)).to_have_value("Posso reservar?")
    # What the page asked of the one that was no more.
    watched.complaints.clear()


def test_while_the_number_is_away_it_is_put_in_the_queue(page: Page, unit: Unit, chat: Conversation) -> None:
    WhatsAppConnection.objects.filter(unit=unit).update(status=ConnectionStatus.DISCONNECTED)
    page.reload()
    expect(page.locator(".composer-note.when-away")).to_be_visible()
    field(page).fill("Está pronto")
    page.get_by_role("button", name="Pôr na fila").click()
    expect(bubbles(page)).to_have_count(1)
    assert out(chat)[0].status == MessageStatus.QUEUED
