"""The panel beside a conversation: fields, tags, consent, and two contacts that are one."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from messaging import merging
from messaging.contacts import consent
from messaging.contacts.editing import edit
from messaging.models import AttributeDefinition, Contact, Conversation
from tests import factories
from tests.console.helpers import HTMX, at, colleague, message
from units.models import Unit, User


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    made = factories.conversation(unit, name="Marina Alves", phone="+5511900000208")
    AttributeDefinition.objects.create(unit=unit, key="convenio", name="Convênio", kind="text")
    return made


def panel(chat: Conversation, path: str = "") -> str:
    return at(chat.unit, f"conversations/{chat.id}/contact{path}")


def test_the_panel_shows_what_is_known_at_a_fixed_cost(
    browser_client: Client, chat: Conversation, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    edit(chat.contact, tag_names=[f"etiqueta {n}" for n in range(12)], values={"convenio": "Particular"})
    campaign = factories.campaign(chat.unit, people=0, start=False)
    campaign.recipients.create(unit=chat.unit, contact=chat.contact)
    for _ in range(4):
        merging.merge(chat.contact, factories.contact(chat.unit, name="Marina A."))
    with django_assert_max_num_queries(14):
        html = browser_client.get(panel(chat), headers=HTMX).text
    for words in ("Particular", "etiqueta 11", "Volta às aulas", "Marina A."):
        assert words in html


def test_fields_are_changed_in_their_place_and_tags_stay(browser_client: Client, chat: Conversation) -> None:
    edit(chat.contact, tag_names=["VIP"])
    told = {"name": "Marina Albuquerque", "attribute_convenio": "Prefeitura"}
    html = browser_client.post(panel(chat, "/edit"), told, headers=HTMX).text
    chat.contact.refresh_from_db()
    assert (chat.contact.name, chat.contact.attributes) == ("Marina Albuquerque", {"convenio": "Prefeitura"})
    assert [tag.name for tag in chat.contact.tags.all()] == ["VIP"]
    assert "Prefeitura" in html


def test_a_value_of_the_wrong_kind_is_told_beside_its_field(browser_client: Client, chat: Conversation) -> None:
    AttributeDefinition.objects.create(unit=chat.unit, key="grau", name="Grau", kind="number")
    html = browser_client.post(panel(chat, "/edit"), {"name": "Marina", "attribute_grau": "muito"}, headers=HTMX).text
    assert 'value="muito"' in html
    assert "field-error" in html


def test_tags_come_and_go(browser_client: Client, chat: Conversation) -> None:
    browser_client.post(panel(chat, "/tag"), {"add": "Multifocal"}, headers=HTMX)
    tag = chat.contact.tags.get()
    assert tag.name == "Multifocal"
    browser_client.post(panel(chat, "/tag"), {"remove": str(tag.id)}, headers=HTMX)
    assert not chat.contact.tags.exists()


def test_a_tag_that_cannot_be_says_why_and_is_kept(browser_client: Client, chat: Conversation) -> None:
    html = browser_client.post(panel(chat, "/tag"), {"add": "a, b"}, headers=HTMX).text
    assert 'value="a, b"' in html
    assert "field-error" in html


def test_an_opt_out_is_noted_without_leaving_the_conversation(browser_client: Client, chat: Conversation) -> None:
    answer = browser_client.post(panel(chat, "/opt-out"), {"reason": "Pediu por telefone"}, headers=HTMX)
    assert consent.has_opted_out(chat.contact)
    assert answer.headers["HX-Retarget"] == "#contact-body"
    assert "panel-allow" in answer.text


def test_the_other_contact_is_searched_for(browser_client: Client, chat: Conversation) -> None:
    same = factories.contact(chat.unit, name="Marina A. (trabalho)")
    factories.contact(chat.unit, name="Osvaldo")
    html = browser_client.get(panel(chat, "/merge"), headers=HTMX).text
    assert str(same.id) in html
    assert "Osvaldo" not in html


def test_two_contacts_become_one_after_a_look_at_both(browser_client: Client, chat: Conversation) -> None:
    same = factories.conversation(chat.unit, name="Marina A. (trabalho)")
    message(same, "Oi, sou eu")
    where = panel(chat, f"/merge/{same.contact_id}")
    assert "Marina A. (trabalho)" in browser_client.get(where, headers=HTMX).text
    assert Contact.objects.filter(unit=chat.unit).count() == 2
    answer = browser_client.post(where, headers=HTMX)
    assert answer.headers["HX-Redirect"] == at(chat.unit, f"conversations/{chat.id}")
    assert Contact.objects.get(unit=chat.unit).name == "Marina Alves"
    assert chat.messages.get().body == "Oi, sou eu"


def test_an_agent_merges_nobody(unit: Unit, chat: Conversation) -> None:
    same, agent = factories.contact(unit, name="Marina A."), Client()
    agent.force_login(colleague(unit))
    assert agent.post(panel(chat, f"/merge/{same.id}"), headers=HTMX).status_code == 403
    assert "contact/merge" not in agent.get(panel(chat), headers=HTMX).text
    assert Contact.objects.filter(unit=unit).count() == 2


def test_nobody_is_merged_with_a_contact_of_another_unit(
    browser_client: Client, stranger: User, chat: Conversation
) -> None:
    theirs = factories.contact(Unit.objects.get(memberships__user=stranger), name="Marina")
    assert browser_client.post(panel(chat, f"/merge/{theirs.id}"), headers=HTMX).status_code == 404
