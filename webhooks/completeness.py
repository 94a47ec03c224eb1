"""How complete a number's messages are: what comes when to be compared with the gateway's store, and what it proves.

`Completeness.checked_until` null means that there is no session whose messages could be compared.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Least
from django.utils.translation import gettext_noop

from crm_whatsapp.db import ClockNow
from crm_whatsapp.logging import mask
from messaging.models import Conversation, Direction, Message
from units import live
from units.gateways.errors import GatewayError
from units.models import ConnectionStatus, WhatsAppConnection
from webhooks import lost_receipts
from webhooks.catch_up import Comparison
from webhooks.inbox import told_of
from webhooks.models import Completeness, EventStatus, WebhookEvent

log = structlog.get_logger(__name__)

# Where two comparisons overlap: the clocks of WhatsApp and the database may differ, and when the line broke is noticed
# up to a minute late.
OVERLAP = timedelta(minutes=10)
# Webhooks of the last seconds may still be on their way.
SETTLING = timedelta(seconds=60)
# For so long after a number came back WhatsApp may hand over what was said meanwhile, with its old times.
HANDOVER = timedelta(minutes=5)
# Of one run; what is left is the next one's.
PAGES_PER_RUN = 20
RUN_SECONDS = 30.0
# Whoever claimed has certainly ended.
LEASE = timedelta(minutes=15)
FIRST_RETRY = timedelta(seconds=30)
LAST_RETRY = timedelta(minutes=30)
# What a disconnection waits for its last comparison, between two calls; and for one call.
CLOSING_SECONDS = 10.0
CLOSING_READ_TIMEOUT = 8.0

# Events that bring a message, or may: a missing receipt or name is no gap.
MESSAGES = r"^(messages[._-]upsert|send[._-]message|)$"

TOO_SLOW = gettext_noop("The WhatsApp server answers too slowly to compare anything in time.")
STORE_EMPTY = gettext_noop(
    "The WhatsApp server keeps no messages (DATABASE_SAVE_DATA_NEW_MESSAGE), so nothing can be compared."
)


@dataclass(frozen=True, slots=True)
class _Claim:
    row: Completeness
    connection: WhatsAppConnection
    checked_until: datetime
    token: UUID
    now: datetime


def catch_up_due(*, overdue: timedelta = timedelta(0)) -> int:
    """Compare connected numbers that are due (for `overdue` already), for some seconds; the number of runs."""
    until = time.monotonic() + RUN_SECONDS
    _begin()
    runs = 0
    while time.monotonic() < until and (claim := _claim(overdue)):
        _run(claim)
        runs += 1
    return runs


def everything_is_due() -> int:
    """We were away, perhaps for long: compare all connected numbers now. Returns their number."""
    return make_due(Completeness.objects.all())


def make_due(rows: QuerySet[Completeness]) -> int:
    """Compare those of `rows` now that are connected; the number of them."""
    connected = rows.filter(checked_until__isnull=False, connection__status=ConnectionStatus.CONNECTED)
    return connected.update(due_at=Least("due_at", ClockNow()))


# What happens to the connection


def came_up(connection: WhatsAppConnection) -> None:
    """The number is connected: compare from where we were, or begin here when this is a new session."""
    if not Completeness.objects.filter(pk=connection.pk, checked_until__isnull=False).update(due_at=ClockNow()):
        _begin(connection)


def session_ended(connection: WhatsAppConnection) -> None:
    """What is said from now on until the number is connected again, nobody tells us, then or later."""
    Completeness.objects.filter(pk=connection.pk).update(
        checked_until=None, due_at=None, claim_token=None, attempts=0, error=""
    )


def before_the_end(connection: WhatsAppConnection) -> None:
    """The gateway is about to forget this number's messages: take what is not here yet, within some seconds."""
    row = Completeness.objects.annotate(clock=ClockNow()).filter(pk=connection.pk).first()
    if row is None or row.checked_until is None:
        return
    comparison = Comparison(
        connection, pages=PAGES_PER_RUN * 10, seconds=CLOSING_SECONDS, read_timeout=CLOSING_READ_TIMEOUT
    )
    now: datetime = row.clock
    try:
        reached = comparison.run(_since(row.checked_until, now), now + timedelta(seconds=1))
        lost_receipts.look_up_all(connection, seconds=CLOSING_SECONDS, read_timeout=CLOSING_READ_TIMEOUT)
    except GatewayError as error:
        log.warning("catch_up_failed", connection_id=str(connection.pk), error=str(error))
        return
    Completeness.objects.filter(pk=connection.pk, checked_until__lt=reached).update(checked_until=min(reached, now))


def _begin(connection: WhatsAppConnection | None = None) -> None:
    """Rows for numbers that are connected and have none, or none of this session: complete from here on."""
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inbound_completeness (connection_id, complete_since, checked_until, due_at)"
            " SELECT c.id, crm_now(), crm_now(), crm_now() + make_interval(secs => %(interval)s)"
            " FROM unit_whatsapp_connections c"
            " WHERE c.status = 'connected' AND (%(only)s::uuid IS NULL OR c.id = %(only)s)"
            " AND NOT EXISTS (SELECT FROM inbound_completeness k"
            "                 WHERE k.connection_id = c.id AND k.checked_until IS NOT NULL)"
            " ON CONFLICT (connection_id) DO UPDATE SET complete_since = excluded.complete_since,"
            " checked_until = excluded.checked_until, due_at = excluded.due_at"
            " WHERE inbound_completeness.checked_until IS NULL",
            {
                "interval": settings.CATCH_UP_INTERVAL.total_seconds(),
                "only": connection.pk if connection else None,
            },
        )


# A run


