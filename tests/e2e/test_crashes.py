"""Processes die and brokers are away: nothing is sent twice, nothing is lost.

A worker is stopped at each named point from outside (a lock in the database that it needs, a gate before the gateway
that holds what it sends or is answered), and killed there.
"""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, pairwise

import pytest

from tests.gate import Gate
from tests.sandbox_process import free_port
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("crashes")]

PHONES = [f"+55119333300{number:02d}" for number in range(6)]


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    with Gate() as running:
        yield running


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Iterator[Stack]:
    """A send ends within seconds here, and the gateway can act for one more: leases run out within the test.

    One for all points: each writes to somebody else.
    """
    with Stack(
        tmp_path_factory.mktemp("points"),
        gateway_url=gate.url,
        EVOLUTION_SEND_TIMEOUT="3",
        EVOLUTION_CONNECT_TIMEOUT="1",
        SEND_GRACE_SECONDS="1",
    ) as running:
        gate.upstream = running.sandbox.port
        running.connect()
        # One that is known to have gone out: what is told of the others can be believed.
        first = write(running, "testemunha")
        wait_for(lambda: status(running, first) == "sent", what="the first message")
        yield running


_numbers = count(1)


def write(stack: Stack, text: str) -> str:
    """A person writes to somebody new; the message's id."""
    made: str = stack.post("/whatsapp/messages", {"phone": f"+5511944400{next(_numbers):03d}", "text": text})["id"]
    return made


def status(stack: Stack, message: str) -> str:
    ((found,),) = stack.sql("SELECT status FROM messages WHERE id = %s", message)
    return str(found)


def kill_senders(stack: Stack) -> None:
    for process in ("worker", "pump"):
        stack.supervisor.kill(process, signal.SIGKILL)


def end_leases(stack: Stack) -> None:
    """Half a minute later."""
    stack.sql("UPDATE send_lanes SET lease_until = crm_now() WHERE claim_token IS NOT NULL")


def wait_until(stack: Stack, message: str, wanted: str) -> None:
    wait_for(lambda: status(stack, message) == wanted, seconds=40, what=f"the message to be {wanted}")


def test_killed_after_the_claim_it_is_sent_once(gated: Stack) -> None:  # I3 I4
    # Consent is read in the statement that makes it `dispatching`.
    with gated.holding("LOCK TABLE opt_outs IN ACCESS EXCLUSIVE MODE"):
        message = write(gated, "depois da reserva")
        wait_for(lambda: gated.stopped_at("UPDATE messages m SET status = 'dispatching'"), what="a claim")
        assert status(gated, message) == "claimed"
        kill_senders(gated)
    end_leases(gated)
    wait_until(gated, message, "sent")
    assert len(gated.sent("depois da reserva")) == 1


def test_killed_before_dispatching_is_committed_it_is_sent_once(gated: Stack) -> None:  # I3 I4
    with gated.holding("LOCK TABLE opt_outs IN ACCESS EXCLUSIVE MODE") as claimed:
        message = write(gated, "antes de despachar")
        wait_for(lambda: gated.stopped_at("UPDATE messages m SET status = 'dispatching'"), what="a claim")
        # The last statement of that transaction extends the lease.
        with gated.holding("SELECT 1 FROM send_lanes FOR UPDATE"):
            claimed.rollback()
            wait_for(lambda: gated.stopped_at("UPDATE send_lanes lane SET"), what="the statement before the commit")
            kill_senders(gated)
    wait_for(lambda: not gated.stopped_at("UPDATE"), what="the end of the dead worker's transaction")
    assert status(gated, message) == "claimed"
    assert gated.sent("antes de despachar") == []
    end_leases(gated)
    wait_until(gated, message, "sent")
    assert len(gated.sent("antes de despachar")) == 1


def test_killed_after_dispatching_before_the_gateway_has_a_byte_a_person_decides(
    gated: Stack, gate: Gate
) -> None:  # I3 I4
    gate.shut("request")
    message = write(gated, "nem um byte")
    gate.wait()
    assert status(gated, message) == "dispatching"
    kill_senders(gated)
    gate.forget()
    wait_until(gated, message, "uncertain")
    assert message in [row["id"] for row in gated.get("/messages/uncertain")["results"]]
    assert gated.sent("nem um byte") == []
    again = gated.post(f"/messages/{message}/send-again")["id"]
    wait_until(gated, again, "sent")
    assert len(gated.sent("nem um byte")) == 1


def test_killed_after_the_first_byte_it_is_not_sent_again_unasked(gated: Stack, gate: Gate) -> None:  # I3 I4
    gate.shut("body")
    message = write(gated, "o primeiro byte")
    gate.wait()
    kill_senders(gated)
    gate.let_go()
    wait_until(gated, message, "uncertain")
    other = write(gated, "outra conversa")
    wait_until(gated, other, "sent")
    assert (status(gated, message), gated.sent("o primeiro byte")) == ("uncertain", [])


def test_killed_after_the_last_byte_its_echo_settles_it(gated: Stack, gate: Gate) -> None:  # I3 I4
    gate.shut("answer")
    message = write(gated, "o último byte")
    gate.wait()
    kill_senders(gated)
    gate.let_go()
    wait_until(gated, message, "sent")
    assert len(gated.sent("o último byte")) == 1


