"""What waited while a number was away for long: a person chooses to send, reschedule or drop it.

A "good morning" of last night does more harm at noon than none. Once the number is back after settings.STALE_AFTER,
its queued replies have no `due_at`, which no delivery takes up; expiry still ends them (I4). Campaigns hear of it by
`messaging.signals.number_back` and decide for themselves. What is queued after that goes as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import ClockNow
from messaging import lanes, signals
from messaging.models import Message, MessageQuerySet, MessageStatus, Origin, SendLane
from messaging.services import changes_of, moved_outbound
from units import audit, live
from units.models import AuditAction, ConnectionStatus, WhatsAppConnection

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

log = structlog.get_logger(__name__)

S = MessageStatus

# Chosen in one transaction: it holds the rows, and the feed of the unit at its end.
SLICE = 500
# What was not sent is due again within this (`messaging.delivery.verdicts`).
LONGEST_RETRY = timedelta(minutes=5)
# A time further off is a slip of the pen.
MOST_AHEAD = timedelta(days=30)


class CannotReschedule(ValueError):
    """A time at which nothing can be sent; `message` says why, to a person."""

    def __init__(self, message: str | _StrPromise) -> None:
        self.message = message
        super().__init__(str(message))


def waiting(connection: WhatsAppConnection) -> MessageQuerySet:
    """Messages of the number that wait for a person's choice."""
    rows = Message.objects.filter(connection=connection, status=S.QUEUED, due_at=None)
    return rows.exclude(origin=Origin.CAMPAIGN)


def follow(connection: WhatsAppConnection, was: str) -> list[live.Change]:
    """Note since when the number is away; when it is back after long, let what waited wait for a choice.

    In the transaction that moved it, under its row's lock: no delivery sees it connected before. Returns the live
    changes.
    """
    if was == ConnectionStatus.CONNECTED:
        with database.cursor() as cursor:
            cursor.execute(_AWAY, [connection.pk])
        return []
    if not connection.is_connected:
        return []
    lane = SendLane.objects.filter(connection=connection, away_since__isnull=False)
    # Nobody else changes it while the connection's row is locked; the lane itself is locked last, as everybody does.
    away_for = lane.values_list(ClockNow() - F("away_since"), flat=True).first()
    changes = _ask_first(connection, away_for) if away_for and away_for > settings.STALE_AFTER else []
    lane.update(away_since=None)
    return changes


def _ask_first(connection: WhatsAppConnection, away_for: timedelta) -> list[live.Change]:
    """Campaigns are told, and replies that waited wait for a choice; the live changes."""
    changes: list[live.Change] = []
    answers: list[tuple[Any, Any]] = signals.number_back.send(
        sender=WhatsAppConnection, connection=connection, away_for=away_for
    )
    for _receiver, more in answers:
        changes += more or []
    # What is due much later did not wait for the number: a person has chosen its time already.
    waited = Message.objects.filter(connection=connection, status=S.QUEUED, due_at__lte=ClockNow() + LONGEST_RETRY)
    waited = waited.exclude(origin=Origin.CAMPAIGN).order_by("id").select_for_update(no_key=True)
    parked = list(waited.values_list("id", flat=True))
    Message.objects.filter(id__in=parked, status=S.QUEUED).update(due_at=None)
    log.warning("number_back_after_long", connection_id=str(connection.pk), away_for=str(away_for), waiting=len(parked))
    return changes + changes_of(Message.objects.filter(id__in=parked))


def send(connection: WhatsAppConnection, ids: Collection[UUID] | None = None) -> int:
    """Send what waits (of it, `ids`) now; the number of messages. What waits no more stays as it is."""
    return _choose(connection, ids, "send", lambda rows: rows.update(due_at=ClockNow()))


def reschedule(connection: WhatsAppConnection, at: datetime, ids: Collection[UUID] | None = None) -> int:
    """Send what waits (of it, `ids`) at `at`, and let it live until then; the number of messages.

    Raises CannotReschedule for a time that has passed, or is too far off.
    """
    (now,) = WhatsAppConnection.objects.filter(pk=connection.pk).values_list(ClockNow(), flat=True)
    if at <= now:
        raise CannotReschedule(_("This time has passed. Choose a later one, or send now."))
    if at > now + MOST_AHEAD:
        raise CannotReschedule(_("At most 30 days ahead."))
    until = at + Message.LIFETIME
    return _choose(
        connection, ids, "reschedule", lambda rows: rows.update(due_at=at, expires_at=Greatest(F("expires_at"), until))
    )


def drop(connection: WhatsAppConnection, ids: Collection[UUID] | None = None) -> int:
    """Do not send what waits (of it, `ids`): it is cancelled as "dropped"; the number of messages."""
    return _choose(
        connection, ids, "drop", lambda rows: rows.move_to(S.CANCELLED, error_code="dropped"), told=moved_outbound
    )


def _choose(
    connection: WhatsAppConnection,
    ids: Collection[UUID] | None,
    choice: str,
    change: Callable[[MessageQuerySet], int],
    *,
    told: Callable[[list[UUID]], list[live.Change]] | None = None,
) -> int:
    """`change` what waits, in slices of a transaction each; whoever was faster keeps his choice."""
    count = 0
    while True:
        with transaction.atomic():
            rows = waiting(connection)
            if ids is not None:
                rows = rows.filter(id__in=ids)
            taken = list(rows.order_by("id").select_for_update(no_key=True).values_list("id", flat=True)[:SLICE])
            if not taken:
                return count
            change(waiting(connection).filter(id__in=taken))
            changes = told(taken) if told else changes_of(Message.objects.filter(id__in=taken))
            audit.record(connection.unit_id, AuditAction.NUMBER_WAITING, connection, choice=choice, messages=len(taken))
            lanes.wake([connection.pk])
            live.publish(changes)
        count += len(taken)


_AWAY = """
INSERT INTO send_lanes AS lane (connection_id, away_since) VALUES (%s, crm_now())
ON CONFLICT (connection_id) DO UPDATE SET away_since = coalesce(lane.away_since, excluded.away_since)
"""
