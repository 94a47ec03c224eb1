"""The page of the phones in a browser: pair, write, break, at phone and desktop width."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import needs_chromium
from tests.sandbox.conftest import Evolution, Receiver
from tests.sandbox_process import Sandbox

pytestmark = [pytest.mark.browser, needs_chromium]


@pytest.fixture(params=[360, 1366], ids=["phone", "desktop"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that must not write anything to its console, at both widths."""
    context = browser.new_context(viewport={"width": request.param, "height": 800}, locale="pt-BR")
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    assert opened.evaluate("document.documentElement.scrollWidth") <= request.param
    context.close()
    assert complaints == []


def _show(page: Page, sandbox: Sandbox, name: str) -> None:
    page.goto(f"{sandbox.url}/phone/?instance={name}")
    if page.locator(".tabs").is_visible():
        page.get_by_role("button", name="Conversas").click()


def test_scanning_pairs_and_a_customer_can_write(
    sandbox: Sandbox, evolution: Evolution, receiver: Receiver, page: Page
) -> None:
    name, _ = evolution.create(qrcode=True, webhook=receiver.hook("page", "MESSAGES_UPSERT"))
    _show(page, sandbox, name)
    page.get_by_label("Número da unidade").fill("55 11 90000-4321")
    page.get_by_role("button", name="Escanear QR").click()
    expect(page.locator("#phone-state")).to_have_text("Conectado")
    page.get_by_role("button", name="Escrever como cliente").click()
    page.locator("#customer-form").get_by_role("button", name="Enviar").click()
    expect(page.locator("#bubbles li")).to_have_count(1)
    page.locator("#compose textarea").fill("<b>mais uma</b>")
    page.locator("#compose textarea").press("Enter")
    expect(page.locator("#bubbles li").last).to_contain_text("<b>mais uma</b>")
    texts = {arrival.body["data"]["message"]["conversation"] for arrival in receiver.wait("/page", 2)}
    assert texts == {"Oi, vocês abrem no sábado?", "<b>mais uma</b>"}


def test_a_message_from_the_unit_appears_and_can_be_read(sandbox: Sandbox, evolution: Evolution, page: Page) -> None:
    name = evolution.open()
    _show(page, sandbox, name)
    evolution.call("POST", f"/message/sendText/{name}", {"number": "5511999991234", "text": "Seu pedido saiu"})
    page.locator("#chats button").click()
    expect(page.locator("#bubbles li")).to_contain_text("enviada")
    page.get_by_role("button", name="Marcar como lida").click()
    expect(page.locator("#bubbles li")).to_contain_text("lida")


def test_a_customer_reacts_answers_edits_and_deletes(
    sandbox: Sandbox, evolution: Evolution, receiver: Receiver, page: Page
) -> None:
    name = evolution.open(webhook=receiver.hook())
    written = sandbox.inbound(name, "5511977776666", "Fica quanto?")
    _show(page, sandbox, name)
    page.locator("#chats button").click()
    page.get_by_role("button", name="Reagir com ❤️").click()
    expect(page.locator("#bubbles li").last).to_contain_text("Reação: ❤️")
    page.get_by_role("button", name="Responder").first.click()
    page.locator("#compose select[name=kind]").select_option("location")
    page.locator("#compose textarea").fill("Loja")
    page.locator("#compose textarea").press("Enter")
    expect(page.locator("#bubbles li").last).to_contain_text("Localização: Loja")
    page.once("dialog", lambda dialog: dialog.accept("Fica quanto mesmo?"))
    page.get_by_role("button", name="Editar").first.click()
    expect(page.locator("#bubbles li").first).to_contain_text("Fica quanto mesmo? (editada)")
    page.get_by_role("button", name="Apagar para todos").first.click()
    expect(page.locator("#bubbles li").first).to_contain_text("Mensagem apagada")
    receiver.event(name, "messages.delete")
    sent = {arrival.body["event"]: arrival.body["data"] for arrival in receiver.arrivals}
    assert sent["messages.delete"]["id"] == written
    assert sent["messages.upsert"]["contextInfo"]["stanzaId"] == written


def test_the_phone_can_lose_whatsapp_and_log_out(sandbox: Sandbox, evolution: Evolution, page: Page) -> None:
    name = evolution.open()
    _show(page, sandbox, name)
    page.get_by_role("button", name="Cortar o WhatsApp").click()
    expect(page.locator("#phone-state")).to_have_text("Sem WhatsApp")
    page.get_by_role("button", name="Religar o WhatsApp").click()
    expect(page.locator("#phone-state")).to_have_text("Conectado")
    page.get_by_role("button", name="Sair no celular").click()
    expect(page.locator("#phone-state")).to_have_text("Desconectado")


def test_a_fault_can_be_set_and_taken_away(sandbox: Sandbox, evolution: Evolution, page: Page) -> None:
    name = evolution.open()
    _show(page, sandbox, name)
    if page.locator(".tabs").is_visible():
        page.get_by_role("button", name="Falhas").click()
    page.get_by_role("button", name="Mais um envio: Erro 500", exact=True).click()
    expect(page.locator("#faults .set")).to_contain_text("1×")
    assert sandbox.instances()[name]["faults"] == {"error_500": 1}
    page.get_by_role("button", name="Tirar: Erro 500", exact=True).click()
    expect(page.locator("#faults .set")).to_have_count(0)
