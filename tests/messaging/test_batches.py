"""Many events at a time, as the drain applies them: the same as one by one, in any order."""

import json
import threading
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import Client

from crm_whatsapp.db import ClockNow
from messaging.models import Contact, Conversation, ConversationStatus, Message, MessageStatus
from messaging.outgoing.contents import Text
from messaging.outgoing.queueing import queue
from tests.factories import conversation, hook, inbound_text, reply, webhook
from units.models import LiveEvent, WhatsAppConnection
from webhooks.drain import drain
from webhooks.models import EventStatus, WebhookEvent
from webhooks.replay import replay

pytestmark = pytest.mark.django_db

S = MessageStatus
PHONE = "5511977776666"


def tell(connection: WhatsAppConnection, *bodies: dict[str, Any]) -> list[str]:
    """Post bodies and drain once; the statuses of their events."""
    url = hook(connection)
    for body in bodies:
        assert Client().post(url, json.dumps(body), content_type="application/json").status_code == 200
    drain(seconds=5)
    return list(WebhookEvent.objects.order_by("created_at", "id").values_list("status", flat=True))


def text(connection: WhatsAppConnection, external_id: str, words: str = "Oi", **data: Any) -> dict[str, Any]:
    body = inbound_text(connection, phone=PHONE, text=words, external_id=external_id)
    body["data"] |= data
    return body


def reaction(connection: WhatsAppConnection, external_id: str, target: str, emoji: str) -> dict[str, Any]:
    body = text(connection, external_id)
    body["data"]["message"] = {"reactionMessage": {"key": {"id": target, "fromMe": False}, "text": emoji}}
    body["data"]["messageType"] = "reactionMessage"
    return body


def deletion(connection: WhatsAppConnection, target: str) -> dict[str, Any]:
    return webhook("baileys-messages.delete-in-revoke", connection, id=target)


def sent(connection: WhatsAppConnection, external_id: str) -> Message:
    message = reply(connection.unit)
    Message.objects.filter(pk=message.pk).update(status=S.SENT, external_id=external_id, sent_at=ClockNow())
    return message


def receipt(connection: WhatsAppConnection, external_id: str, status: str = "READ") -> dict[str, Any]:
    return webhook("baileys-messages.update-read", connection, keyId=external_id, status=status)


def test_a_batch_takes_the_same_number_of_queries_whatever_its_size(
    connection: WhatsAppConnection, django_assert_max_num_queries: Any
) -> None:
    url = hook(connection)
    for number in range(120):
        body = inbound_text(connection, phone=f"55119{number:08d}", text="Oi", external_id=f"A{number}")
        Client().post(url, json.dumps(body), content_type="application/json")
    with django_assert_max_num_queries(45):
        drain(seconds=5)
    assert (Message.objects.count(), Contact.objects.count()) == (120, 120)


def test_the_same_message_twice_in_a_batch_is_one(connection: WhatsAppConnection) -> None:  # I2
    again = text(connection, "A1") | {"date_time": "again"}
    assert tell(connection, text(connection, "A1"), again) == [EventStatus.HANDLED, EventStatus.IGNORED]
    assert Message.objects.count() == 1


def test_one_poison_event_delays_only_itself(connection: WhatsAppConnection) -> None:  # I1
    url = hook(connection)
    for number in range(9):
        Client().post(url, json.dumps(text(connection, f"A{number}")), content_type="application/json")
    poison = WebhookEvent.objects.order_by("id")[4]
    WebhookEvent.objects.filter(pk=poison.pk).update(body='{"event": "messages.upsert", "data": ')
    drain(seconds=5)
    assert list(WebhookEvent.objects.exclude(status=EventStatus.HANDLED)) == [poison]
    assert Message.objects.count() == 8


def test_a_poison_event_ends_among_the_dead_with_its_error(connection: WhatsAppConnection) -> None:  # I1
    tell(connection, text(connection, "A1"))
    WebhookEvent.objects.update(status=EventStatus.RECEIVED, body="{", due_at=ClockNow())
    for _ in range(8):
        WebhookEvent.objects.update(due_at=ClockNow())
        drain(seconds=5)
    event = WebhookEvent.objects.get()
    assert (event.status, event.failures) == (EventStatus.DEAD, 8)
    assert "JSONDecodeError" in event.reason


def test_a_receipt_a_message_and_its_deletion_in_one_batch_need_no_order(connection: WhatsAppConnection) -> None:  # I2
    assert set(tell(connection, deletion(connection, "A1"), text(connection, "A1"))) == {EventStatus.HANDLED}
    assert Message.objects.get().deleted_at


