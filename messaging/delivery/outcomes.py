"""What became of the sends: written within moments of the answer, many at once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db import connection as database

from crm_whatsapp.bell import ring_on_commit
from crm_whatsapp.db import ClockNow
from messaging import lanes
from messaging.delivery import attempts
from messaging.delivery.send import HARMLESS_TWICE, Send
from messaging.delivery.verdicts import Verdict, verdict
from messaging.models import AddressKind, Conversation, Message, MessageStatus, Origin
from messaging.services import moved_outbound
from units import live
from units.gateways.errors import GatewayError, OutcomeUnknown
from units.gateways.evolution import SentMessage
from units.models import WhatsAppConnection

log = structlog.get_logger(__name__)

S = MessageStatus

NOW: Mapping[UUID, float] = MappingProxyType({})


def record(sends: list[Send], ages: Mapping[UUID, float] = NOW) -> None:
    """Write what became of `sends`, and free their lanes for the next; a fixed number of statements.

    `ages`: seconds since the answer, by message; 0 for those it does not name. The pace counts from the answer. Doing
    it again changes nothing.
    """
    if not sends:
        return
    try:
        with transaction.atomic():
            _write(sends, ages)
    except IntegrityError:
        if len(sends) > 1:
            for send in sends:
                record([send], ages)
        else:
            with transaction.atomic():
                _write(sends, ages, twin=_twin(sends[0]))
    _tell(sends)


def _write(sends: list[Send], ages: Mapping[UUID, float], *, twin: Message | None = None) -> None:
    # In the order of their ids, like everybody who locks several.
    sends = sorted(sends, key=lambda send: send.message_id)
    verdicts = [_verdict(send) for send in sends]
    if twin:
        twin.delete()
    moved = _move(sends, verdicts)
    attempts.keep_failed([send for send in sends if send.message_id in moved])
    if twin and moved:
        _take_over(sends[0].message_id, twin)
    _learn_addresses(sends, verdicts)
    asked = [send.connection_id for send, found in zip(sends, verdicts, strict=True) if found.checks_connection]
    if asked:
        WhatsAppConnection.objects.filter(id__in=asked).update(check_due_at=ClockNow())
        ring_on_commit("units.tasks.reconcile_connections")
    changes = moved_outbound(list(moved))
    # Asked of the messages: a merge may have moved them to another chat while they were under way.
    chats = {*moved.values(), *([twin.conversation_id] if twin else [])}
    if chats:
        Conversation.objects.filter(id__in=chats).refresh_summary()
    lanes.free(
        [
            lanes.Held(
                send.connection_id,
                send.token,
                answered=send.was_answered,
                age=ages.get(send.message_id, 0.0),
                uncounted=send.origin == Origin.CAMPAIGN and send.certainly_not_sent,
            )
            for send in sends
        ]
    )
    live.publish(changes)


def _verdict(send: Send) -> Verdict:
    if send.outcome is None:
        raise AssertionError("recorded before its outcome was known")
    return verdict(send.outcome, attempts=send.attempts, harmless_twice=send.kind in HARMLESS_TWICE)


def _move(sends: list[Send], verdicts: list[Verdict]) -> dict[UUID, UUID]:
    """Move the messages that are still ours to move. Returns the chat of each."""
    targets = {found.status for found in verdicts}
    moves = [(source, target) for target in targets for source in Message.MOVES[target]]
    answers = [send.outcome if isinstance(send.outcome, SentMessage) else None for send in sends]
    with database.cursor() as cursor:
        cursor.execute(
            _MOVE,
            {
                "ids": [send.message_id for send in sends],
                "tokens": [send.token for send in sends],
                "statuses": [found.status for found in verdicts],
                "codes": [found.error_code for found in verdicts],
                "errors": [found.error for found in verdicts],
                "external_ids": [answer.external_id if answer else None for answer in answers],
                "retry_in": [found.retry_in for found in verdicts],
                "look_up_in": [found.look_up_in for found in verdicts],
                "sources": [source for source, _ in moves],
                "targets": [target for _, target in moves],
                "receipt_patience": Message.RECEIPT_PATIENCE.total_seconds(),
            },
        )
        return dict(cursor.fetchall())


def _learn_addresses(sends: list[Send], verdicts: list[Verdict]) -> None:
    """What the answers said of where they went: the canonical JID, or that nobody is there."""
    absent = [send.message_id for send, found in zip(sends, verdicts, strict=True) if found.marks_address]
    if absent:
        with database.cursor() as cursor:
            cursor.execute(_MARK_ABSENT, {"ids": absent})
    # The JID of the answer is the canonical one, and may differ from the number that was asked for.
    told = [
        (send.message_id, send.outcome.jid, AddressKind.LID if send.outcome.jid.endswith("@lid") else AddressKind.PHONE)
        for send in sends
        if isinstance(send.outcome, SentMessage) and send.outcome.jid not in ("", send.recipient)
    ]
    if told:
        ids, jids, kinds = zip(*told, strict=True)
        with database.cursor() as cursor:
            cursor.execute(_LEARN_JIDS, {"ids": list(ids), "jids": list(jids), "kinds": list(kinds)})


def _twin(send: Send) -> Message | None:
    """Something else told of this message first, and it was taken for one typed on the phone. The answer wins.

    An id that another of our own sends has proves nothing of this one.
    """
    if not isinstance(send.outcome, SentMessage):
        return None
    rows = Message.objects.filter(connection_id=send.connection_id, external_id=send.outcome.external_id)
    twin = rows.filter(origin__in=[Origin.PHONE, Origin.GATEWAY]).select_for_update().first()
    if twin is None:
        send.outcome = OutcomeUnknown(answer="the answer has the id of another message", status=201)
    return twin


def _take_over(message_id: UUID, twin: Message) -> None:
    """What has become of the twin is ours."""
    ours = Message.objects.filter(id=message_id)
    if twin.status != S.SENT:
        times = {name: getattr(twin, name) for name in ("delivered_at", "read_at", "played_at")}
        ours.move_to(twin.status, error_code=twin.error_code, error=twin.error, **times)
    changes: dict[str, Any] = {}
    if twin.deleted_at:
        changes["deleted_at"] = twin.deleted_at
    if twin.edited_at:
        # Beside what only ours know: which request made it, and of what it is the copy.
        details = ours.get().details | twin.details
        changes |= {"edited_at": twin.edited_at, "body": twin.body, "details": details}
    if changes:
        ours.update(**changes)


def _tell(sends: list[Send]) -> None:
    # One line for all that went well: a line each took a tenth of the time of a send.
    if sent := {
        str(send.message_id): send.outcome.external_id for send in sends if isinstance(send.outcome, SentMessage)
    }:
        log.info("sent", count=len(sent), messages=sent)
    for send in sends:
        if isinstance(send.outcome, GatewayError):
            # Not what the gateway said: that has the customer's number in it, and is kept on the message.
            log.info(
                "send_failed",
                message_id=str(send.message_id),
                outcome=type(send.outcome).__name__,
                code=send.outcome.code,
                status=send.outcome.status,
            )


# A campaign's message stands in the chat where it was sent, not where it was planned.
_MOVE = """
UPDATE messages m SET
    status = found.status,
    error_code = found.code,
    error = found.error,
    claim_token = CASE WHEN found.status = 'queued' THEN NULL ELSE m.claim_token END,
    due_at = coalesce(crm_now() + found.retry_in, m.due_at),
    look_up_due_at = crm_now() + found.look_up_in,
    look_ups = CASE WHEN found.look_up_in IS NULL THEN m.look_ups ELSE 0 END,
    external_id = coalesce(found.external_id, m.external_id),
    sent_at = CASE WHEN found.status = 'sent' THEN crm_now() ELSE m.sent_at END,
    receipt_due_at = CASE WHEN found.status = 'sent' THEN crm_now() + make_interval(secs => %(receipt_patience)s)
                     ELSE m.receipt_due_at END,
    happened_at = CASE WHEN found.status = 'sent' AND m.origin = 'campaign' THEN crm_now() ELSE m.happened_at END
