"""What came in the wrong order, at the wrong moment, or from somebody who should not: each once went wrong."""

import itertools
import json
import threading
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection as database
from django.db import connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from crm_whatsapp.db import ClockNow
from messaging import people, services, settling
from messaging.delivery import sweep
from messaging.delivery.outcomes import record
from messaging.delivery.send import Send
from messaging.models import (
    Contact,
    ContactAddress,
    Conversation,
    ConversationStatus,
    Message,
    MessageStatus,
    SendLane,
)
from tests.factories import conversation, hook, inbound_text, reply, webhook
from units.gateways.evolution import SentMessage
from units.models import WhatsAppConnection
from webhooks.drain import drain
from webhooks.models import WebhookEvent

pytestmark = pytest.mark.django_db

S = MessageStatus
PHONE = "5511977776666"
_times = itertools.count()


def post(url: str, body: dict[str, Any]) -> None:
    """Each body is another, though it says the same."""
    told = json.dumps(body | {"date_time": str(next(_times))})
    assert Client().post(url, told, content_type="application/json").status_code == 200


def tell(connection: WhatsAppConnection, *bodies: dict[str, Any]) -> None:
    url = hook(connection)
    for body in bodies:
        post(url, body)
    drain(seconds=5)


def text(connection: WhatsAppConnection, external_id: str, words: str = "Oi", **data: Any) -> dict[str, Any]:
    body = inbound_text(connection, phone=data.pop("phone", PHONE), text=words, external_id=external_id)
    body["data"]["key"]["fromMe"] = data.pop("from_me", False)
    body["data"] |= data
    return body


def history(body: dict[str, Any], **data: Any) -> dict[str, Any]:
    return body | {"event": "messages.set", "data": [body["data"] | data]}


def receipt(connection: WhatsAppConnection, external_id: str, status: str = "READ", **data: Any) -> dict[str, Any]:
    return webhook("baileys-messages.update-read", connection, keyId=external_id, status=status, **data)


def sent(connection: WhatsAppConnection, external_id: str | None, to: Conversation | None = None, **f: Any) -> Message:
    message = reply(connection.unit, f.pop("body", "Bom dia!"), to=to)
    fields = {"status": S.SENT, "external_id": external_id, "dispatched_at": ClockNow(), "sent_at": ClockNow()} | f
    Message.objects.filter(pk=message.pk).update(**fields)
    message.refresh_from_db()
    return message


def in_any_order(connection: WhatsAppConnection, bodies: Sequence[dict[str, Any]], look: Any) -> list[Any]:
    """What `look` sees after each order of `bodies`, each from a fresh start."""
    seen = []
    for order in itertools.permutations(bodies):
        for contact in Contact.objects.all():
            people.delete_contact(contact)
        WebhookEvent.objects.all().delete()
        for body in order:
            tell(connection, body)
        seen.append(look())
    return seen


# Who may change what


def test_a_customer_does_not_edit_what_we_said(connection: WhatsAppConnection) -> None:
    ours = sent(connection, "3EB0OURS", to=conversation(connection.unit, phone=f"+{PHONE}"), body="R$ 100")
    forged = text(connection, "EVIL")
    notice = {"key": {"id": "3EB0OURS", "fromMe": True}, "type": 14, "editedMessage": {"conversation": "R$ 1"}}
    forged["data"]["message"] = {"protocolMessage": notice}
    tell(connection, forged)
    ours.refresh_from_db()
    assert ours.body == "R$ 100"


def test_a_customer_deletes_neither_ours_nor_another_s(connection: WhatsAppConnection) -> None:
    sent(connection, "3EB0OURS", to=conversation(connection.unit, phone=f"+{PHONE}"))
    tell(connection, text(connection, "A1", phone="5511988887777"), text(connection, "A2"))
    for target in ("3EB0OURS", "A1", "A2"):
        tell(connection, webhook("baileys-messages.delete-in-revoke", connection, id=target))
    deleted = Message.objects.filter(deleted_at__isnull=False)
    assert list(deleted.values_list("external_id", flat=True)) == ["A2"]


def test_what_we_sent_stays_on_record_when_it_is_edited(connection: WhatsAppConnection) -> None:
    ours = sent(connection, "3EB0OURS", to=conversation(connection.unit, phone=f"+{PHONE}"), body="R$ 100")
    edit = webhook("baileys-messages.edited-in-edit", connection)
    edit["data"]["key"] |= {"id": "3EB0OURS", "fromMe": True}
    tell(connection, edit)
    ours.refresh_from_db()
    assert ours.edited_at
    assert ours.details["original"] == "R$ 100"


