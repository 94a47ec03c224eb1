"""What Celery rings for."""

import threading

from celery import shared_task

from attention import episodes

LOOK = "attention.tasks.look"

_looking = threading.Lock()


@shared_task(name=LOOK)
def look() -> None:
    """See what needs a person, and tell; one a process is enough."""
    if not _looking.acquire(blocking=False):
        return
    try:
        episodes.look()
    finally:
        _looking.release()


@shared_task
def prune() -> None:
    """Forget what ended long ago."""
    episodes.forget_old()
