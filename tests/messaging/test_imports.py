"""Contacts from a CSV file, asked for over HTTP and worked off as the workers do."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from messaging.contacts import consent
from messaging.imports.reading import LONGEST_LINE
from messaging.imports.running import run_imports
from messaging.models import AttributeDefinition, Contact, ContactImport, OptOut, Tag
from tests import factories
from units.models import Unit, User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]


@pytest.fixture
def storage(settings: Any, tmp_path: Any) -> Any:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def upload(content: str | bytes, name: str = "clientes.csv") -> SimpleUploadedFile:
    data = content if isinstance(content, bytes) else content.encode()
    return SimpleUploadedFile(name, data, content_type="text/csv")


def at(unit: Unit, path: str = "") -> str:
    return f"/units/{unit.id}/contacts/imports{path}"


def post(api: APIClient, unit: Unit, content: str | bytes, mapping: Any = None, **fields: Any) -> Any:
    told = {"mapping": json.dumps(mapping)} if mapping is not None else {}
    return api.post(at(unit), {"file": upload(content)} | told | fields, format="multipart")


def imported(api: APIClient, unit: Unit, content: str | bytes, mapping: Any = None, **fields: Any) -> Any:
    """The import of a file, once it has ended, as the API tells of it."""
    answer = post(api, unit, content, mapping, **fields)
    assert answer.status_code == 202, answer.json()
    run_imports()
    return api.get(at(unit, f"/{answer.json()['id']}")).json()


def people(unit: Unit) -> dict[str, str]:
    """Names by number."""
    return {contact.phone_number: contact.name for contact in Contact.objects.filter(unit=unit)}


def test_a_file_is_imported_in_the_background(api: APIClient, unit: Unit) -> None:
    answer = post(api, unit, "nome;telefone\nMarina;(11) 90000-0142\n")
    assert answer.status_code == 202
    assert answer.json()["status"] == "waiting"
    assert not Contact.objects.exists()
    run_imports()
    told = api.get(at(unit, f"/{answer.json()['id']}")).json()
    assert (told["status"], told["percent"], told["rows_done"]) == ("done", 100, 1)
    assert told["counts"]["created"] == 1
    assert people(unit) == {"+5511900000142": "Marina"}


def test_the_same_file_again_changes_nothing(api: APIClient, unit: Unit) -> None:
    file = "nome;telefone;tags;saiu\nMarina;11900000142;VIP, Solar;não\nOtto;1132110000;;sim\n"
    imported(api, unit, file)
    before = list(Contact.objects.order_by("id").values()), list(OptOut.objects.values())
    again = imported(api, unit, file)
    assert again["counts"]["unchanged"] == 2
    assert (list(Contact.objects.order_by("id").values()), list(OptOut.objects.values())) == before


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_encoding_and_delimiter_are_found_out(api: APIClient, unit: Unit, encoding: str, delimiter: str) -> None:
    lines = [["Nome", "Telefone"], ["João Conceição", "11900000142"], ["Zoë", "11900000143"]]
    text = "\r\n".join(delimiter.join(cells) for cells in lines)
    assert imported(api, unit, text.encode(encoding))["counts"]["created"] == 2
    assert people(unit)["+5511900000142"] == "João Conceição"


def test_a_quoted_cell_may_go_over_lines(api: APIClient, unit: Unit) -> None:
    file = 'telefone;obs;nome\n11900000142;"liga\ndepois; ""tarde""";Marina\n11900000143;;Otto\n'
    told = imported(api, unit, file, {"telefone": "phone", "nome": "name", "obs": "attribute"})
    assert told["rows_done"] == 2
    kept = Contact.objects.get(name="Marina").attributes
    assert kept == {"obs": 'liga\ndepois; "tarde"'}


def test_old_line_ends_are_line_ends(api: APIClient, unit: Unit) -> None:
    assert imported(api, unit, "nome;telefone\rMarina;11900000142\rOtto;11900000143")["counts"]["created"] == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Neusa;", "no_number"),
        ("Neusa;11 9000-012", "invalid_number"),
        ("Neusa;90000-1003", "no_area_code"),
        ("Neusa;5,51191E+12", "rounded_number"),
        ("Neusa;11900000142;a;b", "too_many_columns"),
        ("Otto;+55 11 90000-0001", "duplicate"),
    ],
)
def test_a_refused_row_is_counted_and_given_back(api: APIClient, unit: Unit, row: str, reason: str) -> None:
    told = imported(api, unit, f"nome;telefone\nMarina;11900000001\n{row}\n")
    (refused,) = told["counts"]["refused_by_reason"]
    assert (refused["reason"], refused["count"], told["counts"]["created"]) == (reason, 1, 1)
    answer = api.get(at(unit, f"/{told['id']}/refused"), headers={"Accept-Language": "en"})
    header, line = answer.getvalue().decode("utf-8-sig").splitlines()
    assert header == '"Reason","nome","telefone"'
    assert line.startswith(f'"{refused["message"]}"') or "en" not in line
    assert row.split(";")[0] in line


