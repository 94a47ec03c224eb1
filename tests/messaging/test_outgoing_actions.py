"""Edit, delete for everyone, typing and read: asked over the API, done at the gateway, shown when it has accepted."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from rest_framework.test import APIClient

from crm_whatsapp.db import ClockNow
from messaging import services
from messaging.models import ActionStatus, ChatAction, Conversation, Direction, Message
from messaging.outgoing.actions import Deed, Doer, record
from tests.factories import conversation, group, hook, message
from tests.messaging.on_the_wire import deliver
from tests.messaging.test_outgoing_sends import send
from tests.sandbox.conftest import Receiver
from tests.sandbox_process import Sandbox
from units.gateways.evolution import EvolutionService
from units.models import ConnectionStatus, LiveEvent, Unit, User, WhatsAppConnection
from webhooks.drain import drain

pytestmark = pytest.mark.django_db(transaction=True)

CUSTOMER = "5511977776666"
JID = f"{CUSTOMER}@s.whatsapp.net"


@pytest.fixture
def chat(unit: Unit) -> Conversation:
    return conversation(unit, phone=f"+{CUSTOMER}")


@pytest.fixture
def told(phone: str) -> Iterator[Receiver]:
    """What the gateway posts."""
    receiver = Receiver()
    EvolutionService(phone).set_webhook(url=receiver.url, events=["SEND_MESSAGE_UPDATE", "MESSAGES_DELETE"])
    yield receiver
    receiver.stop()


def sent(api: APIClient, chat: Conversation, text: str = "São 100") -> Message:
    row = send(api, chat, text=text)
    deliver()
    row.refresh_from_db()
    return row


def edit(api: APIClient, row: Message, text: str) -> Any:
    return api.post(f"/units/{row.unit_id}/messages/{row.id}/edit", {"text": text}, format="json")


def delete(api: APIClient, row: Message) -> Any:
    return api.delete(f"/units/{row.unit_id}/messages/{row.id}")


def do() -> list[tuple[str, str]]:
    Doer().run(seconds=5)
    return list(ChatAction.objects.order_by("created_at").values_list("kind", "status"))


def come_back(connection: WhatsAppConnection, told: Receiver, event: str) -> None:
    body = told.event(connection.instance_name, event)
    assert Client().post(hook(connection), body, content_type="application/json").status_code == 200
    drain(seconds=5)


def bubbles(sandbox: Sandbox, phone: str) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = sandbox.phone("GET", f"view?instance={phone}&chat={JID}")["bubbles"]
    return shown


def test_an_edit_shows_once_the_gateway_has_accepted_it(
    api: APIClient, sandbox: Sandbox, phone: str, chat: Conversation, connection: WhatsAppConnection, told: Receiver
) -> None:
    row = sent(api, chat)
    assert edit(api, row, "São 120").status_code == 202
    row.refresh_from_db()
    assert (row.body, row.edited_at) == ("São 100", None)
    assert do() == [("edit", "done")]
    assert [one["text"] for one in bubbles(sandbox, phone)] == ["São 120"]
    come_back(connection, told, "send.message.update")
    row.refresh_from_db()
    assert (row.body, row.details["original"]) == ("São 120", "São 100")
    assert row.edited_at is not None
    chat.refresh_from_db()
    assert chat.last_message_preview == "São 120"


def test_an_edit_asked_for_twice_is_the_last_one(api: APIClient, phone: str, chat: Conversation) -> None:
    row = sent(api, chat)
    assert edit(api, row, "São 110").data["id"] == edit(api, row, "São 120").data["id"]
    assert do() == [("edit", "done")]
    row.refresh_from_db()
    assert row.body == "São 120"


def test_an_edit_asked_for_while_one_is_under_way_has_the_last_word(
    api: APIClient, sandbox: Sandbox, phone: str, chat: Conversation
) -> None:
    row = sent(api, chat)
    edit(api, row, "São 110")
    (first,) = Doer().claim(1)
    edit(api, row, "São 120")
    # Two at once would come in any order.
    assert Doer().claim(1) == []
    sandbox.server("down")
    first.act()
    record(first)
    sandbox.server("up")
    for _ in range(2):
        ChatAction.objects.update(due_at=ClockNow())
        do()
    row.refresh_from_db()
    assert ([one["text"] for one in bubbles(sandbox, phone)], row.body) == (["São 120"], "São 120")


def test_an_edit_that_was_done_is_done_again_when_another_was_asked_for_meanwhile(
    api: APIClient, sandbox: Sandbox, phone: str, chat: Conversation
) -> None:
    row = sent(api, chat)
    edit(api, row, "São 110")
    (first,) = Doer().claim(1)
    edit(api, row, "São 120")
    first.act()
    record(first)
    assert do() == [("edit", "done")]
    row.refresh_from_db()
    assert ([one["text"] for one in bubbles(sandbox, phone)], row.body) == (["São 120"], "São 120")


def test_an_edit_that_the_gateway_refuses_changes_nothing(
    api: APIClient, sandbox: Sandbox, phone: str, chat: Conversation
) -> None:
    row = sent(api, chat)
    sandbox.evolution(
        "DELETE", f"/chat/deleteMessageForEveryone/{phone}", {"id": row.external_id, "fromMe": True, "remoteJid": JID}
    )
    edit(api, row, "São 120")
    assert do() == [("edit", "failed")]
    row.refresh_from_db()
    assert (row.body, row.edited_at) == ("São 100", None)


def test_a_deletion_shows_once_the_gateway_has_accepted_it(
    api: APIClient, sandbox: Sandbox, phone: str, chat: Conversation, connection: WhatsAppConnection, told: Receiver
) -> None:
    row = sent(api, chat)
    assert delete(api, row).status_code == 202
    assert not api.get(f"/units/{row.unit_id}/messages/{row.id}").json()["deleted"]
    assert do() == [("delete", "done")]
    assert [one["text"] for one in bubbles(sandbox, phone)] == ["🚫 Mensagem apagada"]
    come_back(connection, told, "messages.delete")
    shown = api.get(f"/units/{row.unit_id}/messages/{row.id}").json()
    assert (shown["deleted"], shown["body"]) == (True, "")
    assert LiveEvent.objects.filter(kind="message", object_id=row.id).count() >= 2
    assert delete(api, row).status_code == 409


@pytest.mark.parametrize(
    ("fields", "edits", "deletes"),
    [
        ({}, 202, 202),
        ({"sent_at": timedelta(minutes=16)}, 400, 202),
        ({"sent_at": timedelta(hours=49)}, 400, 409),
        ({"kind": "image"}, 400, 202),
        ({"status": "queued"}, 400, 409),
        ({"status": "uncertain"}, 400, 409),
        ({"external_id": None}, 400, 409),
        ({"direction": Direction.INBOUND, "status": "received"}, 400, 409),
        ({"deleted_at": timedelta(0)}, 400, 409),
    ],
    ids=str,
)
def test_what_can_be_changed(
    api: APIClient, chat: Conversation, fields: dict[str, Any], edits: int, deletes: int
) -> None:
    ages = {name: ClockNow() - value for name, value in fields.items() if isinstance(value, timedelta)}
    row = message(chat, out=True, **{"sent_at": ClockNow()} | fields | ages)
    assert edit(api, row, "Olá").status_code == edits
    assert delete(api, row).status_code == deletes
    assert ChatAction.objects.count() == [edits, deletes].count(202)


def test_what_is_asked_of_another_unit_is_not_there(api: APIClient, unit: Unit, stranger: User) -> None:  # I7
    theirs = conversation(Unit.objects.get(memberships__user=stranger))
    row = message(theirs, out=True, sent_at=ClockNow())
    row.unit_id = unit.id
    assert (edit(api, row, "Olá").status_code, delete(api, row).status_code) == (404, 404)
    assert api.post(f"/units/{unit.id}/conversations/{theirs.id}/typing").status_code == 404
    assert api.post(f"/units/{unit.id}/conversations/{theirs.id}/read").status_code == 404
    assert not ChatAction.objects.exists()


def test_typing_is_shown_once_however_often_it_is_asked(
    api: APIClient, sandbox: Sandbox, phone: str, chat: Conversation
) -> None:
    for _ in range(3):
        assert api.post(f"/units/{chat.unit_id}/conversations/{chat.id}/typing").status_code == 204
    assert do() == [("typing", "done")]
    (shown,) = sandbox.phone("GET", f"view?instance={phone}")["chats"]
    assert (shown["typed"], shown["typing"]) == (1, False)


def test_a_program_marks_a_chat_as_read(api: APIClient, sandbox: Sandbox, phone: str, chat: Conversation) -> None:
    message(chat, "Oi", external_id=sandbox.inbound(phone, CUSTOMER, "Oi"))
    Conversation.objects.update(unread_count=1)
    for _ in range(2):
        assert api.post(f"/units/{chat.unit_id}/conversations/{chat.id}/read").status_code == 200
    chat.refresh_from_db()
    assert chat.unread_count == 0
    assert do() == [("read", "done")]
    assert [one["status"] for one in bubbles(sandbox, phone)] == ["read"]


def test_a_chat_that_is_opened_is_read_at_whatsapp_too(sandbox: Sandbox, phone: str, chat: Conversation) -> None:
    ids = [sandbox.inbound(phone, CUSTOMER, text) for text in ("Oi", "Tem em azul?")]
    message(chat, "Oi", external_id=ids[0])
    services.mark_read(chat)
    message(chat, "Tem em azul?", external_id=ids[1])
    services.mark_read(chat)
    services.mark_read(chat)
    # One open action a chat; what nobody has seen twice is told once.
    assert do() == [("read", "done")]
    assert [one["status"] for one in bubbles(sandbox, phone)] == ["read", "read"]
    services.mark_read(chat)
    assert ChatAction.objects.count() == 1


def test_nobody_is_told_that_a_group_or_a_lid_was_read(unit: Unit) -> None:
    chat = group(unit)
    by_lid = conversation(unit)
    by_lid.contact.addresses.update(kind="lid", value="905511977776666")
    for each in (chat, by_lid):
        message(each, "Oi")
        services.mark_read(each)
    assert not ChatAction.objects.exists()


def test_what_was_asked_waits_for_the_number_and_ends_in_time(api: APIClient, chat: Conversation) -> None:
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED)
    row = message(chat, out=True, sent_at=ClockNow())
    edit(api, row, "Olá")
    assert do() == [("edit", "queued")]
    ChatAction.objects.update(expires_at=ClockNow())
    assert do() == [("edit", "expired")]


def test_a_gateway_that_is_down_is_asked_again(
    api: APIClient, sandbox: Sandbox, phone: str, chat: Conversation
) -> None:
    row = sent(api, chat)
    edit(api, row, "São 120")
    sandbox.server("down")
    assert do() == [("edit", "queued")]
    sandbox.server("up")
    ChatAction.objects.update(due_at=ClockNow())
    assert do() == [("edit", "done")]


def test_whoever_died_with_an_action_leaves_it_to_the_next(api: APIClient, phone: str, chat: Conversation) -> None:
    row = sent(api, chat)
    edit(api, row, "São 120")
    (lost,) = Doer().claim(1)
    assert Doer().claim(1) == []
    ChatAction.objects.update(due_at=ClockNow())
    assert do() == [("edit", "done")]
    # He comes back after all: it is no longer his.
    assert not record(lost)
    assert ChatAction.objects.get().status == ActionStatus.DONE


def test_two_workers_never_have_the_same_action_in_hand(api: APIClient, chat: Conversation) -> None:
    for _ in range(8):
        edit(api, message(chat, out=True, sent_at=ClockNow()), "Olá")
    found: list[Deed] = []

    def claim() -> None:
        found.extend(Doer().claim(3))
        connections.close_all()

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({deed.action_id for deed in found}) == len(found) == 8
