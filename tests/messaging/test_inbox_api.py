"""What people do with conversations over HTTP: whose they are, where they stand, labels, notes, what is unread."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from crm_whatsapp.db import ClockNow
from messaging.inbox import steering
from messaging.models import CannedReply, Conversation, ConversationStatus, Label, Message, Note
from tests.factories import contact, conversation, hook, inbound_text, message
from tests.webhooks.conftest import post
from units.models import LiveEvent, Membership, Unit, User, WhatsAppConnection
from units.roles import Role
from units.services import create_unit
from webhooks.drain import drain

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(unit: Unit) -> str:
    return f"/units/{unit.id}"


@pytest.fixture
def bia(unit: Unit) -> User:
    """An agent of Ana's unit."""
    user = User.objects.create_user("bia@example.com", "correct horse battery", first_name="Bia")
    Membership.objects.create(unit=unit, user=user, role=Role.AGENT)
    return user


@pytest.fixture
def bia_s(bia: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(bia)
    return client


def send(api: APIClient, method: str, url: str, **body: Any) -> Any:
    return getattr(api, method)(url, body, format="json")


def at(chat: Conversation) -> str:
    return f"/units/{chat.unit_id}/conversations/{chat.id}"


def listed(api: APIClient, unit: Unit, **query: Any) -> set[str]:
    answer = api.get(f"/units/{unit.id}/conversations", query)
    assert answer.status_code == 200, answer.data
    return {row["id"] for row in answer.data["results"]}


def told() -> list[Any]:
    """Which conversations the feed tells of, each once."""
    return list(LiveEvent.objects.filter(kind="conversation").values_list("object_id", flat=True).distinct())


def snooze(chat: Conversation, **ahead: float) -> None:
    Conversation.objects.filter(pk=chat.pk).update(
        status=ConversationStatus.SNOOZED, snoozed_until=ClockNow() + timedelta(**ahead)
    )


# The list


def test_the_list_is_filtered_by_person(api: APIClient, unit: Unit, ana: User, bia: User) -> None:
    mine, hers, nobodys = (conversation(unit) for _ in range(3))
    steering.assign(mine, ana.id)
    steering.assign(hers, bia.id)
    assert listed(api, unit, assigned_to="me") == {str(mine.id)}
    assert listed(api, unit, assigned_to=str(bia.id)) == {str(hers.id)}
    assert listed(api, unit, assigned_to="nobody") == {str(nobodys.id)}
    answer = api.get(f"/units/{unit.id}/conversations", {"assigned_to": "bia"})
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "assigned_to")


def test_the_list_is_filtered_by_status(api: APIClient, unit: Unit) -> None:
    chats = {status: conversation(unit) for status in ("open", "pending", "resolved")}
    for status, chat in chats.items():
        steering.set_status(chat, status)
    assert listed(api, unit, status="pending") == {str(chats["pending"].id)}
    assert listed(api, unit, status=["open", "pending"]) == {str(chats[name].id) for name in ("open", "pending")}


def test_the_list_is_filtered_by_label_unread_and_waiting(api: APIClient, unit: Unit) -> None:
    labelled, waiting, quiet = (conversation(unit) for _ in range(3))
    label = Label.objects.create(unit=unit, name="Troca")
    steering.add_label(labelled, label)
    message(waiting)
    assert listed(api, unit, label=label.id) == {str(labelled.id)}
    for name in ("unread", "waiting"):
        assert listed(api, unit, **{name: "true"}) == {str(waiting.id)}
        assert listed(api, unit, **{name: "false"}) == {str(labelled.id), str(quiet.id)}


