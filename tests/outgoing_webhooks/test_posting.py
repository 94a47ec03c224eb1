"""Events of a unit at a real receiver: in order, each at least once, signed, and nobody waits for another."""

import base64
import hashlib
import hmac
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient

from attention.finding import needs
from outgoing_webhooks import posting, services, words
from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.posting import PAUSES, Poster, try_out
from tests.outgoing_webhooks.helpers import OURS, Receiver, due, happen, post
from units.models import AuditEntry, LiveEvent, Unit

pytestmark = pytest.mark.django_db


def test_what_happens_from_now_on_comes_in_order_without_gaps(
    unit: Unit, webhook: OutgoingWebhook, receiver: Receiver
) -> None:
    assert post() == 0
    happen(unit, 230)
    assert post() == 3
    assert receiver.seqs == list(range(webhook.after_seq + 1, webhook.after_seq + 231))
    assert [len(body["events"]) for body in receiver.bodies] == [100, 100, 30]
    assert {body["unit"] for body in receiver.bodies} == {str(unit.pk)}
    event = receiver.bodies[0]["events"][0]
    assert event["kind"] == "message"
    assert event["id"] == str(unit.pk)
    assert event["data"] == {"place": 0}
    assert post() == 0
    webhook.refresh_from_db()
    assert webhook.last_success_at is not None


def test_the_signature_is_the_one_of_the_standard_s_own_example() -> None:
    secret, name, body = (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
    )
    signed = posting.signatures(secret, name, 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_signature_is_that_of_the_standard(unit: Unit, receiver: Receiver) -> None:
    made, secret = services.add(unit, receiver.url, by=None)
    renewed = services.rotate(made)
    happen(unit)
    post()
    (request,) = receiver.requests
    name, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert abs(int(stamp) - time.time()) < 60
    signed = f"{name}.{stamp}.".encode() + request.get_data()
    keys = [base64.b64decode(each.removeprefix("whsec_")) for each in (renewed, secret)]
    expected = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys]
    # With the one before as well, until there is another.
    assert request.headers["webhook-signature"] == " ".join(f"v1,{each}" for each in expected)
    services.rotate(made)
    happen(unit)
    post()
    assert len(receiver.requests[-1].headers["webhook-signature"].split()) == 2


def test_what_failed_comes_again_with_its_name_before_what_follows(
    unit: Unit, webhook: OutgoingWebhook, receiver: Receiver
) -> None:
    receiver.status = 500
    happen(unit, 2)
    assert post() == 0
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.last_error) == (1, "http_500")
    assert "segredo" not in words.why(webhook)
    assert PAUSES[0] / 2 < webhook.due_at - timezone.now() <= PAUSES[0]
    assert post() == 0
    receiver.status = 200
    due(webhook)
    assert post() == 1
    first, again = receiver.requests
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.last_error) == (0, "")


def test_a_redirect_is_not_followed(
    unit: Unit, webhook: OutgoingWebhook, receiver: Receiver, http_server: HTTPServer
) -> None:
    elsewhere = Receiver(http_server, "/elsewhere")
    receiver.status = 302
    happen(unit)
    post()
    webhook.refresh_from_db()
    assert webhook.last_error == "http_302"
    assert not elsewhere.requests


def test_only_the_wanted_kinds_come_and_the_place_moves_on(unit: Unit, receiver: Receiver) -> None:
    made, _secret = services.add(unit, receiver.url, kinds=["attention"], by=None)
    happen(unit, 2)
    assert post() == 0
    made.refresh_from_db()
    assert made.after_seq == 2
    happen(unit, 1, "attention")
    happen(unit, 1)
    post()
    assert receiver.seqs == [3]
    made.refresh_from_db()
    assert made.after_seq == 4


def test_who_is_further_behind_than_what_is_kept_is_told_to_load_anew(
    unit: Unit, webhook: OutgoingWebhook, receiver: Receiver
) -> None:
    happen(unit, 4)
    LiveEvent.objects.filter(seq__lte=webhook.after_seq + 2).delete()
    post()
    happen(unit)
    post()
    reset, further = receiver.bodies
    newest = webhook.after_seq + 4
    assert [(event["seq"], event["kind"]) for event in reset["events"]] == [(newest, "reset")]
    assert [event["seq"] for event in further["events"]] == [newest + 1]


