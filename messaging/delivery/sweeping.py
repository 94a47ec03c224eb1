"""Ends what nobody holds any more, and what has outlived its time (I4)."""

import structlog
from django.db import connection as database
from django.db import transaction

from crm_whatsapp.db import ClockNow
from messaging import lanes
from messaging.delivery.send import HARMLESS_TWICE
from messaging.delivery.verdicts import FIRST_LOOK_UP
from messaging.models import Message, MessageStatus
from messaging.services import moved_outbound
from units import live

log = structlog.get_logger(__name__)

S = MessageStatus


def sweep() -> None:
    """Free lanes whose holder has lost them, and end what has outlived its time."""
    with transaction.atomic(), database.cursor() as cursor:
        # Messages before lanes, as `record` locks them.
        cursor.execute(_LOCK_MESSAGES)
        ids = [row[0] for row in cursor.fetchall()]
        cursor.execute(_LOCK_LANES, {"ids": ids})
        lost = cursor.fetchall()
        if lost:
            held = Message.objects.filter(id__in=ids, claim_token__in=[token for _, token in lost])
            held.filter(status=S.CLAIMED).move_to(S.QUEUED, claim_token=None)
            harmless = list(held.filter(status=S.DISPATCHING, kind__in=HARMLESS_TWICE).values_list("id", flat=True))
            Message.objects.filter(id__in=harmless).move_to(S.QUEUED, claim_token=None)
            uncertain = list(held.filter(status=S.DISPATCHING).values_list("id", flat=True))
            # The token stays: should the holder come back with an answer after all, his word counts.
            Message.objects.filter(id__in=uncertain).move_to(
                S.UNCERTAIN, error_code="unconfirmed", look_up_due_at=ClockNow() + FIRST_LOOK_UP, look_ups=0
            )
            changes = moved_outbound(harmless + uncertain)
            lanes.free([lanes.Held(lane, token, answered=False) for lane, token in lost])
            live.publish(changes)
            log.warning("leases_ran_out", lanes=len(lost), uncertain=len(uncertain))
    with transaction.atomic():
        late = Message.objects.select_for_update(no_key=True, skip_locked=True).filter(
            status=S.QUEUED, expires_at__lte=ClockNow()
        )
        expired = list(late.order_by("expires_at").values_list("id", flat=True)[:1000])
        Message.objects.filter(id__in=expired).move_to(S.EXPIRED, error_code="expired")
        live.publish(moved_outbound(expired))


_LOST = "lane.claim_token IS NOT NULL AND lane.lease_until < crm_now()"
_HELD = (
    "m.connection_id = lane.connection_id AND m.claim_token = lane.claim_token"
    " AND m.status IN ('claimed', 'dispatching')"
)

_LOCK_MESSAGES = f"""
SELECT m.id FROM messages m JOIN send_lanes lane ON {_HELD}
WHERE {_LOST} ORDER BY m.id FOR NO KEY UPDATE OF m SKIP LOCKED
"""  # noqa: S608 - our own columns

# Without those whose message somebody else has locked: its outcome is being recorded this moment, after all.
_LOCK_LANES = f"""
SELECT connection_id, claim_token FROM send_lanes lane
WHERE {_LOST} AND NOT EXISTS (SELECT 1 FROM messages m WHERE {_HELD} AND m.id <> ALL(%(ids)s::uuid[]))
FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - our own columns
