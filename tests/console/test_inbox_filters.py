"""Which conversations the list shows, and that its address says so."""

from urllib.parse import urlencode

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from messaging.inbox import steering
from messaging.models import Conversation, ConversationStatus, Label
from tests import factories
from tests.console.helpers import HTMX, at, colleague, message
from tests.console.test_inbox import ids
from units.models import Unit, User

S = ConversationStatus


@pytest.fixture
def solar(unit: Unit) -> Label:
    return Label.objects.create(unit=unit, name="Solar")


@pytest.fixture
def chats(unit: Unit, ana: User, solar: Label) -> dict[str, Conversation]:
    """Ana's own, with a label; Bia's, pending; nobody's, unread; and two that are out of hand."""
    names = ("mine", "bias", "unread", "snoozed", "resolved")
    made = {name: factories.conversation(unit, name=f"Pessoa {name}") for name in names}
    steering.assign(made["mine"], ana.pk)
    steering.add_label(made["mine"], solar)
    steering.assign(made["bias"], colleague(unit).pk)
    steering.set_status(made["bias"], S.PENDING)
    message(made["unread"])
    steering.set_status(made["snoozed"], S.SNOOZED)
    steering.set_status(made["resolved"], S.RESOLVED)
    return made


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"mine", "bias", "unread"}),
        ({"whose": "mine"}, {"mine"}),
        ({"whose": "unassigned"}, {"unread"}),
        ({"status": "open"}, {"mine", "unread"}),
        ({"status": "pending"}, {"bias"}),
        ({"status": "snoozed"}, {"snoozed"}),
        ({"status": "resolved"}, {"resolved"}),
        ({"status": "all"}, {"mine", "bias", "unread", "snoozed", "resolved"}),
        ({"unread": "1"}, {"unread"}),
        ({"unread": "1", "whose": "mine"}, set()),
        ({"q": "pessoa res"}, {"resolved"}),
        ({"q": "pessoa", "status": "pending"}, {"bias"}),
        ({"whose": "nonsense", "status": "nonsense", "label": "nonsense"}, {"mine", "bias", "unread"}),
    ],
)
def test_filters_are_combined(
    browser_client: Client, unit: Unit, chats: dict[str, Conversation], query: dict[str, str], expected: set[str]
) -> None:
    found = ids(browser_client.get(at(unit), query).text, "row")
    assert set(found) == {str(chats[name].id) for name in expected}


def test_of_several_labels_all_are_asked_for(
    browser_client: Client, unit: Unit, chats: dict[str, Conversation], solar: Label
) -> None:
    other = Label.objects.create(unit=unit, name="Retirada")
    assert ids(browser_client.get(at(unit), {"label": str(solar.id)}).text, "row") == [str(chats["mine"].id)]
    assert ids(browser_client.get(at(unit), {"label": [str(solar.id), str(other.id)]}).text, "row") == []


def test_an_empty_filter_says_which_it_is(
    browser_client: Client, unit: Unit, chats: dict[str, Conversation], solar: Label
) -> None:
    page = browser_client.get(at(unit), {"label": str(solar.id), "unread": "1"}).text
    assert "Solar + Não lidas" in page


def test_a_choice_brings_the_pane_and_its_address(browser_client: Client, unit: Unit) -> None:
    headers = HTMX | {"HX-Target": "inbox-list"}
    answer = browser_client.get(at(unit, "conversations"), {"whose": "mine", "q": "marina"}, headers=headers)
    assert answer.headers["HX-Push-Url"] == "?whose=mine&q=marina"
    assert 'id="inbox-list"' in answer.text
    assert "<html" not in answer.text


def test_what_is_searched_goes_to_the_address_and_to_the_rows(browser_client: Client, unit: Unit) -> None:
    row = factories.conversation(unit, name="Marina")
    answer = browser_client.get(at(unit, "conversations"), {"q": "marina"}, headers=HTMX)
    assert answer.headers["HX-Replace-Url"] == "?q=marina"
    assert f'href="{at(unit, f"conversations/{row.id}")}?q=marina"' in answer.text


def test_an_open_conversation_keeps_the_filter(
    browser_client: Client, unit: Unit, chats: dict[str, Conversation]
) -> None:
    page = browser_client.get(at(unit, f"conversations/{chats['bias'].id}"), {"whose": "mine"}).text
    assert ids(page, "row") == [str(chats["mine"].id)]
    assert f'href="{at(unit)}?whose=mine" data-back' in page


def test_a_row_shows_two_labels_whose_it_is_and_until_when_it_sleeps(browser_client: Client, unit: Unit) -> None:
    row = factories.conversation(unit, name="Marina")
    for name in ("A1", "B2", "C3", "D4"):
        steering.add_label(row, Label.objects.create(unit=unit, name=name))
    steering.assign(row, colleague(unit).pk)
    steering.set_status(row, S.SNOOZED)
    page = browser_client.get(at(unit, "conversations"), {"status": "snoozed"}, headers=HTMX).text
    assert page.count('class="conversation-label"') == 2
    assert 'title="C3, D4">+2<' in page
    assert 'title="Bia"' in page
    assert "#alarm-clock" in page


@pytest.mark.parametrize(("goal", "is_late"), [(30, True), (60, False)])
def test_the_hourglass_waits_for_the_goal_of_the_unit(
    browser_client: Client, unit: Unit, goal: int, is_late: bool
) -> None:
    Unit.objects.filter(pk=unit.pk).update(answer_goal=goal)
    message(factories.conversation(unit), minutes_ago=42)
    page = browser_client.get(at(unit)).text
    assert ("#hourglass" in page) is is_late
    assert "há 42 min" in page


def test_labels_and_colleagues_cost_no_further_queries(
    browser_client: Client, unit: Unit, ana: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    labels = [Label.objects.create(unit=unit, name=f"Etiqueta {number}") for number in range(5)]
    for _ in range(15):
        row = factories.conversation(unit)
        message(row)
        steering.assign(row, ana.pk)
        for label in labels:
            steering.add_label(row, label)
    query = urlencode({"label": labels[0].id})
    with django_assert_max_num_queries(20):
        browser_client.get(at(unit, f"?{query}"))
