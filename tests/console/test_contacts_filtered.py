"""Finding people in the list: filters, and segments made of them."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils.http import urlencode

from messaging import people
from messaging.contacts import consent, tags
from messaging.models import Contact, ContactImport, Segment, Tag
from tests import factories
from tests.console.helpers import HTMX, at
from tests.console.test_contacts import names
from units.models import Role, Unit, User


@pytest.fixture
def everybody(unit: Unit) -> dict[str, Contact]:
    """One of each kind."""
    made = {name: factories.contact(unit, name=name) for name in ("Ana", "Bia", "Caio", "Davi", "Elza")}
    tags.replace(made["Ana"], ["VIP"])
    factories.opt_out(made["Bia"])
    consent.block(made["Caio"], reason="Ofensas", by=None)
    made["Davi"].addresses.update(not_on_whatsapp_at=made["Davi"].created_at)
    factories.message(people.conversation_with(made["Elza"]))
    return made


def found(client: Client, unit: Unit, **query: Any) -> list[str]:
    return names(client.get(at(unit, f"contacts?{urlencode(query)}"), headers=HTMX).text)


@pytest.mark.usefixtures("everybody")
def test_each_filter_finds_its_own(browser_client: Client, unit: Unit) -> None:
    tag = Tag.objects.get()
    imported = ContactImport.objects.create(unit=unit, file_name="a.csv", file="a.csv", size=1, tags=["VIP"])
    segment = Segment.objects.create(
        unit=unit, name="Fora", filters=[{"field": "opted_out", "op": "is", "value": True}]
    )
    asked = {
        "tag": (tag.pk, ["Ana"]),
        "import": (imported.pk, ["Ana"]),
        "segment": (segment.pk, ["Bia"]),
        "q": ("cai", ["Caio"]),
        "wrote": ("yes", ["Elza"]),
    }
    for name, (value, expected) in asked.items():
        assert found(browser_client, unit, **{name: value}) == expected, name
    for value, expected in {
        "accepts": ["Ana", "Elza"], "out": ["Bia"], "blocked": ["Caio"], "absent": ["Davi"],
    }.items():  # fmt: skip
        assert found(browser_client, unit, consent=value) == expected, value
    assert found(browser_client, unit, consent="accepts", wrote="no") == ["Ana"]


@pytest.mark.usefixtures("everybody")
def test_a_tag_that_is_no_more_finds_nobody(browser_client: Client, unit: Unit) -> None:
    tag = Tag.objects.get()
    tags.delete_tag(tag)
    assert found(browser_client, unit, tag=tag.pk) == []


@pytest.mark.usefixtures("everybody")
def test_the_address_follows_the_filter(browser_client: Client, unit: Unit) -> None:
    answer = browser_client.get(at(unit, "contacts?q=&tag=&consent=out&sort=name"), headers=HTMX)
    assert answer.headers["HX-Push-Url"] == at(unit, "contacts?consent=out")


@pytest.mark.usefixtures("everybody")
def test_a_filter_becomes_a_segment(browser_client: Client, unit: Unit) -> None:
    tag = Tag.objects.get()
    html = browser_client.get(at(unit, f"contacts/segments/new?tag={tag.pk}&q=ana")).text
    keys = re.findall(r'<option value="([^"]+)" selected', html)
    values = re.findall(r'name="value" value="([^"]*)"', html)
    assert keys == ["tag|is", "name|contains"]
    form = {"name": "VIPs", "condition": keys, "value": values[:2], "save": "1"}
    assert browser_client.post(at(unit, "contacts/segments/new"), form).status_code == 303
    segment = Segment.objects.get()
    assert segment.filters == [
        {"field": "tag", "op": "is", "value": str(tag.pk)},
        {"field": "name", "op": "contains", "value": "ana"},
    ]
    assert found(browser_client, unit, segment=segment.pk) == ["Ana"]


def test_a_search_by_number_becomes_a_segment_of_the_same_people(browser_client: Client, unit: Unit) -> None:
    factories.contact(unit, phone="+5511911112222", name="Ana")
    factories.contact(unit, name="Obra 1111")
    factories.contact(unit, name="Bia")
    for words, who in (("1111", ["Ana", "Obra 1111"]), ("91111-2222", ["Ana"])):
        assert found(browser_client, unit, q=words) == who
        html = browser_client.get(at(unit, f"contacts/segments/new?q={words}")).text
        (key,) = re.findall(r'<option value="([^"]+)" selected', html)
        form = {"name": words, "condition": [key], "value": [words], "save": "1"}
        assert browser_client.post(at(unit, "contacts/segments/new"), form).status_code == 303
        assert found(browser_client, unit, segment=Segment.objects.get(name=words).pk) == who


def test_a_segment_is_not_saved_until_it_says_something(browser_client: Client, unit: Unit) -> None:
    path = at(unit, "contacts/segments/new")
    wrong = {"name": "VIPs", "condition": ["tag|is", ""], "value": ["Nenhuma", ""]}
    answer = browser_client.post(path, wrong | {"save": "1"})
    assert "row-1-error" in answer.text
    assert 'value="Nenhuma"' in answer.text
    assert "banner danger" in browser_client.post(path, {"name": "Todos", "save": "1"}).text
    # A change of a condition is no attempt to save.
    assert "field-error" not in browser_client.post(path, {"condition": "tag|is", "value": ""}).text
    assert not Segment.objects.exists()


def test_a_segment_is_changed_and_deleted(browser_client: Client, unit: Unit) -> None:
    filters = [{"field": "last_inbound", "op": "within_days", "value": 30}]
    segment = Segment.objects.create(unit=unit, name="Recentes", filters=filters)
    page = at(unit, f"contacts/segments/{segment.id}")
    assert 'name="value" value="30"' in browser_client.get(page).text
    form = {"name": "Recentes", "condition": "last_inbound|within_days", "value": "7", "save": "1"}
    browser_client.post(page, form)
    segment.refresh_from_db()
    assert segment.filters[0]["value"] == 7
    assert "<dialog" in browser_client.get(f"{page}/delete", headers=HTMX).text
    browser_client.post(f"{page}/delete")
    assert not Segment.objects.exists()


def test_an_agent_uses_segments_and_makes_none(client: Client, unit: Unit) -> None:
    agent = User.objects.create_user("bia@example.com", "x")
    unit.memberships.create(user=agent, role=Role.AGENT)
    client.force_login(agent)
    assert client.get(at(unit, "contacts/segments")).status_code == 200
    assert client.get(at(unit, "contacts/segments/new")).status_code == 403
