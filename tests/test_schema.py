"""The tables keep their promises, also to whoever comes by SQL."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database

from campaigns.models import CampaignStatus, RecipientStatus
from messaging.models import Message
from tests.factories import campaign, reply
from units.models import Unit

pytestmark = pytest.mark.django_db

COLUMNS = {
    "units": {"id"},
    "unit_whatsapp_connections": {"id", "unit_id", "instance_name", "status", "qr_code"},
    "contacts": {"id", "unit_id"},
    "conversations": {"id", "unit_id", "contact_id"},
    "messages": {"id", "unit_id", "provider", "external_id"},
    "campaigns": {"id", "unit_id", "name", "content", "scheduled_at", "status", "created_at"},
    "campaign_recipients": {"id", "campaign_id", "contact_id", "message_id", "status", "error_message", "sent_at"},
}


def rows(statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize(("table", "columns"), COLUMNS.items())
def test_a_table_has_its_columns(table: str, columns: set[str]) -> None:
    found = rows("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
    assert columns <= {name for (name,) in found}


@pytest.mark.parametrize(("table", "column"), [("contacts", "name"), ("messages", "body")])
def test_words_are_searched_by_an_index(table: str, column: str) -> None:
    definitions = rows("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [table])
    assert any(
        f"gin (crm_search(unit_id, ({column})::text))" in text or f"gin (crm_search(unit_id, {column}))" in text
        for (text,) in definitions
    )


def test_a_campaign_inserted_by_sql_has_its_defaults(unit: Unit) -> None:
    ((key, status, created_at),) = rows(
        "INSERT INTO campaigns (unit_id, name, content) VALUES (%s, 'a', 'b') RETURNING id, status, created_at",
        [unit.id],
    )
    assert (key.version, status) == (7, "draft")
    assert created_at


def test_the_statuses_are_there() -> None:
    campaign_statuses = {"draft", "scheduled", "processing", "paused", "completed", "cancelled", "failed"}
    assert campaign_statuses == set(CampaignStatus.values)
    assert {"pending", "sent", "failed", "delivered", "read"} <= set(RecipientStatus.values)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("messages", "status"),
        ("messages", "provider"),
        ("messages", "direction"),
        ("messages", "origin"),
        ("campaigns", "status"),
        ("campaign_recipients", "status"),
        ("conversations", "status"),
        ("unit_whatsapp_connections", "status"),
        ("contact_addresses", "kind"),
        ("memberships", "role"),
    ],
)
def test_a_word_that_is_none_of_the_choices_is_refused(unit: Unit, table: str, column: str) -> None:
    reply(unit)
    campaign(unit, start=False)
    with pytest.raises(IntegrityError, match="violates check constraint"), transaction.atomic():
        rows(f"UPDATE {table} SET {column} = 'x'")


def test_an_external_id_is_unique_within_its_connection_provider_and_direction(unit: Unit) -> None:  # I2
    first, second = reply(unit), reply(unit)
    Message.objects.filter(pk=first.pk).update(external_id="A")
    with pytest.raises(IntegrityError, match="messages_once"), transaction.atomic():
        Message.objects.filter(pk=second.pk).update(external_id="A")


def test_look_ups_by_external_id_use_an_index(unit: Unit) -> None:
    # In an empty table PostgreSQL 18 likes to skip through any index that has the column.
    one = reply(unit)
    same = ", ".join(str(field.column) for field in Message._meta.fields if field.column not in {"id", "external_id"})
    rows(
        f"INSERT INTO messages ({same}, external_id)"
        f" SELECT {same}, 'A' || number FROM messages, generate_series(1, 3000) AS number WHERE id = %s",
        [one.pk],
    )
    rows("ANALYZE messages")
    plan = "\n".join(line for (line,) in rows("EXPLAIN SELECT 1 FROM messages WHERE external_id = 'A7'"))
    assert "messages_external_id" in plan


def test_the_clock_is_the_database_s_and_only_tests_move_it() -> None:
    assert rows("SELECT abs(extract(epoch FROM crm_now() - clock_timestamp())) < 1") == [(True,)]
    rows("SET LOCAL crm.clock_offset = '1 day'")
    assert rows("SELECT abs(extract(epoch FROM crm_now() - clock_timestamp()) - 86400) < 1") == [(True,)]