def test_a_receiver_that_lost_something_has_it_posted_again(
    api: APIClient, unit: Unit, webhook: OutgoingWebhook, receiver: Receiver
) -> None:
    happen(unit, 3)
    post()
    path = f"/units/{unit.id}/webhooks/{webhook.id}"
    assert api.patch(path, {"after_seq": webhook.after_seq + 1}, format="json").status_code == 200
    post()
    first = webhook.after_seq + 1
    assert receiver.seqs == [first, first + 1, first + 2, first + 1, first + 2]
    refused = api.patch(path, {"after_seq": first + 3}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["attr"]) == (400, "after_seq")
    assert api.patch(path, {"after_seq": -1}, format="json").status_code == 400
    assert AuditEntry.objects.get(action="webhook.changed").details == {"after_seq": [first + 2, first]}


def test_no_secret_is_in_a_log(unit: Unit, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:  # I8
    made, secret = services.add(unit, receiver.url, by=None)
    renewed = services.rotate(made)
    happen(unit)
    receiver.status = 500
    post()
    try_out(made, OURS)
    assert "outgoing_webhook_failed" in caplog.text
    assert secret.removeprefix("whsec_") not in caplog.text
    assert renewed.removeprefix("whsec_") not in caplog.text


def test_after_three_days_of_failures_it_is_switched_off_and_needs_somebody(
    unit: Unit, webhook: OutgoingWebhook, receiver: Receiver
) -> None:
    receiver.status = 503
    happen(unit)
    OutgoingWebhook.objects.update(failures=len(PAUSES) - 1)
    post()
    due(webhook)
    webhook.refresh_from_db()
    assert webhook.is_active
    assert not needs(unit.pk)
    post()
    webhook.refresh_from_db()
    assert not webhook.is_active
    assert 72 <= sum(PAUSES, start=timedelta()).total_seconds() / 3600 < 74
    # Back again, it is not waited for longer than an hour.
    assert max(PAUSES) <= timedelta(hours=1)
    assert [need.kind for need in needs(unit.pk)] == ["webhook_off"]
    assert post() == 0
    # Switched on again, it goes on where it was.
    receiver.status = 200
    services.change(webhook, is_active=True)
    assert post() == 1
    assert set(receiver.seqs) == {webhook.after_seq + 1}


def test_a_receiver_that_wants_no_more_gets_no_more(unit: Unit, webhook: OutgoingWebhook, receiver: Receiver) -> None:
    receiver.status = 410
    happen(unit)
    post()
    webhook.refresh_from_db()
    assert not webhook.is_active
    assert [need.kind for need in needs(unit.pk)] == ["webhook_off"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/hook", "http://no-such-host.invalid/hook"])
def test_an_unreachable_address_is_a_failure_like_any_other(unit: Unit, settings: Any, url: str) -> None:
    settings.OUTGOING_WEBHOOKS_PRIVATE = True
    made, _secret = services.add(unit, url, by=None)
    happen(unit)
    assert post() == 0
    made.refresh_from_db()
    assert made.failures == 1
    assert made.last_error in (words.UNREACHABLE, words.REFUSED_ADDRESS)


def test_a_name_that_leads_into_our_network_is_refused_when_it_is_asked(unit: Unit) -> None:
    # An address that was public when it was added.
    made, _secret = services.add(unit, "https://localhost/hook", by=None)
    happen(unit)
    Poster().run(seconds=5)
    made.refresh_from_db()
    assert made.last_error == words.REFUSED_ADDRESS


PRIVATE = [
    *("127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0.0.0.0", "localhost", "localhost."),  # noqa: S104
    *(
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ),
    *("[fe80::1]", "[fd00::1]", "[ff02::1]", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1"),
    *("198.18.0.1", "224.0.0.1", "255.255.255.255"),
]


def test_no_way_of_writing_leads_into_our_network(unit: Unit) -> None:
    urls = [f"https://{host}/hook" for host in PRIVATE]
    urls += ["https://example.com:22/", "http://example.com/", "https://a:b@example.com/", "https://[fe80::1%25lo]/"]
    # However they came into the table.
    OutgoingWebhook.objects.bulk_create(
        OutgoingWebhook(unit=unit, url=url, secret="whsec_eA==", after_seq=0) for url in urls
    )
    happen(unit)
    began = time.monotonic()
    assert Poster().run(seconds=20) == 0
    assert time.monotonic() - began < 10
    told = dict(OutgoingWebhook.objects.values_list("url", "last_error"))
    assert told == dict.fromkeys(urls, words.REFUSED_ADDRESS)


def test_a_trial_tells_whether_it_was_taken(webhook: OutgoingWebhook, receiver: Receiver) -> None:
    assert try_out(webhook, OURS) == ""
    (body,) = receiver.bodies
    assert [event["kind"] for event in body["events"]] == ["test"]
    receiver.status = 401
    assert try_out(webhook, OURS) == "http_401"
    webhook.refresh_from_db()
    assert webhook.failures == 0
