"""I7: a unit's data is its own, at the door and in the database itself."""

import re
import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from campaigns.models import Campaign, CampaignVariant
from crm_whatsapp.db import ClockNow
from messaging.models import (
    ActionKind,
    Attachment,
    AttributeDefinition,
    ChatAction,
    ContactImport,
    ContactMerge,
    ContactTag,
    Message,
    MessageMedia,
    Segment,
    Tag,
)
from tests.factories import campaign, contact, conversation, reply
from units.models import Unit, User
from units.services import create_unit, delete_unit

pytestmark = pytest.mark.django_db


def unit_routes() -> list[str]:
    """Every route below `/units/{unit_id}` of the API, as the resolver has it."""

    def walk(resolver: URLResolver, prefix: str) -> Any:
        for pattern in resolver.url_patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, route)
            elif isinstance(pattern, URLPattern) and route.startswith("units/<uuid:unit_id>"):
                yield route

    return sorted(set(walk(get_resolver(), "")))


def address(route: str, ids: dict[str, Any]) -> str:
    return "/" + re.sub(r"<uuid:(\w+)>", lambda match: str(ids[match[1]]), route)


@pytest.fixture
def ids(unit: Unit) -> dict[str, Any]:
    """Things of Ana's unit, by the names that routes give them."""
    message = reply(unit, "canário")
    return {
        "unit_id": unit.id,
        "conversation_id": message.conversation_id,
        "message_id": message.id,
        "campaign_id": campaign(unit, start=False).id,
        "contact_id": message.conversation.contact_id,
        "tag_id": Tag.objects.create(unit=unit, name="VIP").id,
        "segment_id": Segment.objects.create(unit=unit, name="Todos", filters=[]).id,
        "attribute_id": AttributeDefinition.objects.create(unit=unit, key="cidade", name="Cidade").id,
        "import_id": ContactImport.objects.create(unit=unit, file_name="a.csv", file="a.csv", size=1).id,
        "attachment_id": Attachment.objects.create(
            unit=unit, kind="image", file="a.png", mime_type="image/png", size=1
        ).id,
    }


def test_there_are_routes_to_walk() -> None:
    assert len(unit_routes()) >= 18


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("route", unit_routes())
def test_not_yours_and_not_there_answer_alike(stranger: User, ids: dict[str, Any], route: str, method: str) -> None:
    client = APIClient()
    client.force_authenticate(stranger)
    client.force_login(stranger)
    nowhere = {name: uuid.uuid4() for name in ids}
    yours = getattr(client, method)(address(route, ids), {}, format="json")
    not_there = getattr(client, method)(address(route, nowhere), {}, format="json")
    # 501: live events are for the live process; tests/e2e asks there.
    assert yours.status_code in (404, 405, 501)
    assert (yours.status_code, yours.content) == (not_there.status_code, not_there.content)


@pytest.mark.parametrize("route", [route for route in unit_routes() if not route.endswith("events")])
def test_nobody_gets_in_without_a_login(ids: dict[str, Any], route: str) -> None:
    assert APIClient().get(address(route, ids)).status_code in (401, 405)


def test_things_of_another_unit_are_not_there_in_your_own(stranger: User, ids: dict[str, Any]) -> None:
    client = APIClient()
    client.force_authenticate(stranger)
    own = Unit.objects.of_member(stranger).get()
    for route in unit_routes():
        if route != "units/<uuid:unit_id>" and route.count("<uuid:") > 1:
            for method in ("get", "post"):
                answer = getattr(client, method)(address(route, ids | {"unit_id": own.id}), {}, format="json")
                assert answer.status_code in (404, 405), route


@pytest.mark.parametrize("key", ["contact_id", "conversation_id"])
def test_nobody_writes_to_another_unit_s_people(stranger: User, unit: Unit, key: str) -> None:
    chat = conversation(unit)
    client = APIClient()
    client.force_authenticate(stranger)
    own = Unit.objects.of_member(stranger).get()
    body = {key: str(chat.contact_id if key == "contact_id" else chat.id), "text": "Oi"}
    assert client.post(f"/units/{own.id}/whatsapp/messages", body, format="json").status_code == 404
    assert not Message.objects.exists()


