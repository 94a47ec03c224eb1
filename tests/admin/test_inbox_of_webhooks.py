"""The webhook inbox in the admin: readable whatever is in it, and fast however much."""

import json

import pytest
from django.contrib.messages import get_messages
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.admin.conftest import Rows
from units.models import ConnectionStatus, WhatsAppConnection
from webhooks.models import Completeness, WebhookEvent

LIST = "admin:webhooks_webhookevent_changelist"


def event_page(page: Client, rows: Rows) -> str:
    return page.get(reverse("admin:webhooks_webhookevent_change", args=[rows.event.pk])).content.decode()


def test_a_file_in_a_body_is_cut(page: Client, rows: Rows) -> None:
    WebhookEvent.objects.update(body=json.dumps({"data": {"message": {"base64": "QUJD" * 50_000, "id": "A1"}}}))
    content = event_page(page, rows)
    assert content.count("QUJD") < 300
    assert "(200,000)" in content
    assert "A1" in content


@pytest.mark.parametrize("body", ["no json", "", "[" * 900 + "]" * 900, json.dumps({"a": "\0\ud800"})])
def test_any_body_opens(page: Client, rows: Rows, body: str) -> None:
    WebhookEvent.objects.update(body=body)
    assert event_page(page, rows)


def test_a_reason_is_told_in_the_readers_language(page: Client, rows: Rows) -> None:
    WebhookEvent.objects.update(reason="This event is not known.", status="ignored")
    assert "Este evento não é conhecido." in event_page(page, rows)


def test_hints_about_the_line_are_not_replayed_and_it_says_so(page: Client, rows: Rows) -> None:
    WebhookEvent.objects.update(event="connection.update")
    form = {"action": "replay_selected", "_selected_action": [rows.event.pk], "index": 0}
    response = page.post(reverse(LIST), form)
    assert [message.level_tag for message in get_messages(response.wsgi_request)] == ["warning"]
    rows.event.refresh_from_db()
    assert rows.event.status == "dead"


def test_the_list_counts_no_further_than_it_must(page: Client, rows: Rows) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO webhook_events (connection_id, event, path_event, body, fingerprint, status)"
            " SELECT %s, 'messages.upsert', '', '{}', sha256(n::text::bytea), 'handled'"
            " FROM generate_series(1, 12000) AS n",
            [rows.unit.connection.pk],
        )
    with CaptureQueriesContext(database) as queries:
        found = page.get(reverse(LIST), {"status__exact": "handled"}).context["cl"]
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"] and "webhook_events" in query["sql"]]
    assert found.result_count == 10_000
    assert all("LIMIT 10000" in sql for sql in counts)


def test_a_number_is_compared_when_staff_want_it(page: Client, rows: Rows) -> None:
    WhatsAppConnection.objects.update(status=ConnectionStatus.CONNECTED)
    Completeness.objects.update(checked_until="2026-01-31T12:00Z", due_at="2199-01-01T00:00Z")
    form = {"action": "compare_selected", "_selected_action": [rows.unit.connection.pk], "index": 0}
    page.post(reverse("admin:webhooks_completeness_changelist"), form)
    due_at = Completeness.objects.get().due_at
    assert due_at
    assert due_at.year < 2199
