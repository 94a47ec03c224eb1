"""What webhooks make of contacts, conversations and messages; each goes in through the endpoint and the drain."""

import itertools
import json
import time
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from crm_whatsapp.db import ClockNow
from messaging.models import Contact, ContactAddress, Conversation, ConversationStatus, Message, MessageStatus, Origin
from messaging.settling import settle
from tests.factories import contact, conversation, hook, inbound_text, reply, webhook
from units.models import WhatsAppConnection
from webhooks.drain import drain
from webhooks.models import EventStatus, WebhookEvent
from webhooks.replay import replay

pytestmark = pytest.mark.django_db

S = MessageStatus


def tell(connection: WhatsAppConnection, *bodies: dict[str, Any]) -> list[str]:
    """Post bodies and drain once; the statuses of their events."""
    url = hook(connection)
    for body in bodies:
        assert Client().post(url, json.dumps(body), content_type="application/json").status_code == 200
    drain(seconds=5)
    return list(WebhookEvent.objects.order_by("created_at", "id").values_list("status", flat=True))


def sent_message(connection: WhatsAppConnection, external_id: str | None, **fields: Any) -> Message:
    """A reply of ours that the gateway has taken."""
    message = reply(connection.unit)
    Message.objects.filter(pk=message.pk).update(
        **({"status": S.SENT, "external_id": external_id, "dispatched_at": ClockNow(), "sent_at": ClockNow()} | fields)
    )
    message.refresh_from_db()
    return message


def test_a_text_makes_contact_conversation_and_message(connection: WhatsAppConnection) -> None:
    tell(connection, webhook("baileys-messages.upsert-in-text-1st", connection))
    message = Message.objects.select_related("conversation__contact").get()
    assert (message.body, message.origin, message.status) == ("Oi, quero saber o preço", Origin.CONTACT, S.RECEIVED)
    assert str(message.conversation.contact) == "Maria"
    assert message.conversation.unread_count == 1
    assert message.conversation.waiting_since == message.happened_at


def test_with_and_without_the_ninth_digit_is_one_person(connection: WhatsAppConnection) -> None:
    tell(
        connection,
        inbound_text(connection, phone="553199991234", text="um", external_id="A1"),
        inbound_text(connection, phone="5531999991234", text="dois", external_id="A2"),
    )
    assert ContactAddress.objects.get().value == "+5531999991234"
    assert Conversation.objects.get().messages.count() == 2


def test_a_lid_that_came_with_its_phone_is_the_same_person_without_it(connection: WhatsAppConnection) -> None:
    known = webhook("baileys-messages.upsert-in-text-from-lid", connection)
    alone = webhook("baileys-messages.upsert-in-text-from-lid", connection)
    alone["data"]["key"] |= {"id": "ANOTHER"}
    alone["data"]["key"].pop("remoteJidAlt")
    tell(connection, known, alone)
    assert (Contact.objects.count(), Message.objects.count()) == (1, 2)


def test_a_name_typed_by_staff_is_kept(connection: WhatsAppConnection) -> None:
    ours = contact(connection.unit, phone="+5511977776666", name="Maria da Silva (convênio)")
    tell(connection, webhook("baileys-messages.upsert-in-text-1st", connection))
    ours.refresh_from_db()
    assert ours.name == "Maria da Silva (convênio)"


def test_what_is_typed_on_the_phone_appears_as_sent_from_it(connection: WhatsAppConnection) -> None:
    tell(connection, webhook("baileys-messages.upsert-in-from-me-phone", connection))
    message = Message.objects.select_related("conversation__contact").get()
    assert (message.origin, message.status) == (Origin.PHONE, S.SENT)
    assert message.conversation.contact.name != "Você"


@pytest.mark.parametrize("name", ["in-image", "in-sticker", "in-location", "in-contact", "in-audio", "in-document"])
def test_other_kinds_are_stored_as_what_they_are(connection: WhatsAppConnection, name: str) -> None:
    tell(connection, webhook(f"baileys-messages.upsert-{name}", connection))
    assert Message.objects.get().kind == name.removeprefix("in-")


def test_groups_are_ignored_with_a_reason(connection: WhatsAppConnection) -> None:
    assert tell(connection, webhook("baileys-messages.upsert-in-group-text", connection)) == [EventStatus.IGNORED]
    assert WebhookEvent.objects.get().reason
    assert not Contact.objects.exists()


