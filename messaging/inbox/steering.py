"""Whose a conversation is, where it stands, what it is about. Each change is told in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import ClockNow
from messaging.models import (
    Conversation,
    ConversationEvent,
    ConversationEventKind,
    ConversationLabel,
    ConversationStatus,
    Direction,
    Label,
    Message,
    Note,
)
from messaging.services import conversation_change
from units import live
from units.models import Membership, User

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# How many wake in one transaction.
BATCH: Final = 500
# Of the conversations that have a label so many are told of when it is renamed or deleted, the latest: what anybody may
# have before his eyes. A program that keeps more of them asks for labels by their ids.
TOLD: Final = 200

_BY_STATUS: Final = {
    ConversationStatus.OPEN: ConversationEventKind.OPENED,
    ConversationStatus.PENDING: ConversationEventKind.PENDING,
    ConversationStatus.SNOOZED: ConversationEventKind.SNOOZED,
    ConversationStatus.RESOLVED: ConversationEventKind.RESOLVED,
}


class CannotSteer(ValueError):
    """What cannot be asked of a conversation; `field` is at fault, `message` says why, to a person."""

    def __init__(self, field: str, message: _StrPromise) -> None:
        self.field, self.message = field, message
        super().__init__(str(message))


def assign(conversation: Conversation, to: UUID | None, *, by: User | None = None) -> None:
    """Give it to somebody who works in its unit; None: to nobody. Raises CannotSteer for anybody else.

    The thread says that `by` did so.
    """
    with transaction.atomic():
        # Held until it is done: who leaves the unit this moment leaves before or after.
        if to:
            works_here = Membership.objects.filter(unit_id=conversation.unit_id, user_id=to, user__is_active=True)
            if not works_here.select_for_update(no_key=True, of=("self",)).first():
                raise CannotSteer("assigned_to", _("Nobody of that id works in this unit."))
        rows = Conversation.objects.filter(pk=conversation.pk)
        row = rows.select_for_update(no_key=True).first()
        if row is None:
            return
        rows.update(assigned_to_id=to)
        if row.assigned_to_id == to:
            _tell(conversation)
        else:
            _write_event(row, ConversationEventKind.ASSIGNED, by, assignee_id=to)


def set_status(
    conversation: Conversation, status: str, until: datetime | None = None, *, by: User | None = None
) -> None:
    """Open, pending, resolved or snoozed. A snoozed one opens again at `until` (None: never by itself), and when the
    contact writes. Raises CannotSteer for a time that has passed, and for one with another status.

    The thread says that `by` did so.
    """
    if until and status != ConversationStatus.SNOOZED:
        raise CannotSteer("snoozed_until", _("Only a snoozed conversation wakes."))
    with transaction.atomic():
        rows = Conversation.objects.filter(pk=conversation.pk).select_for_update(no_key=True)
        row = rows.annotate(now=ClockNow()).first()
        if row is None:
            return
        if until and until <= row.now:
            raise CannotSteer("snoozed_until", _("That time has passed."))
        Conversation.objects.filter(pk=row.pk).update(status=status, snoozed_until=until)
        if (row.status, row.snoozed_until) == (status, until):
            _tell(conversation)
        else:
            _write_event(row, _BY_STATUS[ConversationStatus(status)], by, until=until)


def wake_snoozed() -> int:
    """Open what has been snoozed long enough; the number of conversations."""
    woken = 0
    while True:
        with transaction.atomic():
            due = Conversation.objects.filter(status=ConversationStatus.SNOOZED, snoozed_until__lte=ClockNow())
            rows = due.select_for_update(no_key=True, skip_locked=True).order_by("snoozed_until")
            found = list(rows.values_list("id", "unit_id")[:BATCH])
            changed = Conversation.objects.filter(id__in=sorted(key for key, _unit in found))
            changed.update(status=ConversationStatus.OPEN, snoozed_until=None)
            opened = [_event(unit_id, key, ConversationEventKind.OPENED) for key, unit_id in found]
            live.publish(_written(opened))
        woken += len(found)
        if len(found) < BATCH:
            return woken


def mark_unread(conversation: Conversation) -> None:
    """The last that the contact wrote counts as unread again. Raises CannotSteer when it has been answered."""
    with transaction.atomic():
        row = Conversation.objects.filter(pk=conversation.pk)
        row.lock()
        arrived = Message.objects.filter(
            conversation=OuterRef("pk"), direction=Direction.INBOUND, from_history=False, deleted_at=None
        ).exclude(kind="reaction")
        newest = arrived.order_by("-created_at")
        moment = timedelta(microseconds=1)
        row.update(
            read_until=Coalesce(Subquery(newest.values("created_at")[:1]) - moment, "read_until"),
            seen_until=Coalesce(Subquery(newest.values("happened_at")[:1]) - moment, "seen_until"),
        )
        row.refresh_summary()
        if not row.filter(unread_count__gt=0).exists():
            raise CannotSteer("unread", _("Nothing in this conversation waits for an answer."))
        _tell(conversation)


def add_label(conversation: Conversation, label: Label) -> None:
    """Once, however often it is asked for."""
    with transaction.atomic():
        ConversationLabel.objects.bulk_create(
            [ConversationLabel(unit_id=conversation.unit_id, conversation=conversation, label=label)],
            ignore_conflicts=True,
        )
        _tell(conversation)


def remove_label(conversation: Conversation, label: Label) -> None:
    with transaction.atomic():
        if ConversationLabel.objects.filter(conversation=conversation, label=label).delete()[0]:
            _tell(conversation)


def delete_label(label: Label) -> None:
    """Take it off all conversations, and delete it."""
    with transaction.atomic():
        told = _having(label)
        label.delete()
        live.publish(told)


def tell_of_label(label: Label) -> None:
    """It is called otherwise, or has another colour: tell of the conversations that show it, last in a transaction."""
    live.publish(_having(label))


def write_note(conversation: Conversation, author: User, body: str) -> Note:
    with transaction.atomic():
        note = Note.objects.create(unit_id=conversation.unit_id, conversation=conversation, author=author, body=body)
        live.publish([_note_change(note)])
    note.refresh_from_db()
    return note


def edit_note(note: Note, body: str) -> None:
    with transaction.atomic():
        Note.objects.filter(pk=note.pk).update(body=body, edited_at=ClockNow())
        live.publish([_note_change(note)])
    note.refresh_from_db()


def delete_note(note: Note) -> None:
    told = _note_change(note)
    with transaction.atomic():
        note.delete()
        live.publish([told])


def release_from(unit_id: UUID, user_id: UUID) -> list[live.Change]:
    """Conversations of somebody who has left the unit are nobody's; the changes, for the caller to publish last."""
    theirs = Conversation.objects.filter(unit_id=unit_id, assigned_to=user_id)
    ids = theirs.lock()
    Conversation.objects.filter(id__in=ids).update(assigned_to=None)
    return _written([_event(unit_id, key, ConversationEventKind.ASSIGNED) for key in ids])


def _event(unit_id: UUID, conversation_id: UUID, kind: ConversationEventKind, **fields: Any) -> ConversationEvent:
    return ConversationEvent(unit_id=unit_id, conversation_id=conversation_id, kind=kind, **fields)


def _written(events: Sequence[ConversationEvent]) -> list[live.Change]:
    """Write these lines of threads; the changes to publish."""
    ConversationEvent.objects.bulk_create(events)
    return [
        replace(conversation_change(event.unit_id, event.conversation_id), data={"event_id": str(event.pk)})
        for event in events
    ]


def _write_event(row: Conversation, kind: ConversationEventKind, author: User | None, **fields: Any) -> None:
    live.publish(_written([_event(row.unit_id, row.pk, kind, author=author, **fields)]))


def _having(label: Label) -> list[live.Change]:
    rows = label.conversations.order_by("-last_message_at", "-id").values_list("id", flat=True)
    return [conversation_change(label.unit_id, key) for key in rows[:TOLD]]


def _tell(conversation: Conversation) -> None:
    live.publish([conversation_change(conversation.unit_id, conversation.pk)])


def _note_change(note: Note) -> live.Change:
    return replace(conversation_change(note.unit_id, note.conversation_id), data={"note_id": str(note.pk)})
