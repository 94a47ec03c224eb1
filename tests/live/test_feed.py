"""What a stream tells: everything that was committed, in the order of commits, once."""

import threading
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connections, transaction

from messaging.services import conversation_change
from tests import factories
from tests.live.process import Event, LiveProcess, database_url
from tests.stack import wait_for
from units import live as feed
from units.models import LiveEvent, Unit
from units.services import create_unit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("live")]

Headers = dict[str, str]


def publish(unit: Unit, number: int = 1) -> list[str]:
    """So many changes in one transaction; the ids of what has changed."""
    ids = [uuid4() for _ in range(number)]
    feed.publish(feed.Change(unit_id=unit.id, kind="message", object_id=pk) for pk in ids)
    return [str(pk) for pk in ids]


def publish_elsewhere(unit: Unit, transactions: int, *, each: int = 1) -> threading.Thread:
    """The same from another thread, in so many transactions."""

    def run() -> None:
        try:
            for _ in range(transactions):
                publish(unit, each)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def insert_silently(unit: Unit) -> UUID:
    """A change of which no NOTIFY tells, as if it had been lost."""
    with psycopg.connect(database_url(), autocommit=True) as connection:
        row = connection.execute(
            "WITH feed AS (INSERT INTO unit_feeds AS f (unit_id, last_seq) VALUES (%(unit)s, 1) ON CONFLICT (unit_id)"
            " DO UPDATE SET last_seq = f.last_seq + 1 RETURNING last_seq)"
            " INSERT INTO live_events (unit_id, seq, kind, object_id)"
            " SELECT %(unit)s, last_seq, 'message', uuidv7() FROM feed RETURNING object_id",
            {"unit": unit.id},
        ).fetchone()
    assert row
    return UUID(str(row[0]))


def somebody_waits() -> bool:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(database_url(), autocommit=True) as connection:
        return connection.execute(waiting).fetchone() is not None


def seqs(events: list[Event]) -> list[int | None]:
    return [event.seq for event in events]


# What it tells


def test_an_event_names_what_to_look_at(live: LiveProcess, unit: Unit, token: Headers) -> None:
    with live.listen(unit.id, **token) as stream:
        chat = factories.conversation(unit)
        feed.publish([conversation_change(unit.id, chat.pk)])
        event = stream.next()
    assert (event.kind, event.data["id"]) == ("conversation", str(chat.pk))
    assert event.seq == LiveEvent.objects.get(object_id=chat.pk).seq


def test_another_units_changes_are_not_told(live: LiveProcess, unit: Unit, token: Headers) -> None:  # I7
    other = create_unit("Clínica do Saulo", owner=None)
    with live.listen(unit.id, **token) as stream:
        publish(other, 3)
        [ours] = publish(unit)
        assert stream.next().data["id"] == ours


# Order


def test_the_lower_number_cannot_be_committed_later(live: LiveProcess, unit: Unit, token: Headers) -> None:
    with live.listen(unit.id, **token) as stream:
        with transaction.atomic():
            [first] = publish(unit)
            second = publish_elsewhere(unit, 1)
            # It gets its number only when the first has committed.
            wait_for(somebody_waits, what="the second transaction, at the counter")
        second.join()
        events = stream.take(2)
    assert seqs(events) == [1, 2]
    assert events[0].data["id"] == first


def test_what_is_rolled_back_leaves_no_gap(live: LiveProcess, unit: Unit, token: Headers) -> None:
    with live.listen(unit.id, **token) as stream:
        with transaction.atomic():
            publish(unit, 3)
            transaction.set_rollback(True)
        [real] = publish(unit)
        event = stream.next()
    assert (event.seq, event.data["id"]) == (1, real)


# Going on


@pytest.mark.parametrize("by", ["header", "query"])
def test_a_client_goes_on_after_the_number_it_has(live: LiveProcess, unit: Unit, token: Headers, by: str) -> None:
    publish(unit, 5)
    query, header = ("?after=2", {}) if by == "query" else ("?after=0", {"Last_Event_ID": "2"})
    with live.listen(unit.id, query, **token, **header) as stream:
        assert stream.ready.seq == 2
        assert seqs(stream.take(3)) == [3, 4, 5]


