"""What kept events do: a batch applied at once, and the one that fails alone."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import OperationalError, transaction
from django.db import connection as database
from django.utils.translation import gettext_noop
from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure

from crm_whatsapp.logging import mask
from messaging.events import CallChanged, HistorySynced, MessageReceived
from messaging.inbound import MessageHandlerService, Outcome, Told
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
from webhooks.parsers.values import loads

log = structlog.get_logger(__name__)

# An error may pass (a full disk); what fails this often will not get better by itself.
MAX_ATTEMPTS = 8
# Somebody else was in the way: no failure of the event, however often.
_IN_THE_WAY = (DeadlockDetected, LockNotAvailable, SerializationFailure)
# What speaks of a message that is not here yet is asked again for some three minutes: a send call may last 75 s. Then
# it rests, and the arrival of its message wakes it.
MAX_NOT_YET = 12

UNKNOWN_INSTANCE = gettext_noop("No unit has this instance.")
FOREIGN_INSTANCE = gettext_noop("The body names another instance than the one whose secret was used.")
NOT_USED = gettext_noop("This event is known and nothing follows from it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What an event is from now on. `failures`: how many in all; `again_after`: when it is due again; None when it is
    settled.
    """

    status: EventStatus
    reason: str = ""
    awaits: list[str] = field(default_factory=list)
    failures: int = 0
    again_after: timedelta | None = None


@dataclass(slots=True)
class Work:
    """One event on its way to being settled. `failed_before`: attempts that ended with an error."""

    event: WebhookEvent
    failed_before: int
    connection: WhatsAppConnection | None = None
    instance: str | None = None
    # What the body tells, and whether a sync of old messages brought it.
    parts: list[tuple[ParsedEvent, bool]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    error: str = ""
    # The error is not the event's: something held what it needs.
    was_in_the_way: bool = False
    # A hash of the body, when any part of it needs an id of ours.
    _content: str = ""

    def read(self) -> None:
        """Understand the body. Raises whatever a body can make `json` and the parser raise, which should be nothing."""
        body = loads(self.event.body)
        envelope = parse(body, path_event=self.event.path_event or None)
        self.event.event = self.event.event or envelope.event
        self.instance = envelope.instance
        for event in envelope.events:
            if isinstance(event, HistorySynced):
                self.parts += [(message, True) for message in event.messages]
            else:
                self.parts.append((event, False))
        if any(isinstance(part, MessageReceived | CallChanged) and not part.external_id for part, _ in self.parts):
            self._content = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:40]

    def key(self, place: int) -> str:
        """What stands for the id of the part at `place`: the same whenever the same body is told again, by whichever
        secret and address. With the time of telling in it, somebody may say, or vote, the same twice.
        """
        return f"{self._content}.{place}"

    def settled(self) -> Settled:
        attempts = min(self.event.attempts + 1, 10)
        if self.error:
            failures = self.failed_before + (not self.was_in_the_way)
            if failures >= MAX_ATTEMPTS:
                return Settled(status=EventStatus.DEAD, reason=self.error, failures=failures, awaits=self.event.awaits)
            after = min(2 ** (attempts - 1), 30) if self.was_in_the_way else min(2**failures, 300)
            # What it waits for may come meanwhile.
            return Settled(
                status=EventStatus.RECEIVED,
                failures=failures,
                awaits=self.event.awaits,
                again_after=timedelta(seconds=after),
            )
        awaits = sorted({outcome.awaits for outcome in self.outcomes if outcome.awaits})
        failures = self.failed_before
        if any(outcome.not_yet for outcome in self.outcomes) and self.event.attempts + 1 < MAX_NOT_YET:
            after = min(2 ** (attempts - 1), 30)
            return Settled(
                status=EventStatus.RECEIVED, failures=failures, awaits=awaits, again_after=timedelta(seconds=after)
            )
        reasons = [outcome.reason for outcome in self.outcomes]
        # A body of which any part had its effect was handled.
        reason = "" if "" in reasons else next(iter(reasons), NOT_USED)
        status = EventStatus.IGNORED if reason else EventStatus.HANDLED
        return Settled(status=status, reason=reason, failures=failures, awaits=awaits)


