"""What makes it worth looking at once; beat looks by itself every 15 seconds."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from attention.tasks import LOOK
from crm_whatsapp.bell import ring_on_commit
from messaging.signals import messages_moved
from units import live
from units.signals import connection_moved


@receiver(connection_moved)
def look_at_the_number(sender: Any, **kwargs: Any) -> list[live.Change]:
    """It is away, or back."""
    ring_on_commit(LOOK)
    return []


@receiver(messages_moved)
def look_at_messages(sender: Any, in_trouble: list[UUID], **kwargs: Any) -> list[live.Change]:
    """Some failed or are uncertain, and campaigns may have been held for it."""
    if in_trouble:
        ring_on_commit(LOOK)
    return []
