"""Rows for the console's pages."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from messaging.models import Conversation, Direction, Message, MessageStatus, Origin
from units.models import Unit, User


def message(
    conversation: Conversation, body: str = "Oi", *, out: bool = False, minutes_ago: int = 0, **fields: Any
) -> Message:
    """A message of the conversation, received or sent by a person, with the inbox's summary of it."""
    defaults: dict[str, Any] = {
        "direction": Direction.OUTBOUND if out else Direction.INBOUND,
        "origin": Origin.REPLY if out else Origin.CONTACT,
        "status": MessageStatus.SENT if out else MessageStatus.RECEIVED,
        "happened_at": timezone.now() - timedelta(minutes=minutes_ago),
    }
    row = Message.objects.create(
        unit_id=conversation.unit_id,
        connection=conversation.unit.connection,
        conversation=conversation,
        body=body,
        **defaults | fields,
    )
    Conversation.objects.filter(pk=conversation.pk).refresh_summary()
    return row


def at(unit: Unit, path: str = "") -> str:
    """An address of the unit's console."""
    return f"/app/u/{unit.id}/{path}"


def colleague(unit: Unit) -> User:
    """Another person of the unit."""
    user = User.objects.create_user("bia@example.com", "correct horse battery", first_name="Bia")
    unit.memberships.create(user=user)
    return user


HTMX = {"HX-Request": "true"}
