"""How far our messages have come: receipts, many at a time, only ever forward (I6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection as database

from messaging.events import MessageStatus as ProviderStatus
from messaging.events import MessageStatusChanged
from messaging.inbound.batch import DONE, NO_RECEIPT, UNKNOWN_MESSAGE, Effects, Outcome, Told, moment
from messaging.models import Direction, Message
from messaging.models import MessageStatus as S

_STATUS = {
    ProviderStatus.ERROR: S.FAILED,
    ProviderStatus.DELIVERY_ACK: S.DELIVERED,
    ProviderStatus.READ: S.READ,
    ProviderStatus.PLAYED: S.READ,
}
_ORDER = [S.FAILED, S.DELIVERED, S.READ]


@dataclass(slots=True)
class _Receipts:
    """All that a batch tells about one message, `of`, whose row is locked."""

    of: Message
    status: S = S.FAILED
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    played_at: datetime | None = None
    error: str = ""

    def add(self, told: Told[MessageStatusChanged]) -> None:
        event, at = told.event, moment(told.event.timestamp, told.received_at)
        status = _STATUS[event.status] if event.status else S.FAILED
        self.status = max(self.status, status, key=_ORDER.index)
        if status == S.FAILED:
            # Of two reasons the same stays, whichever came first.
            self.error = max(self.error, event.error or "", self.of.error if self.was == S.FAILED else "")
            return
        # A read message was delivered, though the two receipts often come as one (docs/evolution.md, "Events").
        self.delivered_at = min(self.delivered_at or at, at)
        if status == S.READ:
            self.read_at = min(self.read_at or at, at)
        if event.status == ProviderStatus.PLAYED:
            self.played_at = min(self.played_at or at, at)

    @property
    def was(self) -> S:
        return S(self.of.status)

    @property
    def is_move(self) -> bool:
        # What a person has discarded had failed: nothing that was cancelled before it left has an id to be matched by.
        was = S.FAILED if self.was == S.CANCELLED else self.was
        return was in Message.MOVES[self.status]

    @property
    def is_change(self) -> bool:
        """Also late, or again: the status stays, and the times become what they would be in order."""
        came_before = {S.FAILED} if self.status == S.FAILED else {S.DELIVERED, S.READ}
        return self.is_move or self.was in came_before


def record(effects: Effects, batch: Sequence[Told[MessageStatusChanged]]) -> list[Outcome]:
    """Move each message to the furthest that is told of it. Matched by id alone: a receipt may name the chat's LID."""
    ids = {told.event.external_id for told in batch if told.event.external_id}
    # Locked in the order of all who move messages.
    rows = effects.messages().filter(external_id__in=ids).order_by("id").select_for_update(no_key=True)
    known: dict[tuple[str, str | None], Message] = {
        (row.direction, row.external_id): row
        for row in rows.only("id", "direction", "external_id", "conversation_id", "happened_at", "status", "error")
    }
    told_of: dict[UUID, _Receipts] = {}
    outcomes = []
    for told in batch:
        event = told.event
        status = _STATUS.get(event.status) if event.status else None
        inbound = known.get((Direction.INBOUND, event.external_id)) if event.from_me is False else None
        if status is None or event.external_id is None:
            outcomes.append(Outcome(reason=NO_RECEIPT))
        elif inbound is not None:
            outcomes.append(_read_on_phone(effects, inbound) if status == S.READ else Outcome(reason=NO_RECEIPT))
        elif message := known.get((Direction.OUTBOUND, event.external_id)):
            told_of.setdefault(message.pk, _Receipts(of=message)).add(told)
            outcomes.append(DONE)
        else:
            outcomes.append(_unknown(effects, event))
    if told_of:
        _write(told_of)
        moved = [receipts for receipts in told_of.values() if receipts.is_move]
        effects.moved += [receipts.of.pk for receipts in moved]
        # What had failed and did arrive after all is an answer.
        effects.touched |= {one.of.conversation_id for one in moved if one.was in (S.FAILED, S.CANCELLED)}
    return outcomes


def _unknown(effects: Effects, event: MessageStatusChanged) -> Outcome:
    """It waits for its message, unless that belongs to a chat that is not shown."""
    reason = effects.not_shown(event.chat) if event.chat else ""
    if reason:
        return Outcome(reason=reason)
    return Outcome(reason=UNKNOWN_MESSAGE, not_yet=True, awaits=event.external_id or "")


def _read_on_phone(effects: Effects, message: Message) -> Outcome:
    """A contact's message was read on the unit's own phone, and so was all that came before it."""
    until = effects.seen.get(message.conversation_id, message.happened_at)
    effects.seen[message.conversation_id] = max(until, message.happened_at)
    return DONE


def _write(told_of: dict[UUID, _Receipts]) -> None:
    """One statement for the whole batch."""
    changes = {pk: receipts for pk, receipts in told_of.items() if receipts.is_change}
    with database.cursor() as cursor:
        cursor.execute(
            _RECORD,
            {
                "id": list(changes),
                "status": [str(one.status if one.is_move else one.was) for one in changes.values()],
                "delivered_at": [one.delivered_at for one in changes.values()],
                "read_at": [one.read_at for one in changes.values()],
                "played_at": [one.played_at for one in changes.values()],
                "error_code": ["refused_by_whatsapp" if one.status == S.FAILED else "" for one in changes.values()],
                "error": ["" if one.status != S.FAILED else one.error for one in changes.values()],
            },
        )


# Of two times the earlier is true. A message that arrived has no error, whatever was believed before.
_RECORD = """
UPDATE messages m SET
    status = told.status,
    delivered_at = least(m.delivered_at, told.delivered_at),
    read_at = least(m.read_at, told.read_at),
    played_at = least(m.played_at, told.played_at),
    error_code = told.error_code,
    error = told.error
FROM unnest(
    %(id)s::uuid[], %(status)s::text[], %(delivered_at)s::timestamptz[], %(read_at)s::timestamptz[],
    %(played_at)s::timestamptz[], %(error_code)s::text[], %(error)s::text[])
  AS told (id, status, delivered_at, read_at, played_at, error_code, error)
WHERE m.id = told.id
"""
