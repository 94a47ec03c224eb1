"""The inbox before two pairs of eyes: what customers write, what is answered, and what colleagues see of it."""

import re
import signal
from itertools import count

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import needs_chromium
from tests.e2e.desk import SAMPLES, Customer, answer, both_see, field, message_menu, row, seat, thread, ticked
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("flows"), needs_chromium]

_numbers = count(5511977770001)


def customer(shop: Stack, name: str) -> Customer:
    return Customer(shop, str(next(_numbers)), name)


def both_open(one: Page, other: Page, name: str) -> None:
    for page in (one, other):
        row(page, name).click()
        expect(page.locator("#thread-title")).to_have_text(name)


def ticks(page: Page, text: str, word: str) -> None:
    """Of our message with this text."""
    expect(thread(page).locator("li.out").filter(has_text=text).locator(".meta .sr-only")).to_have_text(word)


def test_a_conversation_is_led_and_changes_before_two_people(connected: Stack, page: Page, other: Page) -> None:
    beatriz = customer(connected, "Beatriz")
    page.goto("")
    other.goto("")
    question = beatriz.writes("Vocês abrem no sábado?")
    both_see(row(page, "Beatriz").locator(".badge"), row(other, "Beatriz").locator(".badge"))
    both_open(page, other, "Beatriz")
    beatriz.writes("De manhã?")
    both_see(thread(page).get_by_text("De manhã?"), thread(other).get_by_text("De manhã?"))

    # An answer that quotes, and its ticks.
    message_menu(page, "Vocês abrem").get_by_role("menuitem", name="Responder citando").click()
    answer(page, "Abrimos sim, das 9h às 13h.")
    for one in (page, other):
        sent = thread(one).locator("li.out").filter(has_text="Abrimos sim")
        expect(sent.locator(".quote")).to_contain_text("Vocês abrem no sábado?")
        ticks(one, "Abrimos sim", "Enviada")
    (told,) = wait_for(lambda: connected.sent("Abrimos sim, das 9h às 13h."), what="the answer on the phone")
    for status, word in (("DELIVERY_ACK", "Entregue"), ("READ", "Lida")):
        connected.sandbox.receipt(connected.instance, told["id"], status)
        for one in (page, other):
            ticks(one, "Abrimos sim", word)
    expect(row(page, "Beatriz").locator(".preview")).to_contain_text("Abrimos sim")

    # What becomes of messages afterwards.
    beatriz.reacts(told["id"], "👍")
    both_see(thread(page).get_by_text("👍").first, thread(other).get_by_text("👍").first)
    message_menu(page, "De manhã?").locator("[data-emoji]").first.click()
    reaction = "li.in.has-reactions .reactions"
    both_see(thread(page).locator(reaction), thread(other).locator(reaction))
    beatriz.edits(question, "Vocês abrem no domingo?")
    for one in (page, other):
        expect(thread(one).locator("li.in").filter(has_text="no domingo?")).to_contain_text("editada")
    beatriz.deletes(question)
    both_see(
        thread(page).locator("li.in").get_by_text("Mensagem apagada"),
        thread(other).locator("li.in").get_by_text("Mensagem apagada"),
    )
    expect(thread(page).get_by_text("no domingo?")).to_have_count(0)


