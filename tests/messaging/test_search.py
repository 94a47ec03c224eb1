"""Finding conversations by what was said and by whom, over the API."""

from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from messaging import search
from messaging.models import Conversation, Message
from tests import factories
from units.models import Unit, WhatsAppConnection
from units.services import create_unit


def say(row: Conversation, text: str, **values: Any) -> Message:
    """A message of the contact."""
    connection = WhatsAppConnection.objects.get(unit=row.unit_id)
    return Message.objects.create(
        unit_id=row.unit_id,
        connection=connection,
        conversation=row,
        direction="inbound",
        origin="contact",
        status="received",
        body=text,
        **values,
    )


def found(api: APIClient, unit: Unit, text: str) -> set[str]:
    answer = api.get(f"/units/{unit.id}/conversations", {"search": text})
    assert answer.status_code == 200, answer.content
    return {row["id"] for row in answer.json()["results"]}


@pytest.fixture
def row(unit: Unit) -> Conversation:
    return factories.conversation(unit, name="Márcia d'Ávila", phone="+5511987654321")


@pytest.mark.parametrize(
    "text",
    [
        "acao",
        "AÇÃO",
        "ação judicial",
        "judicial acao",
        "judic",
        "(ação)",
        "ação-judicial",
        "A\u0063\u0327a\u0303o",
        "nº 0012",
    ],
)
def test_words_are_found_whatever_their_case_accents_order_and_end(
    api: APIClient, unit: Unit, row: Conversation, text: str
) -> None:
    say(row, "Olá! Tenho uma Ação (judicial), nº 0012.")
    assert found(api, unit, text) == {str(row.id)}


@pytest.mark.parametrize("text", ["cao", "acao penal", "12", "!!!", "%", "' OR 1=1", "a:* | b", "acao & !penal", "\\"])
def test_what_is_not_said_is_not_found(api: APIClient, unit: Unit, row: Conversation, text: str) -> None:
    say(row, "Tenho uma Ação (judicial), nº 0012.")
    assert found(api, unit, text) == set()


@pytest.mark.parametrize("text", ["it's", "a & b", "x:*", "100%", "'aspas'", "c:\\temp", "{a}", "$1", "%s"])
def test_special_characters_are_text_like_any_other(api: APIClient, unit: Unit, row: Conversation, text: str) -> None:
    say(row, f"isto é {text} mesmo")
    assert found(api, unit, text) == {str(row.id)}


@pytest.mark.parametrize("text", ["ma", "avila", "D'AVILA marcia", "98765", "(11) 98765-4321", "+55 11 98765"])
def test_names_and_numbers_are_found(api: APIClient, unit: Unit, row: Conversation, text: str) -> None:
    factories.conversation(unit, name="Osvaldo", phone="+5511911112222")
    assert found(api, unit, text) == {str(row.id)}
    contacts = api.get(f"/units/{unit.id}/contacts", {"search": text}).json()["results"]
    assert [contact["id"] for contact in contacts] == [str(row.contact_id)]


def test_another_unit_s_words_are_not_found(api: APIClient, unit: Unit) -> None:  # I7
    other = create_unit("Outra")
    theirs = factories.conversation(other, name="Márcia", phone="+5511987654321")
    say(theirs, f"segredo unit{unit.id.hex}")
    assert found(api, unit, "segredo") == found(api, unit, "márcia") == found(api, unit, "98765") == set()


@pytest.mark.parametrize("text", ["u", "uni", "unit", "unit0"])
def test_the_mark_of_the_unit_in_the_index_is_no_word(api: APIClient, unit: Unit, row: Conversation, text: str) -> None:
    say(row, "nada disso")
    assert found(api, unit, text) == set()


def test_deleted_text_is_not_found(api: APIClient, unit: Unit, row: Conversation) -> None:
    say(row, "apagada", deleted_at="2026-01-01T00:00:00Z")
    assert found(api, unit, "apagada") == set()
    assert search.hits([row], unit, "apagada") == {}


def test_a_thread_is_searched(api: APIClient, unit: Unit, row: Conversation) -> None:
    wanted, _ = say(row, "o orçamento"), say(row, "outra coisa")
    say(factories.conversation(unit), "orçamento de outra pessoa")
    answer = api.get(f"/units/{unit.id}/conversations/{row.id}/messages", {"search": "orcamento"})
    assert [message["id"] for message in answer.json()["results"]] == [str(wanted.id)]


def say_often(rows: list[Conversation], text: str) -> None:
    """More often than a search reads."""
    connection = WhatsAppConnection.objects.get(unit=rows[0].unit_id)
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO messages (unit_id, connection_id, conversation_id, direction, origin, status, body)"
            " SELECT %s, %s, (%s::uuid[])[1 + n %% %s], 'inbound', 'contact', 'received', %s"
            " FROM generate_series(0, %s) n",
            [rows[0].unit_id, connection.id, [row.id for row in rows], len(rows), text, search.MANY_HITS],
        )


def test_a_common_word_is_found_as_a_rare_one_is(api: APIClient, unit: Unit) -> None:
    rows = [factories.conversation(unit) for _ in range(3)]
    say(rows[0], "outra coisa")
    say_often(rows[1:], "bom dia")
    named = factories.conversation(unit, name="Dia")
    assert found(api, unit, "dia") == {str(each.id) for each in [*rows[1:], named]}


@pytest.mark.parametrize("often", [False, True])
def test_a_search_costs_the_same_for_many(api: APIClient, unit: Unit, often: bool) -> None:
    if often:
        say_often([factories.conversation(unit)], "bom dia")
    counts = []
    for _ in range(2):
        for _ in range(5):
            say(factories.conversation(unit), "bom dia")
        with CaptureQueriesContext(database) as queries:
            assert found(api, unit, "dia")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_newest_hit_of_each_conversation_is_told(unit: Unit, row: Conversation) -> None:
    say(row, "orçamento velho", happened_at="2026-01-01T00:00:00Z")
    wanted = say(row, "orçamento novo", happened_at="2026-01-02T00:00:00Z")
    say(row, "obrigado", happened_at="2026-01-03T00:00:00Z")
    hits = search.hits([row, factories.conversation(unit)], unit, "orcamento")
    assert {key: (hit.message_id, hit.snippet) for key, hit in hits.items()} == {row.id: (wanted.id, "orçamento novo")}


def test_hits_of_many_conversations_cost_the_same(unit: Unit) -> None:
    rows = [factories.conversation(unit) for _ in range(6)]
    for row in rows:
        say(row, "orçamento")
    counts = []
    for some in (rows[:1], rows):
        with CaptureQueriesContext(database) as queries:
            assert len(search.hits(some, unit, "orcamento")) == len(some)
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("body", "text", "expected"),
    [
        ("Bom dia", "dia", "Bom dia"),
        ("x " * 100 + "Ação de graças", "acao", "…" + "x " * 19 + "Ação de graças"),
        ("uma\n\n  linha", "linha", "uma linha"),
        ("ﷺ " * 50 + "fim", "fim", "…" + "ﷺ " * 19 + "fim"),
        ("nada disso", "outra", "nada disso"),
    ],
)
def test_a_snippet_is_the_line_around_the_word(body: str, text: str, expected: str) -> None:
    assert search.snippet(body, text) == expected


def test_a_long_text_is_cut_on_both_sides() -> None:
    cut = search.snippet("antes " * 50 + "alvo " + "depois " * 50, "alvo")
    assert cut.startswith("…antes")
    assert "alvo" in cut
    assert cut.endswith("…")
    assert len(cut) <= search.SNIPPET + 2
