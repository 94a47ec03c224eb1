"""Messages that nobody confirmed, and those that failed: seen, settled and sent again by people."""

import json
import threading
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from rest_framework.test import APIClient

from campaigns.feeder import feed_campaigns
from campaigns.models import RecipientStatus
from crm_whatsapp.db import ClockNow
from messaging import settling
from messaging.models import Attachment, Message, MessageMedia, MessageStatus, Origin, SendLane
from tests.factories import campaign, conversation, hook, reply, webhook
from tests.messaging.on_the_wire import deliver, texts
from tests.sandbox_process import Sandbox
from units.models import LiveEvent, Unit, User
from webhooks.drain import drain

pytestmark = pytest.mark.django_db(transaction=True)

S = MessageStatus


def uncertain(unit: Unit, text: str = "Bom dia!", *, status: str = S.UNCERTAIN, **fields: Any) -> Message:
    row = reply(unit, text)
    return become(row, status, **fields)


def become(row: Message, status: str, **fields: Any) -> Message:
    values = {"status": status, "error_code": "unconfirmed", "dispatched_at": ClockNow()} | fields
    Message.objects.filter(pk=row.pk).update(**values)
    row.refresh_from_db()
    return row


def act(api: APIClient, row: Message, action: str, **body: Any) -> Any:
    return api.post(f"/units/{row.unit_id}/messages/{row.id}/{action}", body, format="json")


def test_what_nobody_confirmed_is_listed_with_whom_what_when_and_why(api: APIClient, unit: Unit) -> None:  # I4
    older, newer = uncertain(unit, "um"), uncertain(unit, "dois", error_code="undecided")
    reply(unit, "na fila")
    rows = api.get(f"/units/{unit.id}/messages/uncertain").json()["results"]
    assert [row["id"] for row in rows] == [str(newer.id), str(older.id)]
    assert (rows[0]["body"], rows[0]["error"]["code"]) == ("dois", "undecided")
    assert rows[0]["contact"]["phone"]
    assert rows[0]["dispatched_at"]
    assert rows[0]["next_look_up_at"] is None


def test_the_list_is_paged(api: APIClient, unit: Unit) -> None:
    rows = [uncertain(unit, str(number)) for number in range(3)]
    first = api.get(f"/units/{unit.id}/messages/uncertain?page_size=2").json()
    second = api.get(first["next"]).json()
    assert [row["id"] for row in first["results"] + second["results"]] == [str(row.id) for row in reversed(rows)]


@pytest.mark.parametrize(("sent", "status"), [(True, S.SENT), (False, S.FAILED)])
def test_a_person_says_what_became_of_it_once(api: APIClient, unit: Unit, sent: bool, status: str) -> None:
    row = uncertain(unit, look_up_due_at=ClockNow())
    assert act(api, row, "settle", sent=sent).json()["status"] == status
    row.refresh_from_db()
    assert row.look_up_due_at is None
    assert act(api, row, "settle", sent=not sent).status_code == 409
    row.refresh_from_db()
    assert row.status == status


def test_its_chat_goes_on_when_it_is_settled(api: APIClient, unit: Unit) -> None:
    row = uncertain(unit)
    SendLane.objects.update(due_at=None)
    act(api, row, "settle", sent=True)
    assert SendLane.objects.get().due_at is not None


def test_sent_again_it_is_another_message_and_the_first_has_failed(
    api: APIClient, ana: User, unit: Unit, sandbox: Sandbox, phone: str
) -> None:
    row = uncertain(unit, "Está pronto")
    made = act(api, row, "send-again").json()
    row.refresh_from_db()
    assert (row.status, row.error_code, row.details["sent_again_as"]) == (S.FAILED, "sent_again", made["id"])
    assert (made["status"], made["author"]["id"]) == ("queued", str(ana.id))
    deliver(1)
    assert texts(sandbox, phone) == ["Está pronto"]


@pytest.mark.parametrize(("action", "status"), [("send-again", S.UNCERTAIN), ("retry", S.FAILED)])
def test_asked_twice_it_is_once(api: APIClient, unit: Unit, action: str, status: str) -> None:
    row = uncertain(unit, status=status)
    answers = [act(api, row, action) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert Message.objects.count() == 2


def test_asked_by_two_at_the_same_moment_it_is_once(unit: Unit) -> None:
    row = uncertain(unit)
    made: list[Any] = []
    together = threading.Barrier(4)

    def ask() -> None:
        together.wait()
        made.append(settling.send_again(row, author=None).pk)
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(set(made)), Message.objects.count()) == (4, 1, 2)


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("send-again", S.SENT),
        ("send-again", S.FAILED),
        ("send-again", S.DISPATCHING),
        ("retry", S.UNCERTAIN),
        ("retry", S.SENT),
        ("retry", S.QUEUED),
        ("retry", S.CANCELLED),
    ],
)
def test_what_is_not_open_to_it_is_not_sent_again(api: APIClient, unit: Unit, action: str, status: str) -> None:  # I3
    row = uncertain(unit, status=status)
    assert act(api, row, action).status_code == 409
    assert Message.objects.count() == 1


