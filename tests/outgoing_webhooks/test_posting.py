"""Events of a unit at a real receiver: in order, each at least once, signed, and nobody waits for another."""

import base64
import hashlib
import hmac
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection as database
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from outgoing_webhooks import posting, services, words
from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.posting import LEASE, PAUSES, Poster, try_out
from tests.outgoing_webhooks.helpers import OURS, Receiver, due, happen, post
from units.models import LiveEvent, Unit
from units.services import create_unit

pytestmark = pytest.mark.django_db


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


def test_what_happens_from_now_on_comes_in_order_without_gaps(
    unit: Unit, webhook: OutgoingWebhook, receiver: Receiver
) -> None:
    assert post() == 0
    happen(unit, 230)
    assert post() == 3
    assert receiver.seqs == list(range(webhook.after_seq + 1, webhook.after_seq + 231))
    assert [len(body["events"]) for body in receiver.bodies] == [100, 100, 30]
    assert {body["unit"] for body in receiver.bodies} == {str(unit.pk)}
    event = receiver.bodies[0]["events"][0]
    assert event["kind"] == "message"
    assert event["id"] == str(unit.pk)
    assert event["data"] == {"place": 0}
    assert post() == 0
    webhook.refresh_from_db()
    assert webhook.last_success_at is not None


def test_the_signature_is_that_of_the_standard(unit: Unit, receiver: Receiver) -> None:
    made, secret = services.add(unit, receiver.url, by=None)
    renewed = services.rotate(made)
    happen(unit)
    post()
    (request,) = receiver.requests
    name, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert abs(int(stamp) - time.time()) < 60
    signed = f"{name}.{stamp}.".encode() + request.get_data()
    keys = [base64.b64decode(each.removeprefix("whsec_")) for each in (renewed, secret)]
    expected = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys]
    # With the one before as well, until there is another.
    assert request.headers["webhook-signature"] == " ".join(f"v1,{each}" for each in expected)
    services.rotate(made)
    happen(unit)
    post()
    assert len(receiver.requests[-1].headers["webhook-signature"].split()) == 2


def test_what_failed_comes_again_with_its_name_before_what_follows(
    unit: Unit, webhook: OutgoingWebhook, receiver: Receiver
) -> None:
    receiver.status = 500
    happen(unit, 2)
    assert post() == 0
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.last_error) == (1, "http_500")
    assert "segredo" not in words.why(webhook)
    assert PAUSES[0] / 2 < webhook.due_at - timezone.now() <= PAUSES[0]
    assert post() == 0
    receiver.status = 200
    due(webhook)
    assert post() == 1
    first, again = receiver.requests
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.last_error) == (0, "")


def test_a_redirect_is_not_followed(
    unit: Unit, webhook: OutgoingWebhook, receiver: Receiver, http_server: HTTPServer
) -> None:
    elsewhere = Receiver(http_server, "/elsewhere")
    receiver.status = 302
    happen(unit)
    post()
    webhook.refresh_from_db()
    assert webhook.last_error == "http_302"
    assert not elsewhere.requests


def test_only_the_wanted_kinds_come_and_the_place_moves_on(unit: Unit, receiver: Receiver) -> None:
    made, _secret = services.add(unit, receiver.url, kinds=["attention"], by=None)
    happen(unit, 2)
    assert post() == 0
    made.refresh_from_db()
    assert made.after_seq == 2
    happen(unit, 1, "attention")
    happen(unit, 1)
    post()
    assert receiver.seqs == [3]
    made.refresh_from_db()
    assert made.after_seq == 4


def test_who_is_further_behind_than_what_is_kept_is_told_to_load_anew(
    unit: Unit, webhook: OutgoingWebhook, receiver: Receiver
) -> None:
    happen(unit, 4)
    LiveEvent.objects.filter(seq__lte=webhook.after_seq + 2).delete()
    post()
    happen(unit)
    post()
    reset, further = receiver.bodies
    newest = webhook.after_seq + 4
    assert [(event["seq"], event["kind"]) for event in reset["events"]] == [(newest, "reset")]
    assert [event["seq"] for event in further["events"]] == [newest + 1]


def test_after_a_day_of_failures_it_is_switched_off_and_people_are_told(
    unit: Unit, webhook: OutgoingWebhook, receiver: Receiver
) -> None:
    receiver.status = 503
    happen(unit)
    for _pause in PAUSES:
        post()
        due(webhook)
    webhook.refresh_from_db()
    assert webhook.is_active
    assert not mail.outbox
    post()
    webhook.refresh_from_db()
    assert not webhook.is_active
    assert 23 < sum(PAUSES, start=timedelta()).total_seconds() / 3600 < 25
    (letter,) = mail.outbox
    assert letter.to == ["ana@example.com"]
    assert receiver.url in letter.body
    assert "503" in letter.body
    assert post() == 0
    # Switched on again, it goes on where it was.
    receiver.status = 200
    services.change(webhook, is_active=True)
    assert post() == 1
    assert set(receiver.seqs) == {webhook.after_seq + 1}


