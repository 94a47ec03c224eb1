"""What Celery rings for."""

import threading

from celery import shared_task
from celery.signals import worker_shutting_down

from messaging import number_checks
from messaging.delivery import Delivery
from messaging.imports import files as import_files
from messaging.imports.running import run_imports as work_off_imports
from messaging.inbox import steering
from messaging.media.fetch import Fetcher
from messaging.outgoing import attachments
from messaging.outgoing.actions import Doer

# Longer than beat's tick, so that work goes on without a pause; short enough for a worker that is told to stop.
RUN_SECONDS = 20.0

_running = threading.Lock()
_wake = threading.Event()
_loading = threading.Lock()
_importing = threading.Lock()
_wake_loading = threading.Event()
_acting = threading.Lock()
_wake_acting = threading.Event()
_stop = threading.Event()


@worker_shutting_down.connect
def _stop_taking_more(**kwargs: object) -> None:
    _stop.set()
    _wake.set()
    _wake_loading.set()
    _wake_acting.set()


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


# A server that hangs on one question must not take all threads.
_checking = threading.Semaphore(2)


@shared_task
def check_numbers() -> None:
    """Ask WhatsApp about numbers that campaigns are about to write to."""
    if not _checking.acquire(blocking=False):
        return
    try:
        number_checks.check_due()
    finally:
        _checking.release()


@shared_task
def run_imports() -> None:
    """Import what waits, to its end: minutes for a million rows. One a process, so that sends keep their threads."""
    if _importing.acquire(blocking=False):
        try:
            work_off_imports(stop=_stop)
        finally:
            _importing.release()


@shared_task
def prune_imports() -> None:
    """Delete files of imports that nobody needs any more."""
    import_files.prune()


@shared_task
def act() -> None:
    """Edit, delete, show typing and mark as read where that was asked for, as `deliver` sends."""
    _wake_acting.set()
    while _wake_acting.is_set() and not _stop.is_set() and _acting.acquire(blocking=False):
        try:
            Doer().run(seconds=RUN_SECONDS, wake=_wake_acting, stop=_stop)
        finally:
            _acting.release()


@shared_task
def prune_attachments() -> None:
    """Forget files that nobody has sent."""
    attachments.prune()


@shared_task
def wake_snoozed() -> None:
    """Open conversations that have been snoozed long enough."""
    steering.wake_snoozed()
