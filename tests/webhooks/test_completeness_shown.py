"""How complete a number's messages are, to people and programs."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from tests import factories
from tests.webhooks.conftest import post
from units.models import WhatsAppConnection
from webhooks.drain import drain
from webhooks.models import Completeness

pytestmark = pytest.mark.django_db


def make(connection: WhatsAppConnection, **fields: Any) -> Completeness:
    now = timezone.now()
    defaults = {"complete_since": now - timedelta(days=3), "heard_at": now - timedelta(minutes=2), "checked_until": now}
    return Completeness.objects.create(connection=connection, **defaults | fields)


def status_of(connection: WhatsAppConnection, api: APIClient) -> dict[str, Any]:
    return api.get(f"/units/{connection.unit_id}/whatsapp/status").json()


def page(connection: WhatsAppConnection, client: Client) -> str:
    address = reverse("console:number", args=[connection.unit_id])
    return client.get(address, headers={"Accept-Language": "en"}).content.decode()


def test_the_status_says_since_when_and_the_last_event(connection: WhatsAppConnection, api: APIClient) -> None:
    row = make(connection)
    status = status_of(connection, api)
    assert datetime.fromisoformat(status["complete_since"]) == row.complete_since
    assert datetime.fromisoformat(status["last_event_at"]) == row.heard_at


def test_of_a_number_that_was_never_connected_nothing_is_known(connection: WhatsAppConnection, api: APIClient) -> None:
    status = status_of(connection, api)
    assert (status["complete_since"], status["last_event_at"]) == (None, None)


def test_a_webhook_is_a_sign_of_life(connection: WhatsAppConnection, api: APIClient) -> None:
    body = factories.inbound_text(connection, phone="5511977776666", text="Oi", external_id="A1")
    post(factories.hook(connection), body)
    drain(seconds=5)
    assert status_of(connection, api)["last_event_at"] is not None


def test_the_page_says_since_when(connection: WhatsAppConnection, browser_client: Client) -> None:
    make(connection)
    content = page(connection, browser_client)
    assert "Complete since" in content
    assert "Last event 2 min ago" in content


def test_the_page_says_that_it_is_being_checked(connection: WhatsAppConnection, browser_client: Client) -> None:
    make(connection, claim_token=uuid4())
    assert "Checking whether anything is missing" in page(connection, browser_client)


def test_the_page_admits_that_nothing_could_be_compared(connection: WhatsAppConnection, browser_client: Client) -> None:
    make(connection, attempts=3, error="unreachable")
    content = page(connection, browser_client)
    assert "could not be compared" in content
    assert "Complete since" not in content


def test_a_page_without_a_word_about_it_opens(connection: WhatsAppConnection, browser_client: Client) -> None:
    assert 'id="completeness"' not in page(connection, browser_client)
