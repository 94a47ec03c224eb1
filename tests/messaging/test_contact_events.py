"""Whoever changes a contact, the unit's feed tells of it; of many at once in one event."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from messaging import merging
from messaging.contacts.changes import MOST_TOLD
from messaging.imports.running import run_imports
from messaging.models import AttributeDefinition, Contact, ContactAddress, Tag
from tests.factories import contact, hook, inbound_text
from units.models import Unit, UnitFeed, User, WhatsAppConnection
from webhooks.drain import drain

pytestmark = pytest.mark.django_db

PHONE = "+5511977776666"


@pytest.fixture
def ana_maria(unit: Unit) -> Contact:
    return contact(unit, phone=PHONE, name="Ana Maria")


def last(unit: Unit) -> int:
    return UnitFeed.objects.filter(unit=unit).values_list("last_seq", flat=True).first() or 0


def told(api: APIClient, unit: Unit, after: int) -> list[tuple[str, dict[str, Any]]]:
    """Ids and members of the events about contacts, as the API tells them."""
    answer = api.get(f"/units/{unit.id}/changes", {"after": after}).json()
    return [(one["id"], one["data"]) for one in answer["results"] if one["kind"] == "contact"]


MANY = {"many": True}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("patch", "", {"name": "Ana M."}),
        ("patch", "", {"tags": ["VIP"]}),
        ("patch", "", {"attributes": {"grau": "2"}}),
        ("post", "/opt-out", {"reason": "Pediu"}),
        ("post", "/block", {"reason": "Spam"}),
    ],
)
def test_what_a_program_changes_is_told(
    api: APIClient, unit: Unit, ana_maria: Contact, method: str, path: str, body: Any
) -> None:
    AttributeDefinition.objects.create(unit=unit, key="grau", name="Grau", kind="text")
    url, seen = f"/units/{unit.id}/contacts/{ana_maria.id}{path}", last(unit)
    assert getattr(api, method)(url, body, format="json").status_code == 200
    assert told(api, unit, seen) == [(str(ana_maria.id), {})]
    if method == "post":
        seen = last(unit)
        assert api.delete(url, {"reason": "Voltou"}, format="json").status_code == 200
        assert told(api, unit, seen) == [(str(ana_maria.id), {})]


@pytest.mark.parametrize("count", [2, MOST_TOLD + 1])
def test_of_many_who_are_tagged_or_opted_out_one_event_tells(
    api: APIClient, browser_client: Client, unit: Unit, count: int
) -> None:
    people = [str(contact(unit, name=f"Pessoa {number}").pk) for number in range(count)]
    each = [(str(unit.id), MANY)] if count > MOST_TOLD else sorted((pk, {}) for pk in people)
    url, list_url = f"/units/{unit.id}/contacts/tags", f"/app/u/{unit.id}/contacts/chosen/"
    steps: list[Callable[[], Any]] = [
        lambda: api.post(url, {"add": ["VIP"], "remove": [], "filters": []}, format="json"),
        lambda: api.post(url, {"add": [], "remove": ["VIP"], "filters": []}, format="json"),
        lambda: browser_client.post(
            f"{list_url}opt-out", {"confirmed": "1", "people": count, "everybody": "1", "reason": "Pediram"}
        ),
    ]
    for step in steps:
        seen = last(unit)
        assert step().status_code in (200, 303)
        assert sorted(told(api, unit, seen)) == each


def test_an_import_tells_of_those_who_were_there(
    api: APIClient, unit: Unit, ana_maria: Contact, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT, seen = tmp_path, last(unit)
    new = "".join(f"Nova {number};119{number:08d};\n" for number in range(MOST_TOLD + 1))
    file = SimpleUploadedFile("clientes.csv", f"nome;telefone;etiquetas\n;{PHONE};VIP\n{new}".encode())
    answer = api.post(f"/units/{unit.id}/contacts/imports", {"file": file}, format="multipart")
    assert answer.status_code == 202
    run_imports()
    assert Contact.objects.filter(unit=unit).count() == MOST_TOLD + 2
    assert told(api, unit, seen) == [(str(ana_maria.id), {})]


@pytest.mark.parametrize(("said", "was_out"), [("PARAR", False), ("VOLTAR", True)])
def test_a_word_in_the_chat_is_told(
    api: APIClient, connection: WhatsAppConnection, unit: Unit, ana_maria: Contact, said: str, was_out: bool
) -> None:
    if was_out:
        tell(connection, "SAIR")
    seen = last(unit)
    tell(connection, said)
    assert told(api, unit, seen) == [(str(ana_maria.id), {})]


def tell(connection: WhatsAppConnection, text: str, name: str = "Ana Maria") -> None:
    body = inbound_text(connection, phone=PHONE[1:], text=text, external_id=f"3A{text}")
    body["data"] |= {"messageTimestamp": int(time.time()), "pushName": name}
    assert Client().post(hook(connection), json.dumps(body), content_type="application/json").status_code == 200
    drain(seconds=5)


def test_a_name_that_the_phone_tells_is_told(api: APIClient, connection: WhatsAppConnection, unit: Unit) -> None:
    nameless = contact(unit, phone=PHONE)
    tell(connection, "Oi")
    assert told(api, unit, 0) == [(str(nameless.id), {})]


def test_two_who_become_one_and_are_parted_are_told(api: APIClient, unit: Unit, ana_maria: Contact) -> None:
    other = contact(unit, name="Ana (trabalho)")
    seen = last(unit)
    kept, absorbed = ana_maria, other
    merge = merging.merge(kept, absorbed)
    assert dict(told(api, unit, seen)) == {str(kept.id): {}, str(absorbed.id): {"merged_into": str(kept.id)}}
    seen = last(unit)
    assert api.post(f"/units/{unit.id}/contacts/merges/{merge.id}/undo").status_code == 200
    assert dict(told(api, unit, seen)) == {str(kept.id): {}, str(absorbed.id): {}}


def test_a_tag_under_another_name_or_gone_is_told_once(api: APIClient, unit: Unit, ana_maria: Contact) -> None:
    tag = Tag.objects.create(unit=unit, name="VIP")
    url = f"/units/{unit.id}/tags/{tag.id}"
    for method, body in (("patch", {"name": "Ouro"}), ("delete", None)):
        seen = last(unit)
        assert getattr(api, method)(url, body, format="json").status_code in (200, 204)
        assert told(api, unit, seen) == [(str(unit.id), MANY)]


def test_what_staff_change_in_the_admin_is_told(api: APIClient, client: Client, unit: Unit, ana_maria: Contact) -> None:
    client.force_login(User.objects.create_superuser("staff@example.com"))
    tag, address = Tag.objects.create(unit=unit, name="VIP"), ContactAddress.objects.get(contact=ana_maria)
    seen = last(unit)
    form = {
        "name": "Ana M.",
        "addresses-TOTAL_FORMS": "1",
        "addresses-INITIAL_FORMS": "1",
        "addresses-0-id": str(address.pk),
        "addresses-0-contact": str(ana_maria.pk),
        "contact_tags-TOTAL_FORMS": "1",
        "contact_tags-INITIAL_FORMS": "0",
        "contact_tags-0-tag": str(tag.pk),
    }
    assert client.post(f"/admin/messaging/contact/{ana_maria.pk}/change/", form).status_code == 302
    ana_maria.refresh_from_db()
    assert (ana_maria.name, ana_maria.name_is_ours, list(ana_maria.tags.all())) == ("Ana M.", True, [tag])
    assert told(api, unit, seen) == [(str(ana_maria.id), {})]
