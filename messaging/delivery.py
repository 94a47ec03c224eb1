"""The one way out: messages leave here, one at a time per number, and nowhere else.

What happens to a message, in order; each step is one short transaction or one HTTP call, never both:

1. claim      lock due lanes, pick what each sends next (replies before campaigns), lease lane and message
2. dispatch   re-read consent, lifetime, connection and lease; commit `dispatching` before the first byte (I3, I9)
3. post       HTTP, in a thread that never touches the database
4. record     the outcome and the lane's next time, within moments of the answer
5. sweep      leases that ran out: claimed → queued, dispatching → uncertain (I4)
"""

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import DatabaseError, IntegrityError, OperationalError, close_old_connections, transaction
from django.db import connection as database
from django.db.models import QuerySet

from crm_whatsapp.bell import ring_on_commit
from crm_whatsapp.db import ClockNow
from messaging import lanes
from messaging.models import (
    AddressKind,
    ContactAddress,
    Conversation,
    Message,
    MessageQuerySet,
    MessageStatus,
    Origin,
    SendLane,
)
from messaging.pace import Pace
from messaging.services import moved_outbound
from units import live
from units.gateways.errors import Disconnected, GatewayError, NotOnWhatsApp, NotSent, OutcomeUnknown, Rejected
from units.gateways.evolution import EvolutionService, SentMessage
from units.models import WhatsAppConnection

log = structlog.get_logger(__name__)

S = MessageStatus

# Between claim and `dispatching` lie milliseconds. Whoever takes longer is dead or frozen.
CLAIM_LEASE = timedelta(seconds=30)
# A process frozen for longer than this after it committed `dispatching` may not send any more: its lease could run
# out under way. Far below SEND_GRACE, which covers what remains between this check and the first byte.
MAX_FREEZE_SECONDS = 10.0
# A lane whose messages all wait for something that does not wake it (a chat being settled) is looked at again.
LOOK_AGAIN = timedelta(seconds=5)
LOOK_AT_LEAST = timedelta(minutes=1)
# What WhatsApp has against a message or its number may pass, but not for ever. Whatever else keeps a message from being
# sent is about the server or the connection, and all messages wait for it to end.
OF_THIS_MESSAGE = frozenset({"number_check_timed_out", "media_upload_failed"})
MAX_ATTEMPTS = 6
RETRY_FIRST, RETRY_MOST = timedelta(seconds=5), timedelta(minutes=5)
# How long an idle delivery stays, for a lane that is due soon, and how often it looks.
LINGER_SECONDS = 3.0
POLL_SECONDS = 0.05
DATABASE_PAUSE_SECONDS = 0.5
SWEEP_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class Send:
    """One message in this process's hands, from claim to record."""

    message_id: UUID
    connection_id: UUID
    instance_name: str
    recipient: str
    body: str
    reply_to: str
    origin: str
    attempts: int
    token: UUID
    # time.monotonic() when `dispatching` was committed.
    committed_at: float = 0.0
    outcome: SentMessage | GatewayError | None = None

    @property
    def certainly_not_sent(self) -> bool:
        """Nothing went on the wire, so it counts for no cap."""
        return isinstance(self.outcome, NotSent | Rejected)

    @property
    def was_answered(self) -> bool:
        """Whether the gateway has had its last word, so that it can no longer act on this send."""
        return not isinstance(self.outcome, OutcomeUnknown) or self.outcome.status is not None

    def post(self) -> None:
        """The call itself, and its outcome. Runs in a thread; never raises."""
        if time.monotonic() - self.committed_at > MAX_FREEZE_SECONDS:
            self.outcome = NotSent(answer="too late after dispatching was committed")
            return
        try:
            self.outcome = EvolutionService(self.instance_name).send_message(
                self.recipient, self.body, quoted_id=self.reply_to or None
            )
        except GatewayError as error:
            self.outcome = error
        except Exception as error:
            log.exception("send_crashed", message_id=str(self.message_id))
            self.outcome = OutcomeUnknown(answer=type(error).__name__)