def test_what_speaks_of_a_message_waits_for_it_however_long(connection: WhatsAppConnection) -> None:  # I1
    tell(connection, deletion(connection, "A1"))
    WebhookEvent.objects.update(attempts=11, due_at=ClockNow())
    drain(seconds=5)
    assert WebhookEvent.objects.get().status == EventStatus.IGNORED
    tell(connection, text(connection, "A1"))
    assert Message.objects.get().deleted_at
    assert {event.status for event in WebhookEvent.objects.all()} == {EventStatus.HANDLED}


def test_what_is_deleted_leaves_the_preview(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "A1", "segredo"), deletion(connection, "A1"))
    assert Conversation.objects.get().last_message_preview == ""
    assert Message.objects.get().body == "segredo"


def test_a_reaction_is_no_message_of_its_own(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "A1"), reaction(connection, "A2", "A1", "👍"))
    chat = Conversation.objects.get()
    assert (chat.unread_count, chat.last_message_preview) == (1, "Oi")
    assert Message.objects.get(kind="reaction").target_external_id == "A1"


def test_a_reaction_tells_whoever_watches_its_message(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "A1"))
    LiveEvent.objects.all().delete()
    tell(connection, reaction(connection, "A2", "A1", "👍"))
    assert LiveEvent.objects.get(kind="message").object_id == Message.objects.get(external_id="A1").id


def test_a_reaction_leaves_a_resolved_conversation_alone(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "A1"))
    Conversation.objects.update(status=ConversationStatus.RESOLVED)
    tell(connection, reaction(connection, "A2", "A1", "👍"))
    assert Conversation.objects.get().status == ConversationStatus.RESOLVED


def test_old_messages_of_a_sync_are_nobody_s_to_answer(connection: WhatsAppConnection) -> None:
    history = text(connection, "A1")
    history |= {"event": "messages.set", "data": [history["data"]]}
    tell(connection, history)
    chat = Conversation.objects.get()
    assert (chat.unread_count, chat.waiting_since, Message.objects.get().from_history) == (0, None, True)


@pytest.mark.parametrize("history_first", [True, False])
def test_a_message_that_came_is_unread_though_a_sync_tells_it_too(
    connection: WhatsAppConnection, history_first: bool
) -> None:  # I2
    live = text(connection, "A1")
    history = live | {"event": "messages.set", "data": [live["data"]]}
    tell(connection, *([history, live] if history_first else [live, history]))
    assert (Conversation.objects.get().unread_count, Message.objects.get().from_history) == (1, False)


def test_a_message_without_an_id_stays_one_when_replayed(connection: WhatsAppConnection) -> None:  # I2
    body = text(connection, "A1")
    body["data"]["key"].pop("id")
    tell(connection, body)
    replay(WebhookEvent.objects.all())
    drain(seconds=5)
    assert Message.objects.count() == 1


@pytest.mark.parametrize("steps", [("offer", "terminate"), ("terminate", "offer"), ("offer", "accept", "terminate")])
def test_a_call_is_one_row_that_says_how_it_ended(connection: WhatsAppConnection, steps: tuple[str, ...]) -> None:
    for step in steps:
        statuses = tell(connection, webhook("baileys-call-offer", connection, status=step))
        assert set(statuses) == {EventStatus.HANDLED}
    message = Message.objects.get()
    assert message.kind == "call"
    assert message.details["status"] == ("accept" if "accept" in steps else "terminate")


