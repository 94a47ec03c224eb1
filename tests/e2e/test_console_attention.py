"""What needs a person: seen by everybody at once, told by one e-mail, and gone when it is settled."""

from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import needs_chromium
from tests.e2e.desk import ANA, BIA, Customer, answer, letters_in, row, ticked
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("flows"), needs_chromium]


def told(letters: Path, subject: str) -> Counter[str]:
    """Who got e-mails with such a subject, and how many."""
    return Counter(letter["To"] for letter in letters_in(letters) if subject in letter["Subject"])


def badge(page: Page, count: int) -> None:
    """What the navigation says needs somebody now."""
    shown = page.locator("#attention-badge .badge")
    if count:
        expect(shown).to_have_text(str(count))
    else:
        expect(shown).to_have_count(0)


def test_a_lost_number_and_an_answer_that_failed(connected: Stack, page: Page, other: Page, letters: Path) -> None:
    gil = Customer(connected, "5511977778001", "Gilberto")
    gil.writes("Chegou?")
    # What comes back within some minutes is the same matter, and nobody is told again: these are over.
    connected.sql("UPDATE attention_episodes SET ended_at = ended_at - interval '1 hour'")
    earlier = told(letters, "desconectado")
    page.goto("attention")
    other.goto("")
    # The demo data has something of each kind.
    now = page.locator("#needs-now .chip")
    before = int(now.inner_text()) if now.count() else 0

    connected.sandbox.logout(connected.instance)
    expect(page.locator("#needs")).to_contain_text("Número desconectado")
    for one in (page, other):
        badge(one, before + 1)
    wait_for(lambda: {ANA, BIA} <= (told(letters, "desconectado") - earlier).keys(), what="the e-mails")
    page.locator("#needs").get_by_role("link", name="Conectar de novo").click()
    page.get_by_role("button", name="Conectar de novo").click()
    expect(page.locator("#ring img")).to_be_visible()
    connected.sandbox.scan(connected.instance)
    for one in (page, other):
        badge(one, before)
    assert set((told(letters, "desconectado") - earlier).values()) == {1}

    # An answer that fails is one more of what is there already: it shows by itself, and is settled where it stands.
    page.goto("attention")
    row(other, "Gilberto").click()
    connected.sandbox.fail(connected.instance, "not_on_whatsapp")
    answer(other, "Chegou hoje cedo")
    expect(ticked(other, "Não enviada")).to_be_visible()
    expect(page.locator("#needs")).to_contain_text("Chegou hoje cedo")
    page.get_by_role("button", name="Enviar de novo para Gilberto").click()
    expect(page.locator("#needs")).not_to_contain_text("Chegou hoje cedo")
    assert wait_for(gil.got, what="the answer") == ["Chegou hoje cedo"]
