"""What Celery rings for."""

from datetime import timedelta

from celery import shared_task

from crm_whatsapp.db import ClockNow
from units import services
from units.models import LiveEvent

# Open browsers read live events within seconds, `changes?after=` within days.
KEEP_LIVE_EVENTS = timedelta(days=14)


@shared_task
def reconcile_connections() -> None:
    """Ask the gateway about connections whose check is due."""
    services.reconcile_due()


@shared_task
def prune() -> None:
    """Forget live events that nobody will ask for."""
    LiveEvent.objects.filter(created_at__lt=ClockNow() - KEEP_LIVE_EVENTS).delete()
