"""What Celery rings for."""

import threading

from celery import shared_task

from webhooks import completeness, drain, lost_receipts, retention, settling

RUN_SECONDS = 10.0
PRUNE_SECONDS = 20.0

_running = threading.Semaphore(2)
# All wait for the gateway: one of each a process leaves threads for sending.
_catching_up = threading.Lock()
_looking_up = threading.Lock()
_settling = threading.Lock()


@shared_task
def drain_inbox() -> None:
    """Settle what is due. Two drains a process are enough, and leave threads for sending."""
    if not _running.acquire(blocking=False):
        return
    try:
        drain.drain(seconds=RUN_SECONDS)
    finally:
        _running.release()


@shared_task
def catch_up() -> None:
    """Compare numbers that are due with what the gateway has stored."""
    if not _catching_up.acquire(blocking=False):
        return
    try:
        completeness.catch_up_due()
    finally:
        _catching_up.release()


@shared_task
def look_up_receipts() -> None:
    """Ask for the receipts of messages that stay `sent`."""
    if not _looking_up.acquire(blocking=False):
        return
    try:
        lost_receipts.look_up_due()
    finally:
        _looking_up.release()


@shared_task
def settle_uncertain() -> None:
    """Ask what became of messages whose sending nobody confirmed."""
    if not _settling.acquire(blocking=False):
        return
    try:
        settling.settle_due()
    finally:
        _settling.release()


@shared_task
def prune_events() -> None:
    """Forget what has been settled for long."""
    retention.prune(seconds=PRUNE_SECONDS)
