"""From the log-in to a number that is connected, and what a person sees when it is away."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import needs_chromium, open_page
from tests.e2e.desk import both_see, log_in
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("flows"), needs_chromium]


@pytest.fixture
def page(shop: Stack, browser: Browser) -> Iterator[Page]:
    """Ana's browser before she has logged in; her number is not connected."""
    if shop.get("/whatsapp/status")["status"] != "disconnected":
        shop.post("/whatsapp/disconnect")
        wait_for(lambda: shop.get("/whatsapp/status")["status"] == "disconnected", what="the disconnection")
    watched = open_page(browser)
    yield watched.page
    watched.page.context.close()
    assert watched.complaints == []


def state(page: Page, scene: str) -> None:
    """The connection page shows this."""
    expect(page.locator("#connection")).to_have_attribute("data-scene", scene)


def scan(shop: Stack) -> None:
    shop.sandbox.scan(shop.instance, number="5511900000142", profile_name="Ótica Aurora")


def look_now(shop: Stack) -> None:
    """The time to look after the number has come."""
    shop.sql("UPDATE unit_whatsapp_connections SET check_due_at = crm_now()")


def test_a_number_is_connected_lost_and_found_before_two_pairs_of_eyes(shop: Stack, page: Page, other: Page) -> None:
    log_in(shop, page)
    other.goto("number")
    page.wait_for_url("**/number")
    page.evaluate("window.notReloaded = true")

    # The server is down before anything has begun.
    shop.sandbox.server("down")
    connect = page.get_by_role("button", name=re.compile("^Conectar"))
    connect.first.click()
    expect(page.get_by_role("alert").first).to_contain_text("O servidor do WhatsApp não respondeu")
    shop.sandbox.server("up")
    page.get_by_role("button", name=re.compile("^(Conectar|Tentar)")).first.click()
    both_see(page.locator("#ring img"), other.locator("#ring img"))
    expect(page.locator("#number-state")).to_contain_text("Aguardando leitura")

    # The camera does not work: the other way.
    page.get_by_role("button", name="Usar código").click()
    page.get_by_label("Telefone").or_(page.locator("[name=phone_number]")).first.fill("(11) 90000-0142")
    page.get_by_role("button", name="Gerar o código").click()
    expect(page.locator(".code")).to_have_text(re.compile(r"^\w{4}–\w{4}$"))
    scan(shop)
    for one in (page, other):
        state(one, "connected")
        expect(one.locator("#connection")).to_contain_text("Ótica Aurora")
        expect(one.locator("#number-state")).to_contain_text("Conectado")
        expect(one.locator("#number-state")).to_contain_text("(11) 90000-0142")

    # Somebody removes the device on the phone; the way back stands on the page.
    shop.sandbox.logout(shop.instance)
    both_see(page.get_by_text("Alguém tirou este aparelho"), other.get_by_text("Alguém tirou este aparelho"))
    expect(other.locator("#number-state")).to_contain_text("Desconectado")
    other.get_by_role("button", name="Conectar de novo").click()
    page.get_by_role("button", name="Mostrar o QR").click()
    both_see(page.locator("#ring img"), other.locator("#ring img"))
    # Nobody scans, until the gateway makes no more codes.
    over = {"message": "QR code limit reached, please login again", "statusCode": 500}
    shop.sandbox.raw(shop.instance, "qrcode.updated", over)
    for one in (page, other):
        state(one, "expired")
    other.get_by_role("button", name="Gerar novo código").click()
    both_see(page.locator("#ring img"), other.locator("#ring img"))
    scan(shop)
    for one in (page, other):
        state(one, "connected")

    # The server goes away beneath a number that is connected, and comes back.
    shop.sandbox.server("down")
    look_now(shop)
    for one in (page, other):
        expect(one.locator("#connection")).to_contain_text("O servidor do WhatsApp não respondeu")
    shop.sandbox.server("up")
    look_now(shop)
    for one in (page, other):
        state(one, "connected")
    page.get_by_role("link", name="Ir para Conversas").click()
    expect(page.locator("#inbox-list")).to_be_visible()
