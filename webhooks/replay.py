"""Handle again what was handled wrongly or not at all."""

from django.db.models import QuerySet

from crm_whatsapp.bell import ring_on_commit
from crm_whatsapp.db import ClockNow
from webhooks.inbox import DRAIN
from webhooks.models import EventStatus, WebhookEvent


def replay(events: QuerySet[WebhookEvent]) -> int:
    """Put settled `events` back into the inbox; the number of them. What had its effect has it no second time (I2)."""
    count = events.exclude(status=EventStatus.RECEIVED).update(
        status=EventStatus.RECEIVED, reason="", attempts=0, due_at=ClockNow(), settled_at=None
    )
    ring_on_commit(DRAIN)
    return count
