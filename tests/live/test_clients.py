"""Clients as they are: many, slow, behind proxies, of other origins."""

import socket
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from rest_framework.test import APIClient

from bench.installation import resident_megabytes
from tests.live.conftest import bearer
from tests.live.process import LiveProcess, database_url
from tests.live.test_access import member
from tests.live.test_feed import publish
from tests.stack import wait_for
from units.models import Unit, User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("live")]

Headers = dict[str, str]
BACKLOG = 120_000


def test_the_web_process_serves_no_streams(api: APIClient, unit: Unit) -> None:
    answer = api.get(f"/units/{unit.id}/events", headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (501, "not_served_here")


def test_proxies_are_told_to_keep_their_hands_off(live: LiveProcess, unit: Unit, token: Headers) -> None:
    with live.listen(unit.id, **token) as stream:
        headers = stream.response.headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store, no-transform"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["X-Request-ID"]
    assert "Content-Length" not in headers


def test_head_answers_like_get_without_a_stream(live: LiveProcess, unit: Unit, token: Headers) -> None:
    answer = live.ask(unit.id, "HEAD", **token)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream")
    assert live.ask(unit.id, "POST", **token).status_code == 405


@pytest.mark.parametrize(
    ("origin", "allowed", "with_cookies"),
    [
        ("http://127.0.0.1:8000", True, True),  # PUBLIC_URL
        ("http://127.0.0.1:5173", True, True),  # of this host
        ("https://crm.example.com", True, False),  # CORS_ALLOWED_ORIGINS
        ("https://127.0.0.1", False, False),
        ("http://elsewhere.example", False, False),
        ("http://127.0.0.1.elsewhere.example", False, False),
        ("null", False, False),
    ],
)
def test_pages_of_this_host_listen_with_cookies_and_those_of_the_list_with_tokens(
    live: LiveProcess, unit: Unit, token: Headers, origin: str, allowed: bool, with_cookies: bool
) -> None:
    headers = live.ask(unit.id, "HEAD", Origin=origin, **token).headers
    assert headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
    assert headers.get("Access-Control-Allow-Credentials") == ("true" if with_cookies else None)
    assert "origin" in headers["Vary"].lower()


def test_a_front_end_may_ask_with_a_token_and_the_number_that_it_has(live: LiveProcess, unit: Unit) -> None:
    asked = {"Access_Control_Request_Method": "GET", "Access_Control_Request_Headers": "authorization,last-event-id"}
    headers = live.ask(unit.id, "OPTIONS", Origin="https://crm.example.com", **asked).headers
    assert headers["Access-Control-Allow-Origin"] == "https://crm.example.com"
    assert {"authorization", "last-event-id"} <= set(headers["Access-Control-Allow-Headers"].lower().split(", "))


def test_a_person_may_not_open_any_number_of_streams(live: LiveProcess, unit: Unit, token: Headers) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(live.listen(unit.id, **token))
        refused = live.ask(unit.id, **token)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "15")
        colleague = bearer(member(unit, "bia"))
        stack.enter_context(live.listen(unit.id, **colleague))
    wait_for(lambda: _opens(live, unit, token), what="room for another stream")


def test_whoever_hangs_up_at_the_door_takes_no_place(live: LiveProcess, unit: Unit, token: Headers) -> None:
    for _ in range(12):
        with socket.create_connection(("127.0.0.1", live.port)) as hasty:
            hasty.sendall(request(unit, live.port, token))
    wait_for(lambda: _opens(live, unit, token, streams=3), what="room for as many as are allowed")


def _opens(live: LiveProcess, unit: Unit, token: Headers, *, streams: int = 1) -> bool:
    """Whether so many can be open together."""
    try:
        with ExitStack() as stack:
            for _ in range(streams):
                stack.enter_context(live.listen(unit.id, **token))
            return True
    except AssertionError:
        return False


def test_a_process_takes_so_many_streams_and_not_one_more(tmp_path: Path, unit: Unit, ana: User) -> None:
    with LiveProcess(tmp_path, LIVE_STREAMS="2") as process, ExitStack() as stack:
        for name in ("bia", "caio"):
            stack.enter_context(process.listen(unit.id, **bearer(member(unit, name))))
        refused = process.ask(unit.id, **bearer(ana))
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")


def test_streams_take_neither_threads_nor_database_connections(live: LiveProcess, unit: Unit) -> None:
    with ExitStack() as stack:
        streams = []
        for number in range(12):
            headers = bearer(member(unit, f"m{number}"))
            streams += [stack.enter_context(live.listen(unit.id, **headers)) for _ in range(3)]
        publish(unit)
        assert [stream.next().seq for stream in streams] == [1] * 36
        # Two that read, one that waits for notices, those at the door; and the tests' own.
        with psycopg.connect(database_url()) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            ).fetchone()
    assert row
    assert row[0] < 20


def test_a_client_that_does_not_read_is_cut_off_and_takes_no_memory(
    live: LiveProcess, unit: Unit, token: Headers
) -> None:
    with psycopg.connect(database_url(), autocommit=True) as connection:
        connection.execute("INSERT INTO unit_feeds (unit_id, last_seq) VALUES (%s, %s)", [unit.id, BACKLOG])
        connection.execute(
            "INSERT INTO live_events (unit_id, seq, kind, object_id, data)"
            " SELECT %s, n, 'message', uuidv7(), jsonb_build_object('padding', repeat('x', 200))"
            " FROM generate_series(1, %s) n",
            [unit.id, BACKLOG],
        )
    before = resident_megabytes(live.pid)
    with socket.create_connection(("127.0.0.1", live.port)) as lazy:
        lazy.sendall(request(unit, live.port, token))
        wait_for(lambda: "stream_cut_off" in live.log, seconds=60, what="the cut")
        assert resident_megabytes(live.pid) - before < 16
        lazy.settimeout(20)
        told = b"".join(iter(lambda: lazy.recv(1 << 20), b""))
    last = told.count(b"\nevent: message\n")
    assert 0 < last < BACKLOG
    # Nothing is lost by it.
    with live.listen(unit.id, f"?after={last - 1}", **token) as stream:
        assert stream.next().seq == last


def request(unit: Unit, port: int, headers: Headers) -> bytes:
    lines = [f"GET /units/{unit.id}/events?after=0 HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
