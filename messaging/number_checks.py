"""Whether numbers are on WhatsApp, asked before a campaign writes to them for the first time.

In small batches and seldom: whoever asks for many at once is taken for a spammer and banned. What comes of it is kept
on the address. Whoever wants to write says so (`want`) and waits until the address needs no check any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import Q, QuerySet

from crm_whatsapp.bell import ring_on_commit
from crm_whatsapp.db import ClockNow
from messaging.models import AddressKind, ContactAddress, SendLane
from units.gateways.errors import Disconnected, GatewayError, Rejected
from units.gateways.evolution import EvolutionService
from units.gateways.evolution_answers import NumberCheck
from units.models import WhatsAppConnection

log = structlog.get_logger(__name__)

CHECK = "messaging.tasks.check_numbers"

# After a question that was not answered.
PAUSE_AFTER_FAILURE = timedelta(minutes=2)


def needs_check(prefix: str = "") -> Q:
    """Addresses that WhatsApp has to be asked about before a campaign writes to them; `prefix` as `addresses__`.

    Phone numbers that it never used and was never asked about, and those that were not there a good while ago. A
    number that is not on WhatsApp (`not_on_whatsapp_at`), asked about lately, needs none: nobody writes to it.
    """
    checked, absent, long_ago = (
        f"{prefix}checked_at",
        f"{prefix}not_on_whatsapp_at",
        ClockNow() - settings.NUMBER_CHECK_AGAIN,
    )
    never = Q(**{checked: None, absent: None, f"{prefix}jid": ""})
    # A send may have found out too, without a check.
    again = Q(**{f"{absent}__lt": long_ago}) & Q(Q(**{checked: None}) | Q(**{f"{checked}__lt": long_ago}))
    return Q(**{f"{prefix}kind": AddressKind.PHONE}) & (never | again)


def want(addresses: QuerySet[ContactAddress]) -> int:
    """Have those of `addresses` checked that need it, the longest wanted first; how many are new."""
    unasked = addresses.filter(needs_check(), check_due_at=None).order_by()
    units = list(unasked.values_list("unit_id", flat=True).distinct())
    if not units:
        return 0
    wanted = unasked.update(check_due_at=ClockNow())
    with database.cursor() as cursor:
        # Turns are kept on the lane, which a number that has sent nothing has not got yet.
        cursor.execute(
            "INSERT INTO send_lanes (connection_id) SELECT id FROM unit_whatsapp_connections"
            " WHERE unit_id = ANY(%s) ORDER BY id ON CONFLICT DO NOTHING",
            [units],
        )
    ring_on_commit(CHECK)
    return wanted


@dataclass(frozen=True, slots=True)
class _Batch:
    connection_id: UUID
    instance_name: str
    # Number as asked for → address.
    numbers: Mapping[str, UUID]


def check_due(*, overdue: timedelta = timedelta(0)) -> int:
    """Ask about what is wanted, one batch for each connected number whose turn it is; the number of batches."""
    count = 0
    while (batch := _take(overdue)) is not None:
        _ask(batch)
        count += 1
    return count


def _take(overdue: timedelta) -> _Batch | None:
    """The next batch of a number, whose turn is put off until nobody can be asking for it any more."""
    lease = settings.EVOLUTION_CONNECT_TIMEOUT + settings.EVOLUTION_SEND_TIMEOUT + 10
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(_TURN, {"overdue": overdue.total_seconds()})
        turn = cursor.fetchone()
        if turn is None:
            return None
        connection_id, unit_id, instance_name = turn
        _next_turn(connection_id, timedelta(seconds=lease))
        due = ContactAddress.objects.filter(unit=unit_id, check_due_at__lte=ClockNow())
        rows = due.order_by("check_due_at", "id").values_list("value", "id")[: settings.NUMBER_CHECK_BATCH]
        return _Batch(connection_id, instance_name, {value.removeprefix("+"): pk for value, pk in rows})


def _ask(batch: _Batch) -> None:
    """One question, outside of any transaction, and what came of it."""
    try:
        answers = EvolutionService(batch.instance_name).check_numbers(list(batch.numbers))
    except Rejected as error:
        # Not every channel offers it (evolution-whatsappNumbers.json, business-whatsappNumbers.json): the numbers are
        # taken as they are, and the send finds out.
        log.info("numbers_not_checkable", connection_id=str(batch.connection_id), error=error.code)
        _record(batch, {})
    except GatewayError as error:
        log.warning("number_check_failed", connection_id=str(batch.connection_id), error=error.code)
        if isinstance(error, Disconnected):
            WhatsAppConnection.objects.filter(pk=batch.connection_id).update(check_due_at=ClockNow())
            ring_on_commit("units.tasks.reconcile_connections")
        _next_turn(batch.connection_id, PAUSE_AFTER_FAILURE)
    else:
        _record(batch, answers)


def _record(batch: _Batch, answers: Mapping[str, NumberCheck]) -> None:
    """Keep what is known now. A number that the server said nothing about is taken as it is: the send finds out.

    Not the LID, should it be told: that may show that two contacts are one, and a message will tell it as well.
    """
    ids = list(batch.numbers.values())
    found = [answers.get(number) for number in batch.numbers]
    with transaction.atomic(), database.cursor() as cursor:
        # In the order of all who lock several.
        list(ContactAddress.objects.filter(id__in=ids).order_by("id").select_for_update(no_key=True).values("id"))
        cursor.execute(
            _RECORD,
            {
                "ids": ids,
                "found": [answer and answer.exists for answer in found],
                "jids": [_jid(answer) for answer in found],
            },
        )
        # Counted from the answer.
        _next_turn(batch.connection_id, settings.NUMBER_CHECK_INTERVAL)
    log.info(
        "numbers_checked",
        connection_id=str(batch.connection_id),
        numbers=len(ids),
        absent=sum(answer is not None and not answer.exists for answer in found),
    )


def _next_turn(connection_id: UUID, after: timedelta) -> None:
    SendLane.objects.filter(connection=connection_id).update(next_check_at=ClockNow() + after)


def _jid(answer: NumberCheck | None) -> str:
    """The canonical JID of a number that exists; empty when it was not told."""
    return answer.jid if answer and answer.exists and answer.jid.endswith("@s.whatsapp.net") else ""


# A number whose campaigns are held asks nothing either.
_TURN = """
SELECT lane.connection_id, c.unit_id, c.instance_name
FROM send_lanes lane JOIN unit_whatsapp_connections c ON c.id = lane.connection_id
WHERE c.status = 'connected' AND c.campaigns_held_at IS NULL
  AND lane.next_check_at <= crm_now() - make_interval(secs => %(overdue)s)
  AND EXISTS (
    SELECT 1 FROM contact_addresses a
    WHERE a.unit_id = c.unit_id AND a.check_due_at <= crm_now() - make_interval(secs => %(overdue)s))
ORDER BY lane.next_check_at LIMIT 1
FOR NO KEY UPDATE OF lane SKIP LOCKED
"""

_RECORD = """
UPDATE contact_addresses a SET
    checked_at = crm_now(),
    check_due_at = NULL,
    jid = CASE WHEN told.jid <> '' THEN told.jid ELSE a.jid END,
    jid_at = CASE WHEN told.jid NOT IN ('', a.jid) THEN crm_now() ELSE a.jid_at END,
    not_on_whatsapp_at = CASE
        WHEN told.found THEN NULL
        WHEN NOT told.found THEN coalesce(a.not_on_whatsapp_at, crm_now())
        ELSE a.not_on_whatsapp_at END
FROM unnest(%(ids)s::uuid[], %(found)s::bool[], %(jids)s::text[]) AS told (id, found, jid)
WHERE a.id = told.id
"""
