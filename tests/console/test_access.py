"""Who sees what: a stranger finds nothing, and nobody who is out gets a page."""

from uuid import uuid4

import pytest
from django.test import Client

from messaging.models import Message
from tests import factories
from tests.console.helpers import HTMX, at, message
from units.models import Unit, User

PAGES = ["", "conversations", "conversations/new", "number", "number/panel", "number/state", "number/disconnect"]
PAGES += ["campaigns", "campaigns/new", "campaigns/new/contacts", "contacts", "contacts/new"]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens_for_a_member(browser_client: Client, unit: Unit, path: str) -> None:
    assert browser_client.get(at(unit, path)).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_no_page_opens_for_a_stranger(client: Client, stranger: User, unit: Unit, path: str) -> None:  # I7
    client.force_login(stranger)
    theirs, nowhere = client.get(at(unit, path)), client.get(f"/app/u/{uuid4()}/{path}")
    assert theirs.status_code == nowhere.status_code == 404
    assert theirs.content == nowhere.content


@pytest.mark.parametrize("path", PAGES)
def test_every_page_asks_who_it_is(client: Client, unit: Unit, path: str) -> None:
    answer = client.get(at(unit, path))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/app/login?next=/app/u/")


def test_a_part_of_a_page_sends_the_whole_page_to_the_log_in(client: Client, unit: Unit) -> None:
    here = f"http://testserver{at(unit)}"
    answer = client.get(at(unit, "conversations"), headers=HTMX | {"HX-Current-URL": here})
    assert answer.headers["HX-Redirect"].startswith("/app/login?next=%2Fapp%2Fu%2F")


def test_a_part_is_never_cached_as_the_page(browser_client: Client, unit: Unit) -> None:
    assert "HX-Request" in browser_client.get(at(unit, "contacts"), headers=HTMX).headers["Vary"]


def test_a_conversation_of_another_unit_is_not_there(browser_client: Client, stranger: User, unit: Unit) -> None:
    theirs = factories.conversation(Unit.objects.of_member(stranger).get())
    for path in ("", "/messages"):
        assert browser_client.get(at(unit, f"conversations/{theirs.id}{path}")).status_code == 404
    assert browser_client.post(at(unit, f"conversations/{theirs.id}/messages"), {"text": "Oi"}).status_code == 404
    assert not Message.objects.exists()


def test_messages_of_another_conversation_are_not_shown(browser_client: Client, unit: Unit) -> None:
    here, other = factories.conversation(unit), factories.conversation(unit)
    foreign = message(other, "segredo")
    answer = browser_client.get(at(unit, f"conversations/{here.id}/messages?ids={foreign.id}"))
    assert "segredo" not in answer.text


def test_the_log_in_leads_to_the_first_unit(client: Client, unit: Unit) -> None:
    answer = client.post(
        "/app/login", {"username": "ANA@example.com", "password": "correct horse battery"}, follow=True
    )
    assert answer.request["PATH_INFO"] == at(unit)


def test_a_wrong_password_is_told_beside_the_form(client: Client, unit: Unit) -> None:
    answer = client.post("/app/login", {"username": "ana@example.com", "password": "wrong"})
    assert "E-mail e senha não conferem" in answer.text


def test_a_person_without_a_unit_is_told_what_to_do(client: Client, db: None) -> None:
    client.force_login(User.objects.create_user("novo@example.com", "x"))
    assert "Você ainda não está em nenhuma unidade" in client.get("/app/").text


def test_the_page_speaks_english_to_who_asks_for_it(browser_client: Client, unit: Unit) -> None:
    assert "Conversas" in browser_client.get(at(unit)).text
    english = browser_client.get(at(unit), headers={"Accept-Language": "en"}).text
    assert "Conversations" in english
    assert "Conversas" not in english
