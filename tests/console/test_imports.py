"""Contacts from a file, and to one, in the console."""

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from playwright.sync_api import Page, expect

from messaging.imports.running import run_imports
from messaging.models import Contact, ContactImport
from tests import factories
from tests.browser import needs_chromium
from tests.console.helpers import HTMX, at
from units.models import Unit, User


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


FILE = "nome;telefone;cidade\nMarina;11900000142;Santos\nOtto;x;Recife\n"


def upload(text: str = FILE) -> SimpleUploadedFile:
    return SimpleUploadedFile("clientes.csv", text.encode(), content_type="text/csv")


def test_a_chosen_file_shows_its_columns(browser_client: Client, unit: Unit) -> None:
    html = browser_client.post(at(unit, "contacts/imports/preview"), {"file": upload()}, headers=HTMX).text
    assert re.findall(r'name="column" value="([^"]+)"', html) == ["nome", "telefone", "cidade"]
    assert re.findall(r'<option value="(\w*)" selected', html) == ["name", "phone", ""]
    assert "11900000142" in html
    assert not ContactImport.objects.exists()


def test_a_file_that_is_none_says_so_beside_it(browser_client: Client, unit: Unit) -> None:
    for path in ("contacts/imports/preview", "contacts/imports"):
        answer = browser_client.post(at(unit, path), {"file": upload("")})
        assert (answer.status_code, "field-error" in answer.text) == (200, True)
    assert not ContactImport.objects.exists()


def test_a_file_is_imported_and_its_page_tells(browser_client: Client, unit: Unit) -> None:
    told = {"file": upload(), "tag": "Novembro", "agreed": "yes"}
    told |= {"column": ["nome", "telefone", "cidade"], "target": ["name", "phone", "attribute"]}
    answer = browser_client.post(at(unit, "contacts/imports"), told)
    page = answer.headers["Location"]
    assert "every 2s" in browser_client.get(page).text
    run_imports()
    html = browser_client.get(page, headers=HTMX).text
    assert "every 2s" not in html
    assert re.findall(r'class="figure">(\d+)<', html) == ["1", "0", "0", "1"]
    contact = Contact.objects.get()
    assert (contact.name, contact.attributes, contact.tags.get().name) == ("Marina", {"cidade": "Santos"}, "Novembro")
    assert "clientes.csv" in browser_client.get(at(unit, "contacts/imports")).text


def test_what_will_happen_is_told_before_it_does(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit, phone="+5511900000142")
    text = FILE + "Nina;11900000143;\nNina de novo;11900000143;\n"
    html = browser_client.post(at(unit, "contacts/imports/preview"), {"file": upload(text)}, headers=HTMX).text
    # New, already here, want no campaigns, refused: a number that is none, and one that was further up.
    assert re.findall(r'class="figure num[^"]*">(\d+)<', html) == ["1", "1", "0", "2"]
    assert re.findall(r'<td class="num">(\d+)</td>', html) == ["3", "5"]
    assert Contact.objects.count() == 1


def test_what_was_chosen_stays_when_the_rows_are_looked_at_again(browser_client: Client, unit: Unit) -> None:
    told = {"file": upload(), "column": ["nome", "telefone", "cidade"], "target": ["", "phone", "attribute"]}
    html = browser_client.post(at(unit, "contacts/imports/preview"), told | {"tag": "Loja"}, headers=HTMX).text
    assert re.findall(r'<option value="(\w*)" selected', html) == ["", "phone", "attribute"]
    assert 'value="Loja"' in html
    without = told | {"file": upload(), "target": ["name", "", ""]}
    html = browser_client.post(at(unit, "contacts/imports/preview"), without, headers=HTMX).text
    assert 'role="alert"' in html


def test_nothing_is_imported_before_somebody_has_said_whether_they_agreed(browser_client: Client, unit: Unit) -> None:
    told = {"file": upload(), "column": ["nome", "telefone", "cidade"], "target": ["name", "phone", ""]}
    answer = browser_client.post(at(unit, "contacts/imports"), told, headers=HTMX)
    assert "field-error" in answer.text
    assert not ContactImport.objects.exists()


def test_refused_rows_can_be_downloaded(browser_client: Client, unit: Unit) -> None:
    browser_client.post(at(unit, "contacts/imports"), {"file": upload()})
    row = ContactImport.objects.get()
    path = at(unit, f"contacts/imports/{row.id}/refused")
    assert browser_client.get(path).status_code == 404
    run_imports()
    assert b'"Otto";"x";"Recife"' in browser_client.get(path).getvalue()
    page = browser_client.get(at(unit, f"contacts/imports/{row.id}")).text
    assert '<code class="wrong">x</code>' in page


