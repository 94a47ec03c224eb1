"""What Celery rings for."""

import threading
from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore

from crm_whatsapp.db import ClockNow
from units import idempotency, letters, services
from units.models import LiveEvent

# Open browsers read live events within seconds, `changes?after=` within days.
KEEP_LIVE_EVENTS = timedelta(days=14)

_running = threading.Semaphore(2)


@shared_task
def reconcile_connections() -> None:
    """Ask the gateway about connections whose check is due. Two at a time: one that hangs must not take all threads."""
    if not _running.acquire(blocking=False):
        return
    try:
        services.reconcile_due()
    finally:
        _running.release()


@shared_task
def prune() -> None:
    """Forget live events that nobody will ask for, answers that nobody will ask for again, and sessions that ended."""
    SessionStore.clear_expired()
    idempotency.forget_old()
    LiveEvent.objects.filter(created_at__lt=ClockNow() - KEEP_LIVE_EVENTS).delete()


@shared_task
def send_password_link(user_id: str, site: str) -> None:
    """Told what to do by its message, unlike the others: a letter that is lost is no loss, as whoever waits in vain
    asks again. By id: the broker sees no address, and not whether there is such an account.
    """
    letters.send_password_link(UUID(user_id), site)