def test_who_writes_again_opens_the_conversation(connection: WhatsAppConnection) -> None:
    chat = conversation(connection.unit, phone="+5511977776666")
    Conversation.objects.update(status=ConversationStatus.RESOLVED)
    tell(connection, webhook("baileys-messages.upsert-in-text-1st", connection))
    chat.refresh_from_db()
    assert chat.status == ConversationStatus.OPEN


@pytest.mark.parametrize("order", list(itertools.permutations(["DELIVERY_ACK", "READ", "DELIVERY_ACK"])))
def test_receipts_only_move_forward(connection: WhatsAppConnection, order: tuple[str, ...]) -> None:  # I6
    message = sent_message(connection, "3EB0X")
    for number, status in enumerate(order):
        body = webhook("baileys-messages.update-delivered", connection, keyId="3EB0X", status=status)
        tell(connection, body | {"date_time": f"{number}"})
    message.refresh_from_db()
    assert message.status == S.READ
    assert message.delivered_at
    assert message.read_at


def test_a_receipt_that_is_faster_than_the_answer_waits_for_it(connection: WhatsAppConnection) -> None:  # I6
    body = webhook("baileys-messages.update-read", connection, keyId="3EB0X")
    assert tell(connection, body) == [EventStatus.RECEIVED]
    message = sent_message(connection, "3EB0X")
    WebhookEvent.objects.update(due_at=ClockNow())
    drain(seconds=5)
    message.refresh_from_db()
    assert message.status == S.READ


def test_one_unknown_message_in_a_body_holds_up_no_other_receipt(connection: WhatsAppConnection) -> None:  # I1
    message = sent_message(connection, "3EB0X")
    body = webhook("baileys-messages.update-read", connection)
    body["data"] = [body["data"] | {"keyId": key} for key in ("3EB0X", "NOT-HERE")]
    assert tell(connection, body) == [EventStatus.RECEIVED]
    message.refresh_from_db()
    assert message.status == S.READ


def test_a_receipt_takes_back_a_failure_and_its_error(connection: WhatsAppConnection) -> None:
    message = sent_message(connection, "3EB0X", status=S.FAILED, error_code="refused_by_whatsapp")
    tell(connection, webhook("baileys-messages.update-delivered", connection, keyId="3EB0X"))
    message.refresh_from_db()
    assert (message.status, message.error_code) == (S.DELIVERED, "")


def test_a_refusal_by_whatsapp_is_a_failure_with_a_sentence(connection: WhatsAppConnection) -> None:
    message = sent_message(connection, "3EB0X")
    tell(connection, webhook("baileys-messages.update-ack-error", connection, keyId="3EB0X"))
    message.refresh_from_db()
    assert (message.status, message.error_code) == (S.FAILED, "refused_by_whatsapp")


def test_the_same_id_of_another_unit_is_another_message(connection: WhatsAppConnection) -> None:  # I2
    """Two units write to each other: what one sent is what the other received, under one id."""
    sent_message(connection, "3A1")
    tell(connection, inbound_text(connection, phone="5511977776666", text="Oi", external_id="3A1"))
    assert Message.objects.filter(external_id="3A1").count() == 2


def echo(connection: WhatsAppConnection, message: Message, external_id: str, **data: Any) -> dict[str, Any]:
    body = webhook("baileys-send.message-sendText", connection)
    number = message.recipient.partition("@")[0]
    body["data"]["key"] |= {"id": external_id, "remoteJid": f"{number}@s.whatsapp.net"}
    body["data"]["message"] = {"conversation": message.body}
    body["data"]["messageTimestamp"] = int(message.created_at.timestamp())
    body["data"] |= data
    return body


def test_the_echo_of_a_recorded_send_is_no_second_row(connection: WhatsAppConnection) -> None:  # I2
    message = sent_message(connection, "3EB0X")
    assert tell(connection, echo(connection, message, "3EB0X")) == [EventStatus.IGNORED]
    assert Message.objects.count() == 1


def test_an_echo_waits_while_its_send_is_under_way(connection: WhatsAppConnection) -> None:
    message = sent_message(connection, None, status=S.DISPATCHING)
    assert tell(connection, echo(connection, message, "3EB0X")) == [EventStatus.RECEIVED]
    message.refresh_from_db()
    assert message.status == S.DISPATCHING


