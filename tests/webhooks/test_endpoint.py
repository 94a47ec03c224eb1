"""The webhook endpoint: what it answers, and what it keeps."""

import json
import os
import subprocess
import sys
import threading
from typing import Any

import pytest
from django.db import connection as database
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone

from messaging.events import MessageReceived
from messaging.inbound import MessageHandlerService, Told
from messaging.models import Contact, Conversation, Message
from tests.factories import RECORDINGS, hook, inbound_text, webhook
from units.models import WebhookSecret, WhatsAppConnection
from units.services import create_unit
from webhooks import inbox
from webhooks.drain import drain
from webhooks.models import EventStatus, WebhookEvent
from webhooks.parsers.evolution import parse

FILES = sorted((RECORDINGS / "webhooks").glob("*.json")) + sorted((RECORDINGS / "payloads").glob("*.json"))


def post(url: str, body: Any, client: Client | None = None) -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (client or Client()).post(url, raw, content_type="application/json").status_code


def test_unknown_secret_is_404_and_writes_nothing(connection: WhatsAppConnection) -> None:
    body = inbound_text(connection, phone="5511977776666", text="Oi", external_id="A1")
    assert post("/webhooks/whatsapp/evolution/guessed", body) == 404
    assert not WebhookEvent.objects.exists()


def test_a_large_body_of_a_stranger_is_404_as_well(connection: WhatsAppConnection) -> None:
    assert post("/webhooks/whatsapp/evolution/guessed", b"x" * 100_000) == 404
    assert post(hook(connection), b"x" * 100_000) == 200
    assert WebhookEvent.objects.count() == 1


def test_what_is_no_post_keeps_nothing(connection: WhatsAppConnection) -> None:
    """A followed redirect arrives as a GET (tests/evolution/webhooks/redirects.json)."""
    assert Client().get(hook(connection)).status_code == 200
    assert Client().get("/webhooks/whatsapp/evolution/guessed").status_code == 404
    assert not WebhookEvent.objects.exists()


def test_nothing_stands_before_the_endpoint_that_could_refuse_a_body(
    connection: WhatsAppConnection, settings: Any
) -> None:
    """No redirect to HTTPS, and no 400 for a host name: Evolution would lose the event."""
    settings.SECURE_SSL_REDIRECT, settings.SECURE_REDIRECT_EXEMPT = True, []
    assert post(hook(connection), {"n": 1}, Client(headers={"host": "another.example"})) == 200


def test_the_same_body_again_for_the_installation_is_one_event(settings: Any, db: None) -> None:  # I2
    settings.EVOLUTION_GLOBAL_WEBHOOK_SECRET = "the-installation-secret"
    url = "/webhooks/whatsapp/evolution/the-installation-secret"
    assert [post(url, {"n": 1}), post(url, {"n": 1})] == [200, 200]
    assert WebhookEvent.objects.count() == 1


def test_without_a_database_it_is_503(connection: WhatsAppConnection) -> None:
    """So that the gateway tries again."""
    url = hook(connection)
    with database.cursor() as cursor:
        cursor.execute("ALTER TABLE webhook_events RENAME TO elsewhere")
        with transaction.atomic():
            answer = post(url, {"n": 1})
            transaction.set_rollback(True)
        cursor.execute("ALTER TABLE elsewhere RENAME TO webhook_events")
    assert answer == 503


def test_a_known_secret_is_answered_after_the_commit(connection: WhatsAppConnection) -> None:  # I1
    assert post(hook(connection), webhook("baileys-messages.upsert-in-text-1st", connection)) == 200
    assert WebhookEvent.objects.get().status == EventStatus.RECEIVED


@pytest.mark.parametrize("suffix", ["/messages-upsert", "//messages-upsert", "/"])
def test_by_event_suffixes_are_taken(connection: WhatsAppConnection, suffix: str) -> None:
    body = webhook("baileys-messages.upsert-in-text-1st", connection)
    assert post(hook(connection) + suffix, body) == 200
    drain(seconds=5)
    assert Message.objects.get().body == "Oi, quero saber o preço"


