"""Several who post, slow receivers, changes meanwhile, killed processes: nothing is lost, nobody waits for another."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from outgoing_webhooks import posting, services, tasks, words
from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.posting import LEASE
from tests.outgoing_webhooks.helpers import OURS, Receiver, due, happen, post, run_beside
from units.models import Unit
from units.services import create_unit

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_whoever_changes_a_webhook_the_moment_it_is_claimed_does_not_lend_his_time_to_the_claim(
    unit: Unit, webhook: OutgoingWebhook
) -> None:
    happen(unit)

    def meddle(execute: Any, sql: str, *more: Any) -> Any:
        if sql.startswith("SELECT") and not database.in_atomic_block:
            run_beside(lambda: services.change(webhook, kinds=["message"])).join()
        return execute(sql, *more)

    with database.execute_wrapper(meddle):
        (claim,) = posting.claim_due(1)
    assert claim.lease > timezone.now() + LEASE / 2


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


def test_receivers_known_to_be_slow_leave_room_for_the_others(
    unit: Unit, receiver: Receiver, http_server: HTTPServer
) -> None:
    answer = threading.Event()

    def dawdle(request: Request) -> Response:
        answer.wait(10)
        return Response("")

    http_server.expect_request(re.compile("/slow/.*")).respond_with_handler(dawdle)
    urls = [http_server.url_for(f"/slow/{place}") for place in range(posting.THREADS)]
    slow = OutgoingWebhook.objects.bulk_create(
        OutgoingWebhook(unit=unit, url=url, secret="whsec_eA==", after_seq=0) for url in urls
    )
    happen(unit)
    assert post() == 0
    assert set(OutgoingWebhook.objects.values_list("last_error", flat=True)) == {words.TIMEOUT}
    for each in slow:
        due(each)
    other = create_unit("Outra", owner=unit.memberships.get().user)
    services.add(other, receiver.url, by=None)
    happen(other)
    # It has waited for less long than they, and only once it has what is its own do they answer.
    receiver.on_request = answer.set
    assert post() == len(slow) + 1


@pytest.mark.django_db(transaction=True)
def test_a_slow_receiver_at_the_end_of_a_run_keeps_nobody_from_the_next(
    unit: Unit, receiver: Receiver, http_server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def dawdle(request: Request) -> Response:
        asked.set()
        answer.wait(8)
        return Response("")

    http_server.expect_request("/slow").respond_with_handler(dawdle)
    services.add(unit, http_server.url_for("/slow"), by=None)
    happen(unit)
    monkeypatch.setattr(tasks, "RUN_SECONDS", 0.05)
    first = run_beside(tasks.post)
    assert asked.wait(5)
    other = create_unit("Outra", owner=unit.memberships.get().user)
    services.add(other, receiver.url, by=None)
    happen(other)
    try:
        while not receiver.requests:
            tasks.post()
        assert first.is_alive()
    finally:
        answer.set()
        first.join()


@pytest.mark.django_db(transaction=True)
def test_two_who_post_at_once_post_everything_once_and_in_order(
    unit: Unit, receiver: Receiver, http_server: HTTPServer
) -> None:
    receivers = [receiver, *(Receiver(http_server, f"/hook/{place}") for place in range(3))]
    others = [create_unit(f"Outra {place}", owner=unit.memberships.get().user) for place in range(3)]
    for each, hears in zip((unit, *others), receivers, strict=True):
        services.add(each, hears.url, by=None)
        happen(each, 110)
    two = [run_beside(post), run_beside(post)]
    for _round in range(10):
        for each in (unit, *others):
            happen(each, 5)
    for thread in two:
        thread.join()
    post()
    for each, hears in zip((unit, *others), receivers, strict=True):
        assert hears.seqs == list(range(1, 161))
        assert {body["unit"] for body in hears.bodies} == {str(each.pk)}


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
