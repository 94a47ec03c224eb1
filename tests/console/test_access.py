"""Who sees what. That a stranger finds nothing on any page: tests/access/test_console.py."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from campaigns.models import Campaign
from messaging.contacts import consent
from messaging.inbox import answering, steering
from messaging.models import Conversation, OptOutSource
from tests import factories
from tests.console.helpers import HTMX, at, colleague, message
from units.models import Unit, User, WhatsAppConnection


def test_a_part_of_a_page_sends_the_whole_page_to_the_log_in(client: Client, unit: Unit) -> None:
    here = f"http://testserver{at(unit)}"
    answer = client.get(at(unit, "conversations"), headers=HTMX | {"HX-Current-URL": here})
    assert answer.headers["HX-Redirect"].startswith("/app/login?next=%2Fapp%2Fu%2F")


def test_a_part_is_never_cached_as_the_page(browser_client: Client, unit: Unit) -> None:
    assert "HX-Request" in browser_client.get(at(unit, "contacts"), headers=HTMX).headers["Vary"]


def test_an_agent_sees_no_address_of_a_colleague(client: Client, ana: User, unit: Unit) -> None:
    """As in the API: who has no name goes by the first part of the address."""
    User.objects.filter(pk=ana.pk).update(email="ana@interno.example.com", first_name="")
    ana.refresh_from_db()
    chat = factories.conversation(unit)
    Conversation.objects.filter(pk=chat.pk).update(assigned_to=ana)
    steering.write_note(chat, ana, "Ligar amanhã")
    answering.begin(chat, ana)
    consent.opt_out(chat.contact, source=OptOutSource.STAFF, reason="Pediu", by=ana)
    Campaign.objects.create(unit=unit, name="Natal", content="Oi", created_by=ana)
    client.force_login(colleague(unit))
    for path in (f"conversations/{chat.id}", f"contacts/{chat.contact_id}", "campaigns", "number"):
        WhatsAppConnection.objects.filter(unit=unit).update(status="disconnected", phone_number="", cause="")
        text = client.get(at(unit, path)).text
        assert "interno.example.com" not in text, path
        assert "ana" in text, path
    assigned = client.post(at(unit, f"conversations/{chat.id}/assign"), {"to": str(ana.pk)}, headers=HTMX)
    assert "interno.example.com" not in assigned.text


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


def test_the_page_of_what_is_not_there_is_the_products_own_for_who_tries_it_too(
    browser_client: Client, unit: Unit, settings: Any
) -> None:
    settings.DEBUG = True
    assert "Não encontramos esta página" in browser_client.get(at(unit, f"campaigns/{uuid4()}")).text
    assert "Não encontramos esta página" in browser_client.get(f"/app/u/{uuid4()}/").text


@pytest.mark.parametrize("path", ["/app", "/admin", "/app/u/{}"])
def test_an_address_typed_without_its_last_slash_leads_on(browser_client: Client, unit: Unit, path: str) -> None:
    answer = browser_client.get(path.format(unit.id))
    assert answer.headers["Location"] == f"{path.format(unit.id)}/"


def test_a_person_without_a_unit_is_told_what_to_do(client: Client, db: None) -> None:
    client.force_login(User.objects.create_user("novo@example.com", "x"))
    assert "Você ainda não está em nenhuma unidade" in client.get("/app/").text


def test_the_page_speaks_english_to_who_asks_for_it(browser_client: Client, unit: Unit) -> None:
    assert "Conversas" in browser_client.get(at(unit)).text
    english = browser_client.get(at(unit), headers={"Accept-Language": "en"}).text
    assert "Conversations" in english
    assert "Conversas" not in english
