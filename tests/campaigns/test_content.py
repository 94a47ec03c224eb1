"""What a campaign says: variables, choices, variants, and what is refused."""

import uuid
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import content
from campaigns.content import Person, Texts, Variant, render
from campaigns.language import parse
from campaigns.services import CampaignService, NotPossible
from messaging.models import AttributeDefinition, AttributeKind, Contact
from tests.factories import campaign, contact
from units.models import Unit

ANA = Person("Ana Souza", "+5511912345678", {"cidade": "Recife", "pontos": 12.5, "vip": True, "ultima": "2026-11-22"})
KINDS = {"cidade": "text", "pontos": "number", "vip": "boolean", "ultima": "date"}
SOMEBODY = uuid.UUID(int=7)


def say(text: str, person: Person = ANA, recipient: uuid.UUID = SOMEBODY, line: str = "") -> content.Rendered:
    return render(Texts((Variant(0, 1, parse(text), None),), line, KINDS), person, recipient)


def codes(text: str, **options: Any) -> list[str]:
    return [problem.code for problem in content.problems_of(text, keys=KINDS, **options)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Oi {{ nome }}!", "Oi Ana Souza!"),
        ("Oi {{primeiro_nome}}, {{ FIRST_NAME }}", "Oi Ana, Ana"),
        ("{{ telefone }}", "(11) 91234-5678"),
        ("{{ cidade | sua cidade }}", "Recife"),
        ("{{ pontos }} · {{ vip }} · {{ ultima }}", "12,5 · Sim · 22/11/2026"),
        (r"\{Oi\|Olá\} \\ C:\temp a|b", r"{Oi|Olá} \ C:\temp a|b"),
        ("{a|a} {{a|a}|{a|a}}", "a a"),
        ("50% off, R$ 10", "50% off, R$ 10"),
    ],
)
def test_a_text_becomes_what_a_person_reads(text: str, said: str) -> None:
    assert say(text).text == said


def test_the_fallback_stands_in_for_what_is_not_known() -> None:
    nobody = Person("", "", {"cidade": "  "})
    assert say("Oi {{ nome | cliente }} de {{ cidade | aí }}", nobody).text == "Oi cliente de aí"
    assert say(r"Oi {{ nome | \{querida\} }}{{ cidade | }}", nobody).text == "Oi {querida}"


def test_whoever_lacks_a_value_without_a_fallback_gets_nothing() -> None:
    assert say("Oi {{ nome }}", Person("", "", {})).problem == "missing_value"


@pytest.mark.parametrize("name", ["{{ telefone }}", "{a|b}", r"\{", "}}", "a|b", "{{"])
def test_a_value_is_never_read_again(name: str) -> None:
    assert say("{Oi|Oi} {{ nome }}", Person(name, "+5511912345678", {})).text == f"Oi {name}"


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("Oi {{ nomee }}", "unknown_variable", 3),
        ("Oi {Olá|Bom dia", "unclosed", 3),
        ("Oi } tudo", "unopened", 3),
        ("Oi {nome}", "no_choice", 3),
        ("{a|{b|{c|{d|{e|{f|g}}}}}}", "too_deep", 15),
        ("   ", "empty", 0),
        ("a" * 65_537, "too_long", 0),
    ],
)
def test_what_cannot_be_said_is_told_with_its_place(text: str, code: str, at: int) -> None:
    (problem,) = content.problems_of(text, keys=KINDS)
    assert (problem.code, problem.at) == (code, at)
    assert str(problem.message)


def test_an_unknown_variable_is_named_and_those_that_exist_with_it() -> None:
    (problem,) = content.problems_of("Oi {{ nomee }}", keys=["cidade"])
    assert problem.name == "nomee"
    assert "nomee" in str(problem.message)
    assert "cidade" in str(problem.message)


def test_a_caption_is_shorter_than_a_text_and_may_be_empty() -> None:
    assert codes("a" * 1025) == []
    assert codes("a" * 1025, caption=True) == ["too_long"]
    assert codes("{a|" + "b" * 1000 + "}", caption=True, opt_out_line="x" * 30) == ["too_long"]
    assert codes("", caption=True) == []