def test_the_list_shows_an_import_that_is_under_way(browser_client: Client, unit: Unit) -> None:
    browser_client.post(at(unit, "contacts/imports"), {"file": upload()})
    row = ContactImport.objects.get()
    assert 'id="import-strip"' in browser_client.get(at(unit, "contacts")).text
    run_imports()
    strip = browser_client.get(at(unit, f"contacts/imports/{row.id}?strip=1"), headers=HTMX).text
    assert "every 2s" not in strip
    assert 'id="import-strip"' not in browser_client.get(at(unit, "contacts")).text


def test_an_import_can_be_stopped(browser_client: Client, unit: Unit) -> None:
    browser_client.post(at(unit, "contacts/imports"), {"file": upload()})
    row = ContactImport.objects.get()
    cancel = at(unit, f"contacts/imports/{row.id}/cancel")
    assert "<dialog" in browser_client.get(cancel, headers=HTMX).text
    browser_client.post(cancel)
    run_imports()
    row.refresh_from_db()
    assert (row.status, Contact.objects.count()) == ("cancelled", 0)


def test_contacts_are_exported(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit, name="Marina")
    factories.contact(unit, name="Otto")
    text = browser_client.get(at(unit, "contacts/export?q=mari")).getvalue().decode()
    assert "Marina" in text
    assert "Otto" not in text


def test_an_import_of_another_unit_is_not_there(browser_client: Client, unit: Unit, stranger: User) -> None:  # I7
    theirs = Unit.objects.get(memberships__user=stranger)
    row = ContactImport.objects.create(unit=theirs, file_name="a.csv", file="a.csv", size=1)
    assert browser_client.get(at(unit, f"contacts/imports/{row.id}")).status_code == 404
    assert browser_client.post(at(unit, f"contacts/imports/{row.id}/cancel")).status_code == 404
    assert browser_client.get(at(unit, f"contacts/imports/{row.id}/refused")).status_code == 404
    assert browser_client.get(at(theirs, "contacts/imports")).status_code == 404


@pytest.mark.browser
@pytest.mark.xdist_group("console")
@needs_chromium
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("screen", [{"viewport": {"width": 360, "height": 780}}])
def test_a_browser_shows_the_columns_before_it_imports(page: Page, unit: Unit) -> None:
    page.goto(at(unit, "contacts/imports"))
    page.set_input_files("input[type=file]", {"name": "a.csv", "mimeType": "text/csv", "buffer": FILE.encode()})
    page.get_by_label("cidade").select_option("attribute")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("input[name=agreed][value=no]").check()
    expect(page.locator("#import-summary .figure").first).to_have_text("1")
    page.locator("#import-summary .button.primary").click()
    expect(page.locator("#import-live")).to_be_visible()
    run_imports()
    expect(page.locator("#import-live .figure").first).to_have_text("1")
    contact = Contact.objects.get()
    assert contact.attributes == {"cidade": "Santos"}
    # Not asked: a tag says so.
    assert contact.tags.count() == 1


def test_a_tag_that_none_can_be_is_refused_before_the_file_is_taken(browser_client: Client, unit: Unit) -> None:
    told = {"column": ["nome", "telefone", "cidade"], "target": ["name", "phone", ""], "agreed": "yes"}
    answer = browser_client.post(at(unit, "contacts/imports"), told | {"file": upload(), "tag": "natal, vip"})
    assert "sem vírgula" in answer.text
    assert not ContactImport.objects.exists()


def test_a_file_of_people_who_were_never_asked_is_told_from_another_such_file(
    browser_client: Client, unit: Unit
) -> None:
    told = {"column": ["nome", "telefone", "cidade"], "target": ["name", "phone", ""], "agreed": "no"}
    for name, phone in (("Marina", "11900000142"), ("Otto", "11900000143")):
        text = f"nome;telefone;cidade\n{name};{phone};x\n"
        browser_client.post(at(unit, "contacts/imports"), told | {"file": upload(text)})
        run_imports()
    for path in ("contacts", "campaigns/new"):
        page = browser_client.get(at(unit, path)).text
        for row in ContactImport.objects.all():
            # It would be the people of both.
            assert f'value="{row.pk}"' not in page
