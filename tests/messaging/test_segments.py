"""Contacts by what they have in common."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from messaging.contacts import segments
from messaging.contacts.segments import InvalidFilter
from messaging.models import (
    AddressKind,
    AttributeDefinition,
    Contact,
    ContactAddress,
    ContactTag,
    Conversation,
    Segment,
    Tag,
)
from tests.factories import contact, conversation, group, message, opt_out
from units.models import Unit
from units.services import create_unit

pytestmark = pytest.mark.django_db

PEOPLE: dict[str, dict[str, Any]] = {
    "Ana Luísa": {
        "phone": "+5511987650001",
        "cidade": "São Paulo",
        "idade": 30,
        "nascimento": "1996-05-02",
        "vip": True,
    },
    "Bruno": {"phone": "+5521987650002", "cidade": "Rio de Janeiro", "idade": 4, "nascimento": "2022-12-24"},
    "Carla": {"phone": "+351912345678", "vip": False},
}


@pytest.fixture
def people(unit: Unit) -> dict[str, Contact]:
    """Ana with the tag VIP, Bruno with Novo, and Carla without any."""
    for key, kind in {"cidade": "text", "idade": "number", "nascimento": "date", "vip": "boolean"}.items():
        AttributeDefinition.objects.create(unit=unit, key=key, name=key, kind=kind)
    made = {}
    for name, told in PEOPLE.items():
        one = contact(unit, phone=told["phone"], name=name)
        one.attributes = {key: value for key, value in told.items() if key != "phone"}
        one.save()
        made[name] = one
    for name, tag in {"Ana Luísa": "VIP", "Bruno": "Novo"}.items():
        ContactTag.objects.create(unit=unit, contact=made[name], tag=Tag.objects.create(unit=unit, name=tag))
    return made


def found(unit: Unit, *filters: dict[str, Any]) -> str:
    """The first letters of those for whom all filters hold."""
    return "".join(sorted(one.name[0] for one in segments.queryset(unit, list(filters))))


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("name", "contains", "luisa", "A"),
        ("name", "contains", ["luisa", "bru"], "AB"),
        ("name", "not_contains", "luisa", "BC"),
        ("name", "is", "Bruno", "B"),
        ("name", "is_not", ["Bruno", "Carla"], "A"),
        ("name", "is_empty", None, ""),
        ("name", "is_not_empty", None, "ABC"),
        ("phone", "is", "(11) 98765-0001", "A"),
        ("phone", "starts_with", "+55", "AB"),
        ("phone", "starts_with", ["+351", "+5521"], "BC"),
        ("phone", "ddd", "11", "A"),
        ("phone", "ddd", ["11", "(21)"], "AB"),
        ("phone", "is_empty", None, ""),
        ("phone", "is_not_empty", None, "ABC"),
        ("search", "contains", "98765-0001", "A"),
        ("search", "contains", ["luisa", "0002"], "AB"),
        ("tag", "is", "vip", "A"),
        ("tag", "is", ["VIP", "novo"], "AB"),
        ("tag", "is_not", "vip", "BC"),
        ("tag", "is_empty", None, "C"),
        ("tag", "is_not_empty", None, "AB"),
        ("attribute.cidade", "is", "São Paulo", "A"),
        ("attribute.cidade", "is", ["São Paulo", "Rio de Janeiro"], "AB"),
        ("attribute.cidade", "is_not", "São Paulo", "BC"),
        ("attribute.cidade", "contains", "rio", "B"),
        ("attribute.cidade", "not_contains", "rio", "AC"),
        ("attribute.cidade", "is_empty", None, "C"),
        ("attribute.cidade", "is_not_empty", None, "AB"),
        ("attribute.idade", "is", "30", "A"),
        ("attribute.idade", "greater", 4, "A"),
        ("attribute.idade", "at_least", 4, "AB"),
        ("attribute.idade", "less", "29,5", "B"),
        ("attribute.idade", "at_most", 4, "B"),
        ("attribute.nascimento", "is", "02/05/1996", "A"),
        ("attribute.nascimento", "before", "2000-01-01", "A"),
        ("attribute.nascimento", "after", "01/01/2000", "B"),
        ("attribute.vip", "is", True, "A"),
        ("attribute.vip", "is", "não", "C"),
        ("attribute.vip", "is_empty", None, "B"),
    ],
)
def test_a_filter_finds_whom_it_names(
    unit: Unit, people: dict[str, Contact], field: str, op: str, value: Any, expected: str
) -> None:
    told = {"field": field, "op": op} | ({} if value is None else {"value": value})
    assert found(unit, told) == expected
    # What is kept of it says the same.
    assert found(unit, *segments.validate(unit, [told])) == expected


def test_all_filters_must_hold(unit: Unit, people: dict[str, Contact]) -> None:
    brazil = {"field": "phone", "op": "starts_with", "value": "+55"}
    assert found(unit, brazil, {"field": "attribute.idade", "op": "less", "value": 10}) == "B"
    assert found(unit, brazil, {"field": "attribute.vip", "op": "is", "value": False}) == ""


def test_without_filters_it_is_everybody_but_groups_and_other_units(unit: Unit, people: dict[str, Contact]) -> None:
    group(unit)
    contact(create_unit("Outra"), name="Zoe")
    assert found(unit) == "ABC"


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("within_days", 7, "A"),
        ("not_within_days", 7, "BC"),
        ("never", None, "C"),
        ("ever", None, "AB"),
    ],
)
def test_who_wrote_lately_and_who_did_not(
    unit: Unit, people: dict[str, Contact], op: str, value: Any, expected: str
) -> None:
    for name, days in {"Ana Luísa": 1, "Bruno": 20}.items():
        chat = Conversation.objects.create(unit=unit, contact=people[name])
        message(chat, minutes_ago=days * 24 * 60)
    # A chat in which only we wrote.
    message(Conversation.objects.create(unit=unit, contact=people["Carla"]), out=True)
    told = {"field": "last_inbound", "op": op} | ({"value": value} if value else {})
    assert found(unit, told) == expected


def test_a_day_is_the_unit_s_own(unit: Unit) -> None:
    at_eleven_at_night = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)  # of the 20th in São Paulo
    Contact.objects.filter(pk=contact(unit, name="Ana").pk).update(created_at=at_eleven_at_night)
    assert found(unit, {"field": "created", "op": "before", "value": "2026-11-21"}) == "A"
    assert found(unit, {"field": "created", "op": "after", "value": "19/11/2026"}) == "A"
    assert found(unit, {"field": "created", "op": "after", "value": "20/11/2026"}) == ""


def test_who_is_new(unit: Unit) -> None:
    Contact.objects.filter(pk=contact(unit, name="Velho").pk).update(created_at=timezone.now() - timedelta(days=40))
    contact(unit, name="Novo")
    assert found(unit, {"field": "created", "op": "within_days", "value": 30}) == "N"
    assert found(unit, {"field": "created", "op": "not_within_days", "value": 30}) == "V"


def test_opted_out_blocked_and_not_on_whatsapp_are_three_things(unit: Unit, people: dict[str, Contact]) -> None:
    opt_out(people["Ana Luísa"])
    Contact.objects.filter(name="Bruno").update(blocked_at=timezone.now())
    ContactAddress.objects.filter(contact=people["Carla"]).update(not_on_whatsapp_at=timezone.now())
    for field, those in {"opted_out": "A", "blocked": "B"}.items():
        assert found(unit, {"field": field, "op": "is", "value": True}) == those
        assert those not in found(unit, {"field": field, "op": "is", "value": False})
    assert found(unit, {"field": "is_on_whatsapp", "op": "is", "value": False}) == "C"
    assert found(unit, {"field": "is_on_whatsapp", "op": "is", "value": True}) == "AB"


def test_whoever_has_only_a_lid_has_no_phone(unit: Unit) -> None:
    somebody = Contact.objects.create(unit=unit, name="Lia")
    somebody.addresses.create(unit=unit, kind=AddressKind.LID, value="123456789")
    assert found(unit, {"field": "phone", "op": "is_empty"}) == "L"


@pytest.mark.parametrize(
    ("told", "part"),
    [
        ("name", "field"),
        ({"op": "is"}, "field"),
        ({"field": "shoe_size", "op": "is", "value": 1}, "field"),
        ({"field": "attribute.signo", "op": "is", "value": "a"}, "field"),
        ({"field": "name", "op": "resembles", "value": "a"}, "op"),
        ({"field": "name", "op": ["is"], "value": "a"}, "op"),
        ({"field": "name", "op": "is"}, "value"),
        ({"field": "name", "op": "is", "value": []}, "value"),
        ({"field": "name", "op": "contains", "value": "?_!"}, "value"),
        ({"field": "name", "op": "is_empty", "value": "x"}, "value"),
        ({"field": "phone", "op": "is", "value": "não sei"}, "value"),
        ({"field": "phone", "op": "starts_with", "value": "%"}, "value"),
        ({"field": "phone", "op": "ddd", "value": "111"}, "value"),
        ({"field": "tag", "op": "is", "value": "nunca vista"}, "value"),
        ({"field": "tag", "op": "is", "value": 7}, "value"),
        ({"field": "attribute.idade", "op": "is", "value": "muitos"}, "value"),
        ({"field": "attribute.idade", "op": "greater", "value": [1, 2]}, "value"),
        ({"field": "attribute.nascimento", "op": "before", "value": "2026-02-30"}, "value"),
        ({"field": "last_inbound", "op": "within_days", "value": 0}, "value"),
        ({"field": "last_inbound", "op": "within_days", "value": True}, "value"),
        ({"field": "created", "op": "before", "value": "9999-12-31"}, "value"),
        ({"field": "opted_out", "op": "is", "value": "yes"}, "value"),
    ],
)
def test_what_says_nothing_is_refused_with_its_place(
    unit: Unit, people: dict[str, Contact], told: Any, part: str
) -> None:
    fine = {"field": "name", "op": "is_empty"}
    with pytest.raises(InvalidFilter) as error:
        segments.validate(unit, [fine, told])
    assert (error.value.position, error.value.part) == (1, part)


@pytest.mark.parametrize("filters", [None, {}, "all", [{"field": "name", "op": "is_empty"}] * 31])
def test_filters_are_a_short_list(unit: Unit, filters: Any) -> None:
    with pytest.raises(InvalidFilter):
        segments.queryset(unit, filters)


def test_a_tag_of_another_unit_is_none(unit: Unit) -> None:
    tag = Tag.objects.create(unit=create_unit("Outra"), name="VIP")
    with pytest.raises(InvalidFilter):
        segments.queryset(unit, [{"field": "tag", "op": "is", "value": str(tag.id)}])


def test_a_segment_keeps_its_tag_when_that_is_renamed(unit: Unit, people: dict[str, Contact]) -> None:
    kept = segments.validate(unit, [{"field": "tag", "op": "is", "value": "VIP"}])
    Tag.objects.filter(name="VIP").update(name="Especial")
    assert found(unit, *kept) == "A"


def test_it_is_known_which_segments_ask_for_a_tag(unit: Unit, people: dict[str, Contact]) -> None:
    tags = {tag.name: str(tag.id) for tag in Tag.objects.all()}
    Segment.objects.create(unit=unit, name="Bons", filters=[{"field": "tag", "op": "is", "value": [tags["VIP"]]}])
    assert [row.name for row in segments.using(unit, field="tag", value=tags["VIP"])] == ["Bons"]
    assert segments.using(unit, field="tag", value=tags["Novo"]) == []


def test_it_is_one_query_that_others_go_on_with(
    unit: Unit, people: dict[str, Contact], django_assert_num_queries: Any
) -> None:
    conversation(unit)
    chosen = segments.queryset(unit, [{"field": "phone", "op": "ddd", "value": "21"}])
    with django_assert_num_queries(1):
        assert list(chosen.order_by("id").values_list("name", flat=True)) == ["Bruno"]
