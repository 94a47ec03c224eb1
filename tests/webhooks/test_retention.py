"""Settled events are forgotten after a while; those that could not be handled stay."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command

from crm_whatsapp.db import ClockNow
from units.models import WhatsAppConnection
from webhooks.models import EventStatus, WebhookEvent
from webhooks.retention import prune

pytestmark = pytest.mark.django_db


def event(connection: WhatsAppConnection, status: str, days: float, *, settled: bool = True) -> None:
    """One that came and was settled so many days ago."""
    at = ClockNow() - timedelta(days=days)
    number = WebhookEvent.objects.count()
    WebhookEvent.objects.create(
        connection=connection,
        event="messages.upsert",
        body="{}",
        fingerprint=number.to_bytes(32, "big"),
        status=status,
        created_at=at,
        settled_at=at if settled else None,
    )


@pytest.mark.parametrize("status", ["handled", "ignored"])
def test_what_is_old_and_settled_goes(connection: WhatsAppConnection, status: str) -> None:
    event(connection, status, days=15)
    event(connection, status, days=13)
    assert prune(seconds=5) == 1
    assert WebhookEvent.objects.count() == 1


@pytest.mark.parametrize("status", ["dead", "received"])
def test_what_is_not_settled_or_could_not_be_handled_stays(connection: WhatsAppConnection, status: str) -> None:
    event(connection, status, days=400)
    assert prune(seconds=5) == 0


def test_what_was_ignored_as_it_came_goes_too(connection: WhatsAppConnection) -> None:
    event(connection, EventStatus.IGNORED, days=15, settled=False)
    event(connection, EventStatus.IGNORED, days=1, settled=False)
    assert prune(seconds=5) == 1


def test_it_goes_in_batches(connection: WhatsAppConnection) -> None:
    WebhookEvent.objects.bulk_create(
        WebhookEvent(
            connection=connection,
            body="{}",
            fingerprint=number.to_bytes(32, "big"),
            status="handled",
            settled_at=ClockNow() - timedelta(days=20),
        )
        for number in range(5_100)
    )
    assert prune(seconds=0) == 0
    assert prune(seconds=30) == 5_100


def test_the_command_keeps_what_it_is_told(connection: WhatsAppConnection) -> None:
    event(connection, EventStatus.HANDLED, days=2)
    out = io.StringIO()
    call_command("prune_webhooks", "--days", "1", stdout=out)
    assert out.getvalue() == "1 events deleted.\n"
