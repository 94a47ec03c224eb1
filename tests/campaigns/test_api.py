"""Campaigns over HTTP: written, checked, rehearsed, run and read by a program."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from messaging.models import AttributeDefinition, Contact, Message, Tag
from tests import factories
from units.models import Unit, User

pytestmark = pytest.mark.django_db

R = RecipientStatus
NEW: dict[str, Any] = {"name": "Volta às aulas", "content": "{Oi|Olá} {{ nome | cliente }}", "everyone": True}


def at(unit: Unit, path: str = "") -> str:
    return f"/units/{unit.id}/campaigns{path}"


def post(api: APIClient, address: str, body: dict[str, Any] | None = None, status: int = 200) -> Any:
    answer = api.post(address, body or {}, format="json")
    assert answer.status_code == status, answer.data
    return answer.data


def errors(answer: Any) -> list[tuple[str, str]]:
    return [(error["attr"], error["code"]) for error in answer["errors"]]


def test_a_campaign_is_made_with_all_that_it_has(api: APIClient, unit: Unit) -> None:
    tag = Tag.objects.create(unit=unit, name="VIP")
    more = {
        "variants": [{"content": "B: {{ primeiro_nome | cliente }}", "weight": 2}],
        "audience": {"tags": [str(tag.id)], "exclude_contacted_within_days": 7},
        "opt_out_line": "Responda SAIR para não receber mais.",
        "ends_at": (timezone.now() + timedelta(days=2)).isoformat(),
        "interval_seconds": "45.5",
    }
    made = post(api, at(unit), NEW | {"everyone": False} | more, 201)
    assert made["variants"][0] | {"label": "B", "weight": 2} == made["variants"][0]
    assert made["audience"] == {"tags": [str(tag.id)], "exclude_contacted_within_days": 7}
    assert (made["interval_seconds"], made["status"]) == ("45.500", "draft")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"content": "Oi {{ nmoe }}"}, ("content", "unknown_variable")),
        ({"content": "Oi {a|b"}, ("content", "unclosed")),
        ({"content": ""}, ("content", "empty")),
        ({"variants": [{"content": "ok"}, {"content": "{{ x }}"}]}, ("variants.1.content", "unknown_variable")),
        ({"audience": {"tags": ["0199aaaa-0000-7000-8000-000000000000"]}}, ("audience", "invalid")),
        ({"attachment_id": "0199aaaa-0000-7000-8000-000000000000"}, ("attachment_id", "not_found")),
        ({"interval_seconds": 0}, ("interval_seconds", "min_value")),
        ({"phones": ["+5511912345678", "x"]}, ("phones.1", "invalid")),
    ],
)
def test_what_is_wrong_is_told_with_its_field_and_nothing_is_kept(
    api: APIClient, unit: Unit, body: dict[str, Any], error: tuple[str, str]
) -> None:
    assert errors(post(api, at(unit), NEW | body, 400)) == [error]
    assert not Campaign.objects.exists()


def test_an_unknown_variable_is_told_with_its_place(api: APIClient, unit: Unit) -> None:
    (error,) = post(api, at(unit), NEW | {"content": "Oi {{ nmoe }}!"}, 400)["errors"]
    assert "nmoe" in error["detail"]
    assert "4" in error["detail"]


def test_a_draft_is_changed_in_part(api: APIClient, unit: Unit) -> None:
    AttributeDefinition.objects.create(unit=unit, key="cidade", name="Cidade")
    campaign = factories.campaign(unit, start=False)
    answer = api.patch(at(unit, f"/{campaign.id}"), {"content": "Oi de {{ cidade | longe }}"}, format="json")
    assert answer.data["content"] == "Oi de {{ cidade | longe }}"
    assert answer.data["name"] == campaign.name


@pytest.mark.parametrize("method", ["post", "patch"])
def test_a_variant_without_a_text_is_refused(api: APIClient, unit: Unit, method: str) -> None:
    made = post(api, at(unit), NEW, 201)
    path = at(unit) if method == "post" else at(unit, f"/{made['id']}")
    answer = getattr(api, method)(path, NEW | {"variants": [{"weight": 2}]}, format="json")
    assert (answer.status_code, errors(answer.data)) == (400, [("variants.0.content", "required")])


@pytest.mark.parametrize("method", ["post", "patch"])
def test_an_audience_with_a_name_that_is_none_is_refused(api: APIClient, unit: Unit, method: str) -> None:
    """Whoever ignored a mistyped exclusion would write to those who were to be left out."""
    made = post(api, at(unit), NEW, 201)
    path = at(unit) if method == "post" else at(unit, f"/{made['id']}")
    body = NEW | {"audience": {"everyone": True, "exclude_tag": [made["id"]]}}
    answer = getattr(api, method)(path, body, format="json")
    assert (answer.status_code, errors(answer.data)) == (400, [("audience.exclude_tag", "unknown_field")])


def test_a_campaign_that_is_sending_is_not_changed(api: APIClient, unit: Unit) -> None:
    campaign = factories.campaign(unit)
    assert api.patch(at(unit, f"/{campaign.id}"), {"content": "Outro"}, format="json").status_code == 409
    campaign.refresh_from_db()
    assert campaign.content == "Lentes com 30%"


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (["start"], "processing"),
        (["start", "pause"], "paused"),
        (["start", "pause", "resume"], "processing"),
        (["start", "cancel"], "cancelled"),
        (["archive", "unarchive"], "draft"),
    ],
)
def test_each_step_is_a_post(api: APIClient, unit: Unit, steps: list[str], status: str) -> None:
    campaign = factories.campaign(unit, start=False)
    for step in steps:
        told = post(api, at(unit, f"/{campaign.id}/{step}"))
    assert told["status"] == status


@pytest.mark.parametrize("step", ["pause", "resume", "unschedule", "retry-failed"])
def test_a_step_out_of_turn_is_409_and_changes_nothing(api: APIClient, unit: Unit, step: str) -> None:
    campaign = factories.campaign(unit, start=False)
    post(api, at(unit, f"/{campaign.id}/{step}"), status=409)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT


def test_a_scheduled_campaign_becomes_a_draft_again(api: APIClient, unit: Unit) -> None:
    campaign = factories.campaign(unit, start=False)
    post(api, at(unit, f"/{campaign.id}/schedule"), {"scheduled_at": timezone.now() + timedelta(days=1)})
    told = post(api, at(unit, f"/{campaign.id}/unschedule"))
    assert (told["status"], told["scheduled_at"]) == ("draft", None)


def test_a_clone_is_a_draft_of_its_own(api: APIClient, unit: Unit) -> None:
    campaign = factories.campaign(unit)
    made = post(api, at(unit, f"/{campaign.id}/clone"), status=201)
    assert (made["id"] != str(campaign.id), made["status"], made["content"]) == (True, "draft", campaign.content)


def test_a_test_goes_to_one_number_and_counts_nowhere(api: APIClient, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=1, start=False)
    told = post(api, at(unit, f"/{campaign.id}/test-send"), {"phone": "(11) 91234-5678"}, 202)
    assert told["contact"]["phone"] == "+5511912345678"
    assert Message.objects.get().body == campaign.content
    assert campaign.recipients.count() == 1


def test_a_test_to_no_number_is_refused(api: APIClient, unit: Unit) -> None:
    campaign = factories.campaign(unit, people=1, start=False)
    assert errors(post(api, at(unit, f"/{campaign.id}/test-send"), {"phone": "x"}, 400)) == [("phone", "invalid")]
    assert not Message.objects.exists()


def test_an_audience_is_counted_with_those_left_out(api: APIClient, unit: Unit) -> None:
    people = [factories.contact(unit) for _ in range(3)]
    factories.opt_out(people[0])
    Contact.objects.filter(pk=people[1].pk).update(blocked_at=timezone.now())
    told = post(api, at(unit, "/audience"), {"everyone": True})
    assert (told["total"], told["people"]) == (3, 1)
    assert {reason["code"]: reason["people"] for reason in told["excluded"]} == {"opted_out": 1, "blocked": 1}


def test_the_list_leaves_out_what_was_archived_when_asked_to(api: APIClient, unit: Unit) -> None:
    kept, away = factories.campaign(unit, start=False), factories.campaign(unit, start=False)
    post(api, at(unit, f"/{away.id}/archive"))
    found = api.get(at(unit), {"archived": "false"}).data["results"]
    assert [row["id"] for row in found] == [str(kept.id)]
    assert len(api.get(at(unit)).data["results"]) == 2


@pytest.mark.parametrize(
    ("query", "people"),
    [({"status": "read"}, 1), ({"error": "opted_out"}, 1), ({"replied": "true"}, 1), ({"variant": 1}, 2), ({}, 4)],
)
def test_recipients_are_found_by_what_became_of_them(
    api: APIClient, unit: Unit, query: dict[str, Any], people: int
) -> None:
    campaign = factories.campaign(unit, people=4)
    one, two, three, _four = campaign.recipients.order_by("id")
    campaign.recipients.filter(pk=one.pk).update(status=R.READ, variant=1, replied_at=timezone.now())
    campaign.recipients.filter(pk=two.pk).update(status=R.SKIPPED, error_message="opted_out")
    campaign.recipients.filter(pk=three.pk).update(status=R.FAILED, variant=1, error_message="not_on_whatsapp")
    assert len(api.get(at(unit, f"/{campaign.id}/recipients"), query).data["results"]) == people


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/audience",
        "/rehearsal",
        "/results",
        "/recipients",
        "/recipients.csv",
        "/start",
        "/clone",
        "/archive",
        "/test-send",
        "/retry-failed",
        "/unschedule",
    ],
)
def test_a_campaign_of_another_unit_is_not_there(unit: Unit, stranger: User, path: str) -> None:  # I7
    campaign = factories.campaign(unit, start=False)
    api = APIClient()
    api.force_authenticate(stranger)
    theirs = Unit.objects.exclude(id=unit.id).get()
    for address in (at(unit, f"/{campaign.id}{path}"), at(theirs, f"/{campaign.id}{path}")):
        assert api.get(address).status_code in (404, 405)
        assert api.post(address, {}, format="json").status_code in (404, 405)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.archived_at) == (CampaignStatus.DRAFT, None)
