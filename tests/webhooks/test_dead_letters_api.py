"""Events that could not be handled, over HTTP: what they are, and a second try."""

import json
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from messaging.models import Message
from tests.factories import hook, inbound_text
from tests.webhooks.conftest import post
from units.models import AuditEntry, Membership, Unit, User, WhatsAppConnection
from units.services import create_unit
from webhooks.drain import drain
from webhooks.models import EventStatus, WebhookEvent

pytestmark = pytest.mark.django_db

SECRET_WORDS = "Minha receita é -2,50"


@pytest.fixture
def url(unit: Unit) -> str:
    return f"/units/{unit.id}/webhook-events"


def dead(connection: WhatsAppConnection, external_id: str = "A1", **fields: Any) -> WebhookEvent:
    post(hook(connection), inbound_text(connection, phone="5511977776666", text=SECRET_WORDS, external_id=external_id))
    event = WebhookEvent.objects.latest("id")
    told = {"status": EventStatus.DEAD, "reason": "DataError: no", "attempts": 8, "failures": 8}
    WebhookEvent.objects.filter(pk=event.pk).update(**told | fields)
    return event


def test_the_list_says_what_died_why_and_not_what_was_written(
    api: APIClient, connection: WhatsAppConnection, url: str
) -> None:  # I8
    event = dead(connection)
    dead(connection, "A2", status=EventStatus.HANDLED)
    (row,) = api.get(url).json()["results"]
    assert (row["id"], row["event"], row["attempts"]) == (str(event.id), "messages.upsert", 8)
    assert row["reason"] == "DataError: no"
    assert "conversation" in row["summary"]
    assert "A1" in row["summary"]
    assert "receita" not in row["summary"]
    assert "5511977776666" not in row["summary"]
    assert row["size"] == len(WebhookEvent.objects.get(pk=event.pk).body)


def test_a_page_takes_as_many_queries_however_long_it_is(
    api: APIClient, connection: WhatsAppConnection, url: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        dead(connection, f"A{number}")
    # The unit, its connection, the events.
    with django_assert_num_queries(3):
        assert len(api.get(url).json()["results"]) == 3


def test_the_list_is_filtered_by_time_and_status(api: APIClient, connection: WhatsAppConnection, url: str) -> None:
    event = dead(connection)
    ignored = dead(connection, "A2", status=EventStatus.IGNORED)
    after = (event.created_at + timedelta(minutes=1)).isoformat()
    assert api.get(url, {"since": after}).json()["results"] == []
    assert [row["id"] for row in api.get(url, {"until": after}).json()["results"]] == [str(event.id)]
    assert [row["id"] for row in api.get(url, {"status": "ignored"}).json()["results"]] == [str(ignored.id)]
    assert api.get(url, {"status": "handled"}).status_code == 400


def test_one_event_is_shown_with_its_body_without_secrets(
    api: APIClient, connection: WhatsAppConnection, url: str
) -> None:  # I8
    event = dead(connection)
    row = api.get(f"{url}/{event.id}").json()
    assert json.loads(row["body"])["data"]["message"] == {"conversation": SECRET_WORDS}
    assert row["left_out"] == 0
    assert "apikey" not in row["body"]
    assert "/webhooks/whatsapp" not in row["body"]


def test_one_event_is_handled_again(api: APIClient, connection: WhatsAppConnection, url: str) -> None:
    event = dead(connection)
    answer = api.post(f"{url}/{event.id}/replay")
    assert (answer.status_code, answer.data) == (202, {"replayed": 1})
    drain(seconds=5)
    assert Message.objects.get().body == SECRET_WORDS
    assert AuditEntry.objects.get(action="events.replayed").actor_name == "Ana"
    assert api.post(f"{url}/{event.id}/replay").status_code == 404


def test_what_was_no_json_is_not_handled_again(api: APIClient, connection: WhatsAppConnection, url: str) -> None:
    event = dead(connection, status=EventStatus.IGNORED, reason="The body is not JSON.", body="<xml>Oi</xml>")
    assert api.post(f"{url}/{event.id}/replay").json()["errors"][0]["code"] == "not_replayable"
    (row,) = api.get(url, {"status": "ignored"}).json()["results"]
    assert (row["reason"], row["summary"]) == ("O conteúdo não é JSON.", "")


def test_events_of_a_time_are_handled_again(api: APIClient, connection: WhatsAppConnection, url: str) -> None:
    events = [dead(connection, name) for name in ("A1", "A2")]
    after = (events[-1].created_at + timedelta(minutes=1)).isoformat()
    assert api.post(f"{url}/replay", {"since": after}, format="json").data == {"replayed": 0}
    assert api.post(f"{url}/replay", {"until": after}, format="json").data == {"replayed": 2}


def test_another_unit_s_events_are_not_there(api: APIClient, connection: WhatsAppConnection, url: str) -> None:  # I7
    other = dead(create_unit("Outra").connection)
    assert api.get(url).json()["results"] == []
    assert api.get(f"{url}/{other.id}").status_code == api.post(f"{url}/{other.id}/replay").status_code == 404
    assert api.post(f"{url}/replay", {}, format="json").data == {"replayed": 0}
    other.refresh_from_db()
    assert other.status == EventStatus.DEAD


def test_who_writes_the_name_of_another_unit_s_number_shows_it_nothing(
    api: APIClient, connection: WhatsAppConnection, url: str
) -> None:  # I7
    other = create_unit("Outra").connection
    body = inbound_text(other, phone="5511977776666", text=connection.instance_name, external_id="A1")
    mine, others = (dead(each) for each in (connection, other))
    for event, told in ((mine, None), (others, json.dumps(body))):
        WebhookEvent.objects.filter(pk=event.pk).update(connection=None, body=told or mine.body)
    assert [row["id"] for row in api.get(url).json()["results"]] == [str(mine.id)]


def test_an_agent_sees_none(unit: Unit, ana: User, api: APIClient, connection: WhatsAppConnection, url: str) -> None:
    event = dead(connection)
    Membership.objects.filter(user=ana).update(role="agent")
    assert api.get(url).status_code == api.get(f"{url}/{event.id}").status_code == 403
    assert api.post(f"{url}/replay", {}, format="json").status_code == 403