def test_a_new_client_begins_with_what_comes_next(live: LiveProcess, unit: Unit, token: Headers) -> None:
    publish(unit, 5)
    with live.listen(unit.id, **token) as stream:
        assert stream.ready.seq == 5
        publish(unit)
        assert stream.next().seq == 6


def test_a_client_that_leaves_again_and_again_in_a_burst_has_all_of_it_once(
    live: LiveProcess, unit: Unit, token: Headers
) -> None:
    burst = publish_elsewhere(unit, 120, each=5)
    told: list[int | None] = []
    while len(told) < 600:
        with live.listen(unit.id, f"?after={len(told)}", **token) as stream:
            told += seqs(stream.take(min(37, 600 - len(told))))
    burst.join()
    assert told == list(range(1, 601))


def test_a_slow_and_a_quick_client_have_the_same(live: LiveProcess, unit: Unit, token: Headers) -> None:
    with live.listen(unit.id, **token) as quick, live.listen(unit.id, "?after=0", **token) as slow:
        burst = publish_elsewhere(unit, 100, each=9)
        assert seqs(quick.take(900)) == list(range(1, 901))
        burst.join()
        assert seqs(slow.take(900)) == list(range(1, 901))


@pytest.mark.parametrize("nonsense", ["-1", "abc", "1" * 19, "٣"])
def test_a_number_that_is_none_is_refused(live: LiveProcess, unit: Unit, token: Headers, nonsense: str) -> None:
    answer = live.ask(unit.id, query=f"?after={nonsense}", **token)
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "after")


def test_a_client_whose_events_were_pruned_is_told_to_start_over(live: LiveProcess, unit: Unit, token: Headers) -> None:
    publish(unit, 9)
    LiveEvent.objects.filter(unit=unit, seq__lte=5).delete()
    with live.listen(unit.id, "?after=3", **token) as stream:
        reset = stream.next()
        assert (reset.kind, reset.seq) == ("reset", 9)
        publish(unit)
        assert stream.next().seq == 10
    with live.listen(unit.id, "?after=5", **token) as stream:
        assert stream.next().seq == 6


def test_a_client_of_a_database_that_is_no_more_is_told_to_start_over(
    live: LiveProcess, unit: Unit, token: Headers
) -> None:
    publish(unit, 2)
    with live.listen(unit.id, "?after=700", **token) as stream:
        reset = stream.next()
        assert (reset.kind, reset.seq) == ("reset", 2)
        publish(unit)
        assert stream.next().seq == 3


# Trouble


def test_a_notice_that_is_lost_loses_nothing(live: LiveProcess, unit: Unit, token: Headers) -> None:
    with live.listen(unit.id, **token) as stream:
        silent = [str(insert_silently(unit)) for _ in range(3)]
        assert [event.data["id"] for event in stream.take(3)] == silent


def test_streams_outlive_the_end_of_every_database_connection(live: LiveProcess, unit: Unit, token: Headers) -> None:
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
    with live.listen(unit.id, **token) as stream:
        publish(unit)
        stream.next()
        with psycopg.connect(database_url(), autocommit=True) as connection:
            row = connection.execute(f"{ended} AND application_name = 'live events'").fetchone()
        assert row
        assert row[0] >= 2
        publish(unit, 250)
        assert seqs(stream.take(250)) == list(range(2, 252))


def test_clients_of_a_process_that_was_killed_go_on_where_they_were(tmp_path: Path, unit: Unit, token: Headers) -> None:
    with LiveProcess(tmp_path) as process:
        with process.listen(unit.id, **token) as stream:
            publish(unit, 20)
            told = seqs(stream.take(10))
            process.kill()
        publish(unit, 20)
        wait_for(lambda: process.starts == 2, what="a new process")
        process.await_start()
        with process.listen(unit.id, **token, Last_Event_ID=str(told[-1])) as stream:
            told += seqs(stream.take(30))
    assert told == list(range(1, 41))