def _claim(overdue: timedelta) -> _Claim | None:
    with transaction.atomic():
        row = (
            Completeness.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
            .select_related("connection__unit")
            .annotate(clock=ClockNow())
            .filter(
                due_at__lte=ClockNow() - overdue,
                checked_until__isnull=False,
                connection__status=ConnectionStatus.CONNECTED,
            )
            .order_by("due_at")
            .first()
        )
        if row is None or row.checked_until is None:
            return None
        token = uuid4()
        # Whoever dies has put it off, not lost it.
        Completeness.objects.filter(pk=row.pk).update(claim_token=token, due_at=ClockNow() + LEASE)
    return _Claim(row, row.connection, row.checked_until, token, row.clock)


def _run(claim: _Claim) -> None:
    """Compare from where the run before came, and note how far this one came."""
    checked_until = claim.checked_until
    since, until = _since(checked_until, claim.now), claim.now - SETTLING
    if _inbox_is_behind(claim.connection):
        # What is missing is most likely there.
        return _note(claim, due_at=ClockNow() + FIRST_RETRY)
    lost_at = _lost_at(claim.connection)
    comparison = Comparison(claim.connection, pages=PAGES_PER_RUN, seconds=RUN_SECONDS)
    try:
        reached = comparison.run(since, until)
    except GatewayError as error:
        return _failed(claim, str(error))
    except Exception as error:
        log.exception("catch_up_broke", connection_id=str(claim.connection.pk))
        return _failed(claim, f"{type(error).__name__}: {error}")
    if reached <= since:
        return _failed(claim, TOO_SLOW)
    tally = comparison.tally
    if tally.messages or tally.receipts:
        log.info("caught_up", unit_id=str(claim.connection.unit_id), messages=tally.messages, receipts=tally.receipts)
    noted: dict[str, Any] = {"attempts": 0, "error": "", "due_at": ClockNow() + settings.CATCH_UP_INTERVAL}
    handed_over_at = claim.connection.status_changed_at + HANDOVER
    if claim.now < handed_over_at:
        # What was said while the line was broken may be told after this: look at the same time again.
        noted["due_at"] = min(handed_over_at, claim.now + settings.CATCH_UP_INTERVAL)
    else:
        noted["checked_until"] = max(until, checked_until)
        if reached < until:
            # The next run goes on at `reached`, without an overlap: with one, a busy number might never get on.
            noted |= {"checked_until": reached + OVERLAP, "due_at": ClockNow()}
    if checked_until < since:
        # A gap that is older than we look back stays one.
        noted["complete_since"] = since
    elif claim.row.complete_since is None and tally.seen:
        noted["complete_since"] = since
    elif not tally.seen and _has_messages(claim, since, until):
        noted |= {"complete_since": None, "error": STORE_EMPTY}
    complete_since = noted.get("complete_since", claim.row.complete_since)
    if lost_at and complete_since and complete_since < lost_at:
        noted["complete_since"] = lost_at
    return _note(claim, **noted)


def _since(checked_until: datetime, now: datetime) -> datetime:
    return max(checked_until - OVERLAP, now - settings.CATCH_UP_REACH)


def _inbox_is_behind(connection: WhatsAppConnection) -> bool:
    """Whether webhooks of this number wait for longer than a healthy drain lets them."""
    waiting = WebhookEvent.objects.filter(
        # By the installation's secret it may be anybody's; its bodies are not read to find out.
        Q(connection=connection) | Q(connection=None),
        status=EventStatus.RECEIVED,
        due_at__lt=ClockNow() - SETTLING / 2,
    )
    return waiting.exists()


def _lost_at(connection: WhatsAppConnection) -> datetime | None:
    """When the last message came that could not be handled: what is said to be complete begins after it."""
    dead = WebhookEvent.objects.filter(told_of(connection), status=EventStatus.DEAD, event__iregex=MESSAGES)
    at: datetime | None = dead.aggregate(at=Max("created_at"))["at"]
    return at


def _has_messages(claim: _Claim, since: datetime, until: datetime) -> bool:
    """Whether texts of that time are here, of which the gateway knows none. Found by chat: messages have no index by
    time."""
    begin = max(since, claim.row.complete_since or since)
    if begin >= until:
        return False
    texts = Message.objects.filter(
        conversation=OuterRef("pk"),
        connection=claim.connection,
        # The time of what goes out is ours.
        direction=Direction.INBOUND,
        kind="text",
        external_id__isnull=False,
        from_history=False,
        happened_at__range=(begin, until),
    )
    chats = Conversation.objects.filter(unit_id=claim.connection.unit_id, last_message_at__gte=begin)
    return chats.filter(Exists(texts)).exists()


def _failed(claim: _Claim, error: str) -> None:
    attempts = claim.row.attempts + 1
    log.warning("catch_up_failed", connection_id=str(claim.connection.pk), attempts=attempts, error=mask(error))
    after = min(FIRST_RETRY * 2 ** min(attempts - 1, 10), LAST_RETRY)
    _note(claim, attempts=min(attempts, 1000), error=mask(error)[:1000], due_at=ClockNow() + after)


def _note(claim: _Claim, **noted: Any) -> None:
    """Let go of the claim and save what the run found, unless somebody else has taken over or the session ended."""
    changed = [name for name in ("complete_since", "error") if name in noted]
    with transaction.atomic():
        row = Completeness.objects.filter(pk=claim.row.pk, claim_token=claim.token)
        if not row.update(claim_token=None, **noted):
            return
        if any(getattr(claim.row, name) != noted[name] for name in changed):
            unit_id, connection_id = claim.connection.unit_id, claim.connection.pk
            live.publish([live.Change(unit_id=unit_id, kind="connection", object_id=connection_id)])
