"""The gateway of delivery's tests: the sandbox, over real HTTP, with the unit's phone connected to it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.sandbox_process import Sandbox
from units.gateways.evolution import EvolutionService
from units.models import Unit, WhatsAppConnection


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SANDBOX_ANSWER_MS="20") as running:
        yield running


@pytest.fixture
def phone(sandbox: Sandbox, unit: Unit, connection: WhatsAppConnection, settings: Any) -> Iterator[str]:
    """The instance of the unit, connected at the gateway; its name."""
    settings.EVOLUTION_URL, settings.EVOLUTION_API_KEY = sandbox.url, sandbox.api_key
    settings.EVOLUTION_SEND_TIMEOUT, settings.SEND_GRACE = 1.0, timedelta(seconds=1)
    gateway = EvolutionService(connection.instance_name)
    gateway.create_instance(webhook_url="http://127.0.0.1:9/nobody")
    gateway.connect()
    sandbox.scan(connection.instance_name)
    yield connection.instance_name
    sandbox.reset()