@pytest.mark.parametrize("status", [S.FAILED, S.EXPIRED])
def test_what_failed_is_retried_with_a_life_of_its_own(api: APIClient, unit: Unit, status: str) -> None:
    row = uncertain(unit, status=status, expires_at=ClockNow())
    made = Message.objects.get(pk=act(api, row, "retry").json()["id"])
    row.refresh_from_db()
    assert (row.status, made.body, made.recipient) == (status, row.body, row.recipient)
    assert made.expires_at is not None
    assert row.expires_at is not None
    assert made.expires_at > row.expires_at


def test_a_file_goes_along(unit: Unit) -> None:
    row = uncertain(unit, kind="image")
    attachment = Attachment.objects.create(unit=unit, kind="image", file="a/b.jpg", size=1, sha256="0")
    MessageMedia.objects.create(unit=unit, message=row, attachment=attachment, file="a/b.jpg", status="stored")
    made = settling.send_again(row, author=None)
    kept = MessageMedia.objects.get(message=made)
    assert (made.kind, kept.attachment_id, kept.file.name, kept.status) == ("image", attachment.id, "a/b.jpg", "stored")


def test_a_campaigns_recipient_goes_on_with_the_copy(unit: Unit) -> None:
    made = campaign(unit, people=1)
    feed_campaigns()
    row = become(Message.objects.get(), S.UNCERTAIN)
    copy = settling.send_again(row, author=None)
    recipient = made.recipients.get()
    assert (recipient.message_id, recipient.status) == (copy.id, RecipientStatus.QUEUED)
    assert copy.origin == Origin.CAMPAIGN


def test_what_came_in_is_nobodys_to_settle(api: APIClient, unit: Unit) -> None:
    row = uncertain(unit)
    Message.objects.update(direction="inbound", status=S.RECEIVED, origin=Origin.CONTACT)
    assert [act(api, row, action).status_code for action in ("send-again", "retry")] == [404, 404]
    assert act(api, row, "settle", sent=True).status_code == 404


def test_other_chats_go_on_meanwhile(unit: Unit, sandbox: Sandbox, phone: str) -> None:  # I3
    blocked = conversation(unit)
    become(reply(unit, "talvez", to=blocked), S.UNCERTAIN)
    reply(unit, "espera", to=blocked)
    reply(unit, "outra pessoa")
    deliver(1)
    assert texts(sandbox, phone) == ["outra pessoa"]


# What nobody wants to go any more


@pytest.mark.parametrize("status", [S.FAILED, S.EXPIRED])
def test_a_message_that_failed_is_discarded_once(api: APIClient, unit: Unit, status: str) -> None:
    row = uncertain(unit, status=status, error_code="not_on_whatsapp")
    answer = act(api, row, "discard")
    assert (answer.status_code, answer.data["status"], answer.data["error"]["code"]) == (200, S.CANCELLED, "discarded")
    told = LiveEvent.objects.filter(kind="message", object_id=row.pk).latest("seq")
    assert told.data["status"] == S.CANCELLED
    for action in ("discard", "retry"):
        assert act(api, row, action).status_code == 409


@pytest.mark.parametrize("status", [S.QUEUED, S.UNCERTAIN, S.SENT, S.READ, S.CANCELLED])
def test_only_what_failed_is_discarded(api: APIClient, unit: Unit, status: str) -> None:
    row = uncertain(unit, status=status)
    assert act(api, row, "discard").status_code == 409
    row.refresh_from_db()
    assert row.status == status


def test_a_message_of_a_campaign_is_its_campaign_s(api: APIClient, unit: Unit) -> None:
    row = uncertain(unit, status=S.FAILED, origin=Origin.CAMPAIGN)
    assert act(api, row, "discard").status_code == 409


def test_a_receipt_of_what_was_discarded_is_believed(api: APIClient, unit: Unit) -> None:  # I6
    row = uncertain(unit, status=S.FAILED, external_id="3EB0D15C", recipient="5511987654321@s.whatsapp.net")
    act(api, row, "discard")
    body = webhook("baileys-messages.update-read", unit.connection, keyId="3EB0D15C", status="READ")
    Client().post(hook(unit.connection), json.dumps(body), content_type="application/json")
    drain(seconds=5)
    row.refresh_from_db()
    assert (row.status, row.error_code) == (S.READ, "")