@pytest.mark.parametrize(
    "content",
    [
        {"reactionMessage": {"key": {"id": "A1", "fromMe": False}, "text": "👍"}},
        {"imageMessage": {"caption": "👍", "mimetype": "image/jpeg"}},
    ],
)
def test_an_echo_of_another_kind_proves_nothing_of_a_text(connection: WhatsAppConnection, content: Any) -> None:  # I3
    chat = conversation(connection.unit, phone=f"+{PHONE}")
    message = sent(connection, None, to=chat, status=S.UNCERTAIN, body="👍")
    told = {"message": content, "source": "web", "messageTimestamp": int(time.time())}
    tell(connection, text(connection, "3EB0ECHO", from_me=True, **told))
    message.refresh_from_db()
    assert message.status == S.UNCERTAIN


# Any order


def test_read_on_the_phone_counts_in_any_order(connection: WhatsAppConnection) -> None:  # I2
    now = int(time.time())
    bodies = [
        text(connection, "A1", messageTimestamp=now - 20),
        text(connection, "A2", messageTimestamp=now - 10),
        receipt(connection, "A2", fromMe=False),
    ]
    assert set(in_any_order(connection, bodies, lambda: Conversation.objects.get().unread_count)) == {0}


def test_history_and_life_give_the_same_in_any_order(connection: WhatsAppConnection) -> None:  # I2
    bodies = [text(connection, "A1"), history(text(connection, "A1"))]

    def look() -> Any:
        chat = Conversation.objects.get()
        return chat.status, chat.unread_count

    for order in (bodies, bodies[::-1]):
        chat = conversation(connection.unit, phone=f"+{PHONE}")
        Conversation.objects.filter(pk=chat.pk).update(status=ConversationStatus.RESOLVED)
        tell(connection, *order[:1])
        tell(connection, *order[1:])
        assert look() == (ConversationStatus.OPEN, 1)
        people.delete_contact(chat.contact)


def test_how_far_history_says_ours_has_come_counts_in_any_order(connection: WhatsAppConnection) -> None:  # I2 I6
    live = text(connection, "3A1", from_me=True, source="ios", status="SERVER_ACK")
    bodies = [live, history(live, status="READ")]
    assert set(in_any_order(connection, bodies, lambda: Message.objects.get().status)) == {S.READ}


def test_an_edit_without_its_text_gives_way_to_the_text(connection: WhatsAppConnection) -> None:  # I2
    at = str((int(time.time()) - 30) * 1000)
    edits = []
    for content in ({"conversation": "Abacate"}, {}):
        edit = webhook("baileys-messages.edited-in-edit", connection, editedMessage=content, timestampMs=at)
        edit["data"]["key"]["id"] = "A1"
        edits.append(edit)
    bodies = [text(connection, "A1", "Zebra"), *edits]
    assert set(in_any_order(connection, bodies, lambda: Message.objects.get().body)) == {"Abacate"}


def test_a_call_is_the_same_in_any_order_of_its_steps(connection: WhatsAppConnection) -> None:  # I2
    minute = time.strftime("%Y-%m-%dT%H:%M:", time.gmtime(time.time() - 120))
    bodies = [
        webhook("baileys-call-offer", connection, date=f"{minute}05.000Z", isVideo=True),
        webhook("baileys-call-terminate", connection, date=f"{minute}35.000Z", isVideo=False),
    ]
    first, second = in_any_order(
        connection, bodies, lambda: [Message.objects.get().happened_at, Message.objects.get().details]
    )
    assert first == second
    assert first[1]["video"] is True


def test_of_two_refusals_the_same_reason_stays_in_any_order(connection: WhatsAppConnection) -> None:  # I2
    errors = set()
    refusals = [receipt(connection, "3EB0X", "ERROR", messageStubParameters=codes) for codes in ([], ["463"])]
    for order in (refusals, refusals[::-1]):
        message = sent(connection, "3EB0X")
        for body in order:
            tell(connection, body)
        errors.add(Message.objects.get(pk=message.pk).error)
        message.delete()
    assert errors == {"463"}


def test_we_send_where_whatsapp_was_last_in_any_order(connection: WhatsAppConnection) -> None:  # I2
    now = int(time.time())
    bodies = [
        text(connection, "A1", phone="5531999991234", messageTimestamp=now - 50),
        text(connection, "A2", phone="553199991234", messageTimestamp=now - 10),
    ]
    jids = in_any_order(connection, bodies, lambda: ContactAddress.objects.get().jid)
    assert set(jids) == {"553199991234@s.whatsapp.net"}


@pytest.mark.parametrize("empty", [None, {"placeholderMessage": {"type": 0}}])
def test_what_a_message_says_may_come_after_its_placeholder(connection: WhatsAppConnection, empty: Any) -> None:  # I1
    bodies = [text(connection, "A1", message=empty), text(connection, "A1", "de verdade")]
    assert set(in_any_order(connection, bodies, lambda: Message.objects.get().body)) == {"de verdade"}


def test_so_it_may_in_one_batch(connection: WhatsAppConnection) -> None:
    tell(connection, text(connection, "A1", message=None), text(connection, "A1", "de verdade"))
    assert Message.objects.get().body == "de verdade"