@dataclass(slots=True)
class Delivery:
    """Works off due lanes. `overdue`: only what has been due for this long (the pump leaves the rest to workers)."""

    overdue: timedelta = timedelta(0)
    _flying: dict[Future[None], Send] = field(default_factory=dict)
    _sweep_at: float = 0.0

    def run(self, *, seconds: float, wake: threading.Event | None = None, stop: threading.Event | None = None) -> int:
        """Send what is due until nothing is, or `seconds` are over, or `stop`; ends with nothing in flight.

        Returns the number of messages that were dispatched. `wake` cuts the pause between two looks short.
        """
        wake, stop = wake or threading.Event(), stop or threading.Event()
        until = time.monotonic() + seconds
        idle_until = time.monotonic() + LINGER_SECONDS
        count = 0
        with ThreadPoolExecutor(settings.DELIVERY_THREADS, thread_name_prefix="send") as pool:
            while True:
                # Also past `until` while something is in flight: one slow send must not hold up the other numbers.
                open_for_more = (time.monotonic() < until or bool(self._flying)) and not stop.is_set()
                sends = self._take_due() if open_for_more else []
                for send in sends:
                    self._flying[pool.submit(send.post)] = send
                if sends:
                    count += len(sends)
                    idle_until = time.monotonic() + LINGER_SECONDS
                if self._flying:
                    done, _ = wait(self._flying, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                    self._record_surely([self._flying.pop(future) for future in done])
                elif not open_for_more or time.monotonic() > idle_until:
                    return count
                else:
                    wake.wait(POLL_SECONDS)
                    wake.clear()

    def _take_due(self) -> list[Send]:
        try:
            if time.monotonic() > self._sweep_at:
                sweep()
                self._sweep_at = time.monotonic() + SWEEP_SECONDS
            return self.dispatch(self.claim(settings.DELIVERY_THREADS - len(self._flying)))
        except DatabaseError:
            # A restart, a deadlock, a row that makes no sense: what was claimed comes back by its lease, and the
            # answers of what is in flight are still waited for.
            log.exception("delivery_failed")
            close_old_connections()
            time.sleep(DATABASE_PAUSE_SECONDS)
            return []

    def claim(self, limit: int) -> list[Send]:
        """Lease up to `limit` due lanes, each with the message it sends next.

        Statements of their own, not one: a single one would pick messages by a snapshot older than its locks, and lose
        the wake-up of somebody who queued in between. Lanes with nothing to send now learn when to be looked at again.
        """
        if limit <= 0:
            return []
        token = uuid4()
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(_LOCK_DUE_LANES, {"overdue": self.overdue.total_seconds(), "limit": limit})
            opens_at: dict[UUID, datetime] = {}
            may_campaign: list[UUID] = []
            for lane, now, *pace in cursor.fetchall():
                opens_at[lane] = Pace(*pace).opens_at(now)
                if opens_at[lane] <= now:
                    may_campaign.append(lane)
            if not opens_at:
                return []
            cursor.execute(_PICK_NEXT, {"lanes": list(opens_at), "may_campaign": may_campaign})
            columns = [column.name for column in cursor.description or ()]
            sends = [Send(**dict(zip(columns, row, strict=True)), token=token) for row in cursor.fetchall()]
            picked = {send.connection_id for send in sends}
            Message.objects.filter(id__in=[send.message_id for send in sends]).move_to(S.CLAIMED, claim_token=token)
            SendLane.objects.filter(connection_id__in=picked).update(
                claim_token=token, lease_until=ClockNow() + CLAIM_LEASE
            )
            # Not later than a minute: cap and window may be changed meanwhile.
            waiting = {lane: min(at, now + LOOK_AT_LEAST) for lane, at in opens_at.items() if lane not in picked}
            lanes.look_at(waiting, look_again=LOOK_AGAIN)
        return sends

    def dispatch(self, sends: list[Send]) -> list[Send]:
        """Commit `dispatching` for those of `sends` that may still go, and return them. The others are put back."""
        if not sends:
            return []
        ids = [send.message_id for send in sends]
        token = sends[0].token
        # Taken before the commit, so that a process frozen around it counts as frozen.
        committed_at = time.monotonic()
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(_DISPATCH, {"ids": ids, "token": token})
            gone = {row[0] for row in cursor.fetchall()}
            going = [send for send in sends if send.message_id in gone]
            # For whoever looks. Not for the feed: the outcome follows in a moment, or the wait gives its reason.
            moved_outbound([send.message_id for send in going if send.origin == Origin.CAMPAIGN])
            cursor.execute(
                _EXTEND_LEASES,
                {
                    "lanes": [send.connection_id for send in going],
                    "campaigns": [send.origin == Origin.CAMPAIGN for send in going],
                    "token": token,
                    "lease": lanes.gateway_may_act_for().total_seconds(),
                },
            )
            staying = [send for send in sends if send.message_id not in gone]
            if staying:
                self._put_back(staying)
        for send in going:
            send.committed_at = committed_at
        return going

    def _put_back(self, sends: list[Send]) -> None:
        """Withdrawn, opted out, expired, disconnected, or no longer ours: free the lanes, and say what became of it."""
        token = sends[0].token
        ours = Message.objects.filter(id__in=[send.message_id for send in sends], claim_token=token, status=S.CLAIMED)
        expired = list(ours.filter(expires_at__lte=ClockNow()).values_list("id", flat=True))
        opted_out = list(
            ours.filter(origin=Origin.CAMPAIGN, conversation__contact__addresses__opted_out_at__isnull=False)
            .exclude(id__in=expired)
            .distinct()
            .values_list("id", flat=True)
        )
        Message.objects.filter(id__in=expired).move_to(S.EXPIRED, error_code="expired")
        Message.objects.filter(id__in=opted_out).move_to(S.CANCELLED, error_code="opted_out")
        ours.move_to(S.QUEUED, claim_token=None)
        changes = moved_outbound(expired + opted_out)
        lanes.free([lanes.Held(send.connection_id, send.token) for send in sends])
        live.publish(changes)

    def _record_surely(self, sends: list[Send]) -> None:
        """Record, also through a restart of the database: else it turns uncertain, though we know better.

        One answer that cannot be stored must not cost the others: each is recorded alone then, that one as uncertain.
        """
        for pause in (0.1, 0.3, 1, 3, 10, 30, 0):
            try:
                return self.record(sends)
            except OperationalError:
                log.warning("record_delayed", sends=len(sends))
                close_old_connections()
                time.sleep(pause)
            except DatabaseError:
                log.exception("answer_not_stored", sends=len(sends))
                break
        for send in sends:
            if len(sends) > 1:
                self._record_surely([send])
            else:
                send.outcome = OutcomeUnknown(answer="the answer could not be stored", status=0)
                self.record(sends)
        return None

    def record(self, sends: list[Send]) -> None:
        """Write what became of `sends`, and free their lanes for the next."""
        if not sends:
            return
        with transaction.atomic():
            moved = [send for send in sends if _record_one(send)]
            changes = moved_outbound([send.message_id for send in moved])
            # Asked of the messages: a merge may have moved them to another chat while they were under way.
            chats = Message.objects.filter(id__in=[send.message_id for send in moved]).values("conversation_id")
            Conversation.objects.filter(id__in=chats).refresh_summary()
            lanes.free(
                [
                    lanes.Held(
                        send.connection_id,
                        send.token,
                        answered=send.was_answered,
                        uncounted=send.origin == Origin.CAMPAIGN and send.certainly_not_sent,
                    )
                    for send in sends
                ]
            )
            live.publish(changes)


def sweep() -> None:
    """Free lanes whose holder has lost them, and end what has outlived its time."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(
            "SELECT connection_id, claim_token FROM send_lanes"
            " WHERE claim_token IS NOT NULL AND lease_until < crm_now() FOR NO KEY UPDATE SKIP LOCKED"
        )
        lost = cursor.fetchall()
        if lost:
            held = Message.objects.filter(
                connection_id__in=[lane for lane, _ in lost], claim_token__in=[token for _, token in lost]
            )
            held.filter(status=S.CLAIMED).move_to(S.QUEUED, claim_token=None)
            uncertain = list(held.filter(status=S.DISPATCHING).values_list("id", flat=True))
            # The token stays: should the holder come back with an answer after all, his word counts.
            Message.objects.filter(id__in=uncertain).move_to(S.UNCERTAIN, error_code="unconfirmed")
            changes = moved_outbound(uncertain)
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


def _record_one(send: Send) -> bool:
    """Move the message by its outcome; False when it was no longer ours to move."""
    ours = Message.objects.filter(id=send.message_id, claim_token=send.token)
    match send.outcome:
        case SentMessage() as sent:
            return _record_sent(send, sent)
        case Disconnected() as error:
            WhatsAppConnection.objects.filter(id=send.connection_id).update(check_due_at=ClockNow())
            ring_on_commit("units.tasks.reconcile_connections")
            moved = ours.move_to(S.QUEUED, claim_token=None, due_at=ClockNow() + RETRY_FIRST)
        case NotSent() as error if send.attempts + 1 >= MAX_ATTEMPTS and error.code in OF_THIS_MESSAGE:
            moved = ours.move_to(S.FAILED, error_code=error.code, error=error.answer)
        case NotSent() as error:
            wait_for = min(RETRY_FIRST * 2 ** min(send.attempts, 10), RETRY_MOST)
            moved = ours.move_to(S.QUEUED, claim_token=None, due_at=ClockNow() + wait_for)
        case Rejected() as error:
            moved = ours.move_to(S.FAILED, error_code=error.code, error=error.answer)
            if isinstance(error, NotOnWhatsApp):
                _addresses(send).filter(kind=AddressKind.PHONE).update(not_on_whatsapp_at=ClockNow())
        case GatewayError() as error:
            moved = ours.move_to(S.UNCERTAIN, error_code="unconfirmed", error=error.answer)
        case None:
            raise AssertionError("recorded before its outcome was known")
    # Not what the gateway said: that has the customer's number in it, and is kept on the message.
    log.info(
        "send_failed",
        message_id=str(send.message_id),
        outcome=type(error).__name__,
        code=error.code,
        status=error.status,
    )
    return bool(moved)


def _record_sent(send: Send, sent: SentMessage) -> bool:
    ours = Message.objects.filter(id=send.message_id, claim_token=send.token)
    values = {
        "external_id": sent.external_id,
        "sent_at": ClockNow(),
        "receipt_due_at": ClockNow() + Message.RECEIPT_PATIENCE,
        "error_code": "",
        "error": "",
    }
    if send.origin == Origin.CAMPAIGN:
        # In the chat it stands where it was sent, not where it was planned.
        values["happened_at"] = ClockNow()
    try:
        with transaction.atomic():
            moved = ours.move_to(S.SENT, **values)
    except IntegrityError:
        moved = _replace_twin(send, sent, ours, values)
    # The JID of the answer is the canonical one, and may differ from the number that was asked for.
    if sent.jid:
        kind = AddressKind.LID if sent.jid.endswith("@lid") else AddressKind.PHONE
        _addresses(send).filter(kind=kind).exclude(jid=sent.jid).update(jid=sent.jid, jid_at=ClockNow())
    log.info("sent", message_id=str(send.message_id), external_id=sent.external_id)
    return bool(moved)


def _replace_twin(send: Send, sent: SentMessage, ours: MessageQuerySet, values: dict[str, Any]) -> int:
    """Something else told of this message first, and it was taken for one typed on the phone. The answer wins.

    What has become of it since then is ours.
    """
    rows = Message.objects.filter(connection_id=send.connection_id, external_id=sent.external_id)
    twin = rows.filter(origin__in=[Origin.PHONE, Origin.GATEWAY]).select_for_update().first()
    if twin is None:
        return 0
    twin.delete()
    moved = ours.move_to(S.SENT, **values)
    if moved and twin.status != S.SENT:
        times = {name: getattr(twin, name) for name in ("delivered_at", "read_at", "played_at")}
        ours.move_to(twin.status, error_code=twin.error_code, error=twin.error, **times)
    if moved and twin.deleted_at:
        ours.update(deleted_at=twin.deleted_at)
    if moved and twin.edited_at:
        ours.update(edited_at=twin.edited_at, body=twin.body, details=twin.details)
    Conversation.objects.filter(id=twin.conversation_id).refresh_summary()
    return moved


def _addresses(send: Send) -> QuerySet[ContactAddress]:
    contact = Message.objects.filter(id=send.message_id).values("conversation__contact_id")
    return ContactAddress.objects.filter(contact_id__in=contact)


_LOCK_DUE_LANES = """
SELECT lane.connection_id, crm_now(),
       lane.next_send_at, lane.day, lane.sent_today, c.daily_cap, c.window_start, c.window_end, u.time_zone
FROM send_lanes lane
JOIN unit_whatsapp_connections c ON c.id = lane.connection_id
JOIN units u ON u.id = c.unit_id
WHERE lane.due_at <= crm_now() - make_interval(secs => %(overdue)s)
  AND lane.claim_token IS NULL AND c.status = 'connected'
ORDER BY lane.due_at LIMIT %(limit)s
FOR NO KEY UPDATE OF lane SKIP LOCKED
"""

# Nothing goes to a chat in which a message is on the way or uncertain: the next would hide what became of it.
_PICK_NEXT = """
SELECT m.id AS message_id, m.connection_id, c.instance_name, m.recipient, m.body,
       m.reply_to_external_id AS reply_to, m.origin, m.attempts
FROM unnest(%(lanes)s::uuid[]) AS lane (id)
JOIN unit_whatsapp_connections c ON c.id = lane.id
CROSS JOIN LATERAL (
    SELECT m.* FROM messages m
    WHERE m.connection_id = lane.id AND m.status = 'queued' AND m.due_at <= crm_now()
      AND (m.origin <> 'campaign' OR lane.id = ANY(%(may_campaign)s::uuid[]))
      AND NOT EXISTS (
        SELECT 1 FROM messages unsettled
        WHERE unsettled.conversation_id = m.conversation_id AND unsettled.status IN ('dispatching', 'uncertain'))
    ORDER BY m.origin = 'campaign', m.due_at, m.id LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
) m
"""

_DISPATCH = """
UPDATE messages m SET status = 'dispatching', dispatched_at = crm_now(), attempts = m.attempts + 1
FROM send_lanes lane, unit_whatsapp_connections c
WHERE m.id = ANY(%(ids)s) AND m.claim_token = %(token)s AND m.status = 'claimed'
  AND lane.connection_id = m.connection_id AND lane.claim_token = %(token)s AND lane.lease_until > crm_now()
  AND c.id = m.connection_id AND c.status = 'connected'
  AND (m.expires_at IS NULL OR m.expires_at > crm_now())
  AND NOT (m.origin = 'campaign' AND EXISTS (
    SELECT 1 FROM conversations v JOIN contact_addresses a ON a.contact_id = v.contact_id
    WHERE v.id = m.conversation_id AND a.opted_out_at IS NOT NULL))
RETURNING m.id
"""

# The daily cap counts what may have left: it is never exceeded, whatever becomes of the call.
_EXTEND_LEASES = """
UPDATE send_lanes lane SET
    lease_until = crm_now() + make_interval(secs => %(lease)s),
    sent_today = CASE WHEN NOT going.campaign THEN lane.sent_today
                      WHEN lane.day = today.day THEN lane.sent_today + 1 ELSE 1 END,
    day = CASE WHEN going.campaign THEN today.day ELSE lane.day END
FROM unnest(%(lanes)s::uuid[], %(campaigns)s::bool[]) AS going (id, campaign)
JOIN unit_whatsapp_connections c ON c.id = going.id
JOIN units u ON u.id = c.unit_id
CROSS JOIN LATERAL (SELECT (crm_now() AT TIME ZONE u.time_zone)::date AS day) today
WHERE lane.connection_id = going.id AND lane.claim_token = %(token)s
"""