@dataclass(slots=True)
class Effects:
    """What is left to do when a batch is applied. `arrived`: by connection, the ids of messages that are here now."""

    changes: list[live.Change] = field(default_factory=list)
    wakes: set[UUID] = field(default_factory=set)
    arrived: dict[UUID, set[str]] = field(default_factory=lambda: defaultdict(set))


def settle(works: Sequence[Work]) -> Effects:
    """Apply events within a transaction: together what belongs to one connection, else one by one.

    What goes wrong is undone and stays with its event alone.
    """
    effects = Effects()
    for work in works:
        try:
            work.read()
        except Exception as error:  # noqa: BLE001 - whatever a body makes our code raise stays with that event
            _note(work, error)
    _find_connections([work for work in works if not work.error])
    by_connection: dict[WhatsAppConnection, list[Work]] = defaultdict(list)
    for work in works:
        if work.connection:
            by_connection[work.connection].append(work)
    for connection, group in by_connection.items():
        _apply_or_halve(connection, group, effects)
    return effects


def _apply_or_halve(connection: WhatsAppConnection, works: Sequence[Work], effects: Effects) -> None:
    """Apply events together; among those that fail together, the one at fault is found by halving."""
    try:
        with transaction.atomic():
            _apply(connection, works, effects)
    except Exception as error:
        if isinstance(error, OperationalError) and not database.is_usable():
            raise  # The connection is gone: nothing can be marked now, and the whole transaction goes back.
        if len(works) == 1:
            _note(works[0], error)
            return
        half = len(works) // 2
        _apply_or_halve(connection, works[:half], effects)
        _apply_or_halve(connection, works[half:], effects)


def _note(work: Work, error: Exception) -> None:
    log.exception("event_failed", event_id=str(work.event.id), failures=work.failed_before + 1)
    work.was_in_the_way = isinstance(error.__cause__, _IN_THE_WAY)
    work.error = mask(f"{type(error).__name__}: {error}")[:1000]


def _find_connections(works: Sequence[Work]) -> None:
    """Whose each event is; one that is nobody's gets the reason."""
    rows = WhatsAppConnection.objects.select_related("unit")
    known = {row.pk: row for row in rows.filter(pk__in={work.event.connection_id for work in works})}
    # The installation's secret: the body tells the unit.
    names = {work.instance for work in works if work.event.connection_id is None and work.instance}
    named = {row.instance_name: row for row in rows.filter(instance_name__in=names)}
    for work in works:
        if work.event.connection_id is None:
            work.connection = named.get(work.instance or "")
            work.outcomes = [] if work.connection else [Outcome(reason=UNKNOWN_INSTANCE)]
            continue
        connection = known[work.event.connection_id]
        if work.instance in (None, connection.instance_name):
            work.connection = connection
        else:
            # With a connection's own secret, another instance's name is a mistake or worse: it changes nothing.
            work.outcomes = [Outcome(reason=FOREIGN_INSTANCE)]


def _apply(connection: WhatsAppConnection, works: Sequence[Work], effects: Effects) -> None:
    """The effect of these events of a connection. Raises when any of them has none, with nothing of it in `effects`."""
    messages, line = MessageHandlerService(connection), ConnectionService(connection.unit)
    told = [
        Told(event=part, received_at=work.event.created_at, key=work.key(place), from_history=from_history)
        for work in works
        for place, (part, from_history) in enumerate(work.parts)
        if isinstance(part, MessageHandlerService.HANDLES)
    ]
    of_messages = iter(messages.handle(told))
    for work in works:
        work.outcomes = [
            next(of_messages) if isinstance(part, MessageHandlerService.HANDLES) else _apply_to_line(part, line)
            for part, _from_history in work.parts
        ]
    effects.changes += messages.effects.changes + line.changes
    effects.wakes |= messages.effects.wakes
    effects.arrived[connection.id] |= messages.effects.arrived


def _apply_to_line(part: ParsedEvent, line: ConnectionService) -> Outcome:
    match part:
        case Ignored():
            return Outcome(reason=part.reason)
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
            return Outcome(reason=NOT_USED)
    return Outcome()
