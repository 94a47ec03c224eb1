"""Posting: the feed of a unit, in order, each event at least once.

1. `claim_due` takes webhooks for which there is something, by moving `due_at` on: a lease, and the claim's token.
   Whoever dies while posting is followed by somebody else once the lease is over, who posts the same again.
2. A thread posts what `_batch` has read: at most 100 events, signed. No transaction is open meanwhile.
3. `record` notes how far the receiver is, or when to try again; nothing when the claim is somebody else's by now.

The feed has no gaps (units.live), so what is missing after `after_seq` is no longer kept, and `reset` says so.
"""

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, Q
from rest_framework.renderers import JSONRenderer
from urllib3.exceptions import HTTPError

from crm_whatsapp.db import ClockNow
from messaging.outgoing.errors import CannotQueue
from messaging.outgoing.web import Web
from outgoing_webhooks import words
from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.services import web
from units.models import LiveEvent, UnitFeed
from units.serializers import ChangeSerializer

log = structlog.get_logger(__name__)

BATCH = 100
# At once, in one process …
THREADS = 16
# … of them to receivers whose last answer took longer than this. The others have the rest for themselves.
SLOW_THREADS = 8
SLOW_SECONDS = 0.5
# Longer than a request and its record can take.
LEASE = timedelta(seconds=60)
# After each failure in a row; three days altogether: a weekend. After the last one nobody tries any more.
PAUSES = [timedelta(seconds=each) for each in (5, 30, 120, 600, 1_800, *[3_600] * 72)]

# Webhooks whose receivers were slow when this process asked last.
_slow: set[UUID] = set()


@dataclass(frozen=True, slots=True)
class Claim:
    """A webhook that is ours until `lease`, what to post, and up to which event the receiver has all afterwards."""

    webhook: OutgoingWebhook
    secret: str
    lease: datetime
    upto: int
    events: list[dict[str, Any]]

    @property
    def is_slow(self) -> bool:
        return self.webhook.pk in _slow


class Poster:
    """Posts what is due, with threads of its own."""

    def __init__(self, way: Web | None = None) -> None:
        self.web = way or web()

    def run(
        self, *, seconds: float, stop: threading.Event | None = None, on_last: Callable[[], None] = lambda: None
    ) -> int:
        """Post for `seconds`, or until there is nothing more; the number of posts that were taken.

        `on_last` is called when no more is claimed: slow receivers have their time still, and somebody else may begin.
        """
        until, count = time.monotonic() + seconds, 0
        under_way: dict[Future[str], Claim] = {}
        with ThreadPoolExecutor(THREADS) as threads:
            while True:
                is_over = time.monotonic() >= until or bool(stop and stop.is_set())
                if is_over:
                    on_last()
                else:
                    slow = sum(claim.is_slow for claim in under_way.values())
                    for taken in claim_due(THREADS - len(under_way), SLOW_THREADS - slow):
                        if taken.events:
                            under_way[threads.submit(deliver, self.web, taken)] = taken
                        else:
                            # Nothing of what the receiver wants.
                            record(taken, "")
                if not under_way:
                    return count
                for done in wait(under_way, timeout=0.2, return_when=FIRST_COMPLETED).done:
                    code = done.result()
                    count += not code
                    record(under_way.pop(done), code)


def deliver(way: Web, claim: Claim) -> str:
    """Post a claim's events; why the receiver did not take them, or nothing."""
    webhook = claim.webhook
    body = JSONRenderer().render({"unit": str(webhook.unit_id), "events": claim.events})
    # The same for the same events, however often they are posted.
    first, last = claim.events[0]["seq"], claim.events[-1]["seq"]
    began = time.monotonic()
    code = _post(way, webhook.url, claim.secret, f"{webhook.pk}-{first}-{last}", body)
    (_slow.add if time.monotonic() - began > SLOW_SECONDS else _slow.discard)(webhook.pk)
    return code


def try_out(webhook: OutgoingWebhook, way: Web | None = None) -> str:
    """Post an event of the kind `test`, once and whatever else is due; why it was not taken, or nothing."""
    event = {"seq": webhook.after_seq, "kind": "test", "id": str(webhook.pk), "data": {}}
    body = JSONRenderer().render({"unit": str(webhook.unit_id), "events": [event]})
    return _post(way or web(), webhook.url, webhook.secret_if_readable(), f"{webhook.pk}-test-{time.time_ns()}", body)