# What is not answered waits


def waiting(chat: Conversation) -> bool:
    chat.refresh_from_db()
    return chat.waiting_since is not None


@pytest.fixture
def asked(connection: WhatsAppConnection) -> Conversation:
    """A conversation in which a customer has asked something."""
    tell(connection, text(connection, "A1", messageTimestamp=int(time.time()) - 60))
    return Conversation.objects.get()


def test_an_answer_that_whatsapp_refuses_is_none(connection: WhatsAppConnection, asked: Conversation) -> None:
    sent(connection, "3EB0X", to=asked)
    assert not waiting(asked)
    tell(connection, receipt(connection, "3EB0X", "ERROR"))
    assert waiting(asked)
    tell(connection, receipt(connection, "3EB0X", "DELIVERY_ACK"))
    assert not waiting(asked)


def test_an_answer_that_was_not_sent_is_none(connection: WhatsAppConnection, asked: Conversation) -> None:
    settling.settle(sent(connection, None, to=asked, status=S.UNCERTAIN), was_sent=False)
    assert waiting(asked)


def test_an_answer_that_expired_is_none(connection: WhatsAppConnection, asked: Conversation) -> None:
    Message.objects.filter(pk=reply(connection.unit, to=asked).pk).update(expires_at=ClockNow())
    sweep()
    assert waiting(asked)


# At the same moment


@pytest.mark.django_db(transaction=True)
def test_what_came_while_somebody_opened_the_chat_is_unread(connection: WhatsAppConnection) -> None:
    other = sent(connection, "3EB0OTHER")
    chat = conversation(connection.unit, phone=f"+{PHONE}")
    url = hook(connection)
    post(url, text(connection, "A1"))
    post(url, receipt(connection, "3EB0OTHER"))

    def in_thread(work: Any) -> threading.Thread:
        def run() -> None:
            work()
            connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    with transaction.atomic():
        # The drain writes the message, then waits for this row.
        list(Message.objects.select_for_update().filter(pk=other.pk))
        draining = in_thread(lambda: drain(seconds=5))
        deadline = time.monotonic() + 5
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        with database.cursor() as cursor:
            while cursor.execute(waits).fetchone() == (0,) and time.monotonic() < deadline:
                time.sleep(0.02)
        in_thread(lambda: services.mark_read(chat)).join(5)
    draining.join(10)
    chat.refresh_from_db()
    assert (Message.objects.filter(external_id="A1").exists(), chat.unread_count) == (True, 1)


def test_what_became_of_a_twin_is_kept_when_the_answer_replaces_it(connection: WhatsAppConnection) -> None:  # I6
    chat, token = conversation(connection.unit, phone=f"+{PHONE}"), uuid4()
    message = sent(connection, None, to=chat, status=S.DISPATCHING, sent_at=None, claim_token=token)
    SendLane.objects.filter(connection=connection).update(claim_token=token, lease_until=ClockNow())
    echo = text(connection, "3EB0X", "Bom dia! ", from_me=True, source="web") | {"event": "send.message"}
    tell(connection, echo, receipt(connection, "3EB0X"))
    send = Send(
        message_id=message.pk,
        connection_id=connection.pk,
        instance_name="",
        recipient="",
        body="",
        reply_to="",
        origin="reply",
        attempts=0,
        token=token,
        outcome=SentMessage(external_id="3EB0X", jid="", timestamp=None),
    )
    record([send])
    message = Message.objects.get()
    assert (message.body, message.status) == ("Bom dia!", S.READ)
    assert message.read_at


# A batch


@pytest.mark.parametrize("kind", ["read", "edit", "delete", "advert", "call"])
def test_no_kind_of_event_costs_statements_by_its_number(connection: WhatsAppConnection, kind: str) -> None:
    def body(number: int) -> dict[str, Any]:
        match kind:
            case "read":
                return receipt(connection, f"A{number}", fromMe=False)
            case "edit":
                edit = webhook("baileys-messages.edited-in-edit", connection)
                edit["data"]["key"]["id"] = f"A{number}"
                return edit
            case "delete":
                return webhook("baileys-messages.delete-in-revoke", connection, id=f"A{number}")
            case "call":
                return webhook("baileys-call-offer", connection, id=f"C{number // 2}", status="accept")
        advert = {"externalAdReply": {"title": "Óculos", "sourceType": "ad", "sourceId": str(number)}}
        return text(connection, f"B{number}", phone=f"55119{number:08d}", contextInfo=advert)

    counts = []
    for many in (3, 30):
        for contact in Contact.objects.all():
            people.delete_contact(contact)
        tell(connection, *(text(connection, f"A{number}") for number in range(many)))
        url = hook(connection)
        for number in range(many):
            post(url, body(number))
        with CaptureQueriesContext(database) as captured:
            drain(seconds=5)
        counts.append(len(captured))
    assert counts[1] <= counts[0] + 3