def test_the_opt_out_line_is_the_last_after_an_empty_one_and_is_not_read() -> None:
    assert say("Oi", line="Para {sair}, responda SAIR").text == "Oi\n\nPara {sair}, responda SAIR"


@pytest.mark.parametrize("text", ["}" * 60_000, "{{x}}" * 10_000, "{a}" * 10_000])
def test_of_very_many_mistakes_the_first_are_told(text: str) -> None:
    assert 1 < len(content.problems_of(text, keys=[])) < 30
    assert len(parse(text).problems) < 30


def test_a_text_that_grows_too_long_is_no_crash() -> None:
    assert say("{{ nome }}" * 1000, Person("a" * 200, "", {})).problem == "too_long"


def test_the_same_recipient_gets_the_same_each_time_and_others_others() -> None:
    text = "{a|b|c|d} {e|f|g|h}"
    assert say(text).text == say(text).text
    said = Counter(say(text, recipient=uuid.UUID(int=number)).text for number in range(1600))
    assert len(said) == 16
    assert min(said.values()) > 60


def test_variants_come_as_often_as_they_weigh() -> None:
    texts = Texts(tuple(Variant(place, weight, parse("x"), None) for place, weight in enumerate([1, 3, 6])), "", {})
    said = Counter(render(texts, ANA, uuid.UUID(int=number)).variant for number in range(10_000))
    assert [round(said[place] / 1000) for place in range(3)] == [1, 3, 6]


PIECES = st.lists(
    st.sampled_from(
        ["{", "}", "|", "\\", "{{", "}}", " ", "nome", "cidade", "{{ nome | x }}", "{{ cidade }}", "{a|b}", "é", "\n"]
    ),
    max_size=25,
).map("".join)


@settings(max_examples=400)
@given(text=PIECES, name=PIECES, recipient=st.uuids())
def test_what_passes_the_check_is_rendered_whatever_the_values_are(text: str, name: str, recipient: uuid.UUID) -> None:
    rendered = say(text, Person(name, "", {"cidade": name}), recipient)
    if codes(text):
        return
    assert rendered.problem in ("", "missing_value", "empty")
    if not name and "\\" not in text:
        assert not set("{}") & set(rendered.text)


@given(text=st.text(max_size=200))
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    assert say(text).problem in ("", "empty", "missing_value", "broken_text")
    codes(text)


def test_reading_takes_no_longer_than_the_text_is_long() -> None:
    for text in ("{{" + " " * 60_000, "{{" * 30_000, "{{a|" * 15_000, "{a|" * 20_000, "\\" * 60_000):
        parse(text)


@pytest.mark.django_db
def test_a_variable_of_the_unit_is_known_there_alone(unit: Unit) -> None:
    with pytest.raises(NotPossible) as refused:
        CampaignService.create(unit=unit, name="X", content="Oi de {{ cidade }}")
    assert refused.value.field == "content"
    AttributeDefinition.objects.create(unit=unit, key="cidade", name="Cidade", kind=AttributeKind.TEXT)
    assert CampaignService.create(unit=unit, name="X", content="Oi de {{ Cidade }}").pk


@pytest.mark.django_db
def test_missing_values_are_counted_before_the_start(unit: Unit) -> None:
    AttributeDefinition.objects.create(unit=unit, key="cidade", name="Cidade", kind=AttributeKind.TEXT)
    made = campaign(unit, people=3, start=False)
    Contact.objects.filter(pk=contact(unit, name="Ana").pk).update(attributes={"cidade": "Recife"})
    CampaignService(made).edit(
        content="{{ primeiro_nome }} {Oi|{{ Cidade }}} {{ telefone }} {{ nome | x }}", audience={"everyone": True}
    )
    assert content.missing(made) == {"primeiro_nome": 3, "Cidade": 3}
