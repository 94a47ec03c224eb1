"""The API's manners: errors and pages. What each resource does is tested beside its app."""

import json
from base64 import b64encode
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient
from structlog import DropEvent

from crm_whatsapp.logging import without_health_checks
from messaging.models import Message
from tests.factories import campaign, contact, conversation, reply
from units.models import ApiToken, LiveEvent, Unit, User

pytestmark = pytest.mark.django_db


def send(api: APIClient, unit: Unit, **body: Any) -> Any:
    return api.post(f"/units/{unit.id}/whatsapp/messages", body, format="json")


def test_a_token_opens_what_its_person_may_see_and_is_kept_as_a_hash(ana: User, unit: Unit) -> None:  # I8
    _row, token = ApiToken.mint(ana, "teste")
    client = Client(headers={"Authorization": f"Bearer {token}"})
    assert [row["name"] for row in client.get("/units").json()["results"]] == ["Ótica Aurora"]
    assert token.encode() not in bytes(ApiToken.objects.get().sha256)


@pytest.mark.parametrize("header", ["Bearer", "Bearer wrong", "Bearer a b", "Basic YTpi", "bearer crm_ü"])
def test_a_wrong_token_is_401(unit: Unit, header: str) -> None:
    assert Client(headers={"Authorization": header}).get("/units").status_code == 401


def test_a_message_is_kept_and_answered_202(api: APIClient, unit: Unit) -> None:
    answer = send(api, unit, phone="(11) 91234-5678", text="Bom dia!")
    assert answer.status_code == 202
    assert (answer.data["status"], answer.data["direction"], answer.data["kind"]) == ("queued", "outbound", "text")
    assert answer.data["contact"]["phone"] == "+5511912345678"
    assert str(Message.objects.get().id) == answer.data["id"]


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({"text": "Oi"}, "recipient"),
        ({"phone": "123", "text": "Oi"}, "phone"),
        ({"phone": "+5511912345678", "text": "   "}, "text"),
        ({"phone": "+5511912345678"}, "text"),
        ({"phone": "+5511912345678", "text": "a" * 65_537}, "text"),
        ({"phone": "+5511912345678", "text": "a\x00b"}, "text"),
        ({"conversation_id": "nonsense", "text": "Oi"}, "conversation_id"),
    ],
)
def test_bad_input_is_400_with_code_and_field_and_nothing_is_kept(
    api: APIClient, unit: Unit, body: dict[str, str], attr: str
) -> None:
    answer = send(api, unit, **body)
    assert answer.status_code == 400
    (error,) = answer.data["errors"]
    assert error["code"]
    assert attr in (error["attr"], error["code"])
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b'"text"', b"\xff", b'{"phone": "\\ud800", "text": "\\ud800"}', b"[" * 100_000]
)
def test_a_body_that_makes_no_sense_is_400(api: APIClient, unit: Unit, raw: bytes) -> None:
    answer = api.post(f"/units/{unit.id}/whatsapp/messages", raw, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "position", ["abc", "%00", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "0001-01-01", "None"]
)
def test_a_cursor_that_was_never_given_is_404(api: APIClient, unit: Unit, position: str) -> None:
    cursor = b64encode(f"p={position}".encode()).decode()
    for resource in ("contacts", "conversations", "campaigns"):
        assert api.get(f"/units/{unit.id}/{resource}", {"cursor": cursor}).status_code == 404


def test_the_cursors_that_are_given_lead_through_all_pages(api: APIClient, unit: Unit) -> None:
    made = {str(contact(unit).id) for _ in range(5)}
    page, seen = f"/units/{unit.id}/contacts?page_size=2", []
    while page:
        answer = api.get(page).data
        seen += [str(row["id"]) for row in answer["results"]]
        page = answer["next"]
    assert (len(seen), set(seen)) == (5, made)


@pytest.mark.parametrize("query", ["?cursor=nonsense", "?page_size=100000", "?status=nonsense", "?search=%00"])
def test_a_query_that_makes_no_sense_is_no_crash(api: APIClient, unit: Unit, query: str) -> None:
    for resource in ("contacts", "conversations", "campaigns"):
        assert api.get(f"/units/{unit.id}/{resource}{query}").status_code in (200, 400, 404)


def test_a_campaign_to_many_numbers_costs_a_handful_of_queries(
    api: APIClient, unit: Unit, django_assert_max_num_queries: Any
) -> None:
    phones = [f"+55119{number:08d}" for number in range(80_000_000, 80_000_300)]
    with django_assert_max_num_queries(24):
        made = api.post(f"/units/{unit.id}/campaigns", {"name": "a", "content": "b", "phones": phones}, format="json")
    assert made.data["progress"]["total"] == 300
    with django_assert_max_num_queries(20):
        made = api.post(f"/units/{unit.id}/campaigns", {"name": "a", "content": "b", "everyone": True}, format="json")
    assert api.get(f"/units/{unit.id}/campaigns/{made.data['id']}/audience").data["people"] == 300