def test_a_page_takes_as_many_queries_however_long_it_is(
    api: APIClient, unit: Unit, ana: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    label = Label.objects.create(unit=unit, name="Troca")
    for _ in range(3):
        chat = conversation(unit)
        steering.assign(chat, ana.id)
        steering.add_label(chat, label)
    # The unit, the conversations, addresses, labels.
    with django_assert_num_queries(4):
        assert len(listed(api, unit)) == 3


# What colleagues see without asking


def test_colleagues_are_told_of_whatever_somebody_changes(api: APIClient, unit: Unit, ana: User, url: str) -> None:
    chat = conversation(unit)
    message(chat)
    path = f"{url}/conversations/{chat.id}"
    label = Label.objects.create(unit=unit, name="Troca")
    note = steering.write_note(chat, ana, "Oi")
    for method, asked, body in (
        ("patch", path, {"assigned_to": str(ana.id)}),
        ("patch", path, {"assigned_to": None}),
        ("patch", path, {"status": "pending"}),
        ("patch", path, {"status": "snoozed", "snoozed_until": "2099-01-01T12:00:00Z"}),
        ("post", f"{path}/read", {}),
        ("post", f"{path}/unread", {}),
        ("put", f"{path}/labels/{label.id}", {}),
        ("patch", f"{url}/labels/{label.id}", {"color": "#ff0000"}),
        ("delete", f"{path}/labels/{label.id}", {}),
        ("post", f"{path}/notes", {"body": "Prefere à tarde"}),
        ("patch", f"{path}/notes/{note.id}", {"body": "Olá"}),
        ("delete", f"{path}/notes/{note.id}", {}),
        ("patch", f"{url}/contacts/{chat.contact_id}", {"name": "Caio"}),
    ):
        LiveEvent.objects.all().delete()
        assert getattr(api, method)(asked, body, format="json").status_code < 300, asked
        assert told() == [chat.id], (method, asked, body)


# Whose, and where it stands


def test_a_conversation_is_given_to_a_colleague_and_all_are_told(api: APIClient, unit: Unit, bia: User) -> None:
    chat = conversation(unit)
    answer = send(api, "patch", at(chat), assigned_to=str(bia.id))
    assert answer.data["assigned_to"] == {"id": str(bia.id), "name": "Bia"}
    assert (told(), answer.data) == ([chat.id], api.get(at(chat)).data)
    assert send(api, "patch", at(chat), assigned_to=None).data["assigned_to"] is None


def test_nobody_else_s_people_get_a_conversation(api: APIClient, unit: Unit, stranger: User) -> None:  # I7
    chat = conversation(unit)
    for nobody in (stranger.id, uuid4()):
        answer = send(api, "patch", at(chat), assigned_to=str(nobody), status="resolved")
        error = answer.json()["errors"][0]
        assert (answer.status_code, error["attr"]) == (400, "assigned_to")
    chat.refresh_from_db()
    assert (chat.assigned_to, chat.status, told()) == (None, "open", [])


def test_whoever_leaves_the_unit_leaves_his_conversations_to_all(unit: Unit, bia: User) -> None:
    chat = conversation(unit)
    steering.assign(chat, bia.id)
    LiveEvent.objects.all().delete()
    Membership.objects.get(user=bia).delete()
    chat.refresh_from_db()
    assert (chat.assigned_to, told()) == (None, [chat.id])


@pytest.mark.parametrize("status", ["open", "pending", "resolved", "snoozed"])
def test_a_conversation_takes_any_status(api: APIClient, unit: Unit, status: str) -> None:
    chat = conversation(unit)
    answer = send(api, "patch", at(chat), status=status)
    assert (answer.data["status"], answer.data["snoozed_until"], told()) == (status, None, [chat.id])


def test_a_snoozed_conversation_opens_when_its_time_comes(api: APIClient, unit: Unit) -> None:
    chat, later, for_good = (conversation(unit) for _ in range(3))
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    assert send(api, "patch", at(later), status="snoozed", snoozed_until=until).data["snoozed_until"]
    send(api, "patch", at(for_good), status="snoozed")
    snooze(chat, hours=-1)
    LiveEvent.objects.all().delete()
    assert (steering.wake_snoozed(), told(), steering.wake_snoozed()) == (1, [chat.id], 0)
    assert listed(api, unit, status="snoozed") == {str(later.id), str(for_good.id)}
    assert api.get(at(chat)).data["snoozed_until"] is None


def test_a_snoozed_conversation_opens_when_the_contact_writes(unit: Unit, connection: WhatsAppConnection) -> None:
    chat = conversation(unit, phone="+5511977776666")
    snooze(chat, hours=1)
    post(hook(connection), inbound_text(connection, phone="5511977776666", text="Oi", external_id="A1"))
    drain(seconds=5)
    chat.refresh_from_db()
    assert (chat.status, chat.snoozed_until) == ("open", None)


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({"status": "snoozed", "snoozed_until": "2020-01-01T00:00:00Z"}, "snoozed_until"),
        ({"status": "open", "snoozed_until": "2999-01-01T00:00:00Z"}, "snoozed_until"),
        ({"snoozed_until": "2999-01-01T00:00:00Z"}, "snoozed_until"),
        ({"status": "closed"}, "status"),
        ({"assigned_to": "bia"}, "assigned_to"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(api: APIClient, unit: Unit, body: dict[str, Any], attr: str) -> None:
    chat = conversation(unit)
    answer = send(api, "patch", at(chat), **body)
    assert (answer.status_code, answer.json()["errors"][0]["attr"], told()) == (400, attr, [])


# Read and unread


def test_what_was_read_can_be_made_unread_again(api: APIClient, unit: Unit) -> None:
    chat = conversation(unit)
    for minutes in (3, 2):
        message(chat, minutes_ago=minutes)
    assert api.post(f"{at(chat)}/read").data["unread_count"] == 0
    assert api.post(f"{at(chat)}/unread").data["unread_count"] == 1
    assert told() == [chat.id]


def test_what_was_answered_is_not_unread(api: APIClient, unit: Unit) -> None:
    chat = conversation(unit)
    message(chat, minutes_ago=2)
    message(chat, out=True)
    answer = api.post(f"{at(chat)}/unread")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "nothing_waits")


def test_the_badges_are_counted_in_one_statement(
    api: APIClient, unit: Unit, ana: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    mine, waiting, over = (conversation(unit) for _ in range(3))
    steering.assign(mine, ana.id)
    message(waiting)
    message(over)
    steering.set_status(over, "resolved")
    message(conversation(create_unit("Outra")))
    with django_assert_num_queries(2):
        answer = api.get(f"/units/{unit.id}/inbox/counts")
    assert answer.data == {"unread": 2, "mine": 1, "unassigned": 1, "waiting": 1}


# Labels


def test_a_label_is_put_on_once_and_taken_off(api: APIClient, unit: Unit) -> None:
    chat, label = conversation(unit), Label.objects.create(unit=unit, name="Troca")
    for _ in range(2):
        answer = api.put(f"{at(chat)}/labels/{label.id}")
        assert [one["name"] for one in answer.data["labels"]] == ["Troca"]
    assert told() == [chat.id]
    for _ in range(2):
        assert api.delete(f"{at(chat)}/labels/{label.id}").data["labels"] == []


def test_another_unit_s_label_is_not_there(api: APIClient, unit: Unit) -> None:  # I7
    label = Label.objects.create(unit=create_unit("Outra"), name="Troca")
    assert api.put(f"{at(conversation(unit))}/labels/{label.id}").status_code == 404
    assert not label.conversations.exists()


def test_labels_are_made_renamed_and_deleted(api: APIClient, unit: Unit, url: str) -> None:
    made = send(api, "post", f"{url}/labels", name="Troca", color="#1fa855")
    assert (made.status_code, made.data["color"]) == (201, "#1fa855")
    chat, label = conversation(unit), Label.objects.get()
    steering.add_label(chat, label)
    LiveEvent.objects.all().delete()
    assert send(api, "patch", f"{url}/labels/{label.id}", name="Trocas").data["conversations"] == 1
    assert (api.get(at(chat)).data["labels"][0]["name"], told()) == ("Trocas", [chat.id])
    assert api.delete(f"{url}/labels/{label.id}").status_code == 204
    assert api.get(at(chat)).data["labels"] == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("labels", {"name": "Troca"}, "name"),
        ("canned-replies", {"shortcut": "Troca", "body": "Traga a nota."}, "shortcut"),
    ],
)
def test_a_name_is_there_once_in_a_unit_whatever_its_case(
    api: APIClient, url: str, path: str, body: dict[str, str], field: str
) -> None:
    other = create_unit("Outra")
    Label.objects.create(unit=other, name="troca")
    CannedReply.objects.create(unit=other, shortcut="troca", body="x")
    first = send(api, "post", f"{url}/{path}", **body)
    second = send(api, "post", f"{url}/{path}", **body | {field: "TROCA"})
    error = second.json()["errors"][0]
    assert (first.status_code, second.status_code, error["attr"], error["code"]) == (201, 400, field, "unique")
    third = send(api, "post", f"{url}/{path}", **body | {field: "Volta"})
    refused = send(api, "patch", f"{url}/{path}/{third.data['id']}", **{field: "troca"})
    assert (refused.status_code, refused.json()["errors"][0]["attr"]) == (400, field)


