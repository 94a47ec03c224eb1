"""What a colleague removes meanwhile: a sentence says that it is gone, and it does not come back."""

from typing import Any

import pytest
from django.db import models
from django.test import Client

from campaigns.models import Campaign
from console.pages import GONE
from messaging.models import CannedReply, Contact, Conversation, Label, Note, Segment
from outgoing_webhooks.models import OutgoingWebhook
from tests.access.world import Populated, populate
from tests.console.helpers import HTMX, at
from tests.meanwhile import nothing_is_kept, remove, removed_once_read
from units.models import ApiToken, Membership, Role

pytestmark = pytest.mark.django_db

WEBHOOK = {"url": "https://erp.example.com/outro", "kinds": ["message"]}
SEGMENT = {"name": "Outro", "condition": "last_inbound|within_days", "value": "7", "save": "1"}
CAMPAIGN = {"name": "Outro", "content": "x", "audience": "everybody"}
# The row that is removed, by the key of its id; what is asked of it; what is sent.
CASES: list[tuple[type[models.Model], str, str, dict[str, Any]]] = [
    (OutgoingWebhook, "", "settings/webhooks/{id}/edit", WEBHOOK),
    (OutgoingWebhook, "", "settings/webhooks/{id}/switch", {"active": "on"}),
    (OutgoingWebhook, "", "settings/webhooks/{id}/secret", {}),
    (OutgoingWebhook, "", "settings/webhooks/{id}/test", {}),
    (OutgoingWebhook, "", "settings/webhooks/{id}/delete", {}),
    (ApiToken, "", "settings/tokens/{id}/revoke", {}),
    (Membership, "integration_id", "settings/integrations/{id}/tokens", {"name": "x", "scopes": "inbox:read"}),
    (Membership, "integration_id", "settings/integrations/{id}/remove", {}),
    (Membership, "", "settings/members/{id}/role", {"role": "manager"}),
    (Membership, "", "settings/members/{id}/remove", {}),
    (Membership, "", "settings/members/{id}/invite", {}),
    (CannedReply, "", "settings/replies/{id}", {"shortcut": "outro", "body": "x"}),
    (CannedReply, "", "settings/replies/{id}/delete", {}),
    (Label, "", "settings/labels/{id}", {"name": "Outro", "color": "#1d5ba3"}),
    (Label, "", "settings/labels/{id}/delete", {}),
    (Segment, "", "contacts/segments/{id}", SEGMENT),
    (Segment, "", "contacts/segments/{id}/delete", {}),
    (Campaign, "", "campaigns/{id}/edit", CAMPAIGN),
    (Campaign, "", "campaigns/{id}/cancel", {}),
    (Campaign, "", "campaigns/{id}/clone", {}),
    (Campaign, "", "campaigns/{id}/archive", {}),
    (Contact, "", "contacts/{id}", {"name": "Outro"}),
    (Contact, "", "contacts/{id}/consent/opt-out", {"reason": "x"}),
    (Contact, "", "contacts/{id}/delete", {}),
    (Conversation, "", "conversations/{id}/status", {"status": "resolved"}),
    (Conversation, "", "conversations/{id}/notes", {"text": "x"}),
    (Conversation, "", "conversations/{id}/messages", {"text": "Oi"}),
    (Label, "", "conversations/{chat}/labels/{id}", {"on": "1"}),
    (Note, "", "conversations/{chat}/notes/{id}", {"text": "x"}),
]


@pytest.fixture
def full() -> Populated:
    return populate("Jacarandá", "cheia")


@pytest.fixture
def owner(client: Client, full: Populated) -> Client:
    client.force_login(full.people[Role.OWNER])
    return client


def ask(full: Populated, case: tuple[type[models.Model], str, str, dict[str, Any]]) -> tuple[Any, str]:
    model, key, path, _form = case
    pk = full.ids[key or model]
    return pk, at(full.unit, path.format(id=pk, chat=full.ids[Conversation]))


def test_what_was_removed_before_the_form_was_sent(owner: Client, full: Populated) -> None:
    wrong = {}
    for case in CASES:
        with nothing_is_kept():
            pk, path = ask(full, case)
            remove(case[0], pk)
            # Over the page, and as a page.
            for answer in (owner.post(path, case[3], headers=HTMX), owner.post(path, case[3])):
                if answer.status_code != 404 or str(GONE) not in answer.text:
                    wrong[path] = (answer.status_code, answer.text[:80])
    assert not wrong, "\n".join(f"{path[44:]} {what}" for path, what in wrong.items())


def test_what_is_removed_while_the_form_is_being_answered(owner: Client, full: Populated) -> None:
    owner.raise_request_exception = False
    wrong = {}
    for case in CASES:
        model, _key, _path, form = case
        pk, path = ask(full, case)
        with nothing_is_kept():
            with removed_once_read(model, pk) as done:
                answer = owner.post(path, form, headers=HTMX)
            is_back = model._default_manager.filter(pk=pk).exists()
            is_told = answer.status_code != 404 or str(GONE) in answer.text
            if not done or is_back or answer.status_code == 500 or not is_told:
                wrong[path] = (answer.status_code, is_back, answer.text[:80])
    assert not wrong, "\n".join(f"{path[44:]} {what}" for path, what in wrong.items())