def test_killed_after_the_answer_before_the_record_its_echo_settles_it(gated: Stack, gate: Gate) -> None:  # I3 I4
    gate.shut("request")
    message = write(gated, "antes do registro")
    gate.wait()
    with gated.holding(f"SELECT 1 FROM messages WHERE id = '{message}' FOR UPDATE"):
        gate.let_go()
        wait_for(lambda: gated.stopped_at("UPDATE messages m SET"), what="the record of the answer")
        kill_senders(gated)
    wait_until(gated, message, "sent")
    assert len(gated.sent("antes do registro")) == 1


def test_a_grace_that_is_too_short_has_it_sent_twice(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The negative control: a gateway that acts later than we believe, and a test that can see what comes of it."""
    with graced(tmp_path_factory, "1") as hasty, graced(tmp_path_factory, "600") as patient:
        _gate, stack = patient
        # Connected for long enough to be believed: the gateway's clock and ours may be half a minute apart.
        wait_for(
            lambda: stack.sql(
                "SELECT 1 FROM unit_whatsapp_connections WHERE status_changed_at < crm_now() - interval '35 seconds'"
            ),
            seconds=60,
            what="a number that is connected for long",
        )
        retry_unconfirmed(*hasty, leaves=2)
        retry_unconfirmed(*patient, leaves=1)


@contextmanager
def graced(tmp_path_factory: pytest.TempPathFactory, seconds: str) -> Iterator[tuple[Gate, Stack]]:
    """A gateway behind a gate, believed to have done nothing after so many seconds, and connected."""
    with (
        Gate() as gate,
        Stack(
            tmp_path_factory.mktemp("grace"),
            gateway_url=gate.url,
            EVOLUTION_SEND_TIMEOUT="1",
            SEND_GRACE_SECONDS=seconds,
        ) as stack,
    ):
        gate.upstream = stack.sandbox.port
        stack.connect()
        wait_until(stack, write(stack, "testemunha"), "sent")
        yield gate, stack


def retry_unconfirmed(gate: Gate, stack: Stack, *, leaves: int) -> None:
    """A person tries a message again that the gateway has and is busy with: it leaves once, or twice."""
    gate.shut("request")
    message = write(stack, "uma vez só")
    gate.wait()
    wait_until(stack, message, "uncertain")
    # The gateway is still busy with it, and is asked for it.
    for _ in range(2):
        look_up_now(stack, message)
    if leaves == 2:
        # One that came while the inbox was busy did not count.
        wait_for(lambda: look_up_now(stack, message) == "failed", seconds=60, what="the mistake")
    gate.hold = "nothing"
    answer = stack.api("POST", f"/messages/{message}/retry")
    gate.let_go()
    assert answer.status_code == (202 if leaves == 2 else 409)
    wait_for(lambda: len(stack.sent("uma vez só")) >= leaves, what="what left")
    wait_until(stack, answer.json()["id"] if leaves == 2 else message, "sent")
    assert len(stack.sent("uma vez só")) == leaves


def look_up_now(stack: Stack, message: str) -> str:
    """The time of the next look-up has come. Returns the status when it has been made."""
    # Read first: a look-up that is made meanwhile counts as well.
    before = stack.sql("SELECT look_ups, crm_now() FROM messages WHERE id = %s", message)[0]
    stack.sql(
        "UPDATE messages SET look_up_due_at = crm_now() WHERE id = %s AND status = 'uncertain'",
        message,
    )
    # Whoever takes it puts it off for a minute only.
    wait_for(
        lambda: stack.sql(
            "SELECT 1 FROM messages WHERE id = %s AND (status <> 'uncertain' OR look_ups > %s"
            " OR look_up_due_at > %s + interval '2 minutes')",
            message,
            *before,
        ),
        seconds=60,
        what="a look-up",
    )
    return status(stack, message)


def test_a_campaign_whose_workers_are_killed_while_they_send_reaches_everybody_once(
    gated: Stack, gate: Gate
) -> None:  # I3 I4
    campaign = gated.campaign(PHONES, "uma vez só")
    for _ in range(3):
        gate.shut("request")
        gate.wait()
        ((message,),) = gated.sql("SELECT id FROM messages WHERE status = 'dispatching'")
        kill_senders(gated)
        gate.hold = "nothing"
        wait_until(gated, str(message), "uncertain")
        # The gateway acts after all, and its echo settles it.
        gate.let_go()
    wait_for(
        lambda: {row["status"] for row in gated.get(f"/campaigns/{campaign}/recipients")["results"]} == {"sent"},
        seconds=60,
        what="every recipient settled",
    )
    wait_for(
        lambda: gated.get(f"/campaigns/{campaign}")["status"] == "completed", seconds=60, what="the campaign's end"
    )
    assert Counter(message["to"] for message in gated.sent("uma vez só")) == dict.fromkeys(
        (f"{phone[1:]}@s.whatsapp.net" for phone in PHONES), 1
    )


def test_a_web_process_killed_while_webhooks_come_in_loses_none(gated: Stack) -> None:  # I1
    for number in range(12):
        gated.sandbox.inbound(gated.instance, "5511922220000", f"mensagem {number}")
        if number == 4:
            gated.supervisor.kill("web", signal.SIGKILL)

    def bodies() -> set[str]:
        rows = gated.sql("SELECT body FROM messages WHERE direction = 'inbound' AND body LIKE 'mensagem %%'")
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
