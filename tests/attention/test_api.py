"""What needs a person, over HTTP: for a badge and a page of another program's."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from attention import episodes
from campaigns.models import Campaign
from messaging import settling
from tests.attention import helpers
from tests.console.helpers import colleague
from units.models import ApiToken, Unit, User
from units.roles import Action

pytestmark = pytest.mark.django_db


def needs(api: APIClient, unit: Unit, **query: Any) -> list[dict[str, Any]]:
    answer = api.get(f"/units/{unit.pk}/attention", query)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_it_says_what_needs_somebody_about_what_how_many_and_since_when(api: APIClient, unit: Unit) -> None:
    assert needs(api, unit) == []
    helpers.everything(unit)
    helpers.not_sent(unit)
    episodes.observe()
    found = needs(api, unit)
    told = sorted((each["kind"], each["is_now"], each["about"]["type"], each["count"]) for each in found)
    assert told == [
        ("dead_letters", False, "unit", 1),
        ("disconnected", True, "number", 1),
        ("failed", True, "unit", 2),
        ("held", True, "campaign", 1),
        ("held", True, "number", 1),
        ("late", True, "unit", 1),
        ("media", False, "unit", 1),
        ("unconfirmed", True, "unit", 1),
        ("webhook_off", False, "webhook", 1),
    ]
    names = {each["about"]["type"]: each["about"]["name"] for each in found}
    assert names["number"] == "+5511900000142"
    assert names["campaign"] == "Volta às aulas"
    assert names["webhook"].startswith("https://erp.example.com")
    assert {each["kind"]: each["kind_label"] for each in found}["failed"] == "Mensagens não enviadas"
    assert all(each["since"].endswith("Z") for each in found)


def test_a_badge_asks_for_what_is_now(api: APIClient, unit: Unit) -> None:
    helpers.everything(unit)
    episodes.observe()
    assert len(needs(api, unit, is_now="true")) == episodes.count_now(unit.pk) == 6
    assert {each["kind"] for each in needs(api, unit, is_now="false")} == {"dead_letters", "media", "webhook_off"}
    assert {each["kind"] for each in needs(api, unit, kind="held")} == {"held"}
    assert api.get(f"/units/{unit.pk}/attention", {"kind": "x"}).status_code == 400


def test_what_was_done_meanwhile_is_not_there(api: APIClient, unit: Unit, ana: User) -> None:
    failed, off, stopped = helpers.not_sent(unit), helpers.webhook_off(unit), helpers.stopped_campaign(unit)
    helpers.disconnect(unit)
    episodes.observe()
    assert len(needs(api, unit)) == 4
    settling.retry(failed, author=ana)
    off.delete()
    Campaign.objects.filter(pk=stopped.pk).update(status="processing", status_reason="")
    helpers.connect(unit)
    assert needs(api, unit) == []


def test_a_webhook_is_for_those_who_manage_it_and_names_are_for_who_may_see_them(unit: Unit) -> None:
    helpers.everything(unit)
    episodes.observe()
    _token, key = ApiToken.mint(colleague(unit), "leitura", scopes=[Action.READ_INBOX])
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    found = needs(api, unit)
    assert "webhook_off" not in {each["kind"] for each in found}
    assert {each["about"]["name"] for each in found} == {unit.name, ""}


def test_it_costs_a_fixed_number_of_statements(
    api: APIClient, unit: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    helpers.everything(unit)
    for place in range(1, 6):
        helpers.stopped_campaign(unit)
        helpers.webhook_off(unit, place)
    episodes.observe()
    with django_assert_max_num_queries(11):
        assert len(needs(api, unit)) == 19