def test_a_batch_of_receipts_is_one_statement(
    connection: WhatsAppConnection, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        sent(connection, f"B{number}")
    url = hook(connection)
    for number in range(20):
        body = json.dumps(receipt(connection, f"B{number}"))
        Client().post(url, body, content_type="application/json")
    with django_assert_max_num_queries(35) as captured:
        drain(seconds=5)
    assert Message.objects.filter(status=S.READ, read_at__isnull=False).count() == 20
    assert len([query for query in captured if query["sql"].startswith("\nUPDATE messages")]) == 1


def test_receipts_of_one_message_in_a_batch_give_the_furthest(connection: WhatsAppConnection) -> None:  # I6
    sent(connection, "B1")
    tell(connection, *(receipt(connection, "B1", status) for status in ("READ", "ERROR", "PLAYED", "DELIVERY_ACK")))
    message = Message.objects.get()
    assert (message.status, message.error_code) == (S.READ, "")
    assert message.played_at
    assert message.delivered_at


def test_an_advert_is_kept_on_the_conversation(connection: WhatsAppConnection) -> None:
    advert = {"externalAdReply": {"title": "Óculos", "sourceId": "120", "ctwaClid": "x"}}
    tell(connection, text(connection, "A1", contextInfo=advert), text(connection, "A2", "e aí?"))
    chat = Conversation.objects.get()
    assert chat.referral["title"] == "Óculos"
    assert chat.referred_at


def test_a_group_that_is_turned_on_names_its_speakers(connection: WhatsAppConnection) -> None:
    connection.groups_enabled = True
    connection.save(update_fields=["groups_enabled"])
    tell(connection, webhook("baileys-messages.upsert-in-group-text", connection))
    message = Message.objects.select_related("conversation__contact", "sender").get()
    assert message.conversation.contact.is_group
    assert message.sender
    assert not message.sender.is_group
    assert message.conversation.contact.name != message.sender.name


def test_a_group_has_its_name_before_anybody_speaks_in_it(connection: WhatsAppConnection) -> None:
    connection.groups_enabled = True
    connection.save(update_fields=["groups_enabled"])
    tell(connection, webhook("reconstructed-groups.upsert", connection))
    assert Contact.objects.get(is_group=True).name == "Grupo de Teste"
    assert not Conversation.objects.exists()


def test_the_phone_s_address_book_makes_nobody_a_contact(connection: WhatsAppConnection) -> None:
    assert tell(connection, webhook("baileys-contacts.update-lid", connection)) == [EventStatus.IGNORED]
    assert not Contact.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_unread_counts_hold_when_two_write_at_once(connection: WhatsAppConnection) -> None:
    """A reply that is under way while a message comes: whoever waits for the row counts what is there then."""
    tell(connection, text(connection, "A1"))
    chat = Conversation.objects.get()
    replied, posted = threading.Event(), threading.Event()

    def answer() -> None:
        with transaction.atomic():
            queue(conversation=chat, content=Text("Bom dia!"), author=None)
            replied.set()
            posted.wait(5)
        connections.close_all()

    thread = threading.Thread(target=answer)
    thread.start()
    replied.wait(5)
    Client().post(hook(connection), json.dumps(text(connection, "A2")), content_type="application/json")

    def catch_up() -> None:
        drain(seconds=5)
        connections.close_all()

    draining = threading.Thread(target=catch_up)
    draining.start()
    posted.set()
    thread.join()
    draining.join()
    chat.refresh_from_db()
    newest = Message.objects.order_by("-happened_at", "-external_id")[0]
    assert (Message.objects.count(), chat.last_message_preview) == (3, newest.body)
    answered = Message.objects.get(direction="outbound").happened_at
    later = Message.objects.filter(direction="inbound", happened_at__gt=answered)
    assert chat.unread_count == later.count()


def test_two_units_that_write_to_each_other_keep_apart(connection: WhatsAppConnection, stranger: Any) -> None:  # I2 I7
    """What one sent is what the other received, under one id; so is the answer, and each has its own receipts."""
    other = WhatsAppConnection.objects.exclude(pk=connection.pk).get()
    for whose in (connection, other):
        tell(whose, text(whose, "A1", "Bom dia"), text(whose, "B1", "Boa tarde"))
    ours = sent(connection, "B2")
    tell(other, text(other, "B2", "Bom dia!"))
    theirs = sent(other, "A2")
    tell(connection, text(connection, "A2", "Bom dia!"))
    tell(connection, receipt(connection, "B2", "DELIVERY_ACK"), deletion(connection, "A2"))
    ours.refresh_from_db()
    theirs.refresh_from_db()
    assert (ours.status, theirs.status) == (S.DELIVERED, S.SENT)
    deleted = Message.objects.filter(deleted_at__isnull=False)
    assert list(deleted.values_list("connection", "direction", "external_id")) == [(connection.pk, "inbound", "A2")]
    for external_id in ("A1", "B1", "A2", "B2"):
        assert Message.objects.filter(external_id=external_id).values("connection").distinct().count() == 2


def test_drains_of_several_connections_each_have_their_own(connection: WhatsAppConnection, stranger: Any) -> None:
    other = WhatsAppConnection.objects.exclude(pk=connection.pk).get()
    tell(connection, text(connection, "A1"))
    tell(other, text(other, "A1"))
    assert sorted(Message.objects.values_list("unit_id", flat=True)) == sorted([connection.unit_id, other.unit_id])
    assert conversation(other.unit).unit_id == other.unit_id
