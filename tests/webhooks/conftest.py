"""The gateway as the sandbox plays it, and a clock to set."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client

from tests.sandbox_process import Sandbox
from units.models import ConnectionStatus, WhatsAppConnection
from units.services import ConnectionService

type Clock = Callable[[str], None]


@pytest.fixture(scope="package")
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(running_sandbox: Sandbox, settings: Any) -> Iterator[Sandbox]:
    """The gateway. Its webhooks find nobody: what it posts is lost."""
    settings.EVOLUTION_URL, settings.EVOLUTION_API_KEY = running_sandbox.url, running_sandbox.api_key
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    yield running_sandbox
    running_sandbox.server("up")
    running_sandbox.reset()


@pytest.fixture
def later(transactional_db: None) -> Iterator[Clock]:
    """`later("6 minutes")`: the database's clock is that far ahead from now on."""

    def set_clock(ahead: str) -> None:
        with database.cursor() as cursor:
            cursor.execute("SELECT set_config('crm.clock_offset', %s, false)", [ahead])

    yield set_clock
    set_clock("0")


@pytest.fixture
def paired(sandbox: Sandbox, connection: WhatsAppConnection, later: Any) -> WhatsAppConnection:
    """The unit's number, connected by a scan just now."""
    WhatsAppConnection.objects.update(status=ConnectionStatus.DISCONNECTED, phone_number="", profile_name="")
    pair(sandbox, connection)
    connection.refresh_from_db()
    return connection


def post(url: str, body: Any) -> None:
    """The gateway posts a webhook."""
    assert Client().post(url, json.dumps(body), content_type="application/json").status_code == 200


def pair(sandbox: Sandbox, connection: WhatsAppConnection) -> None:
    line = ConnectionService(connection.unit)
    line.connect()
    sandbox.scan(connection.instance_name)
    line.refresh()
