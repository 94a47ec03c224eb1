"""Finding something from any page."""

from typing import Any

import pytest
from django.test import Client

from tests import factories
from tests.console.helpers import HTMX, at
from units.models import Unit, User
from units.services import create_unit

pytestmark = pytest.mark.django_db


def test_people_messages_and_campaigns_are_found(browser_client: Client, unit: Unit) -> None:
    chat = factories.conversation(unit, name="Davi Prado")
    factories.message(chat, "A armação azul já chegou?")
    person = factories.contact(unit, name="Azulina Reis")
    campaign = factories.campaign(unit, start=False)
    type(campaign).objects.filter(pk=campaign.pk).update(name="Semana azul")
    page = browser_client.get(at(unit, "search"), {"q": "azul"}).text
    for address in (f"conversations/{chat.id}", f"contacts/{person.id}", f"campaigns/{campaign.id}"):
        assert at(unit, address) in page
    assert "A armação azul já chegou?" in page


def test_below_the_field_stand_the_first_of_each_kind(browser_client: Client, unit: Unit) -> None:
    for number in range(7):
        factories.contact(unit, name=f"Otto {number}")
    part = browser_client.get(at(unit, "search"), {"q": "otto"}, headers=HTMX).text
    assert "<html" not in part
    assert part.count("found-row") == 5


def test_nothing_of_another_unit_is_found(browser_client: Client, unit: Unit, stranger: User) -> None:  # I7
    other = create_unit("Loja de outro", owner=stranger)
    factories.message(factories.conversation(other, name="Otto Alheio"), "Segredo alheio")
    factories.campaign(other, start=False)
    for q in ("alheio", "volta"):
        assert "found-row" not in browser_client.get(at(unit, "search"), {"q": q}).text
    assert browser_client.get(at(other, "search"), {"q": "alheio"}).status_code == 404


def test_how_much_is_found_costs_no_more_queries(
    browser_client: Client, unit: Unit, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        factories.message(factories.conversation(unit, name=f"Otto {number}"), "Oi, sou o Otto")
    with django_assert_max_num_queries(26):
        browser_client.get(at(unit, "search"), {"q": "otto"})


def test_every_page_but_the_inbox_has_the_field(browser_client: Client, unit: Unit) -> None:
    """There the list's own does the same."""
    for path in ("contacts", "campaigns", "settings/labels", "overview", "attention"):
        assert 'id="search-everything"' in browser_client.get(at(unit, path)).text
    factories.conversation(unit)
    inbox = browser_client.get(at(unit)).text
    assert 'id="list-search"' in inbox
    assert 'id="search-everything"' not in inbox