@pytest.mark.parametrize("path", ["labels", "canned-replies"])
def test_an_agent_uses_labels_and_canned_replies_and_sets_none_up(bia_s: APIClient, url: str, path: str) -> None:
    assert bia_s.get(f"{url}/{path}").status_code == 200
    assert send(bia_s, "post", f"{url}/{path}", name="Troca", shortcut="troca", body="x").status_code == 403


def test_canned_replies_are_found_changed_and_deleted(api: APIClient, unit: Unit, url: str) -> None:
    made = [CannedReply.objects.create(unit=unit, shortcut=name, body=f"Sobre {name}") for name in ("hora", "preco")]
    found = api.get(f"{url}/canned-replies", {"search": "HORA"}).data["results"]
    assert [row["shortcut"] for row in found] == ["hora"]
    one = f"{url}/canned-replies/{made[0].id}"
    assert send(api, "patch", one, body="Das 9h às 18h").data["body"] == "Das 9h às 18h"
    assert (api.delete(one).status_code, api.get(one).status_code) == (204, 404)
    assert send(api, "post", f"{url}/canned-replies", shortcut="a b", body="x").status_code == 400


# The history of whose it is and where it stands


def events_of(api: APIClient, chat: Conversation) -> list[tuple[Any, ...]]:
    """Newest first."""
    return [
        (row["kind"], *(row[who] and row[who]["name"] for who in ("author", "assignee")), row["until"])
        for row in api.get(f"{at(chat)}/events").data["results"]
    ]


