"""Figures and settings: what is set takes hold, of people, programs, the number, and other systems."""

import json
import re
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import needs_chromium, open_page
from tests.e2e.desk import Customer, field, letters_in, row, thread
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("flows"), needs_chromium]

NEW = "cleo@example.com"


class Receiver(ThreadingHTTPServer):
    """Another system, which keeps what is posted to it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def heard(self, kind: str, **data: str) -> bool:
        """Whether it was told of such an event."""
        events = [event for body in self.bodies for event in body.get("events", [])]
        return any(event["kind"] == kind and data.items() <= event["data"].items() for event in events)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_what_is_set_takes_hold(connected: Stack, page: Page, receiver: Receiver) -> None:
    vera = Customer(connected, "5511977775001", "Vera")
    page.goto("settings/number")
    page.locator("[name=interval_seconds]").fill("3")
    page.get_by_role("button", name="Salvar ritmo").click()
    expect(page.locator(".pace-sentence")).to_contain_text("20 por minuto")
    ((interval,),) = connected.sql("SELECT interval_seconds FROM unit_whatsapp_connections")
    assert interval == 3

    # A ready reply, by its shortcut.
    page.goto("settings/replies")
    page.get_by_role("link", name="Nova resposta").click()
    page.get_by_role("dialog").get_by_label("Atalho").fill("vitrine")
    page.get_by_role("dialog").get_by_label("Texto").fill("Abrimos das 9h às 18h.")
    page.get_by_role("dialog").locator("button[type=submit]").click()
    expect(page.get_by_text("/vitrine", exact=True)).to_be_visible()
    vera.writes("Que horas abre?")
    page.goto("")
    row(page, "Vera").click()
    field(page).press_sequentially("/vit")
    expect(page.locator("#canned-list [role=option]")).to_have_count(1)
    field(page).press("Enter")
    expect(field(page)).to_have_value("Abrimos das 9h às 18h.")

    # Another system hears of what happens next.
    page.goto("settings/webhooks")
    page.get_by_label("Endereço").fill(receiver.url)
    page.get_by_role("button", name="Adicionar webhook").click()
    expect(page.get_by_role("heading", name=receiver.url)).to_be_visible()
    page.goto("")
    row(page, "Vera").click()
    field(page).press("Enter")
    wait_for(lambda: receiver.heard("message", direction="outbound", status="sent"), what="the event")
    assert vera.got() == ["Abrimos das 9h às 18h."]
    page.goto("settings/webhooks")
    page.locator("section.webhook").filter(has_text=receiver.url).get_by_role("link", name="Remover").click()
    page.get_by_role("dialog").locator("button[type=submit]").click()
    expect(page.get_by_role("heading", name=receiver.url)).to_have_count(0)

    # The address that the gateway posts to gets a new secret while customers write.
    page.goto("settings/secret")
    for number in range(6):
        vera.writes(f"durante a troca {number}")
        if number == 2:
            page.get_by_role("button", name="Renovar segredo").click()
    page.goto("")
    row(page, "Vera").click()
    for number in range(6):
        expect(thread(page).get_by_text(f"durante a troca {number}")).to_have_count(1)

    page.goto("overview")
    expect(page.locator(".figure-card").first).to_be_visible()


def test_a_person_and_a_program_come_in(connected: Stack, browser: Browser, page: Page, letters: Path) -> None:
    page.goto("settings/members")
    page.get_by_role("link", name="Convidar").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail").fill(NEW)
    dialog.get_by_label("Nome").fill("Cléo")
    dialog.locator("button[type=submit]").click()
    expect(page.get_by_role("row", name=re.compile(NEW))).to_contain_text("Convite pendente")

    def letter() -> str | None:
        return next((each.get_content() for each in reversed(letters_in(letters)) if each["To"] == NEW), None)

    (link,) = re.findall(r"http\S+", wait_for(letter, what="the letter"))
    newcomer = open_page(browser)
    newcomer.page.goto(link)
    for box in newcomer.page.locator("input[type=password]").all():
        box.fill("uma senha que ninguém tem")
    newcomer.page.locator("main button").last.click()
    newcomer.page.get_by_label("E-mail").fill(NEW)
    newcomer.page.get_by_label("Senha").fill("uma senha que ninguém tem")
    newcomer.page.get_by_role("button", name="Entrar").click()
    expect(newcomer.page.locator("#rows")).to_be_visible()
    newcomer.page.context.close()
    assert not newcomer.complaints, newcomer.complaints

    page.goto("settings/tokens")
    page.get_by_role("link", name="Criar token").click()
    page.get_by_label("Nome").fill("ERP")
    page.get_by_role("button", name="Criar token").click()
    token = page.locator("#secret").input_value()
    asked = ["curl", "-s", "--noproxy", "*", "-H", f"Authorization: Bearer {token}"]
    told = subprocess.run([*asked, f"{connected.url}/units/{connected.unit}"], capture_output=True, check=True)
    assert json.loads(told.stdout)["id"] == connected.unit
    page.goto("settings/tokens")
    expect(page.locator("#secret")).to_have_count(0)
    page.get_by_role("link", name=re.compile("Revogar.*ERP")).click()
    page.get_by_role("dialog").locator("button[type=submit]").click()
    expect(page.get_by_role("main").get_by_text("ERP", exact=True)).to_have_count(0)
    refused = subprocess.run([*asked, f"{connected.url}/units/{connected.unit}"], capture_output=True, check=True)
    assert "id" not in json.loads(refused.stdout)
