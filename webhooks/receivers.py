"""What follows here from what happens to messages and connections."""

from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.dispatch import receiver

from messaging.signals import messages_moved
from units import live
from units.models import ConnectionStatus, DisconnectCause, WhatsAppConnection
from units.signals import connection_closing, connection_moved
from webhooks import completeness
from webhooks.awaiting import wake_awaiting_messages

# A number disconnected for another cause comes back with the same session, and WhatsApp tells it what it missed.
_SESSION_OVER = frozenset(
    {
        DisconnectCause.BY_US,
        DisconnectCause.LOGGED_OUT,
        DisconnectCause.INSTANCE_MISSING,
        DisconnectCause.QR_EXPIRED,
    }
)


@receiver(messages_moved)
def wake_what_awaits(sender: Any, ids: list[UUID], **kwargs: Any) -> list[live.Change]:
    """A message of ours may have got its id just now, and a receipt may have been faster."""
    transaction.on_commit(partial(wake_awaiting_messages, ids), robust=True)
    return []


@receiver(connection_moved)
def follow_connection(sender: Any, connection: WhatsAppConnection, was: str, **kwargs: Any) -> None:
    """Compare once the number is back; where the session ended, or a code is shown for a new one, there is a gap."""
    if connection.status == ConnectionStatus.CONNECTED:
        completeness.came_up(connection)
    elif connection.status == ConnectionStatus.AWAITING_SCAN or (
        connection.status == ConnectionStatus.DISCONNECTED and connection.cause in _SESSION_OVER
    ):
        completeness.session_ended(connection)


@receiver(connection_closing)
def look_a_last_time(sender: Any, connection: WhatsAppConnection, **kwargs: Any) -> None:
    completeness.before_the_end(connection)
