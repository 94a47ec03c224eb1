"""The people of a unit."""

import re
from html import unescape

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from messaging import people
from messaging.contacts import consent, tags
from messaging.models import AttributeDefinition, Contact, Conversation, OptOut
from tests import factories
from tests.console.helpers import HTMX, at
from units.models import Unit, User
from units.services import create_unit


def names(html: str) -> list[str]:
    return re.findall(r'class="person" title="([^"]+)"', html)


def test_contacts_are_listed_by_name(browser_client: Client, unit: Unit) -> None:
    for name in ("Osvaldo", "Camila", "Marina"):
        factories.contact(unit, name=name)
    assert names(browser_client.get(at(unit, "contacts"), headers=HTMX).text) == ["Camila", "Marina", "Osvaldo"]


def test_pages_follow_one_another_and_lead_back(browser_client: Client, unit: Unit) -> None:
    for number in range(53):
        factories.contact(unit, name=f"Cliente {number // 3:02d}")
    first = browser_client.get(at(unit, "contacts"), headers=HTMX).text
    second = browser_client.get(at(unit, f"contacts?{beside(first)['after']}"), headers=HTMX).text
    assert len(names(first)) + len(names(second)) == 53
    assert "51–53" in second
    again = browser_client.get(at(unit, f"contacts?{beside(second)['before']}"), headers=HTMX).text
    assert names(again) == names(first)


def beside(html: str) -> dict[str, str]:
    """The queries of the pages beside one."""
    return {name: unescape(query) for query, name in re.findall(r'\?([^"]*?(after|before)=[^"]+)"', html)}


@pytest.mark.parametrize("sort", ["-name", "since", "-since", "talked", "-talked"])
def test_every_order_shows_everybody_once(browser_client: Client, unit: Unit, sort: str) -> None:
    for number in range(53):
        somebody = factories.contact(unit, name=f"Cliente {number:02d}")
        if number % 2:
            factories.message(people.conversation_with(somebody), minutes_ago=number)
    first = browser_client.get(at(unit, f"contacts?sort={sort}"), headers=HTMX).text
    second = browser_client.get(at(unit, f"contacts?{beside(first)['after']}"), headers=HTMX).text
    assert len({*names(first), *names(second)}) == 53
    assert 'aria-sort="descending"' in second or not sort.startswith("-")


def test_the_list_costs_the_same_for_many(browser_client: Client, unit: Unit) -> None:
    def cost() -> int:
        with CaptureQueriesContext(database) as queries:
            browser_client.get(at(unit, "contacts"))
        return len(queries)

    factories.contact(unit)
    before = cost()
    for _ in range(30):
        tags.replace(factories.contact(unit), ["VIP"])
    assert cost() == before


def test_adding_a_contact_twice_makes_one(browser_client: Client, unit: Unit) -> None:
    for phone in ("(11) 90000-0142", "+5511900000142"):
        browser_client.post(at(unit, "contacts/new"), {"phone": phone, "name": "Marina"})
    assert Contact.objects.get().name == "Marina"


def test_writing_to_a_contact_opens_the_one_conversation(browser_client: Client, unit: Unit) -> None:
    contact = factories.contact(unit)
    for _ in range(2):
        answer = browser_client.post(at(unit, f"contacts/{contact.id}/conversation"))
    assert answer.headers["Location"] == at(unit, f"conversations/{Conversation.objects.get().id}")


def test_the_list_shows_tags_and_who_gets_no_campaigns(browser_client: Client, unit: Unit) -> None:
    marina, osvaldo = factories.contact(unit, name="Marina"), factories.contact(unit, name="Osvaldo")
    tags.replace(marina, ["VIP"])
    factories.opt_out(marina)
    consent.block(osvaldo, reason="Ofensas", by=None)
    rows = browser_client.get(at(unit, "contacts"), headers=HTMX).text.split("<tr>")[-2:]
    assert [('chip neutral"' in row, 'chip danger"' in row, ">VIP<" in row) for row in rows] == [
        (True, False, True),
        (False, True, False),
    ]


def test_what_the_unit_keeps_of_a_contact_is_edited(browser_client: Client, unit: Unit) -> None:
    AttributeDefinition.objects.create(unit=unit, key="nascimento", name="Nascimento", kind="date")
    known = factories.contact(unit, name="Marina")
    form = {"name": "Marina Luz", "tags": "VIP, Loja, vip", "attribute_nascimento": "28/02/1990"}
    assert browser_client.post(at(unit, f"contacts/{known.id}"), form).status_code == 303
    known.refresh_from_db()
    assert (known.name, known.attributes) == ("Marina Luz", {"nascimento": "1990-02-28"})
    page = browser_client.get(at(unit, f"contacts/{known.id}")).text
    assert 'value="Loja, VIP"' in page
    assert 'value="28/02/1990"' in page


def test_what_cannot_be_kept_is_said_beside_its_field(browser_client: Client, unit: Unit) -> None:
    AttributeDefinition.objects.create(unit=unit, key="idade", name="Idade", kind="number")
    known = factories.contact(unit, name="Marina")
    form = {"name": "Outra", "tags": "a" * 61, "attribute_idade": "muitos"}
    assert 'id="id_attribute_idade_error"' in browser_client.post(at(unit, f"contacts/{known.id}"), form).text
    page = browser_client.post(at(unit, f"contacts/{known.id}"), form | {"attribute_idade": "7"})
    assert 'id="id_tags_error"' in page.text
    known.refresh_from_db()
    assert (known.name, known.attributes) == ("Marina", {})


def test_consent_and_blocks_are_set_and_lifted_with_a_reason(browser_client: Client, ana: User, unit: Unit) -> None:
    known = factories.contact(unit)
    page = at(unit, f"contacts/{known.id}")

    def offered() -> list[str]:
        return re.findall(rf'href="{page}/consent/([a-z-]+)"', browser_client.get(page).text)

    assert offered() == ["opt-out", "block"]
    assert "id_reason_error" in browser_client.post(f"{page}/consent/opt-out", headers=HTMX).text
    for step in ("opt-out", "block"):
        browser_client.post(f"{page}/consent/{step}", {"reason": f"por {step}"})
    assert offered() == ["allow", "unblock"]
    assert "por opt-out" in browser_client.get(page).text
    assert OptOut.objects.get().by == ana
    for step in ("allow", "unblock"):
        browser_client.post(f"{page}/consent/{step}", {"reason": f"por {step}"})
    assert offered() == ["opt-out", "block"]
    assert browser_client.get(f"{page}/consent/nonsense").status_code == 404


def test_a_contact_of_another_unit_is_not_there(browser_client: Client, unit: Unit) -> None:  # I7
    theirs = factories.contact(create_unit("Outra"))
    for path in ("", "/consent/block"):
        assert browser_client.post(at(unit, f"contacts/{theirs.id}{path}"), {"reason": "x"}).status_code == 404
    theirs.refresh_from_db()
    assert theirs.blocked_at is None
