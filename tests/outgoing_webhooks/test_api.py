"""Webhooks over HTTP: the secret is shown once, and what is done is in the audit log."""

from typing import Any

import pytest
from django.db import connection as database
from rest_framework.test import APIClient

from outgoing_webhooks.models import OutgoingWebhook
from tests.outgoing_webhooks.helpers import happen
from units.models import AuditEntry, Unit

pytestmark = pytest.mark.django_db

URL = "https://erp.example.com/hook"


def add(api: APIClient, unit: Unit, **body: Any) -> Any:
    return api.post(f"/units/{unit.id}/webhooks", {"url": URL} | body, format="json")


def test_a_webhook_is_added_shown_and_removed(api: APIClient, unit: Unit) -> None:
    happen(unit, 3)
    answer = add(api, unit, kinds=["message", "attention"])
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json()
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert (made["url"], made["kinds"], made["after_seq"], made["is_active"]) == (
        URL,
        ["message", "attention"],
        3,
        True,
    )
    listed = api.get(f"/units/{unit.id}/webhooks")
    assert listed.json()["results"] == [made]
    # Encrypted in its row, and nowhere else.
    assert secret not in listed.content.decode()
    assert all(secret not in str(entry.details) for entry in AuditEntry.objects.all())
    path = f"/units/{unit.id}/webhooks/{made['id']}"
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    actions = AuditEntry.objects.filter(unit=unit, action__startswith="webhook").order_by("created_at")
    assert [entry.action for entry in actions] == ["webhook.added", "webhook.removed"]


def test_it_is_changed_and_what_it_was_is_kept(api: APIClient, unit: Unit) -> None:
    path = f"/units/{unit.id}/webhooks/{add(api, unit).json()['id']}"
    OutgoingWebhook.objects.update(is_active=False, failures=11, last_error="http_500")
    assert api.get(path).json()["switched_off"] is True
    assert "500" in api.get(path).json()["error"]
    changed = api.patch(path, {"is_active": True, "kinds": ["campaign"]}, format="json").json()
    assert (changed["is_active"], changed["failures"], changed["error"]) == (True, 0, "")
    entry = AuditEntry.objects.get(action="webhook.changed")
    assert entry.details == {"is_active": [False, True], "kinds": [[], ["campaign"]]}


def test_another_secret_is_shown_once(api: APIClient, unit: Unit) -> None:
    made = add(api, unit).json()
    answer = api.post(f"/units/{unit.id}/webhooks/{made['id']}/rotate-secret")
    secret = answer.json()["secret"]
    assert secret != made["secret"]
    assert OutgoingWebhook.objects.get().secret.split() == [secret, made["secret"]]


@pytest.mark.parametrize(
    "url",
    [
        "http://erp.example.com/hook",
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://[::1/hook",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/",
        "https://user:secret@erp.example.com/",
        "https://erp.example.com:5432/",
        "ftp://erp.example.com/",
        "erp",
        "",
    ],
)
def test_an_address_that_is_not_public_is_refused_with_a_sentence(api: APIClient, unit: Unit, url: str) -> None:
    answer = add(api, unit, url=url)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == "url"
    assert not OutgoingWebhook.objects.exists()


def test_a_name_with_accents_is_asked_for_as_the_web_has_it(api: APIClient, unit: Unit) -> None:
    assert add(api, unit, url="https://ótica.example.com/é?q=ç").json()["url"] == (
        "https://xn--tica-pqa.example.com/%C3%A9?q=%C3%A7"
    )
    too_long = add(api, unit, url=f"https://{'ó' * 62}.example.com/")
    assert too_long.status_code == 400


def test_an_address_once_and_ten_at_most(api: APIClient, unit: Unit) -> None:
    add(api, unit)
    assert add(api, unit).json()["errors"][0]["code"] == "address_taken"
    for place in range(9):
        assert add(api, unit, url=f"{URL}/{place}").status_code == 201
    assert add(api, unit, url=f"{URL}/more").json()["errors"][0]["code"] == "too_many"


def test_a_trial_that_is_refused_says_why(api: APIClient, unit: Unit) -> None:
    made = add(api, unit, url="https://localhost/hook").json()
    answer = api.post(f"/units/{unit.id}/webhooks/{made['id']}/test")
    assert answer.json() == {
        "delivered": False,
        "error": "O endereço não existe ou não é público.",
        "error_code": "refused_address",
    }


def test_a_trial_of_what_is_removed_meanwhile_is_of_nothing(api: APIClient, unit: Unit) -> None:
    made = add(api, unit).json()

    def meddle(execute: Any, sql: str, *more: Any) -> Any:
        if '"outgoing_webhooks"."secret" FROM' in sql:
            OutgoingWebhook.objects.all().delete()
        return execute(sql, *more)

    with database.execute_wrapper(meddle):
        answer = api.post(f"/units/{unit.id}/webhooks/{made['id']}/test")
    assert answer.status_code == 404
    assert not OutgoingWebhook.objects.exists()
