"""What needs a person, and what does not."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from attention.finding import needs
from campaigns.models import Campaign
from messaging import settling
from messaging.models import Conversation, ConversationStatus, MessageMedia, Origin, SendLane
from tests.attention import helpers
from tests.factories import campaign, conversation, message
from units.models import ConnectionStatus, DisconnectCause, Unit, User, WhatsAppConnection

pytestmark = pytest.mark.django_db


def found(unit: Unit) -> list[str]:
    return sorted(need.kind for need in needs(unit.pk))


def test_a_unit_where_all_is_well_needs_nobody(unit: Unit) -> None:
    message(conversation(unit), out=True)
    campaign(unit)
    assert needs() == []


def test_each_kind_is_found_for_its_unit_alone(unit: Unit, stranger: User) -> None:  # I7
    helpers.everything(unit)
    expected = ["dead_letters", "disconnected", "failed", "held", "held", "late", "media", "unconfirmed", "webhook_off"]
    assert found(unit) == expected
    assert found(Unit.objects.of_member(stranger).get()) == []
    assert {need.unit_id for need in needs()} == {unit.pk}


def test_it_takes_a_fixed_number_of_statements(
    unit: Unit, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        helpers.unconfirmed(unit)
        helpers.not_sent(unit)
        campaign(unit)
    helpers.everything(unit)
    with django_assert_max_num_queries(3):
        needs()
    with django_assert_max_num_queries(3):
        needs(unit.pk)


def test_a_number_that_was_never_connected_needs_nobody_yet(unit: Unit) -> None:
    helpers.disconnect(unit)
    WhatsAppConnection.objects.update(phone_number="")
    assert found(unit) == []


@pytest.mark.parametrize(
    ("fields", "by_mail"),
    [
        ({"cause": DisconnectCause.LOGGED_OUT}, True),
        ({"cause": DisconnectCause.BY_US}, False),
        ({"status": ConnectionStatus.AWAITING_SCAN}, False),
    ],
)
def test_whoever_is_at_it_needs_no_mail(unit: Unit, fields: dict[str, Any], by_mail: bool) -> None:
    helpers.disconnect(unit)
    WhatsAppConnection.objects.filter(unit=unit).update(**fields)
    (need,) = needs(unit.pk)
    assert need.by_mail is by_mail


def test_what_is_still_being_looked_for_waits(unit: Unit) -> None:
    helpers.unconfirmed(unit, look_up_due_at=timezone.now())
    assert found(unit) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": Origin.CAMPAIGN},
        {"error_code": "sent_again"},
        {"error_code": "not_sent_by_word"},
        {"kind": "reaction"},
        {"status": "cancelled"},
        {"happened_at": timezone.now() - timedelta(days=8)},
    ],
)
def test_a_failure_that_nobody_has_to_look_after(unit: Unit, fields: dict[str, Any]) -> None:
    helpers.not_sent(unit, **fields)
    assert found(unit) == []


def test_a_failure_is_over_once_somebody_wrote_again_or_closed_the_matter(unit: Unit, ana: User) -> None:
    again, answered, closed = (helpers.not_sent(unit, minutes_ago=5) for _ in range(3))
    assert found(unit) == ["failed"]
    settling.retry(again, author=ana)
    message(answered.conversation, out=True)
    # What fails as well is no answer.
    assert found(unit) == ["failed"]
    message(closed.conversation, out=True, status="failed", error_code="x")
    assert found(unit) == ["failed"]
    Conversation.objects.filter(pk=closed.conversation_id).update(status=ConversationStatus.RESOLVED)
    assert found(unit) == []


def test_a_file_that_whatsapp_has_no_more_needs_nobody(unit: Unit) -> None:
    file = helpers.lost_file(unit)
    MessageMedia.objects.filter(pk=file.pk).update(created_at=timezone.now() - timedelta(days=31))
    assert found(unit) == []


def test_a_campaign_that_somebody_paused_needs_nobody_and_one_that_could_not_begin_does(unit: Unit) -> None:
    made = helpers.stopped_campaign(unit, status_reason="")
    assert found(unit) == []
    Campaign.objects.filter(pk=made.pk).update(status="failed", status_reason="x", scheduled_at=timezone.now())
    assert found(unit) == ["held"]
    Campaign.objects.filter(pk=made.pk).update(archived_at=timezone.now())
    assert found(unit) == []


def test_a_campaign_at_the_limit_of_the_day_is_found_and_writes_no_mail(unit: Unit) -> None:
    made = campaign(unit, people=3)
    today = timezone.localdate(timezone=ZoneInfo(unit.time_zone))
    WhatsAppConnection.objects.filter(unit=unit).update(daily_cap=1)
    SendLane.objects.update_or_create(connection=unit.connection, defaults={"day": today, "sent_today": 1})
    (need,) = needs(unit.pk)
    assert (need.kind, need.object_id, need.by_mail) == ("held", made.pk, False)
