"""What Celery rings for."""

import threading

from celery import shared_task

from webhooks import drain

RUN_SECONDS = 10.0

_running = threading.Semaphore(2)


@shared_task
def drain_inbox() -> None:
    """Settle what is due. Two drains a process are enough, and leave threads for sending."""
    if not _running.acquire(blocking=False):
        return
    try:
        drain.drain(seconds=RUN_SECONDS)
    finally:
        _running.release()