FROM unnest(
    %(ids)s::uuid[], %(tokens)s::uuid[], %(statuses)s::text[], %(codes)s::text[], %(errors)s::text[],
    %(external_ids)s::text[], %(retry_in)s::interval[], %(look_up_in)s::interval[])
    AS found (id, token, status, code, error, external_id, retry_in, look_up_in)
WHERE m.id = found.id AND m.claim_token = found.token
  AND (m.status, found.status) IN (SELECT * FROM unnest(%(sources)s::text[], %(targets)s::text[]))
RETURNING m.id, m.conversation_id
"""

# The address that a message went to: a contact may have several numbers (two contacts were joined), and what is told of
# one says nothing of another, which may be somebody else's again one day. Where the recipient is in another form (a
# LID), or WhatsApp has renamed it since, the only address of its kind is meant.
_SENT_TO = """
a.contact_id = v.contact_id AND (
    m.recipient IN (a.jid, ltrim(a.value, '+'))
    OR NOT EXISTS (
        SELECT 1 FROM contact_addresses b WHERE b.contact_id = a.contact_id AND b.kind = a.kind AND b.id <> a.id))
"""

_MARK_ABSENT = f"""
UPDATE contact_addresses a SET not_on_whatsapp_at = crm_now()
FROM messages m JOIN conversations v ON v.id = m.conversation_id
WHERE m.id = ANY(%(ids)s) AND a.kind = 'phone' AND {_SENT_TO}
"""  # noqa: S608 - our own columns

_LEARN_JIDS = f"""
UPDATE contact_addresses a SET jid = told.jid, jid_at = crm_now()
FROM unnest(%(ids)s::uuid[], %(jids)s::text[], %(kinds)s::text[]) AS told (id, jid, kind)
JOIN messages m ON m.id = told.id
JOIN conversations v ON v.id = m.conversation_id
WHERE a.kind = told.kind AND a.jid <> told.jid AND {_SENT_TO}
"""  # noqa: S608 - our own columns