LINKS = [
    ("contact_addresses", "contact_id"),
    ("conversations", "contact_id"),
    ("messages", "conversation_id"),
    ("messages", "connection_id"),
    ("messages", "sender_id"),
    ("message_media", "message_id"),
    ("message_media", "attachment_id"),
    ("chat_actions", "connection_id"),
    ("chat_actions", "conversation_id"),
    ("chat_actions", "message_id"),
    ("contact_merges", "kept_id"),
    ("contact_tags", "contact_id"),
    ("contact_tags", "tag_id"),
    ("campaigns", "attachment_id"),
    ("campaign_variants", "campaign_id"),
    ("campaign_variants", "attachment_id"),
    ("campaign_recipients", "campaign_id"),
    ("campaign_recipients", "contact_id"),
    ("campaign_recipients", "message_id"),
]


def fill(unit: Unit) -> None:
    """A row of every table that links to others of the unit."""
    message = reply(unit)
    person = message.conversation.contact
    attachment = Attachment.objects.create(unit=unit, kind="image", file="a.png", mime_type="image/png", size=1)
    MessageMedia.objects.create(unit=unit, message=message, attachment=attachment)
    ChatAction.objects.create(
        unit=unit,
        connection=message.connection,
        conversation=message.conversation,
        message=message,
        kind=ActionKind.READ,
        expires_at=ClockNow(),
    )
    ContactMerge.objects.create(unit=unit, kept=person, absorbed_id=uuid.uuid4())
    ContactTag.objects.create(unit=unit, contact=person, tag=Tag.objects.create(unit=unit, name="VIP"))
    made = campaign(unit, people=1, start=False)
    Campaign.objects.filter(pk=made.pk).update(attachment=attachment)
    CampaignVariant.objects.create(unit=unit, campaign=made, position=1, content="Olá", attachment=attachment)


@pytest.mark.parametrize(("table", "column"), LINKS)
def test_the_database_refuses_a_row_that_links_two_units(unit: Unit, table: str, column: str) -> None:
    other = create_unit("Outra")
    for owner in (unit, other):
        fill(owner)
    # Their parents are the other unit's, and may have one each.
    MessageMedia.objects.filter(unit=other).delete()
    CampaignVariant.objects.filter(unit=other).delete()
    parent = {
        "contact_id": "contacts",
        "kept_id": "contacts",
        "sender_id": "contacts",
        "conversation_id": "conversations",
        "message_id": "messages",
        "campaign_id": "campaigns",
        "connection_id": "unit_whatsapp_connections",
        "attachment_id": "attachments",
        "tag_id": "tags",
    }[column]
    with pytest.raises(IntegrityError, match="same_unit"), transaction.atomic(), database.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {column} = (SELECT id FROM {parent} WHERE unit_id = %s LIMIT 1) WHERE unit_id = %s",
            [other.id, unit.id],
        )


def test_every_link_between_tenant_tables_is_in_that_list() -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[2]"
            " WHERE c.contype = 'f' AND array_length(c.conkey, 1) = 2 AND c.conname LIKE '%%same_unit'"
        )
        assert sorted(cursor.fetchall()) == sorted(LINKS)


def test_deleting_a_unit_takes_all_that_is_its_own_and_nothing_else(unit: Unit) -> None:
    other = create_unit("Outra")
    kept = contact(other)
    reply(unit)
    campaign(unit)
    delete_unit(unit)
    with database.cursor() as cursor:
        for table in ("contacts", "conversations", "messages", "campaigns", "campaign_recipients", "live_events"):
            cursor.execute(f"SELECT count(*) FROM {table} WHERE unit_id = %s", [unit.id])
            assert cursor.fetchone() == (0,), table
    kept.refresh_from_db()
