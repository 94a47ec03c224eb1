"""Contacts: a file of people comes in, many are tagged at once, and two that are one are merged and parted again."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import needs_chromium
from tests.e2e.desk import Customer, row, thread
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("flows"), needs_chromium]

FILE = """Cliente;Fone;Bairro;Observação
Iara Prates;(11) 98888-0001;Moema;antiga
Joel Dias;(11) 98888-0002;Lapa;
Ruim;12345;Sé;
Iara de novo;11988880001;Moema;
"""


def test_a_file_becomes_people_and_what_was_refused_comes_back(shop: Stack, page: Page) -> None:
    page.goto("contacts")
    page.get_by_role("link", name="Importar").first.click()
    page.locator("input[type=file]").set_input_files(
        {"name": "clientes.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    )
    columns = page.locator("#import-columns")
    expect(columns.get_by_role("row")).to_have_count(8)
    # The phone was found by what stands in it; the rest is said by a person.
    expect(page.get_by_label("“Fone”")).to_have_value("phone")
    page.get_by_label("“Cliente”").select_option("name")
    page.get_by_label("“Bairro”").select_option(label="Um novo atributo com este nome")
    expect(page.locator("#import-summary .refused-rows")).to_contain_text("12345")
    page.locator("[name=agreed][value=yes]").check()
    page.get_by_label("Etiqueta para todos").fill("Feira de maio")
    page.get_by_role("button", name="Importar 4 linhas").click()
    expect(page.locator("#import-live")).to_contain_text("Por que linhas foram recusadas")
    with page.expect_download() as saved:
        page.get_by_role("link", name=re.compile("Baixar as 2")).click()
    refused = saved.value.path().read_text()
    assert "12345" in refused
    assert "Joel" not in refused

    # The new people are together, and get one more tag; that is taken back.
    page.get_by_role("link", name="Ver estas pessoas").click()
    people = page.locator("table.people tbody tr")
    expect(people).to_have_count(2)
    expect(people.filter(has_text="Iara Prates")).to_contain_text("Feira de maio")
    page.locator("[data-choose-page]").check()
    page.locator("[data-bulk] button[formaction$='add-tag']").click()
    page.locator("dialog [name=tag_name]").fill("VIP")
    page.locator("dialog button[type=submit]").click()
    for name in ("Iara Prates", "Joel Dias"):
        expect(people.filter(has_text=name)).to_contain_text("VIP")
    page.locator("[name=undo] + button").click()
    expect(page.locator("table.people").get_by_text("VIP")).to_have_count(0)
    expect(page.get_by_role("link", name="Joel Dias")).to_be_visible()


def test_two_that_are_one_become_one_and_two_again(connected: Stack, page: Page, other: Page) -> None:
    kept = Customer(connected, "5511977779001", "Marta Reis")
    same = Customer(connected, "5511977779002", "Marta R")
    kept.writes("Do meu número")
    same.writes("Do outro número")
    other.goto("")
    row(other, "Marta R").filter(has_text="outro").click()
    expect(thread(other).get_by_text("Do outro número")).to_be_visible()
    page.goto("contacts")
    page.locator("main [name=q]").fill("Marta Reis")
    page.locator("table.people").get_by_role("link", name="Marta Reis").click()
    page.get_by_role("link", name="Juntar com outro contato").click()
    page.get_by_role("dialog").get_by_role("searchbox").fill("Marta R")
    page.get_by_role("link", name="Comparar com Marta R", exact=True).click()
    page.get_by_role("button", name="Juntar os dois contatos").click()
    # Whoever looks at the one that is no more is led to the other.
    expect(other.locator("#thread-title")).to_have_text("Marta Reis")
    for text in ("Do meu número", "Do outro número"):
        expect(thread(other).get_by_text(text)).to_be_visible()

    page.goto("contacts?q=Marta")
    page.locator("table.people").get_by_role("link", name="Marta Reis").click()
    page.get_by_role("link", name="Desfazer a junção com Marta R").click()
    page.get_by_role("button", name="Desfazer a junção").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.goto("contacts?q=Marta")
    expect(page.locator("table.people tbody tr")).to_have_count(2)
    expect(row(other, "Marta R").filter(has_text="Do outro número")).to_be_visible()
