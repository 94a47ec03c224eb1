"""The breaker: a number whose campaign messages go wrong sends no more of them until a person lets it.

1. a campaign message fails, by the gateway's answer or by a receipt, or nobody knows what became of it
   (`messages_moved`): `consider` looks at its number
2. too many: `campaigns_held_at`, in that same transaction, so that nothing is claimed or dispatched after it; the live
   feed says so
3. people are told by whoever looks after what needs one (`attention`)
4. `release`: a person lets campaigns go on; what failed before counts no more
"""

from collections.abc import Sequence
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection as database
from django.db import transaction

from crm_whatsapp.db import ClockNow
from messaging import lanes
from messaging.models import Message, MessageStatus, Origin
from units import audit, live
from units.models import AuditAction, HeldFor, WhatsAppConnection
from units.services import change_of

log = structlog.get_logger(__name__)

S = MessageStatus

ARRIVED = frozenset({S.SENT, S.DELIVERED, S.READ})
# About the person written to, or decided by one of ours: says nothing of the number, neither for it nor against it.
_NOT_THE_NUMBER = frozenset({"not_on_whatsapp", "not_sent_by_word", "sent_again"})

# A message by its status and error code.
type _Sent = tuple[str, str]


def consider_messages(message_ids: Sequence[UUID]) -> list[live.Change]:
    """`consider` the numbers of these messages, as far as they are campaigns'."""
    campaigns = Message.objects.filter(id__in=message_ids, origin=Origin.CAMPAIGN)
    return consider(sorted(set(campaigns.values_list("connection_id", flat=True))))


def consider(connection_ids: Sequence[UUID]) -> list[live.Change]:
    """Hold the campaigns of those numbers that fail too much, within the transaction that recorded a failure.

    Returns the live changes, for the caller to publish last. In the order of `connection_ids`: sort them.
    """
    changes = []
    for pk in connection_ids:
        reason = _reason_to_hold(_latest(pk))
        if reason is None:
            continue
        row = WhatsAppConnection.objects.filter(pk=pk, campaigns_held_at=None)
        if not row.update(campaigns_held_at=ClockNow(), campaigns_held_for=reason):
            continue
        log.warning("campaigns_held", connection_id=str(pk), reason=str(reason))
        changes.append(change_of(WhatsAppConnection.objects.get(pk=pk)))
    return changes


def release(connection: WhatsAppConnection) -> bool:
    """Let the number's campaigns go on; whether they were held. From here on is counted anew."""
    with transaction.atomic():
        row = WhatsAppConnection.objects.filter(pk=connection.pk, campaigns_held_at__isnull=False)
        released = row.update(
            campaigns_held_at=None,
            campaigns_held_for=HeldFor.NONE,
            campaigns_released_at=ClockNow(),
        )
        if not released:
            return False
        audit.record(connection.unit_id, AuditAction.NUMBER_RELEASED, connection)
        lanes.wake([connection.pk])
        live.publish([change_of(connection)])
    log.info("campaigns_released", connection_id=str(connection.pk))
    return True


def _latest(connection_id: UUID) -> list[_Sent]:
    """What the number's last campaign messages have come to, newest first; none from before the last release."""
    most = max(settings.BREAKER_FAILURES, settings.BREAKER_NOT_ON_WHATSAPP[2], settings.BREAKER_REFUSED[2])
    with database.cursor() as cursor:
        cursor.execute(_LATEST, {"connection": connection_id, "most": most})
        return cursor.fetchall()


def _reason_to_hold(latest: Sequence[_Sent]) -> HeldFor | None:
    """The gravest reason first.

    A message whose fate is open is one more that went wrong in a row: a gateway that answers nothing of use must not
    get a whole campaign. In the shares of what failed for a certain reason it says nothing.
    """
    settled = [(status, code) for status, code in latest if status in ARRIVED or status == S.FAILED]
    if _too_many("refused_by_whatsapp", settled, settings.BREAKER_REFUSED):
        return HeldFor.REFUSED
    if _too_many("not_on_whatsapp", settled, settings.BREAKER_NOT_ON_WHATSAPP):
        return HeldFor.NOT_ON_WHATSAPP
    known = ARRIVED | {S.FAILED, S.UNCERTAIN}
    of_the_number = [status for status, code in latest if status in known and code not in _NOT_THE_NUMBER]
    in_a_row = of_the_number[: settings.BREAKER_FAILURES]
    if len(in_a_row) == settings.BREAKER_FAILURES and not ARRIVED.intersection(in_a_row):
        return HeldFor.FAILURES
    return None


def _too_many(code: str, settled: Sequence[_Sent], rule: Sequence[int]) -> bool:
    """Whether `at least` so many, and more than so many `percent`, of the `last` ones failed with `code`."""
    at_least, percent, last = rule
    window = settled[:last]
    failed = sum(status == S.FAILED and error == code for status, error in window)
    return failed >= at_least and failed * 100 > percent * len(window)


# By the index messages_campaign_sends.
_LATEST = """
SELECT m.status, m.error_code
FROM messages m JOIN unit_whatsapp_connections c ON c.id = m.connection_id
WHERE m.connection_id = %(connection)s AND m.origin = 'campaign' AND m.dispatched_at IS NOT NULL
  AND m.dispatched_at > coalesce(c.campaigns_released_at, '-infinity')
ORDER BY m.dispatched_at DESC LIMIT %(most)s
"""