@pytest.mark.parametrize("raw", [b"", b"not json", b'{"event": "x", "apikey": "CANARY', b"\xff\xfe\x00", b"[" * 5000])
def test_what_is_no_json_is_kept_without_its_secrets(connection: WhatsAppConnection, raw: bytes) -> None:
    assert post(hook(connection), raw) == 200
    event = WebhookEvent.objects.get()
    assert event.status == EventStatus.IGNORED
    assert event.reason
    assert "CANARY" not in event.body


@pytest.mark.parametrize("state", ["open", "connecting"])
def test_names_that_no_column_could_hold_are_taken(connection: WhatsAppConnection, state: str) -> None:
    body = {"event": "connection.update", "instance": "\ud800\0", "data": {"state": state}}
    assert post(hook(connection) + "/%00" + "a" * 100, body) == 200
    assert post(hook(connection), {"event": "\ud800\0"}) == 200
    drain(seconds=5)
    assert not WebhookEvent.objects.filter(status=EventStatus.RECEIVED).exists()


def test_a_content_length_that_is_no_number_is_taken(connection: WhatsAppConnection) -> None:
    answer = Client().post(hook(connection), b"{}", content_type="application/json", CONTENT_LENGTH="abc")
    assert answer.status_code == 200


def test_the_host_at_which_the_gateway_reaches_us_is_allowed() -> None:
    """Settings are read when a process starts, so by one of its own."""
    program = "from crm_whatsapp import settings; print(settings.ALLOWED_HOSTS)"
    environ = os.environ | {"PUBLIC_URL": "http://web:8000", "ALLOWED_HOSTS": "crm.example.com"}
    run = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['crm.example.com', 'web']"


def test_nul_and_lone_surrogates_are_kept(connection: WhatsAppConnection) -> None:
    body = inbound_text(connection, phone="5511977776666", text="a\0b\ud800c", external_id="A1")
    assert post(hook(connection), body) == 200
    drain(seconds=5)
    assert Message.objects.get().body.startswith("a")


def test_an_oversized_body_is_a_stub(connection: WhatsAppConnection, settings: Any) -> None:
    settings.WEBHOOK_MAX_BODY_BYTES = 1000
    assert post(hook(connection), b"x" * 1001) == 200
    assert json.loads(WebhookEvent.objects.get().body) == {"size": 1001}


def test_a_body_of_very_many_values_is_kept_and_not_decoded(connection: WhatsAppConnection, settings: Any) -> None:
    settings.WEBHOOK_MAX_BODY_VALUES = 1000
    raw = b'{"event": "messages.set", "apikey": "S3CRET-KEY-0001", "data": [' + b"{}," * 500 + b"{}]}"
    assert post(hook(connection), raw) == 200
    event = WebhookEvent.objects.get()
    assert (event.status, event.reason) == (EventStatus.IGNORED, inbox.TOO_MANY_VALUES)
    assert "{},{},{}" in event.body
    assert "S3CRET-KEY-0001" not in event.body  # I8


def test_a_file_in_a_body_is_one_value(connection: WhatsAppConnection, settings: Any) -> None:
    settings.WEBHOOK_MAX_BODY_VALUES = 10
    assert post(hook(connection), json.dumps({"event": "x", "data": {"base64": "AAAA" * 100_000}}).encode()) == 200
    assert WebhookEvent.objects.get().status == EventStatus.RECEIVED


def test_secrets_of_the_body_are_not_stored(connection: WhatsAppConnection) -> None:  # I8
    body = webhook("baileys-connection.update-open", connection) | {
        "apikey": "CANARY-KEY",
        "destination": "CANARY-URL",
    }
    post(hook(connection), body)
    assert "CANARY" not in WebhookEvent.objects.get().body


def test_the_same_body_again_is_one_event(connection: WhatsAppConnection) -> None:  # I2
    url, body = hook(connection), webhook("baileys-messages.upsert-in-text-1st", connection)
    assert [post(url, body), post(url, body)] == [200, 200]
    assert WebhookEvent.objects.count() == 1


