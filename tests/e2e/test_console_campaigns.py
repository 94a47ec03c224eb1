"""A campaign from the first word to the last receipt, watched from two places."""

import csv
import re
from collections import Counter

import pytest
from playwright.sync_api import Page, expect

from tests.browser import needs_chromium
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("flows"), needs_chromium]

PHONES = [f"(11) 95555-10{number:02d}" for number in range(8)]


def digits(phone: str) -> str:
    return "55" + re.sub(r"\D", "", phone)


def confirm(page: Page, words: str) -> None:
    """The dialog's own button, with the number of people on it."""
    page.get_by_role("dialog").get_by_role("button", name=re.compile(words)).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def state(page: Page, word: str) -> None:
    expect(page.locator("#campaign-live .title-line .chip")).to_have_text(word)


def done(page: Page) -> int:
    """Whose turn has come, as the page says."""
    found = re.search(r"(\d+) de \d+ pessoas", page.locator("#campaign-live").inner_text())
    return int(found[1]) if found else 0


def arrived(shop: Stack, text: str) -> Counter[str]:
    return Counter(sent["to"].partition("@")[0] for sent in shop.sent() if sent["text"].startswith(text))


def test_a_campaign_is_written_rehearsed_steered_and_counted(connected: Stack, page: Page, other: Page) -> None:
    connected.sql("UPDATE unit_whatsapp_connections SET interval_seconds = 1, jitter_seconds = 0")
    # The preview is of somebody real.
    connected.post("/contacts", {"phone": "(11) 95555-2000", "name": "Nina Souza"})
    page.goto("campaigns")
    page.locator("main a[href$='campaigns/new']").first.click()
    page.get_by_label("Nome", exact=True).fill("Volta às aulas")
    page.get_by_label("Texto", exact=True).fill("Lentes com 30%, {{ primeiro_nome | tudo bem }}?")
    page.get_by_text("Uma lista de telefones").click()
    page.locator("#id_phones").fill("\n".join([*PHONES, "banana"]))
    expect(page.locator("#tally")).to_contain_text("banana")
    page.locator("#id_phones").fill("\n".join(PHONES))
    expect(page.locator("#check .bubble")).to_contain_text(re.compile(r"Lentes com 30%, \w+\?"))
    expect(page.locator("#tally .total").last).to_contain_text("8")
    page.get_by_role("button", name="Conferir antes de enviar").click()

    # Rehearsed: who, and when it ends. Only the dialog's button sends.
    expect(page.locator(".samples .bubble").first).to_contain_text("Lentes com 30%, tudo bem?")
    page.get_by_role("link", name=re.compile("Enviar para 8 pessoas")).click()
    assert not arrived(connected, "Lentes com 30%")
    confirm(page, "Enviar para 8 pessoas")
    page.wait_for_url(re.compile(r"/campaigns/[0-9a-f-]{36}$"))
    other.goto(page.url)
    for one in (page, other):
        state(one, "Enviando")
    connected.sandbox.fail(connected.instance, "nacked")
    before = done(other)
    wait_for(lambda: done(other) > before, what="progress in the other browser")
    # Told before the number is lost, and what it still had to say with it.
    failed = "SELECT 1 FROM campaign_recipients WHERE campaign_id = %s AND status = 'failed'"
    wait_for(lambda: connected.sql(failed, page.url.rpartition("/")[2]), what="WhatsApp's refusal")

    other.locator("#campaign-pause").click()
    confirm(other, "Pausar para")
    for one in (page, other):
        state(one, "Pausada")
    page.locator("#campaign-resume").click()
    confirm(page, "Retomar")
    for one in (page, other):
        state(one, "Enviando")

    # The number is lost on the way: it waits, says why, and goes on by itself.
    connected.sandbox.logout(connected.instance)
    for one in (page, other):
        expect(one.locator("#campaign-live .banner")).to_contain_text("desconectad")
    rest = len(PHONES) - sum(arrived(connected, "Lentes com 30%").values())
    assert rest > 0
    connected.connect()
    for one in (page, other):
        state(one, "Concluída")
    expect(page.locator("#campaign-live")).to_contain_text("8 de 8 pessoas")

    # WhatsApp refused one of them; it is tried again.
    refused = page.locator("#recipients tbody tr").filter(has_text="Falhou")
    expect(refused).to_have_count(1)
    page.get_by_role("link", name=re.compile("Repetir para 1")).click()
    confirm(page, "Repetir para 1")
    for one in (page, other):
        expect(one.locator("#recipients").get_by_text("Falhou")).to_have_count(0)
        state(one, "Concluída")
    got = arrived(connected, "Lentes com 30%")
    assert sorted(got) == sorted(map(digits, PHONES))
    assert sorted(got.values()) == [1] * 7 + [2]

    with page.expect_download() as saved:
        page.get_by_role("link", name="Exportar CSV").click()
    with saved.value.path().open(encoding="utf-8-sig") as file:
        assert sum(1 for _ in csv.reader(file)) == 1 + len(PHONES)

    # A copy of it is started and cancelled.
    page.locator("#campaign-clone").click()
    confirm(page, "Duplicar")
    state(page, "Rascunho")
    page.locator("#campaign-start").click()
    confirm(page, "Enviar para 8 pessoas")
    state(page, "Enviando")
    page.locator("#campaign-cancel").click()
    confirm(page, "Cancelar para")
    state(page, "Cancelada")
    assert sum(arrived(connected, "Lentes com 30%").values()) < 2 * len(PHONES)
    other.goto("campaigns")
    expect(other.locator("#campaign-list tbody tr").filter(has_text="Volta às aulas")).to_have_count(2)
