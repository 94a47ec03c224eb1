"""Processes die and brokers are away: nothing is sent twice, nothing is lost."""

import signal
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.sandbox_process import free_port
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("crashes")]

PHONES = [f"+55119333300{number:02d}" for number in range(6)]


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A send ends within a second here, and the gateway can act for one more: leases run out within the test."""
    with Stack(
        tmp_path_factory.mktemp("crash"),
        EVOLUTION_SEND_TIMEOUT="2",
        EVOLUTION_CONNECT_TIMEOUT="1",
        SEND_GRACE_SECONDS="1",
        SANDBOX_ANSWER_MS="700",
    ) as running:
        running.connect()
        yield running


def test_a_worker_killed_between_claim_and_answer_sends_nothing_twice_and_loses_nothing(stack: Stack) -> None:  # I3 I4
    campaign = stack.campaign(PHONES, "uma vez só")
    for _ in range(3):
        # The gateway takes 0.7 s to answer: the send is under way now, and the answer finds nobody.
        wait_for(lambda: stack.sql("SELECT 1 FROM messages WHERE status = 'dispatching'"), what="a send under way")
        for process in ("worker", "pump"):
            stack.supervisor.kill(process, signal.SIGKILL)
        wait_for(lambda: not stack.sql("SELECT 1 FROM messages WHERE status = 'dispatching'"), what="the sweep")
    wait_for(
        lambda: stack.get(f"/campaigns/{campaign}")["status"] == "completed", seconds=60, what="the campaign's end"
    )
    # Echoes settle what was cut off.
    wait_for(
        lambda: {row["status"] for row in stack.get(f"/campaigns/{campaign}/recipients")["results"]} == {"sent"},
        seconds=40,
        what="every recipient settled",
    )
    assert Counter(message["to"] for message in stack.sent()) == dict.fromkeys(
        (f"{phone[1:]}@s.whatsapp.net" for phone in PHONES), 1
    )


def test_a_web_process_killed_while_webhooks_come_in_loses_none(stack: Stack) -> None:  # I1
    for number in range(12):
        stack.sandbox.inbound(stack.instance, "5511922220000", f"mensagem {number}")
        if number == 4:
            stack.supervisor.kill("web", signal.SIGKILL)

    def bodies() -> set[str]:
        rows = stack.sql("SELECT body FROM messages WHERE direction = 'inbound' AND body LIKE 'mensagem %%'")
        return {body for (body,) in rows}

    # The gateway tries again five seconds later.
    wait_for(lambda: len(bodies()) == 12, seconds=60, what="all messages")


def test_a_broker_that_is_away_for_the_whole_campaign_changes_only_the_latency(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    with Stack(tmp_path_factory.mktemp("brokerless"), redis_url=nobody) as stack:
        stack.connect()
        campaign = stack.campaign(PHONES[:3], "sem corretor")
        wait_for(
            lambda: stack.get(f"/campaigns/{campaign}")["status"] == "completed", seconds=60, what="the campaign's end"
        )
        sent = stack.sent("sem corretor")
    assert len({message["to"] for message in sent}) == len(sent) == 3
    assert min(later["at"] - earlier["at"] for earlier, later in pairwise(sent)) >= 2.0
