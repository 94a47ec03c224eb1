"""Edits, and deletions for everyone: they change a message that is here."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from messaging import people
from messaging.events import MessageDeleted, MessageEdited
from messaging.inbound.batch import DONE, UNKNOWN_MESSAGE, Effects, Outcome, Told, moment
from messaging.models import Contact, Direction, Message
from messaging.services import changes_of


def amend(effects: Effects, batch: Sequence[Told[MessageEdited | MessageDeleted]]) -> list[Outcome]:
    """Apply each to its message; what speaks of one that is not here waits for it."""
    ids = {target for told in batch if (target := _target_of(told))}
    rows = effects.messages().filter(external_id__in=ids).select_related("conversation")
    locked = rows.order_by("id").select_for_update(of=("self",), no_key=True)
    known = {(row.direction, row.external_id): row for row in locked}
    chats = [told.event.chat for told in batch if told.event.chat]
    contacts = dict(zip(chats, people.known_contacts_of(effects.connection.unit, chats), strict=True))
    changed: dict[UUID, Message] = {}
    outcomes = []
    for told in batch:
        event, target = told.event, _target_of(told)
        teller = contacts.get(event.chat) if event.chat else None
        found = [known.get((direction, target)) for direction in _directions(event)]
        message = next((row for row in found if row and _may_amend(event, teller, row)), None)
        if message is None:
            outcomes.append(_unknown(effects, event, target))
            continue
        at = moment(event.timestamp, told.received_at)
        is_change = _edit(message, event.text, at) if isinstance(event, MessageEdited) else _delete(message, at)
        if is_change:
            changed[message.pk] = message
        outcomes.append(DONE)
    Message.objects.bulk_update(changed.values(), ["body", "details", "edited_at", "deleted_at"])
    effects.touched |= {message.conversation_id for message in changed.values()}
    effects.changes += changes_of(changed.values())
    # What hangs on a message is shown with it.
    if hung_on := {message.target_external_id for message in changed.values()} - {""}:
        effects.changes += changes_of(effects.messages().filter(external_id__in=hung_on))
    return outcomes


def _target_of(told: Told[MessageEdited | MessageDeleted]) -> str | None:
    return told.event.target_id or told.event.external_id


def _directions(event: MessageEdited | MessageDeleted) -> tuple[Direction, ...]:
    """Whose messages the event may be about, the likelier first. Nobody changes ours but ourselves.

    An event that does not tell who acted is believed of an edit, which the phone makes so as well; a deletion is told
    another time, with its author.
    """
    if event.is_attributed:
        return (Direction.OUTBOUND, Direction.INBOUND) if event.from_me else (Direction.INBOUND,)
    if isinstance(event, MessageDeleted):
        return (Direction.INBOUND,)
    return (Direction.OUTBOUND, Direction.INBOUND) if event.from_me else (Direction.INBOUND, Direction.OUTBOUND)


def _may_amend(event: MessageEdited | MessageDeleted, teller: Contact | None, message: Message) -> bool:
    """Nobody changes messages of another chat. A chat that we cannot name may be this one (a LID without a phone)."""
    return event.from_me or teller is None or teller.pk == message.conversation.contact_id


def _unknown(effects: Effects, event: MessageEdited | MessageDeleted, target: str | None) -> Outcome:
    """It waits for its message, unless that belongs to a chat that is not shown."""
    reason = effects.not_shown(event.chat) if event.chat else ""
    if reason or target is None:
        return Outcome(reason=reason or UNKNOWN_MESSAGE)
    return Outcome(reason=UNKNOWN_MESSAGE, not_yet=True, awaits=target)


def _edit(message: Message, text: str | None, at: datetime) -> bool:
    """The newest edit stays, whichever comes last; of two at the same time the greater text.

    One whose text is not told only marks the message, and gives way to any that tells it.
    """
    is_told = message.edited_at is not None and not message.details.get("edit_untold")
    if text is None:
        if is_told or (message.edited_at and message.edited_at >= at):
            return False
        message.edited_at, message.details = at, message.details | {"edit_untold": True}
        return True
    if is_told and message.edited_at and (message.edited_at, message.body) >= (at, text):
        return False
    # What we sent stays on record: an event that does not tell who made the edit may come from the customer.
    original = {"original": message.body} if message.direction == Direction.OUTBOUND else {}
    message.details = original | {name: value for name, value in message.details.items() if name != "edit_untold"}
    message.body, message.edited_at = text, at
    return True


def _delete(message: Message, at: datetime) -> bool:
    """The text stays in the row, for whoever must know what was said; nobody is shown it."""
    if message.deleted_at is not None and message.deleted_at <= at:
        return False
    message.deleted_at = at
    return True
