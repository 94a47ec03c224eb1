"""What Celery rings for."""

import threading
from contextlib import ExitStack

from celery import shared_task
from celery.signals import worker_shutting_down

from outgoing_webhooks.posting import Poster

# Longer than beat's tick, so that work goes on without a pause; short enough for a worker that is told to stop.
RUN_SECONDS = 20.0

_posting = threading.Lock()
_stop = threading.Event()


@worker_shutting_down.connect
def _stop_taking_more(**kwargs: object) -> None:
    _stop.set()


@shared_task
def post() -> None:
    """Post what is due: one poster a process that takes more, with threads of its own."""
    if not _posting.acquire(blocking=False):
        return
    with ExitStack() as held:
        held.callback(_posting.release)
        Poster().run(seconds=RUN_SECONDS, stop=_stop, on_last=held.close)
