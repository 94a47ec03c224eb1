"""Understanding what was kept: each event ends handled, ignored with a reason, or dead and replayable (I1)."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import OperationalError, transaction
from django.db import connection as database
from django.utils.translation import gettext_noop

from crm_whatsapp.db import ClockNow
from crm_whatsapp.logging import mask
from messaging import lanes
from messaging.events import (
    HistorySynced,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageStatusChanged,
)
from messaging.services import MessageHandlerService, NotYet
from units import live
from units.events import (
    ConnectionChanged,
    ConnectionState,
    InstanceLoggedOut,
    InstanceRemoved,
    InstanceStatusChanged,
    QRCodeUpdated,
)
from units.models import WhatsAppConnection
from units.services import ConnectionService
from units.steps import SESSION_ENDED
from webhooks.models import EventStatus, WebhookEvent
from webhooks.parsers.events import Ignored, ParsedEvent
from webhooks.parsers.evolution import parse

log = structlog.get_logger(__name__)

BATCH = 100
# An error may pass (a deadlock, a full disk); what fails this often will not get better by itself.
MAX_ATTEMPTS = 8
# What speaks of a message that is not here yet is asked again for some three minutes: a send call may last 75 s.
MAX_NOT_YET = 12

UNKNOWN_INSTANCE = gettext_noop("No unit has this instance.")
FOREIGN_INSTANCE = gettext_noop("The body names another instance than the one whose secret was used.")
NOT_USED = gettext_noop("This event is known and nothing follows from it.")


def drain(*, seconds: float, overdue: timedelta = timedelta(0)) -> int:
    """Settle events that are due (for `overdue` already) until none is, or `seconds` are over; the number settled."""
    until = time.monotonic() + seconds
    settled = 0
    while time.monotonic() < until:
        count = _drain_one_connection(overdue)
        if count == 0:
            break
        settled += count
    return settled


def _drain_one_connection(overdue: timedelta) -> int:
    """A batch of one connection's events, in the order in which they came; 0 when nothing is due.

    One transaction: a drain that dies leaves them as they were. Of one connection only one drain at a time, so that
    events keep their order where they have one, and two drains do not wait for each other's rows.
    """
    with transaction.atomic():
        connection_id = _lock_a_connection(overdue)
        if connection_id is _NONE:
            return 0
        events = list(
            WebhookEvent.objects.select_for_update(skip_locked=True)
            .filter(status=EventStatus.RECEIVED, connection_id=connection_id, due_at__lte=ClockNow() - overdue)
            .order_by("created_at", "id")[:BATCH]
        )
        changes: list[live.Change] = []
        wakes: set[UUID] = set()
        for event in events:
            _settle(event, changes, wakes)
        # Lanes after all rows, the feed last: everybody who locks several takes them in this order.
        lanes.wake(sorted(wakes))
        live.publish(changes)
    return len(events)


_NONE: Any = object()


def _lock_a_connection(overdue: timedelta) -> UUID | None:
    """A connection (None: events of no connection) that has something due and that nobody drains; or _NONE."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT connection_id FROM webhook_events"
            " WHERE status = 'received' AND due_at <= crm_now() - make_interval(secs => %(overdue)s)"
            " GROUP BY connection_id ORDER BY min(due_at) LIMIT 50",
            {"overdue": overdue.total_seconds()},
        )
        for (connection_id,) in cursor.fetchall():
            cursor.execute(
                "SELECT pg_try_advisory_xact_lock(hashtextextended('webhooks ' || coalesce(%s::text, ''), 0))",
                [connection_id],
            )
            if cursor.fetchone()[0]:
                return connection_id
    return _NONE


def _settle(event: WebhookEvent, changes: list[live.Change], wakes: set[UUID]) -> None:
    """Apply one event and mark it. What goes wrong is undone and stays with this event alone."""
    attempts = event.attempts + 1
    try:
        with transaction.atomic():
            outcome = _apply(event)
    except Exception as error:
        if isinstance(error, OperationalError) and not database.is_usable():
            raise  # The connection is gone: nothing can be marked now, and the transaction goes back.
        log.exception("event_failed", event_id=str(event.id), attempts=attempts)
        if attempts >= MAX_ATTEMPTS:
            _mark(event, EventStatus.DEAD, mask(f"{type(error).__name__}: {error}")[:1000], attempts)
        else:
            _again(event, attempts, timedelta(seconds=min(2**attempts, 300)))
        return
    changes += outcome.changes
    wakes |= outcome.wakes
    if outcome.not_yet and attempts < MAX_NOT_YET:
        _again(event, attempts, timedelta(seconds=min(2 ** (attempts - 1), 30)))
    else:
        reason = outcome.reason
        _mark(event, EventStatus.IGNORED if reason else EventStatus.HANDLED, reason, attempts)


