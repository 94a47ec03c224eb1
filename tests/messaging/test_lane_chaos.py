"""Eight workers on one number: the gap by the sandbox's clock, one message in flight, replies first."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from django.db import connections

from campaigns.feeder import feed_campaigns
from messaging.delivery import Delivery
from messaging.models import Message, MessageStatus
from tests.factories import campaign, reply
from tests.messaging.on_the_wire import texts
from tests.sandbox_process import Sandbox
from units.models import Unit, WhatsAppConnection

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 8
PATIENCE = 60.0  # seconds


@contextmanager
def at_work(*jobs: Callable[[threading.Event], object]) -> Iterator[None]:
    """Each of `jobs` in a thread, on a database connection of its own, until the end."""
    stop = threading.Event()

    def repeat(job: Callable[[threading.Event], object]) -> None:
        try:
            while not stop.wait(0.05):
                job(stop)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=repeat, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def worker(stop: threading.Event) -> None:
    Delivery().run(seconds=5, stop=stop)


def feeder(stop: threading.Event) -> None:
    feed_campaigns()


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)


def test_eight_workers_and_three_campaigns_on_one_number_keep_the_gap(
    sandbox: Sandbox, unit: Unit, phone: str
) -> None:  # I3 I5
    WhatsAppConnection.objects.update(interval_seconds="1.000")
    for _ in range(3):
        campaign(unit, people=3)
    with at_work(*[worker] * WORKERS, feeder):
        wait_until(lambda: len(sandbox.sent(phone)) == 9)
    sent = sandbox.sent(phone)
    gaps = [later["at"] - earlier["at"] for earlier, later in pairwise(sent)]
    assert len({message["to"] for message in sent}) == len(sent) == 9
    assert min(gaps) >= 1.0


def test_eight_workers_have_one_message_of_a_number_in_flight(sandbox: Sandbox, unit: Unit, phone: str) -> None:  # I5
    messages = [reply(unit, f"{number}") for number in range(12)]
    most = 0

    def count_in_flight() -> bool:
        nonlocal most
        most = max(most, Message.objects.filter(status__in=[MessageStatus.CLAIMED, MessageStatus.DISPATCHING]).count())
        return not Message.objects.exclude(status=MessageStatus.SENT).exists()

    with at_work(*[worker] * WORKERS):
        wait_until(count_in_flight)
    assert most <= 1
    assert texts(sandbox, phone) == [message.body for message in messages]


def test_with_eight_workers_a_reply_goes_before_the_campaign_and_waits_for_no_pace(
    sandbox: Sandbox, unit: Unit, phone: str
) -> None:  # I5
    WhatsAppConnection.objects.update(interval_seconds="3.000")
    campaign(unit, people=3)
    with at_work(*[worker] * WORKERS, feeder):
        wait_until(lambda: len(sandbox.sent(phone)) == 1)
        for number in range(3):
            reply(unit, f"resposta {number}")
        wait_until(lambda: len(sandbox.sent(phone)) == 5)
    assert texts(sandbox, phone)[1:4] == ["resposta 0", "resposta 1", "resposta 2"]
    at = [message["at"] for message in sandbox.sent(phone)]
    # The campaign goes on an interval after the last reply.
    assert at[4] - at[3] >= 3.0
