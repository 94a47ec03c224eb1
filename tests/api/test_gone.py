"""What is removed while a PATCH is being answered does not come back."""

from typing import Any

import pytest
from django.db import models
from rest_framework.test import APIClient

from messaging.models import AttributeDefinition, CannedReply, Contact, Conversation, Label, Note, Segment, Tag
from outgoing_webhooks.models import OutgoingWebhook
from tests.access.world import populate
from tests.meanwhile import nothing_is_kept, removed_once_read
from units.models import Membership, Role

pytestmark = pytest.mark.django_db

CASES: list[tuple[type[models.Model], str, dict[str, Any]]] = [
    (Tag, "tags/{id}", {"name": "Outro"}),
    (AttributeDefinition, "attributes/{id}", {"name": "Outro"}),
    (Segment, "segments/{id}", {"name": "Outro"}),
    (Label, "labels/{id}", {"name": "Outro"}),
    (CannedReply, "canned-replies/{id}", {"shortcut": "outro"}),
    (Contact, "contacts/{id}", {"name": "Outro"}),
    (Note, "conversations/{chat}/notes/{id}", {"body": "Outro"}),
    (OutgoingWebhook, "webhooks/{id}", {"is_active": False}),
    (Membership, "members/{id}", {"role": "manager"}),
]


def test_what_is_removed_meanwhile_does_not_come_back() -> None:
    full, api, wrong = populate("Jacarandá", "cheia"), APIClient(raise_request_exception=False), {}
    api.force_authenticate(full.people[Role.OWNER])
    for model, path, body in CASES:
        pk = full.ids[model]
        with nothing_is_kept():
            with removed_once_read(model, pk) as done:
                address = f"/units/{full.unit.pk}/{path.format(id=pk, chat=full.ids[Conversation])}"
                answer = api.patch(address, body, format="json")
            is_back = model._default_manager.filter(pk=pk).exists()
            if not done or is_back or answer.status_code != 404:
                wrong[path] = (answer.status_code, is_back, answer.content[:120])
    assert not wrong, wrong
