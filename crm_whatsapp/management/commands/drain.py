"""`manage.py drain`: the worker's work without a broker, for what has been overdue (docs/architecture.md)."""

import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from attention.episodes import look as look_after_attention
from campaigns.feeder import feed_campaigns, start_due
from campaigns.filling import fill_audiences
from crm_whatsapp import heartbeat
from messaging.delivery import Delivery
from messaging.imports.running import run_imports
from messaging.inbox.steering import wake_snoozed
from messaging.media.fetch import Fetcher
from messaging.number_checks import check_due as check_numbers_due
from messaging.outgoing.actions import Doer
from outgoing_webhooks.posting import Poster
from units.services import reconcile_due
from webhooks.completeness import catch_up_due, everything_is_due
from webhooks.drain import drain
from webhooks.lost_receipts import look_up_due
from webhooks.retention import prune
from webhooks.settling import settle_due

log = structlog.get_logger(__name__)

# The workers have this long before the pump takes over.
OVERDUE = timedelta(seconds=2)
# A worker looks every 5 s, and one that is busy with an import takes the next one later: the pump helps.
IMPORT_OVERDUE = timedelta(seconds=10)
PAUSE_SECONDS = 0.5
# What the workers look at every 5 or 30 s, or less often.
RARELY_OVERDUE = timedelta(seconds=40)
RARE_PAUSE_SECONDS = 20.0
PRUNE_PAUSE_SECONDS = 600.0


class Command(BaseCommand):
    help = "Work off what has been overdue for two seconds: webhooks, messages, files, campaigns, connection checks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on until stopped (SIGTERM or Ctrl-C)")

    def handle(self, *args: Any, loop: bool, **options: Any) -> None:
        stop = threading.Event()
        if not loop:
            stop.set()
        else:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
        jobs: list[Callable[[], Any]] = [
            lambda: drain(seconds=10, overdue=OVERDUE),
            lambda: Delivery(overdue=OVERDUE).run(seconds=10, stop=stop if loop else None),
            lambda: Fetcher(overdue=OVERDUE).run(seconds=10, stop=stop if loop else None),
            lambda: Doer(overdue=OVERDUE).run(seconds=10, stop=stop if loop else None),
            lambda: run_imports(overdue=IMPORT_OVERDUE, stop=stop if loop else None),
            start_due,
            feed_campaigns,
            fill_audiences,
            reconcile_due,
            lambda: Poster().run(seconds=10, stop=stop if loop else None),
        ]
        away = loop

        def compare() -> None:
            nonlocal away
            if away:
                # Whoever is started may have been away: every number is compared.
                everything_is_due()
                away = False
            catch_up_due(overdue=RARELY_OVERDUE)

        rare: list[tuple[Callable[[], Any], float]] = [
            (compare, RARE_PAUSE_SECONDS),
            (lambda: look_up_due(overdue=RARELY_OVERDUE), RARE_PAUSE_SECONDS),
            (lambda: settle_due(overdue=RARELY_OVERDUE), RARE_PAUSE_SECONDS),
            (lambda: check_numbers_due(overdue=OVERDUE), PAUSE_SECONDS),
            (look_after_attention, RARE_PAUSE_SECONDS),
            (wake_snoozed, RARE_PAUSE_SECONDS),
            (lambda: prune(seconds=20), PRUNE_PAUSE_SECONDS),
        ]
        # A thread each: a send that waits 75 s for its answer holds nobody up.
        threads = [
            threading.Thread(target=_repeat, args=(job, stop, pause), daemon=True)
            for job, pause in [*((job, PAUSE_SECONDS) for job in jobs), *rare]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(timeout=1)
                heartbeat.beat("pump")


def _repeat(job: Callable[[], Any], stop: threading.Event, pause: float) -> None:
    while True:
        try:
            job()
        except Exception:
            # The database may be restarting; the next round tries again.
            log.exception("pump_failed")
            time.sleep(PAUSE_SECONDS)
        finally:
            close_old_connections()
        if stop.wait(pause):
            return
