"""Edits, and deletions for everyone: they change a message that is here."""

from collections.abc import Sequence
from datetime import datetime

from messaging.events import MessageDeleted, MessageEdited
from messaging.inbound.batch import DONE, UNKNOWN_MESSAGE, Effects, Outcome, Told, moment
from messaging.models import Direction, Message
from messaging.services import changes_of


def amend(effects: Effects, batch: Sequence[Told[MessageEdited | MessageDeleted]]) -> list[Outcome]:
    """Apply each to its message; what speaks of one that is not here waits for it."""
    ids = {target for told in batch if (target := _target_of(told))}
    rows = effects.messages().filter(external_id__in=ids).order_by("id").select_for_update(no_key=True)
    # Both directions: some bodies do not tell whose message it was (docs/evolution.md, "Events").
    known = {(row.direction, row.external_id): row for row in rows}
    changed: dict[tuple[str, str | None], Message] = {}
    outcomes = []
    for told in batch:
        event, target = told.event, _target_of(told)
        directions = (
            (Direction.OUTBOUND, Direction.INBOUND) if event.from_me else (Direction.INBOUND, Direction.OUTBOUND)
        )
        message = next((known[d, target] for d in directions if (d, target) in known), None)
        if message is None:
            # Of a chat that is not shown it will never be here.
            reason = event.chat and effects.not_shown(event.chat)
            waits = target is not None and not reason
            outcomes.append(
                Outcome(reason=reason or UNKNOWN_MESSAGE, not_yet=waits, awaits=target or "" if waits else "")
            )
            continue
        at = moment(event.timestamp, told.received_at)
        is_change = _edit(message, event.text, at) if isinstance(event, MessageEdited) else _delete(message, at)
        if is_change:
            changed[message.direction, message.external_id] = message
        outcomes.append(DONE)
    for message in changed.values():
        message.save(update_fields=["body", "edited_at", "deleted_at"])
    effects.touched |= {message.conversation_id for message in changed.values()}
    effects.changes += changes_of(changed.values())
    return outcomes


def _target_of(told: Told[MessageEdited | MessageDeleted]) -> str | None:
    return told.event.target_id or told.event.external_id


def _edit(message: Message, text: str | None, at: datetime) -> bool:
    """The newest edit stays, whichever comes last; of two at the same time the greater text."""
    body = message.body if text is None else text
    if message.edited_at is not None and (message.edited_at, message.body) >= (at, body):
        return False
    message.body, message.edited_at = body, at
    return True


def _delete(message: Message, at: datetime) -> bool:
    """The text stays in the row, for whoever must know what was said; nobody is shown it."""
    if message.deleted_at is not None and message.deleted_at <= at:
        return False
    message.deleted_at = at
    return True