def _post(way: Web, url: str, secret: str, name: str, body: bytes) -> str:
    if not secret:
        return words.UNREADABLE_SECRET
    now = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(now),
        "webhook-signature": signatures(secret, name, now, body),
    }
    try:
        status = way.post(url, body, headers)
    except CannotQueue:
        return words.REFUSED_ADDRESS
    except TimeoutError:
        return words.TIMEOUT
    except (HTTPError, HTTPException, OSError, ValueError):
        return words.UNREACHABLE
    if 200 <= status < 300:
        return ""
    return words.GONE if status == 410 else f"http_{status}"


def signatures(secret: str, name: str, now: int, body: bytes) -> str:
    """As https://www.standardwebhooks.com has them; one for each secret, with blanks between."""
    signed = f"{name}.{now}.".encode() + body
    keys = [base64.b64decode(each.removeprefix("whsec_")) for each in secret.split()]
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}" for key in keys)


def claim_due(most: int, most_slow: int = SLOW_THREADS) -> list[Claim]:
    """Take up to `most` webhooks for which there is something, those first that have waited longest.

    `most_slow`: of those whose receivers are known to be slow.
    """
    if most <= 0:
        return []
    with transaction.atomic():
        due = OutgoingWebhook.objects.filter(is_active=True, due_at__lte=ClockNow()).filter(
            ~Q(unit__feed__last_seq=F("after_seq")), unit__feed__isnull=False
        )
        rows = due.order_by("due_at", "id").select_for_update(no_key=True, skip_locked=True, of=("self",))
        ids = rows.values_list("id", flat=True)
        slow = list(_slow)
        found = [*ids.filter(id__in=slow)[: max(min(most, most_slow), 0)]] if slow else []
        found += ids.exclude(id__in=slow)[: most - len(found)]
        taken = OutgoingWebhook.objects.filter(id__in=found)
        taken.update(due_at=ClockNow() + LEASE)
        # Read before anybody else may move `due_at`, which would be taken for our token, or remove the row.
        webhooks = [(webhook, webhook.secret_if_readable()) for webhook in taken]
    return [_batch(webhook, secret) for webhook, secret in webhooks]


def _batch(webhook: OutgoingWebhook, secret: str) -> Claim:
    # Before the events, so that all up to it can be seen below.
    newest = UnitFeed.objects.filter(unit=webhook.unit_id).values_list("last_seq", flat=True).first() or 0
    feed = LiveEvent.objects.filter(unit=webhook.unit_id)
    if webhook.after_seq > newest or not feed.filter(seq=webhook.after_seq + 1).exists():
        reset = {"seq": newest, "kind": "reset", "id": None, "data": {}}
        return Claim(webhook, secret, webhook.due_at, newest, [reset])
    wanted = feed.filter(seq__gt=webhook.after_seq, seq__lte=newest).order_by("seq")
    if webhook.kinds:
        wanted = wanted.filter(kind__in=webhook.kinds)
    events = list(ChangeSerializer(wanted[:BATCH], many=True).data)
    upto = events[-1]["seq"] if len(events) == BATCH else newest
    return Claim(webhook, secret, webhook.due_at, upto, events)


def record(claim: Claim, code: str) -> None:
    """What came of a claim. Whoever has changed the webhook, or taken it after our lease, has moved `due_at`."""
    row = OutgoingWebhook.objects.filter(pk=claim.webhook.pk, due_at=claim.lease, is_active=True)
    if not code:
        when = {"last_success_at": ClockNow()} if claim.events else {}
        row.update(after_seq=claim.upto, due_at=ClockNow(), failures=0, last_error="", **when)
        return
    failures = claim.webhook.failures + 1
    log.warning("outgoing_webhook_failed", webhook_id=str(claim.webhook.pk), failures=failures, code=code)
    if code != words.GONE and failures <= len(PAUSES):
        row.update(failures=failures, last_error=code, due_at=ClockNow() + PAUSES[failures - 1])
    else:
        row.update(is_active=False, failures=failures, last_error=code, due_at=ClockNow())
