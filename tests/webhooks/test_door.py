"""Who may post, and how much of it: the secret, the second secret in a header, and the rate."""

import socket
import threading
import time
from typing import Any

import pytest
from django.db import connections
from django.http import HttpResponse
from django.test import Client

from tests.factories import hook, inbound_text
from tests.sandbox_process import Sandbox
from tests.webhooks.conftest import Clock, pair
from units import webhook_secrets
from units.gateways.evolution import EvolutionService
from units.models import WebhookSecret, WhatsAppConnection
from units.services import create_unit
from webhooks import door
from webhooks.drain import drain
from webhooks.models import EventStatus, WebhookEvent

FIRST, SECOND = "f" * 32, "s" * 32


def post(url: str, number: int = 0, **headers: str) -> HttpResponse:
    answer = Client(headers=headers).post(url, b'{"n": %d}' % number, content_type="application/json")
    assert isinstance(answer, HttpResponse)
    return answer


def test_without_the_header_it_is_as_if_the_secret_were_wrong(connection: WhatsAppConnection, settings: Any) -> None:
    settings.EVOLUTION_WEBHOOK_HEADER_SECRETS = [FIRST]
    url = hook(connection)
    wrong = [post(url), post(url, x_webhook_secret="guessed"), post(url, x_webhook_secret=FIRST + "x")]
    assert [answer.status_code for answer in wrong] == [404] * 3
    assert {answer.content for answer in wrong} == {post("/webhooks/whatsapp/evolution/guessed").content}
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("secret", [FIRST, SECOND])
def test_every_header_of_the_list_is_accepted(connection: WhatsAppConnection, settings: Any, secret: str) -> None:
    settings.EVOLUTION_WEBHOOK_HEADER_SECRETS = [FIRST, SECOND]
    assert post(hook(connection), x_webhook_secret=secret).status_code == 200
    assert WebhookEvent.objects.count() == 1


def test_a_right_header_opens_nothing_without_a_right_secret(db: None, settings: Any) -> None:
    settings.EVOLUTION_WEBHOOK_HEADER_SECRETS = [FIRST]
    assert post("/webhooks/whatsapp/evolution/guessed", x_webhook_secret=FIRST).status_code == 404


def test_while_the_header_is_introduced_webhooks_without_it_come_in(
    connection: WhatsAppConnection, settings: Any
) -> None:
    settings.EVOLUTION_WEBHOOK_HEADER_SECRETS = [FIRST]
    settings.EVOLUTION_WEBHOOK_HEADER_REQUIRED = False
    assert post(hook(connection)).status_code == 200


def test_the_global_webhook_needs_no_header(db: None, settings: Any) -> None:
    """Evolution sends none with it (tests/evolution/webhooks/global-send.message.json)."""
    settings.EVOLUTION_WEBHOOK_HEADER_SECRETS = [FIRST]
    settings.EVOLUTION_GLOBAL_WEBHOOK_SECRET = "the-installation-secret"
    assert post("/webhooks/whatsapp/evolution/the-installation-secret").status_code == 200


def test_more_than_the_rate_is_503_and_nobody_else_s_matter(connection: WhatsAppConnection, settings: Any) -> None:
    settings.WEBHOOK_RATE = "3/day"
    url, other = hook(connection), hook(create_unit("Outra").connection)
    answers = [post(url, number) for number in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 503]
    assert int(answers[-1]["Retry-After"]) > 0
    assert post(other).status_code == 200
    assert WebhookEvent.objects.count() == 4


def test_strangers_are_not_counted(db: None, settings: Any) -> None:
    """Else guessing would fill the memory with counters."""
    settings.WEBHOOK_RATE = "1/day"
    assert [post("/webhooks/whatsapp/evolution/guessed").status_code for _ in range(3)] == [404] * 3


def test_counting_costs_next_to_nothing(settings: Any) -> None:
    settings.WEBHOOK_RATE = "1000000/day"
    started = time.process_time()
    for _ in range(2000):
        door.seconds_to_wait("a secret")
    assert (time.process_time() - started) / 2000 < 0.0005


