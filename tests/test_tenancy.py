"""I7 where the walk of tests/access does not go: what is sent to another unit's people, and what a deletion takes."""

import pytest
from django.db import connection as database
from rest_framework.test import APIClient

from messaging.models import Message
from tests.factories import campaign, contact, conversation, reply
from units.models import Unit, User
from units.services import create_unit, delete_unit

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("key", ["contact_id", "conversation_id"])
def test_nobody_writes_to_another_unit_s_people(stranger: User, unit: Unit, key: str) -> None:
    chat = conversation(unit)
    client = APIClient()
    client.force_authenticate(stranger)
    own = Unit.objects.of_member(stranger).get()
    body = {key: str(chat.contact_id if key == "contact_id" else chat.id), "text": "Oi"}
    assert client.post(f"/units/{own.id}/whatsapp/messages", body, format="json").status_code == 404
    assert not Message.objects.exists()


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
