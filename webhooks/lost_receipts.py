"""Receipts that the gateway has and never told: one that overtook its message is lost for good (docs/evolution.md).

Messages that stay `sent` are looked up, less and less often (`Message.receipt_due_at`); what is found goes into the
inbox like any receipt.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import connection as database
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce

from crm_whatsapp.db import ClockNow
from messaging.models import Message, MessageQuerySet, MessageStatus
from units.gateways.errors import GatewayError
from units.models import ConnectionStatus, WhatsAppConnection
from webhooks.catch_up import Comparison

log = structlog.get_logger(__name__)

# After the first look-up (`receipt_due_at` as whoever recorded the send has set it), counted from the send.
STEPS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
# What is older is not looked up at all: a sync of old messages brings thousands.
OLDEST = timedelta(days=2)
# One look-up is for many: those sent less than this apart are looked up together.
TOGETHER = timedelta(minutes=10)
# How far the gateway's time of a message may be from ours.
TOLERANCE = timedelta(minutes=2)
BATCH = 500
PAGES_PER_RUN = 20
RUN_SECONDS = 30.0
SOON = timedelta(seconds=30)
RETRY = timedelta(minutes=5)

type _Sent = tuple[UUID, datetime]


def look_up_due(*, overdue: timedelta = timedelta(0)) -> int:
    """Look up what is due (for `overdue` already) of all connected numbers; the number of messages."""
    looked_up = 0
    until = time.monotonic() + RUN_SECONDS
    while time.monotonic() < until and (connection := longest_due(overdue)):
        due = _put_off(connection, overdue)
        if not due.count:
            # Somebody else is at it.
            break
        try:
            _look_up(connection, due.messages, seconds=RUN_SECONDS)
        except GatewayError as error:
            log.warning("receipts_not_looked_up", connection_id=str(connection.pk), error=str(error))
            _again(due.messages, RETRY)
        looked_up += len(due.messages)
    return looked_up


def look_up_all(connection: WhatsAppConnection, *, seconds: float, read_timeout: float) -> None:
    """Look up all that may still change, due or not: the gateway is about to forget. Raises GatewayError."""
    waiting = (
        _waiting()
        .filter(connection=connection, receipt_due_at__isnull=False)
        .annotate(at=Coalesce("sent_at", "happened_at"))
        .filter(at__gt=ClockNow() - OLDEST)
    )
    messages = list(waiting.order_by("receipt_due_at").values_list("id", "at")[:BATCH])
    _look_up(connection, messages, seconds=seconds, read_timeout=read_timeout)


def _waiting() -> MessageQuerySet:
    return Message.objects.filter(status=MessageStatus.SENT, external_id__isnull=False)


def longest_due(overdue: timedelta) -> WhatsAppConnection | None:
    """The connected number whose look-up is due for longest."""
    due = _waiting().filter(connection=OuterRef("pk"), receipt_due_at__lte=ClockNow() - overdue)
    connected = WhatsAppConnection.objects.filter(status=ConnectionStatus.CONNECTED)
    since = Subquery(due.order_by("receipt_due_at").values("receipt_due_at")[:1])
    return connected.annotate(due_at=since).filter(due_at__isnull=False).order_by("due_at").first()


@dataclass(frozen=True, slots=True)
class _Due:
    """How many messages were put off, and which of them are worth a look-up."""

    count: int
    messages: list[_Sent]


def _put_off(connection: WhatsAppConnection, overdue: timedelta) -> _Due:
    """Messages that are due, each put off to its next look-up (or none): whoever dies now has lost one look-up."""
    with transaction.atomic():
        due = _waiting().filter(connection=connection, receipt_due_at__lte=ClockNow() - overdue)
        ids = list(
            due.select_for_update(no_key=True, skip_locked=True)
            .order_by("receipt_due_at")
            .values_list("id", flat=True)[:BATCH]
        )
        with database.cursor() as cursor:
            cursor.execute(
                "UPDATE messages m SET receipt_due_at = ("
                "  SELECT min(sent.at + step) FROM unnest(%(steps)s::interval[]) AS step"
                "  WHERE sent.at + step > crm_now() + interval '1 minute')"
                " FROM (SELECT id, coalesce(sent_at, happened_at) AS at FROM messages WHERE id = ANY(%(ids)s)) AS sent"
                " WHERE m.id = sent.id"
                " RETURNING m.id, sent.at, sent.at > crm_now() - make_interval(secs => %(oldest)s)",
                {"steps": list(STEPS), "ids": ids, "oldest": OLDEST.total_seconds()},
            )
            return _Due(len(ids), [(pk, at) for pk, at, is_recent in cursor.fetchall() if is_recent])


def _look_up(
    connection: WhatsAppConnection, messages: list[_Sent], *, seconds: float, read_timeout: float | None = None
) -> None:
    until = time.monotonic() + seconds
    pages = PAGES_PER_RUN
    for window in _windows(messages):
        comparison = Comparison(
            connection, pages=pages, seconds=until - time.monotonic(), from_me=True, read_timeout=read_timeout
        )
        end = window[-1][1] + TOLERANCE
        reached = comparison.run(window[0][1] - TOLERANCE, end)
        if reached < end:
            # Too many at once, or too slow: the rest is a later run's.
            _again([sent for sent in window if sent[1] > reached - TOLERANCE], SOON)
        pages = max(1, pages - comparison.calls)


def _windows(messages: list[_Sent]) -> Iterator[list[_Sent]]:
    """Messages by time, those together that were sent close to each other."""
    window: list[_Sent] = []
    for sent in sorted(messages, key=lambda sent: sent[1]):
        if window and sent[1] - window[-1][1] > TOGETHER:
            yield window
            window = []
        window.append(sent)
    if window:
        yield window


def _again(messages: list[_Sent], after: timedelta) -> None:
    _waiting().filter(id__in=[pk for pk, _at in messages]).update(receipt_due_at=ClockNow() + after)
