"""Handle again what was handled wrongly or not at all."""

from collections.abc import Collection, Iterator
from datetime import datetime
from functools import reduce
from operator import or_
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, Count, Func, Q, QuerySet, Value
from django.db.models.functions import Lower

from crm_whatsapp.bell import ring_on_commit
from crm_whatsapp.db import ClockNow
from units import audit
from units.models import AuditAction, WhatsAppConnection
from webhooks.inbox import DRAIN, NOT_DECODED, told_of
from webhooks.models import EventStatus, WebhookEvent

BATCH = 1_000

# Hints about a moment that has passed: an old QR code or an old "closed" would be shown once more. The gateway is asked
# how the number is anyway.
_ABOUT_THE_LINE = (
    "connection.update",
    "qrcode.updated",
    "status.instance",
    "logout.instance",
    "remove.instance",
    "instance.delete",
    "instance.create",
)


def replayable(events: QuerySet[WebhookEvent]) -> QuerySet[WebhookEvent]:
    """Those settled `events` that have something to say again: not hints about the line, nor what was not decoded."""
    name = Func(Lower("event"), Value("_-"), Value(".."), function="translate", output_field=CharField())
    return (
        events.annotate(name=name)
        .exclude(status=EventStatus.RECEIVED)
        .exclude(name__in=_ABOUT_THE_LINE)
        .exclude(reason__in=NOT_DECODED)
    )


def chosen(
    *,
    ids: Collection[UUID] = (),
    unit_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    status: str | None = None,
) -> QuerySet[WebhookEvent]:
    """Events by what is given of them: `ids`, the unit, that came at `since` or later and before `until`, `status`."""
    events = WebhookEvent.objects.all()
    if ids:
        events = events.filter(id__in=ids)
    if unit_id:
        connections = WhatsAppConnection.objects.filter(unit_id=unit_id)
        events = events.filter(reduce(or_, map(told_of, connections), Q(pk__in=[])))
    if since:
        events = events.filter(created_at__gte=since)
    if until:
        events = events.filter(created_at__lt=until)
    return events.filter(status=status) if status else events


def replay(events: QuerySet[WebhookEvent]) -> int:
    """Put the replayable of `events` back into the inbox; the number of them.

    What had its effect has it no second time (I2). In batches, so that the first are handled while the rest follow.
    """
    count = 0
    for ids in _batches(replayable(events)):
        # Still settled: somebody else may have replayed it.
        rows = WebhookEvent.objects.filter(id__in=ids).exclude(status=EventStatus.RECEIVED)
        with transaction.atomic():
            _record(rows)
            count += rows.update(
                status=EventStatus.RECEIVED, reason="", attempts=0, failures=0, due_at=ClockNow(), settled_at=None
            )
        ring_on_commit(DRAIN)
    return count


def _record(events: QuerySet[WebhookEvent]) -> None:
    """In the log of each unit whose events these are."""
    of_units = events.exclude(connection=None).order_by().values_list("connection__unit_id")
    for unit_id, count in of_units.annotate(Count("pk")):
        audit.record(unit_id, AuditAction.EVENTS_REPLAYED, events=count)


def _batches(events: QuerySet[WebhookEvent]) -> Iterator[list[UUID]]:
    """The ids, oldest first: keys are ordered by time."""
    last: UUID | None = None
    while True:
        rest = events.order_by("id") if last is None else events.filter(id__gt=last).order_by("id")
        ids = list(rest.values_list("id", flat=True)[:BATCH])
        if not ids:
            return
        yield ids
        last = ids[-1]
