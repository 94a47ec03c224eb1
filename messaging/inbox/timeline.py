"""Everything that happened to a message, as its rows tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from messaging.models import ActionKind, ChatAction, Direction, FailedAttempt, Message, MessageStatus, Origin
from messaging.settling import AGAIN_OF, DISCARDED, SENT_AGAIN_AS
from units.models import AuditAction, AuditEntry, User

# Of a message that was tried for a day, the latest: the first are told by their numbers.
MOST_ATTEMPTS: Final = 100


class Happening(models.TextChoices):
    """What may happen to a message."""

    RECEIVED = "received", pgettext_lazy("happening", "Received")
    QUEUED = "queued", pgettext_lazy("happening", "Queued")
    ATTEMPT_FAILED = "attempt_failed", _("An attempt to send it failed")
    DISPATCHED = "dispatched", _("Handed to the WhatsApp server")
    SENT = "sent", pgettext_lazy("happening", "Sent")
    DELIVERED = "delivered", pgettext_lazy("happening", "Delivered")
    READ = "read", pgettext_lazy("happening", "Read")
    PLAYED = "played", pgettext_lazy("happening", "Played")
    UNCERTAIN = "uncertain", _("Unconfirmed since then")
    FAILED = "failed", pgettext_lazy("happening", "Not sent")
    CANCELLED = "cancelled", pgettext_lazy("happening", "Cancelled")
    EXPIRED = "expired", pgettext_lazy("happening", "Expired")
    SETTLED = "settled", _("Somebody decided what became of it")
    REPEATED = "repeated", _("Somebody had it sent again")
    READ_REQUESTED = "read_requested", _("WhatsApp is told that it was read")
    EDIT_REQUESTED = "edit_requested", _("Somebody asked to have it edited")
    EDITED = "edited", pgettext_lazy("happening", "Edited")
    DELETION_REQUESTED = "deletion_requested", _("Somebody asked to have it deleted for everyone")
    DELETED = "deleted", _("Deleted for everyone")


H = Happening


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened. What says nothing of it is None.

    - `at`: None when it was not kept.
    - `by`: the name of whoever did it; of a person who is gone as well, where the log has it.
    - `attempt`: the number of a call to the gateway, 1 is the first; `outcome` how it ended (`units.gateways.errors`).
    - `code`: why it failed; `answer`: what the gateway said, without secrets.
    - `state`: how far what was asked for has come (`ActionStatus`).
    - `message_id`: the message that this one is a copy of, or that took its place.
    """

    at: datetime | None
    what: Happening
    by: str | None = None
    attempt: int | None = None
    outcome: str | None = None
    code: str | None = None
    answer: str | None = None
    state: str | None = None
    message_id: UUID | None = None


# How a message may end without a time of its own.
_ENDS: Mapping[str, Happening] = {
    MessageStatus.UNCERTAIN: H.UNCERTAIN,
    MessageStatus.FAILED: H.FAILED,
    MessageStatus.CANCELLED: H.CANCELLED,
    MessageStatus.EXPIRED: H.EXPIRED,
}
_ASKED: Mapping[str, Happening] = {
    ActionKind.READ: H.READ_REQUESTED,
    ActionKind.EDIT: H.EDIT_REQUESTED,
    ActionKind.DELETE: H.DELETION_REQUESTED,
}
# Of things that happened at the same moment, this one first.
_ORDER = {happening: place for place, happening in enumerate(H)}


def timeline(message: Message) -> list[Moment]:
    """Oldest first; what has no time comes last. Takes a message with its `author`. A fixed number of queries."""
    attempts = list(message.failed_attempts.order_by("-created_at", "-id")[:MOST_ATTEMPTS])
    moments = [
        *_own(message, attempts),
        *map(_failed, attempts),
        *_asked(message),
        *_decided(message),
    ]
    if again := message.details.get(SENT_AGAIN_AS):
        copy = Message.objects.filter(unit_id=message.unit_id, id=again).select_related("author").first()
        by = _name(copy.author) if copy else None
        moments.append(
            Moment(at=copy.created_at if copy else None, what=H.REPEATED, by=by, message_id=UUID(str(again)))
        )
    return sorted(moments, key=_when)


def _when(moment: Moment) -> tuple[bool, float, int]:
    return (moment.at is None, moment.at.timestamp() if moment.at else 0.0, _ORDER[moment.what])


def _own(message: Message, attempts: list[FailedAttempt]) -> Iterator[Moment]:
    """What the row of the message itself tells."""
    if message.direction == Direction.INBOUND:
        yield Moment(at=message.created_at, what=H.RECEIVED)
    elif message.origin in (Origin.REPLY, Origin.CAMPAIGN):
        of = message.details.get(AGAIN_OF)
        copied = UUID(str(of)) if of else None
        yield Moment(at=message.created_at, what=H.QUEUED, by=_name(message.author), message_id=copied)
    for what, at in (
        (H.DISPATCHED, message.dispatched_at),
        (H.SENT, message.sent_at),
        (H.DELIVERED, message.delivered_at),
        (H.READ, message.read_at),
        (H.PLAYED, message.played_at),
        (H.EDITED, message.edited_at),
        (H.DELETED, message.deleted_at),
    ):
        if at:
            yield Moment(at=at, what=what)
    if ended := _ENDS.get(message.status):
        end = Moment(at=None, what=ended, code=message.error_code or None, answer=message.error or None)
        last = attempts[0] if attempts else None
        if ended is H.EXPIRED:
            end = replace(end, at=message.expires_at)
        elif last and last.number == message.attempts and ended in (H.FAILED, H.UNCERTAIN):
            end = replace(end, at=last.created_at)
        yield end


def _failed(attempt: FailedAttempt) -> Moment:
    return Moment(
        at=attempt.created_at,
        what=H.ATTEMPT_FAILED,
        attempt=attempt.number,
        outcome=attempt.outcome,
        code=attempt.code,
        answer=attempt.answer or None,
    )


def _asked(message: Message) -> Iterator[Moment]:
    """What was asked of the gateway about it."""
    actions = ChatAction.objects.filter(message=message, kind__in=list(_ASKED)).select_related("author")
    for action in actions:
        code = action.error_code or None
        what = _ASKED[action.kind]
        yield Moment(at=action.created_at, what=what, by=_name(action.author), code=code, state=action.status)


def _decided(message: Message) -> Iterator[Moment]:
    """What people said became of it."""
    entries: Any = AuditEntry.objects.filter(
        unit_id=message.unit_id, object_id=message.pk, action=AuditAction.MESSAGE_SETTLED
    )
    for entry in entries:
        code = next((word for word in (DISCARDED, "sent") if entry.details.get(word)), "")
        code = code or ("not_sent_by_word" if "sent" in entry.details else "sent_again")
        yield Moment(at=entry.created_at, what=H.SETTLED, by=entry.actor_name or None, code=code)


def _name(person: User | None) -> str | None:
    return person.shown_name if person else None