def test_a_value_that_does_not_fit_names_its_column(api: APIClient, unit: Unit) -> None:
    for key, name in (("nascimento", "Nascimento"), ("desde", "Cliente desde")):
        AttributeDefinition.objects.create(unit=unit, key=key, name=name, kind="date")
    file = "telefone;Cliente desde;Nascimento\n11900000142;2020-01-31;ontem\n11900000143;hoje;\n11900000144;cedo;\n"
    told = imported(api, unit, file)
    found = [(one["reason"], one["column"], one["count"]) for one in told["counts"]["refused_by_reason"]]
    assert found == [("bad_value", "Cliente desde", 2), ("bad_value", "Nascimento", 1)]
    text = api.get(at(unit, f"/{told['id']}/refused"), headers={"Accept-Language": "en"}).getvalue().decode()
    assert '"The value in “Nascimento” does not fit its attribute.";"11900000142"' in text.replace(",", ";")


def test_refused_rows_are_safe_to_open(api: APIClient, unit: Unit) -> None:
    told = imported(api, unit, "nome;telefone\n=HYPERLINK(1);x\n")
    text = api.get(at(unit, f"/{told['id']}/refused")).getvalue().decode()
    assert ';"\'=HYPERLINK(1)";' in text


def test_an_open_quote_costs_its_own_line(api: APIClient, unit: Unit) -> None:
    rows = "".join(f"Cliente {n};1190000{n:04d}\n" for n in range(300))
    told = imported(api, unit, f'nome;telefone\n"Marina;11911110000\n{rows}')
    assert told["counts"]["created"] == 300
    assert told["counts"]["refused_by_reason"][0]["reason"] == "broken_quotes"


def test_the_end_of_a_line_that_is_too_long_is_no_row(api: APIClient, unit: Unit) -> None:
    long = "x" * (LONGEST_LINE - len("Marina;"))
    told = imported(
        api, unit, f"nome;telefone\nCaio;+5511955554444\nMarina;{long}+5511988887777;Bia\nDuda;+5511955553333\n"
    )
    assert [(row["reason"], row["count"]) for row in told["counts"]["refused_by_reason"]] == [("long_line", 1)]
    assert list(Contact.objects.order_by("name").values_list("name", flat=True)) == ["Caio", "Duda"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (b"PK\x03\x04rest of a workbook", "spreadsheet"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
        (b"Marina;11900000142\nOtto;11900000143\n", "no_header"),
        (b"nome;telefone\n", "no_rows"),
        (b"\xef\xbb\xbfnome;telefone\nJo\xe3o;11900000142\n", "wrong_encoding"),
    ],
)
def test_a_file_that_is_none_is_refused_with_a_sentence(
    api: APIClient, unit: Unit, storage: Any, content: bytes, code: str
) -> None:
    answer = post(api, unit, content)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["attr"], error["code"]) == ("file", code)
    assert not ContactImport.objects.exists()
    assert not list(storage.rglob("*.csv"))


def test_a_file_without_numbers_is_refused(api: APIClient, unit: Unit) -> None:
    answer = post(api, unit, "nome;cidade\nMarina;Santos\n")
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "mapping")


def test_a_file_that_is_too_large_is_refused(api: APIClient, unit: Unit, settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 10
    assert post(api, unit, "nome;telefone\nMarina;11900000142").json()["errors"][0]["code"] == "too_large"


def test_a_preview_shows_columns_and_keeps_nothing(api: APIClient, unit: Unit, storage: Any) -> None:
    file = upload("Cliente;Número;Etiqueta;Cidade\nMarina;11900000142;VIP;Santos\n")
    told = api.post(at(unit, "/preview"), {"file": file}, format="multipart").json()
    assert [column["name"] for column in told["columns"]] == ["Cliente", "Número", "Etiqueta", "Cidade"]
    assert told["columns"][0]["samples"] == ["Marina"]
    assert told["mapping"] == {"Cliente": "name", "Número": "phone", "Etiqueta": "tags"}
    assert not ContactImport.objects.exists()
    assert not list(storage.rglob("*"))


def test_a_column_of_numbers_is_known_by_what_is_in_it(api: APIClient, unit: Unit) -> None:
    told = api.post(at(unit, "/preview"), {"file": upload("quem;onde\nMarina;11900000142\n")}, format="multipart")
    assert told.json()["mapping"] == {"onde": "phone"}


@pytest.mark.parametrize(
    "mapping",
    [
        {"nome": "name"},
        {"nome": "phone", "telefone": "phone"},
        {"telefone": "phone", "nome": "attributes.unknown"},
        {"telefone": "phone", "sobrenome": "name"},
        ["telefone"],
        {"telefone": 1},
    ],
)
def test_columns_that_make_no_sense_are_refused(api: APIClient, unit: Unit, mapping: Any) -> None:
    answer = post(api, unit, "nome;telefone\nMarina;11900000142\n", mapping)
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "mapping")
    assert not ContactImport.objects.exists()


