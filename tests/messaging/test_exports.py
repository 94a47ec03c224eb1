"""The unit's contacts as a CSV file."""

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from crm_whatsapp.csv_export import guarded, unguarded
from messaging import exports
from messaging.imports.running import run_imports
from messaging.models import Contact, ContactImport
from tests import factories
from units.models import Unit, User


def export(api: APIClient, unit: Unit, query: str = "", language: str = "pt-br") -> list[list[str]]:
    """The file's rows, as a spreadsheet in that language reads them."""
    answer = api.get(f"/units/{unit.id}/contacts/export.csv{query}", headers={"Accept-Language": language})
    assert answer.headers["Content-Type"].startswith("text/csv")
    text = answer.getvalue().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if language == "pt-br" else ","))


def marina(unit: Unit) -> Contact:
    """Somebody with all that an export has."""
    unit.attributes.create(key="limite", name="Limite", kind="number")
    unit.attributes.create(key="nome", name="Nome", kind="text")
    contact = factories.contact(unit, phone="11900000142", name="Marina")
    Contact.objects.filter(pk=contact.pk).update(attributes={"limite": -1234.5, "nome": "+mãe"})
    for name in ("VIP", "Solar"):
        contact.contact_tags.create(unit=unit, tag=unit.tags.create(name=name))
    factories.opt_out(contact)
    return contact


@pytest.mark.django_db
def test_an_export_has_a_row_for_each_person(api: APIClient, unit: Unit) -> None:
    marina(unit)
    factories.group(unit)
    assert export(api, unit, language="en") == [
        ["Phone", "Name", "Tags", "Opted out", "Blocked", "Limite", "attributes.nome"],
        ["'+5511900000142", "Marina", "Solar, VIP", "Yes", "No", "-1234,5", "'+mãe"],
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["pt-br", "en"])
def test_an_export_can_be_imported_again(
    api: APIClient, unit: Unit, settings: Any, tmp_path: Any, language: str
) -> None:
    settings.MEDIA_ROOT = tmp_path
    marina(unit)
    factories.contact(unit, name='=Otto; o "bom"\n\'=')
    before = list(Contact.objects.order_by("id").values())
    answer = api.get(f"/units/{unit.id}/contacts/export.csv", headers={"Accept-Language": language})
    file = SimpleUploadedFile("contatos.csv", answer.getvalue())
    assert api.post(f"/units/{unit.id}/contacts/imports", {"file": file}, format="multipart").status_code == 202
    run_imports()
    assert ContactImport.objects.get().counts == {"created": 0, "updated": 0, "unchanged": 2, "refused": {}}
    assert list(Contact.objects.order_by("id").values()) == before


@pytest.mark.django_db
def test_an_export_has_whom_the_list_has(api: APIClient, unit: Unit) -> None:
    factories.contact(unit, name="Marina")
    factories.contact(unit, name="Otto")
    assert [row[1] for row in export(api, unit, "?search=mar")[1:]] == ["Marina"]


@pytest.mark.django_db
def test_an_export_goes_on_page_by_page(api: APIClient, unit: Unit) -> None:
    names = [f"Cliente {number}" for number in range(exports.PAGE + 1)]
    Contact.objects.bulk_create(Contact(unit=unit, name=name) for name in names)
    assert sorted(row[1] for row in export(api, unit)[1:]) == sorted(names)


@pytest.mark.django_db
def test_a_stranger_exports_nothing(unit: Unit, stranger: User) -> None:  # I7
    factories.contact(unit)
    other = APIClient()
    other.force_authenticate(stranger)
    assert other.get(f"/units/{unit.id}/contacts/export.csv").status_code == 404


@pytest.mark.parametrize("text", ["=1+1", "+5511900000142", "-2", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "'=1"])
def test_what_looks_like_a_formula_is_text(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("cell", ["Marina", "a=b", "'tis", "", -5, 1.5, None])
def test_what_is_harmless_is_left_alone(cell: object) -> None:
    assert guarded(cell) == ("" if cell is None else str(cell))


@given(st.text(alphabet="'=+-@ \t\rab"))
def test_every_text_comes_back_as_it_was(text: str) -> None:
    assert unguarded(guarded(text)) == text