def test_a_receiver_that_wants_no_more_gets_no_more(unit: Unit, webhook: OutgoingWebhook, receiver: Receiver) -> None:
    receiver.status = 410
    happen(unit)
    post()
    webhook.refresh_from_db()
    assert not webhook.is_active
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/hook", "http://no-such-host.invalid/hook"])
def test_an_unreachable_address_is_a_failure_like_any_other(unit: Unit, settings: Any, url: str) -> None:
    settings.OUTGOING_WEBHOOKS_PRIVATE = True
    made, _secret = services.add(unit, url, by=None)
    happen(unit)
    assert post() == 0
    made.refresh_from_db()
    assert made.failures == 1
    assert made.last_error in (words.UNREACHABLE, words.REFUSED_ADDRESS)


def test_a_name_that_leads_into_our_network_is_refused_when_it_is_asked(unit: Unit) -> None:
    # An address that was public when it was added.
    made, _secret = services.add(unit, "https://localhost/hook", by=None)
    happen(unit)
    Poster().run(seconds=5)
    made.refresh_from_db()
    assert made.last_error == words.REFUSED_ADDRESS


def test_a_slow_receiver_delays_nobody_else(unit: Unit, receiver: Receiver, http_server: HTTPServer) -> None:
    answer = threading.Event()

    def dawdle(request: Request) -> Response:
        answer.wait(10)
        return Response("")

    http_server.expect_request("/slow").respond_with_handler(dawdle)
    slow, _secret = services.add(unit, http_server.url_for("/slow"), by=None)
    other = create_unit("Outra", owner=unit.memberships.get().user)
    services.add(other, receiver.url, by=None)
    happen(unit)
    happen(other, 250)
    began = time.monotonic()
    assert post() == 3
    # The slow one has its time (a second here) and no more.
    assert time.monotonic() - began < 4
    answer.set()
    slow.refresh_from_db()
    assert slow.last_error == words.TIMEOUT


def test_an_answer_that_comes_after_somebody_changed_the_webhook_counts_for_nothing(
    unit: Unit, webhook: OutgoingWebhook, receiver: Receiver, http_server: HTTPServer
) -> None:
    elsewhere = Receiver(http_server, "/new")
    happen(unit)
    (claim,) = posting.claim_due(1)
    services.change(webhook, url=elsewhere.url)
    posting.record(claim, posting.deliver(OURS, claim))
    assert receiver.seqs == [claim.upto]
    webhook.refresh_from_db()
    assert webhook.after_seq == claim.webhook.after_seq
    post()
    assert elsewhere.seqs == [claim.upto]


def test_a_trial_tells_whether_it_was_taken(webhook: OutgoingWebhook, receiver: Receiver) -> None:
    assert try_out(webhook, OURS) == ""
    (body,) = receiver.bodies
    assert [event["kind"] for event in body["events"]] == ["test"]
    receiver.status = 401
    assert try_out(webhook, OURS) == "http_401"
    webhook.refresh_from_db()
    assert webhook.failures == 0


KILLED = """
import django; django.setup()
from outgoing_webhooks import posting
posting.record = lambda claim, code: open(%r, "w").close() or __import__("time").sleep(60)
posting.Poster().run(seconds=30)
"""


@pytest.mark.django_db(transaction=True)
def test_whoever_is_killed_after_posting_is_followed_by_somebody_who_posts_the_same(
    unit: Unit, webhook: OutgoingWebhook, receiver: Receiver, tmp_path: Any
) -> None:  # at least once
    happen(unit, 2)
    told = database.settings_dict
    url = f"postgres://{told['USER']}:{told['PASSWORD']}@{told['HOST']}:{told['PORT']}/{told['NAME']}"
    environment = os.environ | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "crm_whatsapp.settings",
        "OUTGOING_WEBHOOKS_PRIVATE": "1",
    }
    posted = tmp_path / "posted"
    process = subprocess.Popen([sys.executable, "-c", KILLED % str(posted)], env=environment)
    while not posted.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    # Until the lease is over nobody else takes it …
    assert post() == 0
    webhook.refresh_from_db()
    assert timezone.now() < webhook.due_at <= timezone.now() + LEASE
    # … and then it comes once more, by the same name.
    due(webhook)
    assert post() == 1
    first, again = receiver.requests
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.get_data() == again.get_data()
