"""What Celery rings for."""

import threading

from celery import shared_task
from celery.signals import worker_shutting_down

from messaging.delivery import Delivery
from messaging.media.fetch import Fetcher

# Longer than beat's tick, so that work goes on without a pause; short enough for a worker that is told to stop.
RUN_SECONDS = 20.0

_running = threading.Lock()
_wake = threading.Event()
_loading = threading.Lock()
_wake_loading = threading.Event()
_stop = threading.Event()


@worker_shutting_down.connect
def _stop_taking_more(**kwargs: object) -> None:
    _stop.set()
    _wake.set()
    _wake_loading.set()


@shared_task
def deliver() -> None:
    """Send what is due. One delivery a process is enough: it has threads of its own, and a second bell wakes it."""
    _wake.set()
    # Asked again after the release: a bell that came just before it found the lock taken and went away.
    while _wake.is_set() and not _stop.is_set() and _running.acquire(blocking=False):
        try:
            Delivery().run(seconds=RUN_SECONDS, wake=_wake, stop=_stop)
        finally:
            _running.release()


@shared_task
def fetch_media() -> None:
    """Load the files of messages that are due, as `deliver` sends: one fetcher a process, with threads of its own."""
    _wake_loading.set()
    while _wake_loading.is_set() and not _stop.is_set() and _loading.acquire(blocking=False):
        try:
            Fetcher().run(seconds=RUN_SECONDS, wake=_wake_loading, stop=_stop)
        finally:
            _loading.release()