def test_an_echo_settles_the_uncertain_message_that_it_proves(connection: WhatsAppConnection) -> None:  # I3
    message = sent_message(connection, None, status=S.UNCERTAIN)
    tell(connection, echo(connection, message, "3EB0X"))
    message.refresh_from_db()
    assert (message.status, message.external_id) == (S.SENT, "3EB0X")
    assert Message.objects.count() == 1


def test_an_echo_after_a_person_s_word_is_no_second_row(connection: WhatsAppConnection) -> None:  # I2
    message = sent_message(connection, None, status=S.UNCERTAIN)
    settle(message, was_sent=True)
    tell(connection, echo(connection, message, "3EB0X"))
    message.refresh_from_db()
    assert (message.external_id, Message.objects.count()) == ("3EB0X", 1)


def test_an_echo_does_not_wait_for_a_send_to_somebody_else(connection: WhatsAppConnection) -> None:
    """A campaign sends one text to many; while the next is under way, the echo of the one before is settled."""
    uncertain = sent_message(connection, None, status=S.UNCERTAIN)
    sent_message(connection, None, status=S.DISPATCHING, body=uncertain.body)
    tell(connection, echo(connection, uncertain, "3EB0X"))
    uncertain.refresh_from_db()
    assert (uncertain.status, uncertain.external_id) == (S.SENT, "3EB0X")


def test_one_echo_settles_one_of_two_equal_texts(connection: WhatsAppConnection) -> None:  # I3
    first = sent_message(connection, None, status=S.UNCERTAIN)
    second = reply(connection.unit, to=first.conversation)
    Message.objects.filter(pk=second.pk).update(status=S.UNCERTAIN, dispatched_at=ClockNow())
    body = echo(connection, first, "3EB0X")
    tell(connection, body, body | {"date_time": "again"})
    assert sorted(Message.objects.values_list("status", flat=True)) == [S.SENT, S.UNCERTAIN]


def test_another_program_s_send_appears_in_the_chat(connection: WhatsAppConnection) -> None:
    tell(connection, webhook("baileys-send.message-sendText", connection))
    assert Message.objects.get().origin == Origin.GATEWAY


def test_an_edit_and_a_deletion_reach_their_message(connection: WhatsAppConnection) -> None:
    original = inbound_text(connection, phone="5511977776666", text="Oi", external_id="3A00000000000000T2")
    edit = webhook("baileys-messages.edited-in-edit", connection)
    edit["data"]["key"]["id"] = "3A00000000000000T2"
    tell(connection, original, edit)
    message = Message.objects.get()
    assert message.edited_at
    assert message.body != "Oi"


def test_the_newer_of_two_edits_stays_whichever_comes_last(connection: WhatsAppConnection) -> None:  # I2
    sent_message(connection, "unused")
    tell(connection, inbound_text(connection, phone="5511977776666", text="Oi", external_id="T2"))
    edits = []
    for second, text in ((20, "segunda"), (10, "primeira")):
        edit = webhook("baileys-messages.edited-in-edit", connection)
        edit["data"]["key"]["id"] = "T2"
        edit["data"]["editedMessage"] = {"conversation": text}
        edit["data"]["timestampMs"] = str((1_795_335_000 + second) * 1000)
        edits.append(edit)
    tell(connection, *edits)
    assert Message.objects.get(external_id="T2").body == "segunda"


def test_what_follows_within_the_same_second_stands_after(connection: WhatsAppConnection) -> None:
    """WhatsApp's times have whole seconds, ours do not."""
    bodies = [inbound_text(connection, phone="5511977776666", text=t, external_id=t) for t in ("pergunta", "réplica")]
    for number, body in enumerate(bodies):
        body["data"]["messageTimestamp"] = int(time.time())
        tell(connection, body)
        if number == 0:
            reply(connection.unit, "resposta", to=Conversation.objects.get())
    thread = Message.objects.order_by("happened_at").values_list("body", flat=True)
    assert list(thread) == ["pergunta", "resposta", "réplica"]


def test_a_name_of_any_length_is_taken(connection: WhatsAppConnection) -> None:
    for number, name in enumerate(("a" * 5000, "b" * 5000)):
        body = inbound_text(connection, phone="5511977776666", text="Oi", external_id=f"A{number}")
        body["data"]["pushName"] = name
        tell(connection, body)
    assert Contact.objects.get().name == "b" * 200


