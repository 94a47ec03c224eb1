"""What a unit keeps of its contacts, over HTTP: tags, attributes, segments, consent and blocks."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from messaging.contacts import attributes, consent, tags
from messaging.contacts.attributes import InvalidAttribute
from messaging.models import AttributeDefinition, AttributeKind, Contact, OptOut, Segment, Tag
from tests.factories import contact, opt_out
from units.models import Unit, User
from units.services import create_unit

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(unit: Unit) -> str:
    return f"/units/{unit.id}"


def send(api: APIClient, method: str, url: str, **body: Any) -> Any:
    return getattr(api, method)(url, body, format="json")


def define(unit: Unit, **kinds: str) -> None:
    for key, kind in kinds.items():
        AttributeDefinition.objects.create(unit=unit, key=key, name=key.title(), kind=kind)


# Contacts


def test_tags_for_nobody_are_put_on_nobody(api: APIClient, url: str) -> None:
    answer = send(api, "post", f"{url}/contacts/tags", contacts=[], add=["VIP"], remove=["Loja"])
    assert (answer.status_code, answer.json()) == (200, {"added": 0, "removed": 0})


def test_a_contact_is_edited_by_what_is_named(api: APIClient, unit: Unit, url: str) -> None:
    define(unit, cidade="text", idade="number")
    known = contact(unit, name="Ana")
    first = send(api, "patch", f"{url}/contacts/{known.id}", tags=["VIP", "vip", "Loja "], attributes={"idade": "30"})
    assert (first.data["name"], first.data["tags"], first.data["attributes"]) == ("Ana", ["Loja", "VIP"], {"idade": 30})
    second = send(
        api, "patch", f"{url}/contacts/{known.id}", name="Bia", attributes={"cidade": "Olinda", "idade": None}
    )
    assert (second.data["name"], second.data["tags"]) == ("Bia", ["Loja", "VIP"])
    assert second.data == api.get(f"{url}/contacts/{known.id}").data
    assert second.data["attributes"] == {"cidade": "Olinda"}


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({"tags": [" "]}, "tags"),
        ({"tags": ["a,b"]}, "tags"),
        ({"tags": ["a" * 61]}, "tags"),
        ({"attributes": {"signo": "leão"}}, "attributes.signo"),
        ({"attributes": {"idade": "muitos"}}, "attributes.idade"),
        ({"attributes": {"não há": 1}}, "attributes"),
        ({"name": "a" * 201}, "name"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(
    api: APIClient, unit: Unit, url: str, body: Any, attr: str
) -> None:
    define(unit, idade="number")
    known = contact(unit, name="Ana")
    answer = send(api, "patch", f"{url}/contacts/{known.id}", **({"name": "Bia"} | body))
    assert answer.status_code == 400
    assert answer.data["errors"][0]["attr"].startswith(attr)
    known.refresh_from_db()
    assert (known.name, Tag.objects.count()) == ("Ana", 0)


def test_a_new_contact_comes_with_tags_and_attributes(api: APIClient, unit: Unit, url: str) -> None:
    define(unit, cidade="text")
    body = {"phone": "(11) 91234-5678", "tags": ["Feira"], "attributes": {"cidade": "Olinda"}}
    made = send(api, "post", f"{url}/contacts", **body)
    assert made.status_code == 201
    assert (made.data["tags"], made.data["attributes"], made.data["opted_out"]) == (
        ["Feira"],
        {"cidade": "Olinda"},
        False,
    )


def test_contacts_are_found_by_tag_segment_and_consent(api: APIClient, unit: Unit, url: str) -> None:
    ana, bruno, carla = (contact(unit, name=name) for name in ("Ana", "Bruno", "Carla"))
    tags.replace(ana, ["VIP"])
    opt_out(bruno)
    consent.block(carla, reason="ofensas", by=None)
    segment = Segment.objects.create(unit=unit, name="B", filters=[{"field": "name", "op": "contains", "value": "b"}])

    def names(**query: Any) -> list[str]:
        return sorted(row["name"] for row in api.get(f"{url}/contacts", query).data["results"])

    assert names(tag="vip") == names(tag=str(Tag.objects.get().id)) == ["Ana"]
    assert names(segment=str(segment.id)) == names(opted_out="true") == ["Bruno"]
    assert names(blocked="true") == ["Carla"]
    assert names(blocked="false", opted_out="false") == ["Ana"]
    assert names(tag="nenhuma") == []


def test_a_page_of_tagged_contacts_costs_the_same(
    api: APIClient, unit: Unit, url: str, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        tags.replace(contact(unit), ["VIP", "Novo"])
    with django_assert_max_num_queries(6):
        assert len(api.get(f"{url}/contacts").data["results"]) == 20


# Consent and blocks


def test_staff_opt_a_contact_out_and_back_in_with_a_reason(api: APIClient, ana: User, unit: Unit, url: str) -> None:
    path = f"{url}/contacts/{contact(unit).id}"
    assert send(api, "post", f"{path}/opt-out").data["errors"][0]["attr"] == "reason"
    assert send(api, "post", f"{path}/opt-out", reason="Pediu na loja").data["opted_out"] is True
    assert send(api, "post", f"{path}/opt-out", reason="De novo").data["opted_out"] is True
    assert api.delete(f"{path}/opt-out").status_code == 400
    assert send(api, "delete", f"{path}/opt-out", reason="Voltou").data["opted_out"] is False
    send(api, "post", f"{path}/opt-out", reason="Cansou")
    assert api.delete(f"{path}/opt-out?reason=Voltou").data["opted_out"] is False
    told = api.get(f"{path}/opt-outs").data["results"]
    assert [(row["reason"], row["lifted_reason"], row["source"]) for row in told] == [
        ("Cansou", "Voltou", "api"),
        ("Pediu na loja", "Voltou", "api"),
    ]
    assert told[0]["by"]["id"] == told[0]["lifted_by"]["id"] == str(ana.id)


def test_staff_block_and_unblock_a_contact_with_a_reason(api: APIClient, unit: Unit, url: str) -> None:
    path = f"{url}/contacts/{contact(unit).id}"
    blocked = send(api, "post", f"{path}/block", reason="Ofensas").data
    assert (blocked["blocked_reason"], bool(blocked["blocked_at"]), blocked["opted_out"]) == ("Ofensas", True, False)
    assert send(api, "delete", f"{path}/block", reason="Engano").data["blocked_at"] is None


@pytest.mark.parametrize("path", ["", "/opt-out", "/opt-outs", "/block"])
@pytest.mark.parametrize("method", ["get", "post", "patch", "delete"])
def test_a_contact_of_another_unit_is_not_there(api: APIClient, url: str, path: str, method: str) -> None:  # I7
    theirs = contact(create_unit("Outra"))
    answer = send(api, method, f"{url}/contacts/{theirs.id}{path}", reason="x")
    assert answer.status_code in (404, 405)
    assert not OptOut.objects.exists()


# Tags


def test_tags_are_made_renamed_and_deleted(api: APIClient, unit: Unit, url: str) -> None:
    made = send(api, "post", f"{url}/tags", name="VIP")
    assert made.status_code == 201
    assert send(api, "post", f"{url}/tags", name="vip").data["errors"][0]["code"] == "unique"
    path = f"{url}/tags/{made.data['id']}"
    assert send(api, "patch", path, name="Especial").data["name"] == "Especial"
    tags.replace(contact(unit), ["Especial"])
    assert api.get(f"{url}/tags").data["results"][0]["contacts"] == 1
    assert api.delete(path).status_code == 204
    assert not Tag.objects.exists()


def test_a_tag_that_a_segment_asks_for_stays(api: APIClient, unit: Unit, url: str) -> None:
    (tag,) = tags.named(unit, ["VIP"])
    send(api, "post", f"{url}/segments", name="Bons", filters=[{"field": "tag", "op": "is", "value": "VIP"}])
    answer = api.delete(f"{url}/tags/{tag.id}")
    assert (answer.status_code, answer.data["errors"][0]["code"]) == (409, "in_use")
    assert "Bons" in answer.data["errors"][0]["detail"]
    assert Tag.objects.exists()


def test_many_contacts_are_tagged_in_a_handful_of_queries(
    api: APIClient, unit: Unit, url: str, django_assert_max_num_queries: Any
) -> None:
    those = [contact(unit) for _ in range(30)]
    elsewhere = contact(create_unit("Outra"))
    body = {"contacts": [str(one.id) for one in [*those, elsewhere]], "add": ["VIP", "Novo"], "remove": ["Velho"]}
    tags.replace(those[0], ["velho"])
    with django_assert_max_num_queries(12):
        assert send(api, "post", f"{url}/contacts/tags", **body).data == {"added": 60, "removed": 1}
    assert send(api, "post", f"{url}/contacts/tags", **body).data == {"added": 0, "removed": 0}
    assert not Tag.objects.filter(contacts=elsewhere).exists()


def test_whom_filters_and_segments_name_is_tagged(api: APIClient, unit: Unit, url: str) -> None:
    contact(unit, name="Ana")
    contact(unit, name="Bruno")
    filters = [{"field": "name", "op": "contains", "value": "ana"}]
    assert send(api, "post", f"{url}/contacts/tags", filters=filters, add=["A"]).data["added"] == 1
    segment = send(api, "post", f"{url}/segments", name="Todos", filters=[]).data["id"]
    assert send(api, "post", f"{url}/contacts/tags", segment=segment, add=["T"]).data["added"] == 2
    # Whom they name does not change under the hand that tags them.
    untagged = [{"field": "tag", "op": "is_not", "value": "A"}]
    answer = send(api, "post", f"{url}/contacts/tags", filters=untagged, add=["A"], remove=["T"])
    assert answer.data["added"] == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"add": ["A"]}, "whom"),
        ({"contacts": [], "filters": []}, "whom"),
        ({"filters": [{"field": "x"}]}, "invalid"),
        ({"contacts": [], "add": [","]}, "invalid"),
    ],
)
def test_nobody_is_tagged_by_mistake(api: APIClient, url: str, body: Any, code: str) -> None:
    answer = send(api, "post", f"{url}/contacts/tags", **body)
    assert (answer.status_code, answer.data["errors"][0]["code"]) == (400, code)


# Attributes


def test_attributes_are_defined_renamed_and_deleted_with_their_values(api: APIClient, unit: Unit, url: str) -> None:
    made = send(api, "post", f"{url}/attributes", key="cidade", name="Cidade", kind="text")
    assert made.status_code == 201
    known = contact(unit)
    send(api, "patch", f"{url}/contacts/{known.id}", attributes={"cidade": "Olinda"})
    path = f"{url}/attributes/{made.data['id']}"
    renamed = send(api, "patch", path, name="Onde mora", key="outra", kind="number").data
    assert (renamed["name"], renamed["key"], renamed["kind"]) == ("Onde mora", "cidade", "text")
    assert api.delete(path).status_code == 204
    known.refresh_from_db()
    assert known.attributes == {}


@pytest.mark.parametrize("body", [{"key": "Cidade"}, {"key": "1a"}, {"key": "a-b"}, {"kind": "color"}, {"name": ""}])
def test_an_attribute_that_no_text_could_name_is_refused(api: APIClient, url: str, body: Any) -> None:
    told = {"key": "cidade", "name": "Cidade", "kind": "text"} | body
    assert send(api, "post", f"{url}/attributes", **told).status_code == 400


def test_a_key_is_taken_once(api: APIClient, unit: Unit, url: str) -> None:
    define(unit, cidade="text")
    answer = send(api, "post", f"{url}/attributes", key="cidade", name="Outra", kind="text")
    assert (answer.data["errors"][0]["attr"], answer.data["errors"][0]["code"]) == ("key", "unique")


def test_an_attribute_that_a_segment_asks_for_stays(api: APIClient, unit: Unit, url: str) -> None:
    define(unit, idade="number")
    filters = [{"field": "attribute.idade", "op": "greater", "value": 18}]
    send(api, "post", f"{url}/segments", name="Adultos", filters=filters)
    assert api.delete(f"{url}/attributes/{AttributeDefinition.objects.get().id}").status_code == 409


@pytest.mark.parametrize(
    ("kind", "told", "kept"),
    [
        ("text", "  Olinda ", "Olinda"),
        ("text", 7, "7"),
        ("text", "", None),
        ("number", "12", 12),
        ("number", 12.5, 12.5),
        ("number", "12,5", 12.5),
        ("number", "1.234,50", 1234.5),
        ("number", "-3", -3),
        ("number", " ", None),
        ("date", "2026-02-28", "2026-02-28"),
        ("date", "28/02/2026", "2026-02-28"),
        ("boolean", True, True),
        ("boolean", "Sim", True),
        ("boolean", "não", False),
        ("boolean", 0, False),
        ("boolean", None, None),
    ],
)
def test_a_value_is_kept_in_the_form_of_its_kind(kind: str, told: Any, kept: Any) -> None:
    value = attributes.parse(AttributeDefinition(key="x", kind=AttributeKind(kind)), told)
    assert (value, type(value)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("text", ["a"]),
        ("text", True),
        ("text", "a\0b"),
        ("text", "\ud800"),
        ("text", "a" * 1001),
        ("number", "doze"),
        ("number", "1.2.3"),
        ("number", "12,34,56"),
        ("number", "nan"),
        ("number", float("inf")),
        ("number", "1e99"),
        ("number", True),
        ("date", "2026-02-30"),
        ("date", "2026-2-1"),
        ("date", "1/2/2026"),
        ("date", 20260201),
        ("boolean", "talvez"),
        ("boolean", {}),
    ],
)
def test_a_value_of_another_kind_is_refused(kind: str, told: Any) -> None:
    with pytest.raises(InvalidAttribute):
        attributes.parse(AttributeDefinition(key="x", kind=AttributeKind(kind)), told)


# Segments


def test_segments_are_saved_changed_and_deleted(api: APIClient, unit: Unit, url: str) -> None:
    filters = [{"field": "phone", "op": "ddd", "value": ["(11)", "21"]}]
    made = send(api, "post", f"{url}/segments", name="Sudeste", filters=filters)
    assert made.data["filters"] == [{"field": "phone", "op": "ddd", "value": ["11", "21"]}]
    path = f"{url}/segments/{made.data['id']}"
    assert send(api, "patch", path, name="São Paulo e Rio").data["filters"] == made.data["filters"]
    assert send(api, "post", f"{url}/segments", name="são paulo e rio", filters=[]).status_code == 400
    assert api.delete(path).status_code == 204


def test_a_filter_that_says_nothing_is_named_with_its_place(api: APIClient, unit: Unit, url: str) -> None:
    filters = [{"field": "name", "op": "is_empty"}, {"field": "created", "op": "before", "value": "ontem"}]
    for path in ("segments", "segments/preview"):
        answer = send(api, "post", f"{url}/{path}", name="x", filters=filters)
        assert (answer.status_code, answer.data["errors"][0]["attr"]) == (400, "filters.1.value")


def test_a_preview_counts_and_shows_some(api: APIClient, unit: Unit, url: str) -> None:
    for number in range(12):
        contact(unit, name=f"Ana {number}")
    contact(unit, name="Bruno")
    filters = [{"field": "name", "op": "contains", "value": "ana"}]
    told = send(api, "post", f"{url}/segments/preview", filters=filters).data
    assert (told["count"], len(told["contacts"])) == (12, 10)
    assert not Segment.objects.exists()


def test_whom_a_segment_names_is_asked_anew(api: APIClient, unit: Unit, url: str) -> None:
    segment = send(api, "post", f"{url}/segments", name="Todos", filters=[]).data["id"]
    known = contact(unit)
    (row,) = api.get(f"{url}/contacts", {"segment": segment}).data["results"]
    assert row["id"] == str(Contact.objects.get().id) == str(known.id)
