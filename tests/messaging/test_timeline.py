"""Everything that happened to a message, told in its order."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from crm_whatsapp.db import ClockNow
from messaging import settling
from messaging.models import FailedAttempt, Message, MessageStatus, SendLane
from messaging.outgoing import asking
from tests.factories import conversation, message, reply
from tests.messaging.on_the_wire import deliver
from tests.sandbox_process import Sandbox
from units.models import Unit, User

pytestmark = pytest.mark.django_db


def told(api: APIClient, row: Message) -> list[dict[str, Any]]:
    answer = api.get(f"/units/{row.unit_id}/messages/{row.id}/timeline")
    assert answer.status_code == 200
    return list(answer.json()["results"])


def what(api: APIClient, row: Message) -> list[str]:
    return [moment["what"] for moment in told(api, row)]


@pytest.mark.django_db(transaction=True)
def test_each_attempt_that_fails_is_kept_with_its_answer(
    api: APIClient, sandbox: Sandbox, unit: Unit, phone: str
) -> None:
    row = reply(unit)
    for failure in ("license_required", "license_required"):
        sandbox.fail(phone, failure)
        deliver(1)
        Message.objects.update(due_at=ClockNow())
        SendLane.objects.update(due_at=ClockNow(), next_send_at=ClockNow())
    deliver(1)
    moments = told(api, row)
    assert [moment["what"] for moment in moments][:3] == ["queued", "attempt_failed", "attempt_failed"]
    assert {"dispatched", "sent"} <= {moment["what"] for moment in moments}
    first, second = (moment for moment in moments if moment["what"] == "attempt_failed")
    assert (first["attempt"], second["attempt"], first["outcome"]) == (1, 2, "LicenseRequired")
    assert first["explanation"]
    assert first["answer"]
    assert sorted(moments, key=lambda moment: moment["at"]) == moments


@pytest.mark.django_db(transaction=True)
def test_what_goes_well_leaves_no_attempts(sandbox: Sandbox, unit: Unit, phone: str) -> None:
    row = reply(unit)
    deliver(1)
    row.refresh_from_db()
    assert (row.status, FailedAttempt.objects.count()) == (MessageStatus.SENT, 0)


@pytest.mark.django_db(transaction=True)
def test_an_uncertain_message_that_somebody_settled_says_who_did(
    api: APIClient, sandbox: Sandbox, unit: Unit, phone: str
) -> None:
    row = reply(unit)
    sandbox.fail(phone, "reset_before_send")
    deliver(1)
    assert what(api, row)[-2:] == ["attempt_failed", "uncertain"]
    assert api.post(f"/units/{unit.id}/messages/{row.id}/settle", {"sent": False}, format="json").status_code == 200
    (settled,) = (moment for moment in told(api, row) if moment["what"] == "settled")
    assert (settled["by"], settled["code"]) == ("Ana", "not_sent_by_word")


def test_a_message_that_was_sent_again_leads_to_its_copy(api: APIClient, unit: Unit, ana: User) -> None:
    row = reply(unit)
    Message.objects.filter(pk=row.pk).update(status=MessageStatus.FAILED, error_code="rejected")
    copy = settling.retry(row, author=ana)
    (repeated,) = (moment for moment in told(api, row) if moment["what"] == "repeated")
    assert (repeated["by"], repeated["message_id"]) == ("Ana", str(copy.id))
    assert told(api, copy)[0]["message_id"] == str(row.id)


def test_receipts_edits_and_what_was_asked_for_are_told(api: APIClient, unit: Unit, ana: User) -> None:
    start = timezone.now() - timedelta(minutes=5)
    row = message(conversation(unit), out=True, author=ana, sent_at=start, minutes_ago=5)
    asking.edit(row, "Boa tarde", author=ana)
    times = {name: start + timedelta(seconds=n) for n, name in enumerate(("dispatched_at", "sent_at", "delivered_at"))}
    later = {"read_at": start + timedelta(days=1), "deleted_at": start + timedelta(days=2)}
    Message.objects.filter(pk=row.pk).update(created_at=start - timedelta(seconds=1), **times, **later)
    moments = told(api, row)
    assert [moment["what"] for moment in moments] == [
        "queued", "dispatched", "sent", "delivered", "edit_requested", "read", "deleted",
    ]  # fmt: skip
    asked = moments[4]
    assert (moments[0]["by"], asked["by"], asked["state"]) == ("Ana", "Ana", "queued")


def test_every_moment_has_the_same_members(
    api: APIClient, unit: Unit, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    row = message(conversation(unit))
    # The unit, the message, its attempts, its actions, the log.
    with django_assert_num_queries(5):
        (moment,) = told(api, row)
    assert (moment.pop("what"), bool(moment.pop("what_label")), bool(moment.pop("at"))) == ("received", True, True)
    assert set(moment) == {"by", "attempt", "outcome", "code", "explanation", "answer", "state", "message_id"}
    assert set(moment.values()) == {None}


@pytest.mark.parametrize("status", ["cancelled", "failed", "expired"])
def test_an_end_without_a_time_of_its_own_comes_last(api: APIClient, unit: Unit, status: str) -> None:
    row = reply(unit)
    Message.objects.filter(pk=row.pk).update(status=status, error_code="dropped")
    assert what(api, row) == ["queued", status]


def test_another_unit_s_message_has_no_timeline(stranger: User, unit: Unit) -> None:  # I7
    client = APIClient()
    client.force_authenticate(stranger)
    own = Unit.objects.of_member(stranger).get()
    assert client.get(f"/units/{own.id}/messages/{reply(unit).id}/timeline").status_code == 404
