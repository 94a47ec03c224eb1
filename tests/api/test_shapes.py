"""What answers have in common: times in UTC, where a new thing is, people by name, rows that need no second request."""

import re
from typing import Any

import pytest
from rest_framework.test import APIClient

from messaging.models import Contact, Conversation, MessageStatus
from tests import factories
from tests.access.routes import Route, every_route, is_api, unit_routes
from tests.access.world import Populated
from tests.api.asks import ASKS, name_of, path_of, posts
from units.models import Membership, Role, Unit, User

pytestmark = pytest.mark.django_db

# Its answer is no JSON, or it is asked of another process.
NO_JSON = {"events", "export-contacts", "recipients-csv", "import-refused"}
GETS = [route for route in unit_routes() if "get" in route.methods and name_of(route) not in NO_JSON]
TIME = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+(.*)$")


def owner_of(whose: Populated) -> APIClient:
    client = APIClient()
    client.force_authenticate(whose.people[Role.OWNER])
    return client


def zones(told: Any) -> set[str]:
    """What stands after each time in an answer."""
    if isinstance(told, dict):
        return set().union(*map(zones, told.values()))
    if isinstance(told, list):
        return set().union(*map(zones, told))
    found = TIME.match(told) if isinstance(told, str) else None
    return {found[1]} if found else set()


@pytest.mark.parametrize("route", GETS, ids=str)
def test_times_are_in_utc(populated: Populated, route: Route) -> None:
    answer = owner_of(populated).get(path_of(route, populated))
    if answer.headers.get("Content-Type") == "application/json":
        assert zones(answer.json()) <= {"Z"}


def test_times_without_a_zone_are_taken_for_utc(api: APIClient, unit: Unit) -> None:
    chat = factories.conversation(unit)
    body = {"status": "snoozed", "snoozed_until": "2099-12-01T11:00:00"}
    answer = api.patch(f"/units/{unit.pk}/conversations/{chat.pk}", body, format="json")
    assert answer.json()["snoozed_until"] == "2099-12-01T11:00:00Z"


@pytest.mark.parametrize("route", posts(), ids=str)
def test_what_was_made_says_where_it_is(populated: Populated, route: Route) -> None:
    name, api = name_of(route), owner_of(populated)
    if name not in ASKS:
        return
    ask = ASKS[name](populated)
    path = path_of(route, populated, ask)
    answer = api.post(path, ask.data(), format="multipart" if ask.files else "json")
    if answer.status_code == 201 and name not in ("merges", "clone-campaign"):
        assert answer["Location"] == f"{path}/{answer.json()['id']}"
        assert api.options(answer["Location"]).status_code == 200


def test_an_answer_that_is_given_again_says_it_too(api: APIClient, unit: Unit) -> None:
    for _ in range(2):
        answer = api.post(f"/units/{unit.pk}/tags", {"name": "VIP"}, format="json", headers={"Idempotency-Key": "k"})
        assert answer["Location"] == f"/units/{unit.pk}/tags/{answer.json()['id']}"


def test_no_address_breaks_when_asked_what_it_takes(populated: Populated) -> None:
    api = owner_of(populated)
    for route in filter(is_api, every_route()):
        assert api.options(path_of(route, populated)).status_code in (200, 404, 405), route


def test_a_row_of_the_inbox_tells_the_last_message(api: APIClient, unit: Unit) -> None:
    chat = factories.conversation(unit)
    factories.message(chat, "Oi")
    last = factories.message(chat, "Olá!", out=True, status=MessageStatus.READ)
    for path in ("", f"/{chat.pk}"):
        told = api.get(f"/units/{unit.pk}/conversations{path}").json()
        row = told["results"][0] if not path else told
        assert row["last_message"] == {
            "id": str(last.pk), "direction": "outbound", "kind": "text", "status": "read", "deleted": False,
            "sender_name": None,
        }  # fmt: skip


def test_a_conversation_without_a_message_has_no_last_one(api: APIClient, unit: Unit) -> None:
    factories.conversation(unit)
    assert api.get(f"/units/{unit.pk}/conversations").json()["results"][0]["last_message"] is None


def test_in_a_group_the_last_message_tells_who_spoke(api: APIClient, unit: Unit) -> None:
    factories.message(factories.group(unit), "Tem?", sender=factories.contact(unit, name="Caio"))
    assert api.get(f"/units/{unit.pk}/conversations").json()["results"][0]["last_message"]["sender_name"] == "Caio"


def test_a_message_names_the_colleague_who_wrote_it(api: APIClient, ana: User, unit: Unit) -> None:
    chat = factories.conversation(unit)
    sent = api.post(
        f"/units/{unit.pk}/whatsapp/messages", {"conversation_id": str(chat.pk), "text": "Oi"}, format="json"
    )
    row = api.get(f"/units/{unit.pk}/conversations/{chat.pk}/messages").json()["results"][0]
    assert sent.json()["author"] == row["author"] == {"id": str(ana.pk), "name": "Ana"}


def test_colleagues_without_a_name_are_not_known_by_their_address(unit: Unit, stranger: User) -> None:
    """Whoever may not manage access sees no address, as in the list of members."""
    nameless = User.objects.create_user("carla@example.com")
    client = APIClient()
    for user in (nameless, stranger):
        Membership.objects.create(unit=unit, user=user, role=Role.AGENT)
    client.force_authenticate(nameless)
    chat = factories.conversation(unit)
    Conversation.objects.update(assigned_to=nameless)
    path = f"/units/{unit.pk}/conversations/{chat.pk}"
    client.post(f"{path}/notes", {"body": "Oi"}, format="json")
    client.post(f"/units/{unit.pk}/contacts/{chat.contact_id}/opt-out", {"reason": "pediu"}, format="json")
    body = {"conversation_id": str(chat.pk), "text": "Oi"}
    message = client.post(f"/units/{unit.pk}/whatsapp/messages", body, format="json").json()
    client.force_authenticate(stranger)
    for shown in (
        path,
        f"{path}/notes",
        f"{path}/messages",
        f"/units/{unit.pk}/messages/{message['id']}/timeline",
        f"/units/{unit.pk}/contacts/{chat.contact_id}/opt-outs",
    ):
        told = client.get(shown).content.decode()
        assert "carla" in told, shown
        assert "example.com" not in told, shown


def test_a_refused_send_makes_no_contact(api: APIClient, unit: Unit) -> None:
    body = {"phone": "+5511912345678", "text": "Oi", "reply_to": "nobody's"}
    assert api.post(f"/units/{unit.pk}/whatsapp/messages", body, format="json").status_code == 400
    sent = api.post(
        f"/units/{unit.pk}/whatsapp/messages",
        {"phone": "+5511912345679", "text": "Oi"},
        format="json",
        headers={"Idempotency-Key": "k"},
    )
    assert sent.status_code == 202
    again = api.post(
        f"/units/{unit.pk}/whatsapp/messages",
        {"phone": "+5511912345678", "text": "Oi"},
        format="json",
        headers={"Idempotency-Key": "k"},
    )
    assert again.status_code == 409
    assert Contact.objects.get(unit=unit).phone_number == "+5511912345679"