def test_what_changes_is_a_line_of_its_history(api: APIClient, bia: User, unit: Unit) -> None:
    chat, until = conversation(unit), "2099-12-01T11:00:00Z"
    for body in (
        {"assigned_to": str(bia.pk), "status": "pending"},
        # Nothing that it was not already.
        {"assigned_to": str(bia.pk), "status": "pending"},
        {"status": "snoozed", "snoozed_until": until},
        {"assigned_to": None, "status": "resolved"},
        {"status": "open"},
    ):
        assert send(api, "patch", at(chat), **body).status_code == 200
    assert events_of(api, chat) == [
        ("opened", "Ana", None, None),
        ("resolved", "Ana", None, None),
        ("assigned", "Ana", None, None),
        ("snoozed", "Ana", None, until),
        ("pending", "Ana", None, None),
        ("assigned", "Ana", "Bia", None),
    ]


def test_what_nobody_did_is_a_line_without_a_name(api: APIClient, bia: User, unit: Unit) -> None:
    chat = conversation(unit)
    steering.assign(chat, bia.pk, by=bia)
    Conversation.objects.filter(pk=chat.pk).update(status="snoozed", snoozed_until=timezone.now())
    assert steering.wake_snoozed() == 1
    unit.memberships.get(user=bia).delete()
    assert events_of(api, chat) == [
        ("assigned", None, None, None),
        ("opened", None, None, None),
        ("assigned", "Bia", "Bia", None),
    ]


