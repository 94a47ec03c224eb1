"""Whose turn it is, what an error costs, and a body that ends whoever handles it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction
from django.db import connection as database

from crm_whatsapp.db import ClockNow
from messaging.models import Conversation, Message, MessageStatus
from tests import factories
from tests.stack import wait_for
from tests.webhooks.conftest import Clock, post
from units.models import WhatsAppConnection
from units.services import create_unit
from webhooks.application import MAX_ATTEMPTS
from webhooks.drain import BATCH, BATCH_BYTES, ENDED_THE_WORKER, drain
from webhooks.models import EventStatus, WebhookEvent

END_WHO_WAITS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)

pytestmark = pytest.mark.django_db(transaction=True)


def text(connection: WhatsAppConnection, external_id: str = "A1", **message: Any) -> dict[str, Any]:
    body = factories.inbound_text(connection, phone="5511977776666", text="Oi", external_id=external_id)
    body["data"]["message"] |= message
    return body


def large(connection: WhatsAppConnection) -> dict[str, Any]:
    return text(connection, base64="A" * BATCH_BYTES)


@contextmanager
def held(rows: Any) -> Iterator[None]:
    """Somebody else has locked `rows`."""
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(rows.select_for_update())
            locked.set()
            done.wait(20)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(5)
    yield
    done.set()
    thread.join()


# Turns


def test_a_number_with_a_long_backlog_waits_for_the_others(connection: WhatsAppConnection) -> None:
    other = create_unit("Clínica do Saulo").connection
    post(factories.hook(connection), text(connection))
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO webhook_events (connection_id, event, path_event, body, fingerprint, due_at)"
            " SELECT connection_id, event, path_event, '{}', int4send(n), due_at - interval '1 hour'"
            " FROM webhook_events, generate_series(1, %s) n",
            [BATCH * 3],
        )
    post(factories.hook(other), text(other))
    drain(seconds=10)
    marked = WebhookEvent.objects.order_by("settled_at").values_list("connection", flat=True)
    assert list(marked).index(other.pk) <= BATCH


def test_what_somebody_else_holds_keeps_nobody_waiting(connection: WhatsAppConnection) -> None:
    other = create_unit("Clínica do Saulo").connection
    post(factories.hook(connection), text(connection))
    post(factories.hook(other), text(other))
    with held(WebhookEvent.objects.filter(connection=connection)):
        assert drain(seconds=5) == 1
    assert drain(seconds=5) == 1


# Errors


def test_who_is_in_the_way_costs_no_failure(connection: WhatsAppConnection, later: Clock) -> None:
    message = factories.reply(connection.unit)
    Message.objects.update(status=MessageStatus.SENT, external_id="3EB0A", dispatched_at=ClockNow())
    data = {"keyId": "3EB0A", "fromMe": True, "status": "READ"}
    post(factories.hook(connection), {"event": "messages.update", "instance": connection.instance_name, "data": data})
    WebhookEvent.objects.update(failures=MAX_ATTEMPTS - 1)
    with held(Message.objects.filter(pk=message.pk)), database.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
        drain(seconds=1)
        cursor.execute("RESET lock_timeout")
    assert WebhookEvent.objects.get().failures == MAX_ATTEMPTS - 1
    later("1 minute")
    drain(seconds=2)
    message.refresh_from_db()
    assert message.status == MessageStatus.READ


# Bodies that are too much


def test_a_large_body_is_handled_like_any(connection: WhatsAppConnection) -> None:
    post(factories.hook(connection), large(connection))
    drain(seconds=5)
    event = WebhookEvent.objects.get()
    assert (event.status, event.attempts, event.failures) == (EventStatus.HANDLED, 1, 0)
    assert Message.objects.get().body == "Oi"


def test_one_that_ends_the_worker_is_not_first_for_ever(connection: WhatsAppConnection) -> None:  # I1
    chat = factories.conversation(connection.unit, phone="+5511977776666")
    post(factories.hook(connection), large(connection))
    post(factories.hook(connection), text(connection, "A2"))
    ended = []

    def work() -> None:
        try:
            drain(seconds=10)
        except OperationalError as error:
            ended.append(error)
        connections.close_all()

    with held(Conversation.objects.filter(pk=chat.pk)), database.cursor() as cursor:
        thread = threading.Thread(target=work)
        thread.start()
        # It waits for the chat, with the attempt counted; then it is gone.
        wait_for(lambda: WebhookEvent.objects.filter(failures=1).exists())
        wait_for(lambda: cursor.execute(END_WHO_WAITS).rowcount)
        thread.join(10)
    assert ended
    drain(seconds=5)
    assert Message.objects.filter(external_id="A2").exists()
    assert not Message.objects.filter(external_id="A1").exists()


def test_one_that_always_ends_the_worker_is_dead_in_the_end(connection: WhatsAppConnection) -> None:  # I1
    post(factories.hook(connection), large(connection))
    WebhookEvent.objects.update(failures=MAX_ATTEMPTS)
    drain(seconds=5)
    event = WebhookEvent.objects.get()
    assert (event.status, event.reason) == (EventStatus.DEAD, ENDED_THE_WORKER)


# A message without an id


def test_a_message_without_an_id_is_one_however_often_it_is_told(
    connection: WhatsAppConnection, settings: Any
) -> None:  # I2
    settings.EVOLUTION_GLOBAL_WEBHOOK_SECRET = "g" * 40
    body = text(connection)
    del body["data"]["key"]["id"]
    own = factories.hook(connection)
    for url in (own, own + "/messages-upsert", "/webhooks/whatsapp/evolution/" + "g" * 40):
        post(url, body)
    drain(seconds=5)
    assert Message.objects.count() == 1


def test_two_messages_without_an_id_in_one_body_are_two(connection: WhatsAppConnection) -> None:
    body = text(connection)
    del body["data"]["key"]["id"]
    post(factories.hook(connection), body | {"data": [body["data"], body["data"]]})
    drain(seconds=5)
    assert Message.objects.count() == 2


def test_who_says_the_same_again_without_an_id_says_it_twice(connection: WhatsAppConnection) -> None:
    body = text(connection)
    del body["data"]["key"]["id"]
    for second in (1, 2):
        post(factories.hook(connection), body | {"date_time": f"2026-11-20T12:00:0{second}"})
    drain(seconds=5)
    assert Message.objects.count() == 2