@dataclass(slots=True)
class Outcome:
    """What one body did. `reasons`: of each part, "" when it had its effect."""

    reasons: list[str] = field(default_factory=list)
    not_yet: bool = False
    changes: list[live.Change] = field(default_factory=list)
    wakes: set[UUID] = field(default_factory=set)

    @property
    def reason(self) -> str:
        """ "" when any part had its effect, else why none had."""
        return "" if "" in self.reasons else next(iter(self.reasons), NOT_USED)


def _apply(event: WebhookEvent) -> Outcome:
    """The effect of one body. A part that must wait takes nothing back of the others: they have no second effect."""
    envelope = parse(json.loads(event.body), path_event=event.path_event or None)
    if not event.event:
        WebhookEvent.objects.filter(pk=event.pk).update(event=envelope.event)
    connection = _connection_of(event, envelope.instance)
    if isinstance(connection, str):
        return Outcome([connection])
    messages, line = MessageHandlerService(connection), ConnectionService(connection.unit)
    outcome = Outcome()
    for part in _parts(envelope.events):
        try:
            with transaction.atomic():
                outcome.reasons.append(_apply_one(part, messages, line, event))
        except NotYet as not_yet:
            outcome.reasons.append(not_yet.reason)
            outcome.not_yet = True
    outcome.changes += messages.changes + line.changes
    outcome.wakes |= messages.wakes
    return outcome


def _parts(events: Iterable[ParsedEvent]) -> Iterator[ParsedEvent]:
    """The events of a body, a history as the messages that it is."""
    for event in events:
        if isinstance(event, HistorySynced):
            yield from event.messages
        else:
            yield event


def _connection_of(event: WebhookEvent, instance: str | None) -> WhatsAppConnection | str:
    """Whose event it is, or the reason why it is nobody's."""
    rows = WhatsAppConnection.objects.select_related("unit")
    if event.connection_id is None:
        # The installation's secret: the body tells the unit.
        return rows.filter(instance_name=instance or "").first() or UNKNOWN_INSTANCE
    connection = rows.get(pk=event.connection_id)
    # With a connection's own secret, another instance's name is a mistake or worse: it changes nothing.
    return FOREIGN_INSTANCE if instance is not None and instance != connection.instance_name else connection


def _apply_one(part: ParsedEvent, messages: MessageHandlerService, line: ConnectionService, event: WebhookEvent) -> str:
    match part:
        case MessageReceived() | MessageEdited() | MessageDeleted() | MessageStatusChanged():
            return messages.handle(part, received_at=event.created_at)
        case Ignored():
            return part.reason
        case _:
            return _apply_to_line(part, line)


def _apply_to_line(part: ParsedEvent, line: ConnectionService) -> str:
    match part:
        case QRCodeUpdated():
            line.hint_code(image=part.image, pairing_code=part.pairing_code, limit_reached=part.limit_reached)
        case ConnectionChanged(state=ConnectionState.OPEN):
            line.hint_open(
                phone=part.phone, profile_name=part.profile_name, profile_picture_url=part.profile_picture_url
            )
        case ConnectionChanged(state=ConnectionState.CONNECTING):
            line.hint_connecting()
        case ConnectionChanged(state=ConnectionState.CLOSE | ConnectionState.REFUSED):
            line.hint_closed(logged_out=part.reason in SESSION_ENDED)
        case InstanceStatusChanged():
            line.hint_closed(logged_out=part.reason in SESSION_ENDED)
        case InstanceLoggedOut() | InstanceRemoved():
            line.hint_closed(logged_out=False)
        case _:
            return NOT_USED
    return ""


def _mark(event: WebhookEvent, status: EventStatus, reason: str, attempts: int) -> None:
    WebhookEvent.objects.filter(pk=event.pk).update(
        status=status, reason=reason, attempts=attempts, settled_at=ClockNow()
    )


def _again(event: WebhookEvent, attempts: int, after: timedelta) -> None:
    WebhookEvent.objects.filter(pk=event.pk).update(attempts=attempts, due_at=ClockNow() + after)
