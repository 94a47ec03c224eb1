"""Whatever is posted to the endpoint is answered 200, is kept, and has an end that is not a crash (I1)."""

import json

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.factories import hook
from tests.webhooks.mutations import Mutator
from tests.webhooks.test_parser_properties import JSON
from units.models import WhatsAppConnection
from webhooks.drain import drain
from webhooks.models import EventStatus, WebhookEvent
from webhooks.parsers.evolution import EVENTS

SETTLED = (EventStatus.HANDLED, EventStatus.IGNORED)


def answers(connection: WhatsAppConnection, bodies: list[bytes]) -> set[int]:
    """What the endpoint answers to each."""
    url, client = hook(connection), Client()
    return {client.post(url, body, content_type="application/json").status_code for body in bodies}


def failures() -> list[str]:
    """What the drain stumbled over, after it has worked off all that was posted."""
    with capture_logs() as logs:
        drain(seconds=60)
    return [str(entry) for entry in logs if entry["event"] == "event_failed"]


def assert_all_came_to_an_end() -> None:
    # What speaks of a message that is not here waits for it, and says for which.
    assert not WebhookEvent.objects.exclude(status__in=SETTLED).filter(awaits=[]).exists()


@pytest.mark.parametrize("seed", range(3))
def test_mutations_of_real_bodies_are_kept_and_come_to_an_end(connection: WhatsAppConnection, seed: int) -> None:
    mutator = Mutator(connection.instance_name, seed)
    assert answers(connection, [mutator.body() for _ in range(150)]) == {200}
    assert failures() == []
    assert_all_came_to_an_end()
    assert WebhookEvent.objects.filter(status=EventStatus.HANDLED).count() > 20


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), JSON), min_size=5, max_size=10))
def test_any_data_of_any_event_comes_to_an_end(
    connection: WhatsAppConnection, bodies: list[tuple[str, object]]
) -> None:
    raw = [json.dumps({"event": event, "instance": connection.instance_name, "data": data}) for event, data in bodies]
    assert answers(connection, [body.encode() for body in raw]) == {200}
    assert failures() == []
    assert_all_came_to_an_end()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_any_bytes_are_kept(connection: WhatsAppConnection, body: bytes) -> None:
    before = WebhookEvent.objects.count()
    assert answers(connection, [body]) == {200}
    assert WebhookEvent.objects.count() >= before
    assert failures() == []


def test_without_a_secret_nothing_is_kept(connection: WhatsAppConnection) -> None:
    mutator, client = Mutator(connection.instance_name, 7), Client()
    url = "/webhooks/whatsapp/evolution/guessed"
    told = {client.post(url, mutator.body(), content_type="application/json").status_code for _ in range(30)}
    assert told == {404}
    assert not WebhookEvent.objects.exists()
