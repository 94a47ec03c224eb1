"""How much a comparison reads, with a store that is larger than a sandbox fills in a moment."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from messaging.models import Message
from tests.units.recordings import answer_to
from units.models import WhatsAppConnection
from webhooks.catch_up import PAGES_PER_STRETCH, Comparison
from webhooks.drain import drain
from webhooks.models import WebhookEvent

pytestmark = pytest.mark.django_db

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
END = BEGIN + timedelta(days=1)


class Store:
    """The gateway's store: a message every `seconds` of a day, each page as findMessages answers it."""

    def __init__(self, http: HTTPServer, seconds: int) -> None:
        first = int(BEGIN.timestamp())
        self.times = list(range(first, first + 86_400, seconds))
        self.asked: list[dict[str, Any]] = []
        http.expect_request("/chat/findMessages/x", method="POST").respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        asked = request.get_json()
        self.asked.append(asked)
        window, size = asked["where"]["messageTimestamp"], asked["offset"]
        low, high = (int(datetime.fromisoformat(window[end]).timestamp()) for end in ("gte", "lte"))
        found = [time for time in reversed(self.times) if low <= time <= high]
        page = found[(asked["page"] - 1) * size : asked["page"] * size]
        pages = -(-len(found) // size)
        answer = {"total": len(found), "pages": pages, "currentPage": asked["page"], "records": list(map(record, page))}
        return Response(json.dumps({"messages": answer}))


def record(time: int) -> dict[str, Any]:
    return {
        "id": f"row{time}",
        "key": {"id": f"3A{time:018d}", "fromMe": False, "remoteJid": "5511977776666@s.whatsapp.net"},
        "pushName": "Maria",
        "messageType": "conversation",
        "message": {"conversation": f"às {time}"},
        "messageTimestamp": time,
        "source": "ios",
        "MessageUpdate": [],
    }


@pytest.fixture(autouse=True)
def instance(http: HTTPServer, connection: WhatsAppConnection) -> None:
    connection.instance_name = "x"


def test_a_long_time_is_read_in_stretches_that_fit(http: HTTPServer, connection: WhatsAppConnection) -> None:
    store = Store(http, seconds=10)
    reached = Comparison(connection, pages=1000, seconds=60).run(BEGIN, END)
    assert reached == END
    assert WebhookEvent.objects.count() == len(store.times) == 8640
    assert max(asked["page"] for asked in store.asked) <= PAGES_PER_STRETCH


def test_a_run_ends_where_the_next_goes_on(http: HTTPServer, connection: WhatsAppConnection) -> None:
    store = Store(http, seconds=10)
    reached, runs = BEGIN, 0
    while reached < END:
        comparison = Comparison(connection, pages=PAGES_PER_STRETCH, seconds=60)
        reached = comparison.run(reached, END)
        assert comparison.calls < 3 * PAGES_PER_STRETCH
        runs += 1
    assert runs >= 3
    assert WebhookEvent.objects.count() == len(store.times)


def test_nothing_is_asked_when_the_time_is_over(http: HTTPServer, connection: WhatsAppConnection) -> None:
    store = Store(http, seconds=600)
    assert Comparison(connection, pages=10, seconds=0).run(BEGIN, END) == BEGIN
    assert not store.asked


def test_they_come_in_the_order_in_which_they_were_sent(http: HTTPServer, connection: WhatsAppConnection) -> None:
    Store(http, seconds=3600)
    Comparison(connection, pages=10, seconds=60).run(BEGIN, END)
    WebhookEvent.objects.update(body="{}", event="")
    ids = WebhookEvent.objects.order_by("id").values_list("id", flat=True)
    assert list(ids) == list(WebhookEvent.objects.order_by("due_at", "id").values_list("id", flat=True))


def test_a_dry_run_counts_and_changes_nothing(http: HTTPServer, connection: WhatsAppConnection) -> None:
    Store(http, seconds=3600)
    comparison = Comparison(connection, pages=10, seconds=60, dry_run=True)
    comparison.run(BEGIN, END)
    assert (comparison.tally.seen, comparison.tally.messages) == (24, 24)
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize(
    "damage",
    [
        {"messageTimestamp": "1795132800"},
        {"message": None},
        {"message": None, "MessageUpdate": [{"status": "DELETED"}, {"status": "EDITED"}]},
        {"key": {"id": "3A1", "remoteJid": None, "fromMe": None}},
        {"key": {"id": "3A1"}, "MessageUpdate": [{"status": "READ"}, {}, None, {"status": 7}]},
        {"key": None},
        {"message": {"conversation": "\0 \ud800"}},
    ],
)
def test_whatever_a_record_holds_breaks_nothing(
    http: HTTPServer, connection: WhatsAppConnection, damage: dict[str, Any]
) -> None:
    records = [record(1_795_132_800) | damage, record(1_795_132_801)]
    answer = {"messages": {"total": 2, "pages": 1, "currentPage": 1, "records": records}}
    answer_to(http, "POST", "/chat/findMessages/x", json=answer)
    Comparison(connection, pages=10, seconds=60).run(BEGIN, END)
    WhatsAppConnection.objects.update(instance_name="x")
    drain(seconds=5)
    assert Message.objects.filter(body="às 1795132801").exists()
    assert not WebhookEvent.objects.filter(status="dead").exists()


def test_a_deletion_that_nobody_heard_of_is_made_up_for(http: HTTPServer, connection: WhatsAppConnection) -> None:
    WhatsAppConnection.objects.update(instance_name="x")
    for changes in ({}, {"message": None, "MessageUpdate": [{"status": "DELETED"}]}):
        records = [record(1_795_132_800) | changes]
        page = {"messages": {"total": 1, "pages": 1, "currentPage": 1, "records": records}}
        answer_to(http, "POST", "/chat/findMessages/x", json=page)
        Comparison(connection, pages=10, seconds=60).run(BEGIN, END)
        drain(seconds=5)
    assert Message.objects.get().deleted_at is not None
