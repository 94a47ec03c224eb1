"""`manage.py healthcheck worker|beat|pump`: exit 0 when the process showed a sign of life lately."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from crm_whatsapp import heartbeat

# Ticks come every second; a worker may spend some seconds in one task.
MAX_AGE_SECONDS = 60


class Command(BaseCommand):
    help = "Exit 0 when the process showed a sign of life within the last minute, 1 otherwise."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("process", choices=["worker", "beat", "pump"])

    def handle(self, *args: Any, process: str, **options: Any) -> None:
        age = heartbeat.age(process)
        if age > MAX_AGE_SECONDS:
            raise CommandError(f"No sign of life from {process} for {age:.0f} s.")
