"""Notes, events and labels of two conversations that become one. Steps of `messaging.merging`."""

from typing import Any

from messaging.models import Conversation, ConversationEvent, ConversationLabel, Label, Note
from messaging.rows import restore, row_of

# What stands in a thread besides messages.
_LINES: tuple[tuple[str, Any], ...] = (("notes", Note), ("events", ConversationEvent))


def join(kept: Conversation, absorbed: Conversation) -> dict[str, Any]:
    """Give `kept` what is the other's, within a transaction, with both locked; what it takes to part them.

    Of labels that both had, the other's row goes with its conversation.
    """
    told: dict[str, Any] = {}
    for name, model in _LINES:
        lines = model.objects.filter(conversation=absorbed)
        told[name] = [str(pk) for pk in lines.order_by("pk").values_list("pk", flat=True)]
        lines.update(conversation=kept)
    rows = ConversationLabel.objects.filter(conversation=absorbed)
    of_kept = ConversationLabel.objects.filter(conversation=kept).values("label")
    told["replaced"] = [row_of(row) for row in rows.filter(label__in=of_kept).order_by("pk")]
    moving = rows.exclude(pk__in=[row["id"] for row in told["replaced"]])
    told["labels"] = [str(pk) for pk in moving.order_by("pk").values_list("pk", flat=True)]
    moving.update(conversation=kept)
    return told


def part(told: dict[str, Any], joint: Conversation, back: Conversation) -> None:
    """Give back what `join` has moved, as far as it is still there."""
    for name, model in _LINES:
        # Of merges from before there were events, nothing is told of them.
        model.objects.filter(pk__in=told.get(name, []), conversation=joint).update(conversation=back)
    ConversationLabel.objects.filter(pk__in=told["labels"], conversation=joint).update(conversation=back)
    here = {str(pk) for pk in Label.objects.filter(unit=joint.unit_id).values_list("pk", flat=True)}
    for row in told["replaced"]:
        if row["label_id"] in here:
            restore(ConversationLabel, row)
