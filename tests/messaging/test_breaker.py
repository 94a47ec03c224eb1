"""The breaker: too many failures stop a number's campaigns, until a person lets them go on."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from crm_whatsapp.db import ClockNow
from messaging import breaker, lanes
from messaging.delivery import Delivery
from messaging.models import Message, MessageStatus, Origin, SendLane
from messaging.receivers import hold_what_fails
from messaging.services import moved_outbound
from tests.factories import conversation, hook, message, reply, webhook
from tests.messaging.on_the_wire import deliver, texts
from tests.sandbox_process import Sandbox
from units.models import HeldFor, LiveEvent, Unit, User, WhatsAppConnection
from webhooks.drain import drain

pytestmark = pytest.mark.django_db

S = MessageStatus
FAILED, ARRIVED = S.FAILED, S.DELIVERED


def sent(unit: Unit, *fates: tuple[str, str], **fields: Any) -> list[Message]:
    """Campaign messages that came to these fates (status, error code), oldest first."""
    chat = conversation(unit)
    start = timezone.now() - timedelta(minutes=30)
    return [
        message(
            chat, out=True, origin=Origin.CAMPAIGN, status=status, error_code=code,
            dispatched_at=start + timedelta(seconds=place), **fields,
        )
        for place, (status, code) in enumerate(fates)
    ]  # fmt: skip


def told(messages: list[Message]) -> None:
    """The last of these has just come to its fate."""
    moved_outbound([messages[-1].pk])


def held_for() -> str:
    return WhatsAppConnection.objects.get().campaigns_held_for


BAD, ABSENT, REFUSED = (FAILED, "media_unreadable"), (FAILED, "not_on_whatsapp"), (FAILED, "refused_by_whatsapp")
GOOD, OPEN = (ARRIVED, ""), (S.UNCERTAIN, "unconfirmed")


@pytest.mark.parametrize(
    ("fates", "reason"),
    [
        ([BAD] * 4, ""),
        ([BAD] * 5, HeldFor.FAILURES),
        ([BAD] * 4 + [GOOD] + [BAD], ""),
        # What nobody knows yet counts; what is about the person neither counts nor makes a fresh start.
        ([OPEN] * 5, HeldFor.FAILURES),
        ([OPEN] * 4 + [GOOD] + [OPEN], ""),
        ([BAD] * 4 + [OPEN, ABSENT, BAD], HeldFor.FAILURES),
        ([ABSENT] * 9, ""),
        ([ABSENT] * 10, HeldFor.NOT_ON_WHATSAPP),
        ([GOOD] * 20 + [ABSENT] * 10, HeldFor.NOT_ON_WHATSAPP),
        ([GOOD] * 40 + [ABSENT] * 10, ""),
        ([REFUSED] + [GOOD] * 10 + [REFUSED] * 4, HeldFor.REFUSED),
        ([REFUSED] + [GOOD] * 20 + [REFUSED] * 4, ""),
        ([REFUSED] * 5 + [GOOD] * 30 + [BAD], ""),
        # Somebody's own word on five uncertain ones.
        ([(FAILED, "not_sent_by_word")] * 5, ""),
    ],
)
def test_what_stops_a_number_s_campaigns(unit: Unit, fates: list[tuple[str, str]], reason: str) -> None:
    told(sent(unit, *fates))
    assert held_for() == reason


def test_failed_replies_stop_nothing(unit: Unit) -> None:
    rows = sent(unit, *[BAD] * 6)
    Message.objects.update(origin=Origin.REPLY)
    told(rows)
    assert held_for() == ""


def test_failures_of_one_number_do_not_stop_another_s(unit: Unit, stranger: User) -> None:
    told(sent(unit, *[BAD] * 5))
    assert not WhatsAppConnection.objects.exclude(unit=unit).get().campaigns_held_at


def test_while_nothing_fails_nobody_is_asked(unit: Unit, django_assert_num_queries: Any) -> None:
    rows = sent(unit, *[GOOD] * 3)
    ids = [row.pk for row in rows]
    with django_assert_num_queries(0):
        assert hold_what_fails(sender=Message, ids=ids, in_trouble=[]) == []


def test_receipts_count_like_answers(connection: WhatsAppConnection) -> None:
    for place, row in enumerate(sent(connection.unit, *[(S.SENT, "")] * 5)):
        Message.objects.filter(pk=row.pk).update(external_id=f"3EB0{place}")
    url = hook(connection)
    for place in range(5):
        body = webhook("baileys-messages.update-ack-error", connection, keyId=f"3EB0{place}")
        assert Client().post(url, json.dumps(body), content_type="application/json").status_code == 200
    drain(seconds=5)
    assert held_for() == HeldFor.REFUSED


def test_the_hold_is_told_to_whoever_watches(unit: Unit) -> None:
    rows = sent(unit, *[BAD] * 5)
    changes = moved_outbound([rows[-1].pk])
    assert "connection" in {change.kind for change in changes}


# On the wire


def queue_campaign(unit: Unit, text: str) -> Message:
    row = message(
        conversation(unit), text, out=True, origin=Origin.CAMPAIGN, status=S.QUEUED, external_id=None,
        due_at=ClockNow(), recipient=f"55119{Message.objects.count():08d}",
    )  # fmt: skip
    lanes.wake([row.connection_id])
    return row


@pytest.mark.django_db(transaction=True)
def test_held_campaigns_wait_while_replies_go_and_go_on_when_released(
    sandbox: Sandbox, unit: Unit, phone: str, connection: WhatsAppConnection
) -> None:
    WhatsAppConnection.objects.update(campaigns_held_at=ClockNow(), campaigns_held_for=HeldFor.FAILURES)
    queue_campaign(unit, "campanha")
    reply(unit, "resposta")
    deliver(1)
    assert texts(sandbox, phone) == ["resposta"]
    assert breaker.release(connection)
    SendLane.objects.update(next_send_at=ClockNow())
    deliver(1)
    assert texts(sandbox, phone) == ["resposta", "campanha"]


@pytest.mark.django_db(transaction=True)
def test_after_the_failure_that_is_one_too_many_nothing_more_leaves(
    sandbox: Sandbox, unit: Unit, phone: str, settings: Any
) -> None:
    settings.BREAKER_NOT_ON_WHATSAPP = [2, 30, 50]
    sandbox.fail(phone, "not_on_whatsapp", count=2)
    for place in range(4):
        queue_campaign(unit, f"campanha {place}")
    for _ in range(4):
        SendLane.objects.update(due_at=ClockNow(), next_send_at=ClockNow())
        deliver(0.2)
    assert held_for() == HeldFor.NOT_ON_WHATSAPP
    assert texts(sandbox, phone) == []
    assert Message.objects.filter(status=S.QUEUED).count() == 2


def test_a_hold_between_claim_and_dispatch_keeps_the_message(unit: Unit) -> None:
    row = queue_campaign(unit, "campanha")
    delivery = Delivery()
    (claimed,) = delivery.claim(1)
    WhatsAppConnection.objects.update(campaigns_held_at=ClockNow(), campaigns_held_for=HeldFor.FAILURES)
    assert delivery.dispatch([claimed]) == []
    row.refresh_from_db()
    assert row.status == S.QUEUED
    assert delivery.claim(1) == []


# People


@pytest.fixture
def held(unit: Unit) -> WhatsAppConnection:
    told(sent(unit, *[BAD] * 5))
    return WhatsAppConnection.objects.get(unit=unit)


def test_a_person_lets_campaigns_go_on_and_they_may_stop_again(
    held: WhatsAppConnection, api: APIClient, unit: Unit
) -> None:
    answer = api.post(f"/units/{unit.id}/whatsapp/campaigns/release")
    assert answer.status_code == 200
    assert "breaker" not in {hold["code"] for hold in answer.json()["holds"]}
    assert LiveEvent.objects.filter(kind="connection").exists()
    # What failed before counts no more …
    told(list(Message.objects.order_by("dispatched_at")))
    assert held_for() == ""
    # … and what fails from now on does.
    Message.objects.update(dispatched_at=timezone.now() + timedelta(minutes=1))
    told(list(Message.objects.all()))
    assert held_for() == HeldFor.FAILURES


def test_what_is_not_stopped_cannot_be_released(api: APIClient, unit: Unit) -> None:
    assert api.post(f"/units/{unit.id}/whatsapp/campaigns/release").status_code == 409


def test_the_hold_is_shown_with_its_reason(held: WhatsAppConnection, api: APIClient) -> None:
    shown = api.get(f"/units/{held.unit_id}/whatsapp/pace").json()
    assert shown["opens_at"] is None
    (hold,) = shown["holds"]
    assert (hold["code"], hold["until"], hold["holds_replies"]) == ("breaker", None, False)
    assert hold["reason"] == str(held.get_campaigns_held_for_display())