def test_files_and_places_come_and_go(connected: Stack, page: Page, other: Page) -> None:
    caio = customer(connected, "Caio")
    caio.writes("Bom dia!")
    page.goto("")
    other.goto("")
    both_open(page, other, "Caio")
    caio.sends("image", "foto.jpg", "Essa armação?")
    caio.sends("audio", "voz.ogg")
    caio.sends("document", "orcamento.pdf")
    caio.sends("sticker", "figurinha.webp")
    caio.writes(location={"latitude": -23.6, "longitude": -46.66, "name": "Ótica da esquina"})
    caio.writes(contacts=[{"name": "Dona Ivone", "number": "5511966665555"}])
    for one in (page, other):
        expect(thread(one).locator(".media-picture img")).to_have_js_property("naturalWidth", 480)
        expect(thread(one).locator(".media-sticker")).to_have_js_property("complete", True)
        both_see(thread(one).get_by_text("Essa armação?"), thread(one).get_by_text("orcamento.pdf"))
        both_see(thread(one).get_by_text("Ótica da esquina"), thread(one).get_by_text("Dona Ivone", exact=True))
    expect(thread(page).locator("a[target=_blank]").filter(has_text="mapa")).to_have_attribute(
        "href", re.compile("-23.6")
    )
    seconds = page.evaluate(
        "async () => { const voice = document.querySelector('#messages audio'); voice.muted = true;"
        " await voice.play(); return voice.duration; }"
    )
    assert round(seconds) == 3
    with page.expect_download() as saved:
        thread(page).locator("a[download]").filter(has_text="orcamento.pdf").click()
    assert saved.value.path().read_bytes() == (SAMPLES / "orcamento.pdf").read_bytes()
    thread(page).locator(".media-picture").click()
    expect(page.locator("#lightbox img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()

    # One of ours, with words beneath it.
    page.locator("#file").set_input_files(SAMPLES / "foto.jpg")
    expect(page.locator("#files li")).to_have_count(1)
    answer(page, "Temos esta em azul")
    for one in (page, other):
        ours = thread(one).locator("li.out").filter(has_text="Temos esta em azul")
        expect(ours.locator("img")).to_be_visible()
        ticks(one, "Temos esta em azul", "Enviada")
    (photo,) = caio.got()
    assert photo.endswith("Temos esta em azul")


def test_colleagues_share_a_conversation_without_the_customer_hearing_of_it(
    connected: Stack, page: Page, other: Page
) -> None:
    dora = customer(connected, "Dora")
    dora.writes("Posso trocar a lente?")
    page.goto("")
    other.goto("")
    both_open(page, other, "Dora")
    # Somebody answers: it is seen while she writes.
    field(other).press_sequentially("Pode")
    expect(page.locator("#answering")).to_contain_text("Bia")
    field(other).fill("")

    page.locator("#note-mode").click()
    answer(page, "Cliente antiga: dez por cento")
    both_see(
        page.locator("#messages .note").get_by_text("dez por cento"),
        other.locator("#messages .note").get_by_text("dez por cento"),
    )
    page.locator("#note-mode").click()

    page.locator("#assign-button").click()
    page.locator("#assign-menu").get_by_role("button", name="Bia").click()
    for one in (page, other):
        expect(one.locator("#assign-button")).to_contain_text("Bia")
    other.goto("?whose=mine")
    expect(row(other, "Dora")).to_be_visible()
    row(other, "Dora").click()

    other.locator("#resolve-button").click()
    for one in (page, other):
        expect(one.locator("#thread-state")).to_have_attribute("data-state", "resolved")
    dora.writes("Mais uma coisa")
    for one in (page, other):
        expect(one.locator("#thread-state")).to_have_attribute("data-state", "open")
    page.locator("#snooze-button").click()
    page.locator("#snooze-menu").get_by_role("button", name="Daqui a 1 hora").click()
    for one in (page, other):
        expect(one.locator("#thread-state")).to_have_attribute("data-state", "snoozed")
    dora.writes("Ainda estão aí?")
    for one in (page, other):
        expect(one.locator("#thread-state")).to_have_attribute("data-state", "open")
    answer(page, "Estamos!")
    ticks(other, "Estamos!", "Enviada")
    assert dora.got() == ["Estamos!"]


def test_what_fails_says_why_and_goes_when_it_can(connected: Stack, page: Page, other: Page) -> None:
    elias = customer(connected, "Elias")
    elias.writes("Chegou?")
    page.goto("")
    other.goto("")
    both_open(page, other, "Elias")
    connected.sandbox.fail(connected.instance, "not_on_whatsapp")
    answer(page, "Chegou hoje")
    for one in (page, other):
        ticks(one, "Chegou hoje", "Não enviada")
        expect(row(one, "Elias").locator(".preview")).to_contain_text("Não enviada")
    thread(other).get_by_role("button", name="Enviar de novo").click()
    for one in (page, other):
        expect(ticked(one, "Enviada")).to_have_count(1)
    assert elias.got() == ["Chegou hoje"]

    # Nobody knows what became of it: a person decides.
    connected.sandbox.fail(connected.instance, "reset_before_send")
    answer(page, "Pode vir buscar")
    for one in (page, other):
        expect(thread(one).get_by_text("Sem confirmação").first).to_be_visible()
    thread(other).get_by_role("button", name="Não chegou").click()
    for one in (page, other):
        ticks(one, "Pode vir buscar", "Não enviada")
    assert elias.got() == ["Chegou hoje"]


def test_processes_that_die_lose_nothing_and_send_nothing_twice(connected: Stack, browser: Browser) -> None:
    fabio = customer(connected, "Fábio")
    fabio.writes("Oi")
    texts = [f"resposta {number}" for number in range(4)]
    with seat(connected, browser, forgiven="net::ERR_") as watched:
        page = watched.page
        page.goto("")
        row(page, "Fábio").click()
        for text in texts:
            answer(page, text)
            if text == texts[1]:
                for process in ("worker", "pump", "live"):
                    connected.supervisor.kill(process, signal.SIGKILL)
                fabio.writes("Ainda estou aqui")
        expect(thread(page).get_by_text("Ainda estou aqui")).to_have_count(1, timeout=30_000)
        expect(ticked(page, "Enviada")).to_have_count(4, timeout=60_000)
        assert fabio.got() == texts
        assert thread(page).locator("li.out .body").all_inner_texts() == texts


def test_on_a_phone_the_list_leads_to_the_thread_and_back(connected: Stack, browser: Browser) -> None:
    elisa = customer(connected, "Elisa")
    elisa.writes("Do celular")
    with seat(connected, browser, viewport={"width": 360, "height": 740}, has_touch=True) as watched:
        page = watched.page
        page.goto("")
        row(page, "Elisa").click()
        expect(thread(page).get_by_text("Do celular")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        elisa.writes("E de novo")
        expect(thread(page).get_by_text("E de novo")).to_be_visible()
        page.go_back()
        expect(row(page, "Elisa")).to_be_visible()
