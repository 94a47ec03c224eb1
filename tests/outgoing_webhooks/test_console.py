"""The settings page of outgoing webhooks."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.test import Client

from attention import episodes
from outgoing_webhooks import services, words
from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.posting import PAUSES
from tests.console.helpers import HTMX, at, colleague
from tests.outgoing_webhooks.helpers import Receiver, due, happen, post
from units.models import Unit

pytestmark = pytest.mark.django_db

URL = "https://erp.example.com/hook"
ALL = ["message", "conversation", "contact", "connection", "campaign", "attention"]


def add(client: Client, unit: Unit, **fields: Any) -> Any:
    return client.post(at(unit, "settings/webhooks"), {"url": URL, "kinds": ALL} | fields)


def test_a_webhook_is_added_and_its_secret_shown_once(browser_client: Client, unit: Unit) -> None:
    assert "Nenhum webhook de saída" in browser_client.get(at(unit, "settings/webhooks")).text
    answer = add(browser_client, unit)
    secret = OutgoingWebhook.objects.get().secret
    assert secret in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    text = browser_client.get(at(unit, "settings/webhooks")).text
    assert secret not in text
    assert "Tudo o que acontece" in text


def test_what_was_typed_stays_beside_the_sentence(browser_client: Client, unit: Unit) -> None:
    answer = add(browser_client, unit, url="https://10.0.0.1/hook")
    assert "Um endereço público que começa com https://" in answer.text
    assert 'value="https://10.0.0.1/hook"' in answer.text
    add(browser_client, unit)
    assert "Já existe um webhook para este endereço" in add(browser_client, unit).text


def test_it_is_edited_switched_renewed_and_removed(browser_client: Client, unit: Unit) -> None:
    add(browser_client, unit)
    webhook = OutgoingWebhook.objects.get()
    path = at(unit, f"settings/webhooks/{webhook.id}")
    browser_client.post(f"{path}/edit", {"url": URL + "/2", "kinds": ["message"]}, headers=HTMX)
    browser_client.post(f"{path}/switch")
    webhook.refresh_from_db()
    assert (webhook.url, webhook.kinds, webhook.is_active) == (URL + "/2", ["message"], False)
    assert "Desligado" in browser_client.get(at(unit, "settings/webhooks")).text
    browser_client.post(f"{path}/switch", {"active": "on"})
    renewed = browser_client.post(f"{path}/secret", headers=HTMX)
    assert OutgoingWebhook.objects.get().secret.split()[0] in renewed.text
    browser_client.post(f"{path}/delete", headers=HTMX)
    assert not OutgoingWebhook.objects.exists()


def test_a_trial_tells_what_came_of_it(browser_client: Client, unit: Unit, http_server: Any, settings: Any) -> None:
    settings.OUTGOING_WEBHOOKS_PRIVATE = True
    http_server.clear()
    receiver = Receiver(http_server)
    add(browser_client, unit, url=receiver.url)
    path = at(unit, f"settings/webhooks/{OutgoingWebhook.objects.get().id}/test")
    assert "O destino recebeu o teste" in browser_client.post(path, follow=True).text
    receiver.status = 500
    answer = browser_client.post(path, follow=True).text
    assert "O destino respondeu 500." in answer
    assert "segredo do receptor" not in answer


def test_a_secret_that_no_key_opens_is_told_holds_up_nobody_and_is_renewed(
    browser_client: Client, unit: Unit, webhook: OutgoingWebhook, receiver: Receiver, http_server: Any
) -> None:
    sealed = Fernet(Fernet.generate_key()).encrypt(b"whsec_eA==")
    OutgoingWebhook.objects.filter(pk=webhook.pk).update(secret=sealed)
    other = Receiver(http_server, "/other")
    services.add(unit, other.url, by=None)
    happen(unit, 2)
    assert post() == 1
    assert (len(other.seqs), len(receiver.requests)) == (2, 0)
    reason = words.sentence(words.UNREADABLE_SECRET)
    assert reason
    path = at(unit, f"settings/webhooks/{webhook.id}")
    assert reason in browser_client.get(at(unit, "settings/webhooks")).text
    assert reason in browser_client.post(f"{path}/test", follow=True).text
    # Nobody did it for three days.
    OutgoingWebhook.objects.filter(pk=webhook.pk).update(failures=len(PAUSES))
    due(webhook)
    post()
    episodes.observe()
    seen = browser_client.get(at(unit, "attention")).text
    assert reason in seen
    assert f"{path}/secret" in seen
    browser_client.post(f"{path}/secret", headers=HTMX)
    post()
    assert receiver.seqs[:2] == other.seqs[:2]


def test_only_owners_see_it(client: Client, unit: Unit) -> None:
    client.force_login(colleague(unit))
    assert client.get(at(unit, "settings/webhooks")).status_code == 403