# Notes


def test_notes_are_for_colleagues_and_are_never_sent(api: APIClient, bia_s: APIClient, unit: Unit) -> None:
    chat = conversation(unit)
    note = send(api, "post", f"{at(chat)}/notes", body="Prefere a tarde")
    assert (note.status_code, note.data["author"]["name"], told()) == (201, "Ana", [chat.id])
    assert [row["body"] for row in bia_s.get(f"{at(chat)}/notes").data["results"]] == ["Prefere a tarde"]
    assert not Message.objects.exists()


def test_only_its_author_changes_and_deletes_a_note(api: APIClient, bia_s: APIClient, unit: Unit, ana: User) -> None:
    chat = conversation(unit)
    note = f"{at(chat)}/notes/{steering.write_note(chat, ana, 'Prefere a tarde').id}"
    assert send(bia_s, "patch", note, body="x").status_code == bia_s.delete(note).status_code == 403
    edited = send(api, "patch", note, body="Prefere a manhã")
    assert (edited.data["body"], edited.data["edited_at"] is None) == ("Prefere a manhã", False)
    assert (api.delete(note).status_code, Note.objects.count()) == (204, 0)


def test_a_note_is_not_there_in_another_conversation(api: APIClient, unit: Unit, ana: User) -> None:
    note = steering.write_note(conversation(unit), ana, "Prefere a tarde")
    assert api.delete(f"{at(conversation(unit))}/notes/{note.id}").status_code == 404


# Merges


def test_two_contacts_are_merged_and_parted(api: APIClient, unit: Unit, url: str) -> None:
    kept, absorbed = contact(unit, name="Ana"), contact(unit, name="Ana Maria")
    made = send(api, "post", f"{url}/contacts/merges", kept_id=str(kept.id), absorbed_id=str(absorbed.id))
    assert (made.status_code, made.data["kept"]["id"], made.data["absorbed_name"]) == (201, str(kept.id), "Ana Maria")
    assert api.get(f"{url}/contacts/{absorbed.id}").status_code == 404
    undo = f"{url}/contacts/merges/{made.data['id']}/undo"
    assert (api.post(undo).data["name"], api.post(undo).status_code) == ("Ana Maria", 409)
    (row,) = api.get(f"{url}/contacts/merges").data["results"]
    assert row["undone_by"]["name"] == "Ana"


def test_contacts_of_another_unit_are_not_there_to_merge(api: APIClient, unit: Unit, url: str) -> None:  # I7
    mine, other = contact(unit), contact(create_unit("Outra"))
    for kept, absorbed in ((mine, other), (other, mine)):
        body = {"kept_id": str(kept.id), "absorbed_id": str(absorbed.id)}
        assert send(api, "post", f"{url}/contacts/merges", **body).status_code == 404
    same = send(api, "post", f"{url}/contacts/merges", kept_id=str(mine.id), absorbed_id=str(mine.id))
    assert (same.status_code, same.json()["errors"][0]["attr"]) == (400, "absorbed_id")


def test_an_agent_merges_nobody(bia_s: APIClient, unit: Unit, url: str) -> None:
    body = {"kept_id": str(contact(unit).id), "absorbed_id": str(contact(unit).id)}
    assert send(bia_s, "post", f"{url}/contacts/merges", **body).status_code == 403


# Strangers


def test_a_stranger_finds_nothing(stranger: User, unit: Unit, ana: User) -> None:  # I7
    client = APIClient()
    client.force_authenticate(stranger)
    chat = conversation(unit)
    note = steering.write_note(chat, ana, "Prefere a tarde")
    for path in ("", "/notes", f"/notes/{note.id}", "/events", "/read", "/unread"):
        for method in ("get", "post", "patch", "delete"):
            assert send(client, method, f"{at(chat)}{path}", body="x", status="resolved").status_code in (404, 405)
    chat.refresh_from_db()
    assert (chat.status, Note.objects.get().body) == ("open", "Prefere a tarde")