def test_two_secrets_are_good_and_the_third_ends_the_first(connection: WhatsAppConnection) -> None:
    first, second = hook(connection), hook(connection)
    assert [post(first, {"n": 1}), post(second, {"n": 2})] == [200, 200]
    hook(connection)
    assert [post(first, {"n": 3}), post(second, {"n": 4})] == [404, 200]


def test_another_instance_s_name_changes_nothing(connection: WhatsAppConnection) -> None:  # I7
    other = create_unit("Outra").connection
    body = inbound_text(other, phone="5511977776666", text="Oi", external_id="A1")
    assert post(hook(connection), body) == 200
    drain(seconds=5)
    assert WebhookEvent.objects.get().status == EventStatus.IGNORED
    assert not Message.objects.exists()


def test_the_installation_s_secret_finds_the_unit_in_the_body(connection: WhatsAppConnection, settings: Any) -> None:
    settings.EVOLUTION_GLOBAL_WEBHOOK_SECRET = "the-installation-secret"
    body = inbound_text(connection, phone="5511977776666", text="Oi", external_id="A1")
    assert post("/webhooks/whatsapp/evolution/the-installation-secret", body) == 200
    drain(seconds=5)
    assert Message.objects.get().connection == connection


def test_a_flood_of_connecting_is_one_row(connection: WhatsAppConnection) -> None:
    url = hook(connection)
    for number in range(20):
        body = webhook("baileys-connection.update-connecting", connection) | {"date_time": f"{number}"}
        assert post(url, body) == 200
    assert WebhookEvent.objects.count() <= 2  # two, when the ten seconds end meanwhile


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_known_body_ends_handled_or_ignored_with_a_reason(connection: WhatsAppConnection, path: Any) -> None:
    content = json.loads(path.read_text())
    body = content.get("body", content.get("payload", content))
    if isinstance(body, dict) and "instance" in body:
        body["instance"] = connection.instance_name
    assert post(hook(connection), body) == 200
    # What speaks of a message that is not here is asked again, later: let that time have come.
    for _ in range(15):
        WebhookEvent.objects.update(due_at="2020-01-01T00:00:00Z")
        drain(seconds=5)
    event = WebhookEvent.objects.get()
    assert event.status in (EventStatus.HANDLED, EventStatus.IGNORED), event.reason
    assert event.status == EventStatus.HANDLED or event.reason


@pytest.mark.django_db(transaction=True)
def test_one_message_fifty_times_at_once_is_one_message(connection: WhatsAppConnection) -> None:  # I2
    url = hook(connection)
    body = inbound_text(connection, phone="5511977776666", text="Oi", external_id="A1")
    answers: list[int] = []

    def deliver(number: int) -> None:
        # Another date_time: not the same bytes, but the same message.
        answers.append(post(url, body | {"date_time": f"{number}"}))
        drain(seconds=5)
        connections.close_all()

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drain(seconds=5)
    assert answers == [200] * 50
    assert (Message.objects.count(), Conversation.objects.count(), Contact.objects.count()) == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_two_first_messages_at_once_make_one_conversation(connection: WhatsAppConnection) -> None:
    """Below the drain, which would take turns: the rows themselves must hold."""

    def handle(number: int) -> None:
        body = inbound_text(connection, phone="5511977776666", text=str(number), external_id=f"A{number}")
        (event,) = parse(body).events
        assert isinstance(event, MessageReceived)
        barrier.wait()
        with transaction.atomic():
            MessageHandlerService(connection).handle([Told(event=event, received_at=timezone.now(), key=str(number))])
        connections.close_all()

    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=handle, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (Message.objects.count(), Conversation.objects.count(), Contact.objects.count()) == (8, 1, 1)


def test_secrets_are_kept_as_hashes_only(connection: WhatsAppConnection) -> None:  # I8
    secret = hook(connection).rpartition("/")[2]
    assert secret.encode() not in bytes(WebhookSecret.objects.get().sha256)
