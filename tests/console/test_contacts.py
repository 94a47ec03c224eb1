"""The people of a unit."""

import re

from django.test import Client
from pytest_django import DjangoAssertNumQueries

from messaging.models import Contact, Conversation
from tests import factories
from tests.console.helpers import HTMX, at
from units.models import Unit


def names(html: str) -> list[str]:
    return re.findall(r'class="one-line" title="([^"]+)"', html)


def test_contacts_are_listed_by_name(browser_client: Client, unit: Unit) -> None:
    for name in ("Osvaldo", "Camila", "Marina"):
        factories.contact(unit, name=name)
    assert names(browser_client.get(at(unit, "contacts"), headers=HTMX).text) == ["Camila", "Marina", "Osvaldo"]


def test_the_list_goes_on_after_the_last_one(browser_client: Client, unit: Unit) -> None:
    for number in range(53):
        factories.contact(unit, name=f"Cliente {number // 3:02d}")
    first = browser_client.get(at(unit, "contacts"), headers=HTMX).text
    after = re.search(r"after=([0-9a-f-]{36})", first)
    assert after
    rest = browser_client.get(at(unit, f"contacts?after={after[1]}"), headers=HTMX).text
    assert len(names(first)) + len(names(rest)) == 53


def test_the_list_costs_the_same_for_many(
    browser_client: Client, unit: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(30):
        factories.contact(unit)
    with django_assert_max_num_queries(8):
        browser_client.get(at(unit, "contacts"))


def test_adding_a_contact_twice_makes_one(browser_client: Client, unit: Unit) -> None:
    for phone in ("(11) 90000-0142", "+5511900000142"):
        browser_client.post(at(unit, "contacts/new"), {"phone": phone, "name": "Marina"})
    assert Contact.objects.get().name == "Marina"


def test_writing_to_a_contact_opens_the_one_conversation(browser_client: Client, unit: Unit) -> None:
    contact = factories.contact(unit)
    for _ in range(2):
        answer = browser_client.post(at(unit, f"contacts/{contact.id}/conversation"))
    assert answer.headers["Location"] == at(unit, f"conversations/{Conversation.objects.get().id}")
