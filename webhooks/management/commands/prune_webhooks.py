"""`manage.py prune_webhooks`: forget settled events now (docs/operations.md)."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from webhooks.retention import prune

DAY_SECONDS = 24 * 3600.0


class Command(BaseCommand):
    help = "Delete webhook events that were handled or ignored long ago; those that could not be handled stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        days = settings.WEBHOOK_RETENTION.total_seconds() / DAY_SECONDS
        parser.add_argument("--days", type=float, default=days, help=f"keep the last so many days ({days:g})")

    def handle(self, *args: Any, days: float, **options: Any) -> None:
        deleted = prune(seconds=DAY_SECONDS, keep=timedelta(days=days))
        self.stdout.write(f"{deleted} events deleted.")
