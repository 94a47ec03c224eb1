"""Celery rings the bell, nothing more: a task carries no data but "look" (docs/architecture.md, "The one idea")."""

import os

import structlog
from celery import Celery
from celery.signals import after_task_publish, beat_init, setup_logging, task_postrun

from crm_whatsapp import heartbeat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_whatsapp.settings")

app = Celery("crm_whatsapp")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# A tick that nobody took within `expires` seconds is worthless: the next one does the same.
_TICK = {"expires": 3}
app.conf.beat_schedule = {
    "inbox": {"task": "webhooks.tasks.drain_inbox", "schedule": 1.0, "options": _TICK},
    "delivery": {"task": "messaging.tasks.deliver", "schedule": 1.0, "options": _TICK},
    "media": {"task": "messaging.tasks.fetch_media", "schedule": 1.0, "options": _TICK},
    "chat-actions": {"task": "messaging.tasks.act", "schedule": 1.0, "options": _TICK},
    "snoozed": {"task": "messaging.tasks.wake_snoozed", "schedule": 5.0, "options": _TICK},
    "imports": {"task": "messaging.tasks.run_imports", "schedule": 5.0, "options": _TICK},
    "prune-imports": {"task": "messaging.tasks.prune_imports", "schedule": 3600.0, "options": {"expires": 600}},
    "campaigns": {"task": "campaigns.tasks.feed", "schedule": 1.0, "options": _TICK},
    "audiences": {"task": "campaigns.tasks.fill", "schedule": 1.0, "options": _TICK},
    "connections": {"task": "units.tasks.reconcile_connections", "schedule": 1.0, "options": _TICK},
    # Every so many seconds, whether anything is due; how often a number is compared is a setting (CATCH_UP_MINUTES).
    "catch-up": {"task": "webhooks.tasks.catch_up", "schedule": 5.0, "options": _TICK},
    "number-checks": {"task": "messaging.tasks.check_numbers", "schedule": 5.0, "options": _TICK},
    "attention": {"task": "attention.tasks.look", "schedule": 15.0, "options": _TICK},
    "prune-attention": {"task": "attention.tasks.prune", "schedule": 3600.0, "options": {"expires": 600}},
    "outgoing-webhooks": {"task": "outgoing_webhooks.tasks.post", "schedule": 1.0, "options": _TICK},
    "receipts": {"task": "webhooks.tasks.look_up_receipts", "schedule": 30.0, "options": _TICK},
    "uncertain": {"task": "webhooks.tasks.settle_uncertain", "schedule": 5.0, "options": _TICK},
    "prune-events": {"task": "webhooks.tasks.prune_events", "schedule": 300.0, "options": {"expires": 60}},
    "prune-attachments": {
        "task": "messaging.tasks.prune_attachments",
        "schedule": 3600.0,
        "options": {"expires": 600},
    },
    "prune": {"task": "units.tasks.prune", "schedule": 3600.0, "options": {"expires": 600}},
}


@setup_logging.connect
def _keep_our_logging(**kwargs: object) -> None:
    """Connecting anything here keeps Celery from configuring logging; Django's settings have done it."""
    structlog.get_logger(__name__).debug("logging_kept")


@task_postrun.connect
def _worker_lives(**kwargs: object) -> None:
    heartbeat.beat("worker")


@beat_init.connect
def _beat_starts(**kwargs: object) -> None:
    # Only in beat's own process; a tick that could not be published is no sign of life.
    after_task_publish.connect(_beat_lives, weak=False)


def _beat_lives(**kwargs: object) -> None:
    heartbeat.beat("beat")
