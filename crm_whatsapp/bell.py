"""Tell the workers to look. A bell that is lost, doubled or late changes latency, never the result."""

import threading
import time

import structlog
from django.db import transaction

from crm_whatsapp.celery import app

log = structlog.get_logger(__name__)

# One bell per task, process and this many seconds is plenty.
COALESCE_SECONDS = 0.1

_wanted: set[str] = set()
_wake = threading.Condition()
_ringer: threading.Thread | None = None


def ring_on_commit(task: str) -> None:
    """Ring for `task` (its dotted name) once the transaction under way has committed; at once outside of one.

    Never blocks and never raises: a thread of this process speaks to the broker. With the broker gone, the pump finds
    the work within two seconds.
    """
    transaction.on_commit(lambda: _ring(task))


def _ring(task: str) -> None:
    global _ringer
    with _wake:
        _wanted.add(task)
        # Also after a fork, where the parent's thread does not exist.
        if _ringer is None or not _ringer.is_alive():
            _ringer = threading.Thread(target=_ring_forever, name="bell", daemon=True)
            _ringer.start()
        _wake.notify()


def _ring_forever() -> None:
    while True:
        with _wake:
            while not _wanted:
                _wake.wait()
            tasks = set(_wanted)
            _wanted.clear()
        for task in tasks:
            try:
                app.send_task(task, expires=3, ignore_result=True, retry=False)
            except Exception as error:  # noqa: BLE001 - whatever the broker's client raises, the pump will look
                log.warning("bell_not_rung", task=task, error=type(error).__name__)
        time.sleep(COALESCE_SECONDS)
