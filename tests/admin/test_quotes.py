"""What was deleted for everyone is not shown in the admin by way of what quotes it."""

import pytest
from django.test import Client
from django.urls import reverse

from crm_whatsapp.db import ClockNow
from messaging.models import Message
from tests.factories import conversation, message
from units.models import Unit

pytestmark = pytest.mark.django_db

SECRET = "canary-5f2b9c"


def page_of(client: Client, row: Message) -> str:
    return client.get(reverse("admin:messaging_message_change", args=[row.pk])).text


@pytest.mark.parametrize("deleted_at", [None, ClockNow()])
def test_a_quote_does_not_tell_what_it_quotes(page: Client, unit: Unit, deleted_at: object) -> None:
    chat = conversation(unit)
    quoted = message(chat, SECRET, deleted_at=deleted_at)
    told = {"quoted": {"kind": "text", "text": SECRET, "from_me": False}, "forwarded": True}
    answer = message(chat, "resposta", reply_to_external_id=quoted.external_id, details=told)
    html = page_of(page, answer)
    assert "resposta" in html
    assert "forwarded" in html
    assert SECRET not in html