def test_a_secret_that_was_replaced_opens_nothing_though_it_did_before(connection: WhatsAppConnection) -> None:
    first = hook(connection)
    assert post(first, 1).status_code == 200
    WebhookSecret.objects.all().delete()
    assert post(first, 2).status_code == 404
    assert WebhookEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_body_that_ends_too_early_is_asked_for_again(connection: WhatsAppConnection, live_server: Any) -> None:
    """The server hands out what it has when a client leaves in the middle."""
    with socket.create_connection((live_server.thread.host, live_server.thread.port)) as client:
        client.sendall(f"POST {hook(connection)} HTTP/1.0\r\nContent-Length: 60\r\n\r\n".encode() + b'{"n":')
        client.shutdown(socket.SHUT_WR)
        assert b" 503 " in client.makefile("rb").readline()
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("suffix", ["/no-such-event", "/" + "a/" * 200, "/..%2f..", "/%00", "?secret=x", "/é"])
def test_an_unknown_suffix_is_kept_and_harmless(connection: WhatsAppConnection, suffix: str) -> None:
    assert post(hook(connection) + suffix).status_code == 200
    assert post("/webhooks/whatsapp/evolution/guessed" + suffix).status_code == 404
    drain(seconds=5)
    assert WebhookEvent.objects.get().status == EventStatus.IGNORED


@pytest.mark.django_db(transaction=True)
def test_the_first_header_is_registered_and_what_comes_with_it_is_let_in(
    sandbox: Sandbox, connection: WhatsAppConnection, settings: Any, live_server: Any, later: Clock
) -> None:
    settings.PUBLIC_URL, settings.EVOLUTION_WEBHOOK_HEADER_SECRETS = live_server.url, [FIRST, SECOND]
    pair(sandbox, connection)
    webhook = EvolutionService(connection.instance_name).find_webhook()
    assert webhook
    assert webhook.headers == {"X-Webhook-Secret": FIRST}
    sandbox.inbound(connection.instance_name, "5511977776666", "Oi")
    wait_for_events(connection, 1, "messages.upsert")


@pytest.mark.django_db(transaction=True)
def test_a_new_secret_under_load_loses_nothing(
    sandbox: Sandbox, connection: WhatsAppConnection, settings: Any, live_server: Any, later: Clock
) -> None:  # I1
    """The gateway posts all the time, and its retries go on to the address before."""
    settings.PUBLIC_URL = live_server.url
    pair(sandbox, connection)
    webhook = EvolutionService(connection.instance_name).find_webhook()
    assert webhook
    before = webhook.url.removeprefix(live_server.url)
    stop = threading.Event()
    retried: list[int] = []
    sent: list[str] = []

    def retry() -> None:
        while not stop.is_set():
            body = inbound_text(connection, phone="5511977776666", text="Oi", external_id=f"R{len(retried)}")
            retried.append(Client().post(before, body, content_type="application/json").status_code)
        connections.close_all()

    def write() -> None:
        while not stop.is_set():
            sent.append(sandbox.inbound(connection.instance_name, "5511977776666", f"Oi {len(sent)}"))

    threads = [threading.Thread(target=retry), threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    some(sent, 10)
    webhook_secrets.renew(connection.unit)
    some(sent, 10)
    some(retried, 10)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(retried) == {200}
    wait_for_events(connection, len(sent) + len(retried), "messages.upsert")
    assert {attempt["status"] for attempt in sandbox.deliveries(instance=connection.instance_name)} == {200}


def some(things: list[Any], more: int) -> None:
    """Wait until so many have been added."""
    enough, deadline = len(things) + more, time.monotonic() + 30
    while len(things) < enough:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for_events(connection: WhatsAppConnection, count: int, event: str) -> None:
    deadline = time.monotonic() + 20
    while (found := WebhookEvent.objects.filter(connection=connection, event=event).count()) < count:
        assert time.monotonic() < deadline, f"{found} of {count}"
        time.sleep(0.05)
    assert found == count