def test_a_group_s_echo_makes_nobody(connection: WhatsAppConnection) -> None:
    body = webhook("baileys-send.message-sendText", connection)
    body["data"]["key"]["remoteJid"] = "120363000000000001@g.us"
    assert tell(connection, body) == [EventStatus.IGNORED]
    assert not Contact.objects.exists()


def test_replaying_changes_nothing_that_was_done(connection: WhatsAppConnection) -> None:  # I2
    tell(connection, webhook("baileys-messages.upsert-in-text-1st", connection))
    before = graph()
    assert replay(WebhookEvent.objects.all()) == 1
    drain(seconds=5)
    assert graph() == before


def graph() -> list[Any]:
    """Everything that events made, without keys and times of ours."""
    told = ("external_id", "body", "status", "edited_at", "deleted_at", "delivered_at", "target_external_id")
    chats = [
        [
            sorted(chat.contact.addresses.values_list("kind", "value")),
            chat.contact.name,
            chat.unread_count,
            chat.last_message_preview,
            chat.waiting_since,
            list(chat.messages.order_by("happened_at", "external_id").values_list(*told)),
        ]
        for chat in Conversation.objects.select_related("contact")
    ]
    return sorted(chats, key=repr)


# Whose it is (a phone, a LID, or both), the id, the second, and what happens.
EVENTS: list[tuple[str, str, int, str]] = [
    ("5511911110000", "A1", 1, "text"), ("5511911110000", "A2", 2, "text"), ("5511911110000", "B1", 2, "typed"),
    ("5511911110000", "A2", 4, "edit"), ("5511911110000", "A2", 5, "edit"), ("5511911110000", "R1", 6, "reaction"),
    ("5511911110000", "A1", 7, "delete"), ("5511911110000", "B1", 8, "READ"), ("5511911110000", "B1", 9, "PLAYED"),
    ("55@lid", "A3", 1, "text"), ("5511922220000", "B2", 3, "typed"), ("55@lid 5511922220000", "A4", 3, "text"),
    ("5531933330000", "A5", 1, "text"), ("553133330000", "A6", 2, "text"), ("553193330000", "A7", 3, "text"),
]  # fmt: skip


def body_of(connection: WhatsAppConnection, event: tuple[str, str, int, str]) -> dict[str, Any]:
    """The webhook that tells this."""
    whose, external_id, second, what = event
    first, _, phone = whose.partition(" ")
    jids = {"remoteJid": first if "@" in first else f"{first}@s.whatsapp.net"}
    if phone:
        jids["remoteJidAlt"] = f"{phone}@s.whatsapp.net"
    at = 1_795_335_000 + second
    match what:
        case "text" | "typed" | "reaction":
            body = inbound_text(connection, phone="0", text=f"texto {external_id}", external_id=external_id)
            body["data"]["key"] |= jids | {"fromMe": what == "typed"}
            body["data"] |= {"messageTimestamp": at, "pushName": f"Nome {second}"}
            if what == "reaction":
                body["data"]["message"] = {"reactionMessage": {"key": {"id": "A2"}, "text": "👍"}}
        case "edit":
            body = webhook("baileys-messages.edited-in-edit", connection, timestampMs=str(at * 1000))
            body["data"]["key"] |= {"id": external_id, "remoteJid": jids["remoteJid"]}
            body["data"]["editedMessage"] = {"conversation": f"edição {second}"}
        case "delete":
            body = webhook("baileys-messages.delete-in-revoke", connection, id=external_id, **jids)
            body["data"]["messageTimestamp"] = at
        case status:
            body = webhook("baileys-messages.update-read", connection, keyId=external_id, status=status, **jids)
            body["data"]["messageTimestamp"] = at
    return body


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.lists(st.sampled_from(EVENTS), max_size=6).flatmap(lambda extra: st.permutations([*EVENTS, *extra])),
    pause=st.integers(min_value=0, max_value=len(EVENTS)),
)
def test_any_order_and_any_repetition_give_the_same(
    connection: WhatsAppConnection, order: list[tuple[str, str, int, str]], pause: int
) -> None:  # I2
    def play(events: list[tuple[str, str, int, str]], pause: int) -> list[Any]:
        WebhookEvent.objects.all().delete()
        Contact.objects.all().delete()
        bodies = [body_of(connection, event) | {"date_time": str(place)} for place, event in enumerate(events)]
        tell(connection, *bodies[:pause])
        tell(connection, *bodies[pause:])
        return graph()

    assert play(order, pause) == play(EVENTS, 0)
