"""The console in a real browser, with every process running: what a person sees of it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import Watched, chromium, needs_chromium, open_page
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console"), needs_chromium]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """After a send without an answer campaigns wait until the gateway can no longer act: not for minutes here."""
    with Stack(
        tmp_path_factory.mktemp("console"),
        EVOLUTION_SEND_TIMEOUT="2",
        EVOLUTION_CONNECT_TIMEOUT="1",
        SEND_GRACE_SECONDS="1",
    ) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def log_in(stack: Stack, browser: Browser, **options: object) -> Watched:
    watched = open_page(browser, **options)
    watched.page.goto(f"{stack.url}/app/")
    watched.page.get_by_label("E-mail").fill(stack.email)
    watched.page.get_by_label("Senha").fill(stack.password)
    watched.page.get_by_role("button", name="Entrar").click()
    expect(watched.page.get_by_role("link", name=re.compile("Conversas")).first).to_be_visible()
    return watched


@pytest.fixture
def watched(stack: Stack, browser: Browser) -> Iterator[Watched]:
    """Ana, logged in; at the end her page must have had nothing to complain of."""
    watched = log_in(stack, browser)
    yield watched
    watched.page.context.close()
    assert watched.complaints == []


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


@pytest.fixture
def connected(stack: Stack) -> Stack:
    if stack.get("/whatsapp/status")["status"] != "connected":
        stack.connect()
    return stack


def unit_page(stack: Stack, page: Page, path: str = "") -> None:
    page.goto(f"{stack.url}/app/u/{stack.unit}/{path}")


def test_the_code_shows_and_the_status_turns_to_conectado_without_reloading(stack: Stack, page: Page) -> None:
    if stack.get("/whatsapp/status")["status"] == "connected":
        stack.post("/whatsapp/disconnect")
    unit_page(stack, page, "number")
    page.get_by_role("button", name=re.compile("^Conectar")).first.click()
    expect(page.locator("img[src^='data:image/png']")).to_be_visible()
    expect(page.get_by_text("Aguardando leitura").first).to_be_visible()
    page.evaluate("window.notReloaded = true")
    stack.sandbox.scan(stack.instance, number="5511900000142", profile_name="Ótica Aurora")
    expect(page.locator("main").get_by_text("Conectado", exact=True)).to_be_visible()
    expect(page.get_by_text("(11) 90000-0142").first).to_be_visible()
    assert page.evaluate("window.notReloaded")


def test_a_conversation_fills_and_is_answered(connected: Stack, page: Page) -> None:
    unit_page(connected, page)
    connected.sandbox.inbound(connected.instance, "5511977776666", "Vocês abrem no sábado?", "Beatriz")
    page.get_by_role("link", name=re.compile("Beatriz")).click()
    expect(page.get_by_role("log").get_by_text("Vocês abrem no sábado?")).to_be_visible()
    page.get_by_role("textbox", name=re.compile("Resposta para")).fill("Abrimos sim, das 9h às 13h.")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log").get_by_text("Abrimos sim, das 9h às 13h.")).to_be_visible()
    (sent,) = wait_for(lambda: connected.sent("Abrimos sim, das 9h às 13h."), what="the answer on the phone")
    connected.sandbox.receipt(connected.instance, sent["id"], "READ")
    expect(page.get_by_role("log").get_by_title("Lida")).to_be_visible()
    connected.sandbox.inbound(connected.instance, "5511977776666", "Obrigada!")
    expect(page.get_by_role("log").get_by_text("Obrigada!")).to_be_visible()
    assert len(connected.sent("Abrimos sim, das 9h às 13h.")) == 1


def test_two_people_see_the_same_conversation_grow(connected: Stack, browser: Browser, page: Page) -> None:
    connected.sandbox.inbound(connected.instance, "5511955554444", "Oi, sou eu", "Cecília")
    other = log_in(connected, browser)
    for who in (page, other.page):
        unit_page(connected, who)
        who.get_by_role("link", name=re.compile("Cecília")).click()
        expect(who.get_by_role("log").get_by_text("Oi, sou eu")).to_be_visible()
    page.get_by_role("textbox", name=re.compile("Resposta para")).fill("Olá, Cecília!")
    page.keyboard.press("Enter")
    expect(other.page.get_by_role("log").get_by_text("Olá, Cecília!")).to_be_visible()
    other.page.context.close()
    assert other.complaints == []


def test_a_message_whose_fate_is_unknown_says_so_and_is_settled_by_a_person(connected: Stack, page: Page) -> None:
    connected.sandbox.inbound(connected.instance, "5511944443333", "Posso retirar hoje?", "Davi")
    unit_page(connected, page)
    page.get_by_role("link", name=re.compile("Davi")).click()
    connected.sandbox.fail(connected.instance, "reset_before_send")
    page.get_by_role("textbox", name=re.compile("Resposta para")).fill("Pode sim")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Sem confirmação").first).to_be_visible()
    page.get_by_role("button", name="Não chegou").click()
    expect(page.get_by_role("log").get_by_title("Não enviada")).to_be_visible()
    assert connected.sent("Pode sim") == []


def test_a_campaign_is_made_confirmed_and_watched_to_its_end(connected: Stack, page: Page) -> None:
    unit_page(connected, page, "campaigns")
    page.get_by_role("main").get_by_role("link", name="Nova campanha").first.click()
    page.get_by_label("Nome", exact=True).fill("Volta às aulas")
    page.get_by_label("Texto", exact=True).fill("Lentes com 30% até sábado")
    page.get_by_text("Uma lista de telefones").click()
    page.locator("textarea:visible").last.fill("(11) 95555-0001\n(11) 95555-0002\n(11) 95555-0003")
    page.get_by_role("button", name="Conferir antes de enviar").click()
    # The number of people stands on the button itself: on the rehearsal's, and on the question's.
    page.get_by_role("link", name=re.compile("3 pessoas")).click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("3 pessoas")).click()
    expect(page.get_by_text("Concluída").first).to_be_visible(timeout=30_000)
    texts = [message["text"] for message in connected.sent()]
    assert sum(text.startswith("Lentes com 30% até sábado\n\n") and "SAIR" in text for text in texts) == 3


def test_on_a_phone_the_list_leads_to_the_thread_and_back(connected: Stack, browser: Browser) -> None:
    connected.sandbox.inbound(connected.instance, "5511933332222", "Do celular", "Elisa")
    watched = log_in(connected, browser, viewport={"width": 360, "height": 740}, has_touch=True)
    page = watched.page
    unit_page(connected, page)
    page.get_by_role("link", name=re.compile("Elisa")).click()
    expect(page.get_by_role("log").get_by_text("Do celular")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.go_back()
    expect(page.get_by_role("link", name=re.compile("Elisa"))).to_be_visible()
    page.context.close()
    assert watched.complaints == []


def test_the_console_goes_on_by_asking_when_live_events_are_away(connected: Stack, browser: Browser) -> None:
    watched = log_in(connected, browser)
    page = watched.page
    page.route(re.compile(r"/events(\?|$)"), lambda route: route.abort())
    unit_page(connected, page)
    connected.sandbox.inbound(connected.instance, "5511922221111", "Sem eventos", "Fábio")
    expect(page.get_by_role("link", name=re.compile("Fábio"))).to_be_visible()
    page.context.close()


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/campaigns/campaign/add/", "/admin/units/whatsappconnection/", "/api/docs"]
)
def test_staff_and_developers_have_pages_without_complaints(stack: Stack, page: Page, path: str) -> None:
    page.goto(stack.url + path)
    page.wait_for_load_state("networkidle")
    expect(page.get_by_text(re.compile("CRM WhatsApp")).first).to_be_visible()
