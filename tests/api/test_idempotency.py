"""`Idempotency-Key`: a POST that is sent twice is done once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from rest_framework.test import APIClient

from crm_whatsapp.db import ClockNow
from messaging.models import Attachment, Contact
from tests.access.routes import Route
from tests.access.world import Populated, checksum
from tests.api.asks import ASKS, Ask, integration, name_of, path_of, posts
from tests.files import picture
from units import tasks
from units.models import AnsweredRequest, Membership, Role, Unit, User

pytestmark = pytest.mark.django_db

# Views where a key is nothing, or something else, and why.
WITHOUT = {
    "connect": "asked again it shows the code of now; one of a day ago would be worth nothing",
    "disconnect": "asked again it changes nothing",
    "send-message": "the message itself keeps the key, for as long as there is the message",
}
# It asks the gateway, of which there is none here: tests/people has it.
ASKS_THE_GATEWAY = {"rotate-secret"}
ONCE = [route for route in posts() if route.view.answers_once and name_of(route) not in ASKS_THE_GATEWAY]


def send(client: APIClient, path: str, ask: Ask, key: str = "pedido-1", **more: Any) -> Any:
    kind = "multipart" if ask.files else "json"
    return client.post(path, ask.data() | more, format=kind, headers={"Idempotency-Key": key})


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def owner(populated: Populated) -> APIClient:
    return client_of(populated.people[Role.OWNER])


def test_every_post_takes_a_key_or_is_known_not_to() -> None:
    assert {name_of(route) for route in posts() if not route.view.answers_once} <= set(WITHOUT)
    assert {name_of(route) for route in ONCE} - set(ASKS) == set()


@pytest.mark.parametrize("route", ONCE, ids=str)
def test_the_same_again_is_answered_alike_and_done_once(populated: Populated, owner: APIClient, route: Route) -> None:
    ask = ASKS[name_of(route)](populated)
    path = path_of(route, populated, ask)
    first = send(owner, path, ask)
    assert first.status_code < 300, first.content
    done = checksum(populated.unit.pk)
    again = send(owner, path, ask)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Idempotent-Replayed"] == "true"
    other = send(owner, path, ask, another="body")
    assert (other.status_code, other.json()["errors"][0]["code"]) == (409, "idempotency_key_reused")
    assert checksum(populated.unit.pk) == done


def test_a_message_is_sent_once_for_a_key(api: APIClient, unit: Unit) -> None:  # I3
    path, ask = f"/units/{unit.pk}/whatsapp/messages", Ask({"phone": "+5511912345678", "text": "Oi"})
    assert send(api, path, ask).json()["id"] == send(api, path, ask).json()["id"]
    other = send(api, path, ask, text="Tchau")
    assert (other.status_code, other.json()["errors"][0]["code"]) == (409, "idempotency_key_reused")


def test_a_refusal_is_not_kept(api: APIClient, unit: Unit) -> None:
    path = f"/units/{unit.pk}/contacts"
    assert send(api, path, Ask({"phone": "1"})).status_code == 400
    assert not AnsweredRequest.objects.exists()
    assert send(api, path, Ask({"phone": "+5511912345678"})).status_code == 201


def test_what_a_refused_request_began_is_taken_back(api: APIClient, unit: Unit) -> None:
    body = {"name": "a", "content": "b", "phones": ["+5511912345678"], "attachment_id": str(unit.pk)}
    assert send(api, f"/units/{unit.pk}/campaigns", Ask(body)).status_code == 400
    assert not Contact.objects.filter(unit=unit).exists()


def test_another_file_under_the_same_name_is_another_request(api: APIClient, unit: Unit, settings: Any) -> None:
    path = f"/units/{unit.pk}/attachments"
    assert send(api, path, Ask(files={"file": ("a.jpg", picture())})).status_code == 201
    assert send(api, path, Ask(files={"file": ("a.jpg", picture(colour="#000000"))})).status_code == 409
    assert Attachment.objects.filter(unit=unit).count() == 1


def test_whoever_lost_access_is_not_told_what_was_answered(api: APIClient, ana: User, unit: Unit) -> None:  # I7
    path, ask = f"/units/{unit.pk}/tags", Ask({"name": "VIP"})
    assert send(api, path, ask).status_code == 201
    Membership.objects.filter(user=ana).update(role=Role.AGENT)
    assert send(api, path, ask).status_code == 403
    Membership.objects.filter(user=ana).delete()
    assert send(api, path, ask).status_code == 404


def test_keys_of_two_people_are_two(api: APIClient, unit: Unit) -> None:
    bia = User.objects.create_user("bia@example.com")
    Membership.objects.create(unit=unit, user=bia, role=Role.OWNER)
    path = f"/units/{unit.pk}/tags"
    assert send(api, path, Ask({"name": "VIP"})).status_code == 201
    assert send(client_of(bia), path, Ask({"name": "Atacado"})).status_code == 201


def test_a_key_is_forgotten_after_a_day(api: APIClient, unit: Unit) -> None:
    path, ask = f"/units/{unit.pk}/contacts", Ask({"phone": "+5511912345678"})
    send(api, path, ask)
    tasks.prune()
    assert AnsweredRequest.objects.exists()
    AnsweredRequest.objects.update(created_at=ClockNow() - timedelta(hours=25))
    tasks.prune()
    assert not AnsweredRequest.objects.exists()


@pytest.mark.parametrize("key", ["", " ", "a" * 201, "a\tb", "chave\x7f"])
def test_a_key_that_is_none_is_400_and_nothing_is_done(api: APIClient, unit: Unit, key: str) -> None:
    """Of messages, too, which keep their key themselves."""
    message = {"phone": "+5511912345678", "text": "Oi"}
    for path, body in (("tags", {"name": "VIP"}), ("whatsapp/messages", message)):
        answer = send(api, f"/units/{unit.pk}/{path}", Ask(body), key)
        assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "Idempotency-Key"), path
    assert not unit.tags.exists()
    assert not unit.messages.exists()


def test_a_secret_that_was_answered_is_kept_encrypted(populated: Populated, owner: APIClient) -> None:  # I8
    path = f"/units/{populated.unit.pk}/integrations/{integration(populated).pk}/tokens"
    token = send(owner, path, Ask({"name": "segundo"})).json()["token"]
    again = send(owner, path, Ask({"name": "segundo"}))
    assert (again.json()["token"], again["Cache-Control"]) == (token, "no-store")
    with database.cursor() as cursor:
        cursor.execute("SELECT encode(body, 'escape') FROM answered_requests")
        assert token not in str(cursor.fetchall())
