"""A receiver on loopback, and a webhook that posts to it."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from outgoing_webhooks import services
from outgoing_webhooks.models import OutgoingWebhook
from tests.outgoing_webhooks.helpers import Receiver, happen
from units.models import Unit


@pytest.fixture
def receiver(http_server: HTTPServer, settings: Any) -> Iterator[Receiver]:
    settings.OUTGOING_WEBHOOKS_PRIVATE = True
    http_server.clear()
    yield Receiver(http_server)
    http_server.clear()


@pytest.fixture
def webhook(unit: Unit, receiver: Receiver) -> OutgoingWebhook:
    happen(unit, 3)
    return services.add(unit, receiver.url, by=None)[0]