@pytest.mark.parametrize("after", ["x", "-1", "9" * 30, "", "٣"])
def test_changes_after_nonsense_is_400(api: APIClient, unit: Unit, after: str) -> None:
    assert api.get(f"/units/{unit.id}/changes", {"after": after}).status_code == 400


def test_changes_come_in_order_and_go_on_from_where_they_stopped(api: APIClient, unit: Unit) -> None:
    reply(unit)
    first = api.get(f"/units/{unit.id}/changes", {"after": 0}).data
    assert [row["seq"] for row in first["results"]] == list(range(1, first["last_seq"] + 1))
    reply(unit)
    second = api.get(f"/units/{unit.id}/changes", {"after": first["last_seq"]}).data
    assert second["results"][0]["seq"] == first["last_seq"] + 1
    assert (first["reset"], second["reset"]) == (False, False)


def test_changes_that_are_no_longer_kept_are_told_and_not_passed_over(api: APIClient, unit: Unit) -> None:
    for _message in range(2):
        reply(unit)
    last = api.get(f"/units/{unit.id}/changes").data["last_seq"]
    LiveEvent.objects.filter(unit=unit, seq__lte=2).delete()
    start_over = {"results": [], "last_seq": last, "reset": True}
    for after in (0, 1, last + 1):
        assert api.get(f"/units/{unit.id}/changes", {"after": after}).data == start_over
    assert api.get(f"/units/{unit.id}/changes", {"after": 2}).data["results"][0]["seq"] == 3
    LiveEvent.objects.filter(unit=unit).delete()
    assert api.get(f"/units/{unit.id}/changes", {"after": 2}).data == start_over
    assert api.get(f"/units/{unit.id}/changes", {"after": last}).data == start_over | {"reset": False}


@pytest.mark.parametrize("resource", ["contacts", "conversations", "campaigns", "thread", "recipients"])
def test_a_page_costs_the_same_number_of_queries_however_long_it_is(
    api: APIClient, unit: Unit, resource: str, django_assert_max_num_queries: Any
) -> None:
    chat = conversation(unit)
    made = campaign(unit, people=1, start=False)

    def more() -> None:
        for _ in range(5):
            reply(unit, to=chat)
            conversation(unit)
            campaign(unit, people=1, start=False)
            made.recipients.create(unit=unit, contact=contact(unit))

    path = {
        "thread": f"conversations/{chat.id}/messages",
        "recipients": f"campaigns/{made.id}/recipients",
    }.get(resource, resource)
    for _ in range(2):
        more()
        with django_assert_max_num_queries(6):
            assert api.get(f"/units/{unit.id}/{path}").status_code == 200


def test_a_campaign_goes_its_way_over_the_api(api: APIClient, unit: Unit) -> None:
    base = f"/units/{unit.id}/campaigns"
    body = {"name": "Natal", "content": "Oi", "phones": ["(11) 91234-5678", "+5511987654321"]}
    made = api.post(base, body, format="json")
    assert (made.status_code, made.data["status"], made.data["progress"]["total"]) == (201, "draft", 2)
    assert api.post(f"{base}/{made.data['id']}/start").data["status"] == "processing"
    again = api.post(f"{base}/{made.data['id']}/start")
    assert (again.status_code, again.data["errors"][0]["code"]) == (409, "conflict")
    assert api.post(f"{base}/{made.data['id']}/pause").data["status"] == "paused"
    assert api.post(f"{base}/{made.data['id']}/resume").data["status"] == "processing"
    assert api.post(f"{base}/{made.data['id']}/cancel").data["progress"]["cancelled"] == 2


def test_a_gateway_that_is_down_is_502_with_a_sentence(api: APIClient, unit: Unit, settings: Any) -> None:
    settings.EVOLUTION_URL = "http://127.0.0.1:9"  # the discard port: nobody listens
    # A 5xx is reported as an exception besides, which the test client would raise.
    api.raise_request_exception = False
    answer = api.post(f"/units/{unit.id}/whatsapp/connect", {}, format="json")
    assert (answer.status_code, answer.data["errors"][0]["code"]) == (502, "unreachable")
    assert "127.0.0.1" not in json.dumps(answer.json())


def test_good_health_checks_are_not_logged_and_other_requests_are() -> None:
    def request(method: str, line: str) -> Any:
        return without_health_checks(None, method, {"event": "request_finished", "request": line})

    assert request("info", "GET /units")
    assert request("error", "GET /healthz")
    with pytest.raises(DropEvent):
        request("info", "GET /healthz")