def test_attributes_are_read_by_their_kind_and_added_to_what_is_there(api: APIClient, unit: Unit) -> None:
    unit.attributes.create(key="limite", name="Limite", kind="number")
    unit.attributes.create(key="nascimento", name="Nascimento", kind="date")
    contact = factories.contact(unit, phone="11900000142")
    Contact.objects.filter(pk=contact.pk).update(attributes={"cor": "azul", "limite": 3})
    imported(api, unit, "fone;limite;nascimento\n11900000142;1.234,50;22/11/1990\n")
    contact.refresh_from_db()
    assert contact.attributes == {"cor": "azul", "limite": 1234.5, "nascimento": "1990-11-22"}


def test_an_attribute_is_made_when_asked_for(api: APIClient, unit: Unit) -> None:
    imported(api, unit, "fone;Cidade natal\n11900000142;Santos\n", {"fone": "phone", "Cidade natal": "attribute"})
    assert AttributeDefinition.objects.values_list("key", "name").get() == ("cidade_natal", "Cidade natal")
    assert Contact.objects.get().attributes == {"cidade_natal": "Santos"}


def test_tags_are_one_whatever_their_case(api: APIClient, unit: Unit) -> None:
    unit.tags.create(name="Vip")
    imported(api, unit, "fone;tags\n11900000142;VIP, solar\n11900000143;Solar\n", tags=["Novembro"])
    assert sorted(Tag.objects.values_list("name", flat=True)) == ["Novembro", "Solar", "Vip"]
    tags = Contact.objects.get(addresses__value="+5511900000142").tags
    assert sorted(tags.values_list("name", flat=True)) == ["Novembro", "Solar", "Vip"]


def test_a_name_that_staff_typed_stays(api: APIClient, unit: Unit) -> None:
    factories.contact(unit, phone="11900000142", name="Dona Marina")
    factories.contact(unit, phone="11900000143")
    told = imported(api, unit, "nome;fone\nMarina;11900000142\nOtto;11900000143\n")
    assert people(unit) == {"+5511900000142": "Dona Marina", "+5511900000143": "Otto"}
    assert (told["counts"]["updated"], told["counts"]["unchanged"]) == (1, 1)


def test_whoever_opted_out_stays_out(api: APIClient, unit: Unit) -> None:  # I9
    contact = factories.contact(unit, phone="11900000142")
    factories.opt_out(contact)
    imported(api, unit, "fone;saiu\n11900000142;não\n")
    assert consent.has_opted_out(contact)


def test_a_file_can_say_who_opted_out(api: APIClient, unit: Unit) -> None:  # I9
    imported(api, unit, "fone;saiu\n11900000142;sim\n11900000143;não\n11900000144;talvez\n")
    out = OptOut.objects.get()
    assert (out.value, out.source) == ("+5511900000142", "import")
    assert ContactImport.objects.get().counts["refused"] == {"bad_yes_no": 1}


def test_a_person_under_two_numbers_is_one(api: APIClient, unit: Unit) -> None:
    contact = factories.contact(unit, phone="11900000142")
    contact.addresses.create(unit=unit, kind="phone", value="+5511900000143")
    told = imported(api, unit, "nome;fone;tags\nMarina;11900000142;a\nMari;11900000143;b\n")
    assert told["counts"]["created"] == 0
    assert Contact.objects.get().name == "Marina"
    assert Contact.objects.get().tags.count() == 2


def test_a_unit_sees_its_own_imports_only(api: APIClient, unit: Unit, stranger: User) -> None:  # I7
    told = imported(api, unit, "fone\n11900000142\nx\n")
    other = APIClient()
    other.force_authenticate(stranger)
    theirs = Unit.objects.get(memberships__user=stranger)
    paths = [f"/{told['id']}", f"/{told['id']}/refused", ""]
    assert {other.get(at(unit, path)).status_code for path in paths} == {404}
    assert {other.get(at(theirs, path)).status_code for path in paths[:2]} == {404}
    assert other.get(at(theirs)).json()["results"] == []
    assert other.post(at(unit, f"/{told['id']}/cancel")).status_code == 404
    assert other.get(at(theirs, f"/{uuid4()}")).status_code == 404


def test_a_cancelled_import_does_nothing(api: APIClient, unit: Unit, storage: Any) -> None:
    row = post(api, unit, "fone\n11900000142\n").json()
    assert api.post(at(unit, f"/{row['id']}/cancel")).json()["status"] == "cancelled"
    run_imports()
    assert not Contact.objects.exists()
    assert not list(storage.rglob("*.csv"))
    assert api.post(at(unit, f"/{row['id']}/cancel")).status_code == 409


def test_what_was_uploaded_is_gone_when_it_is_imported(api: APIClient, unit: Unit, storage: Any) -> None:
    imported(api, unit, "fone\n11900000142\nx\n")
    assert [file.name for file in storage.rglob("*.csv")] == ["refused.csv"]


@pytest.mark.parametrize("begin", ["sep=;\r\n", '"sep=;"\n', "\ufeffSEP=;\n"])
def test_the_line_that_tells_excel_the_delimiter_is_no_header(api: APIClient, unit: Unit, begin: str) -> None:
    done = imported(api, unit, f"{begin}nome;telefone\nAna, a da loja;11900000001\n")
    assert people(unit) == {"+5511900000001": "Ana, a da loja"}
    assert done["percent"] == 100
