"""`manage.py backfill`: look up at the gateway what is missing here, by hand (docs/operations.md)."""

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from crm_whatsapp.db import ClockNow
from units.gateways.errors import GatewayError
from units.models import WhatsAppConnection
from webhooks.catch_up import Comparison
from webhooks.management.arguments import aware_time

# However much there is: whoever asks by hand waits, or stops it.
ALL_PAGES = 1_000_000
DAY_SECONDS = 24 * 3600.0


class Command(BaseCommand):
    help = "Compare the messages that the gateway has stored of a number with ours, and fill in what is missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--unit", type=UUID, metavar="ID", help="id of the unit")
        whose.add_argument("--connection", metavar="NAME", help="name of the instance: unit_<id>")
        since = parser.add_mutually_exclusive_group()
        since.add_argument("--since", type=aware_time, metavar="TIME", help="from then on: 2026-01-31T08:00-03:00")
        since.add_argument("--hours", type=float, default=24.0, help="the last so many hours (24)")
        parser.add_argument("--dry-run", action="store_true", help="count only, change nothing")

    def handle(
        self,
        *args: Any,
        unit: UUID | None,
        connection: str | None,
        since: datetime | None,
        hours: float,
        dry_run: bool,
        **options: Any,
    ) -> None:
        rows = WhatsAppConnection.objects.select_related("unit").annotate(clock=ClockNow())
        found = rows.filter(unit_id=unit) if unit else rows.filter(instance_name=connection)
        if (number := found.first()) is None:
            raise CommandError("There is no such number.")
        begin = since or number.clock - timedelta(hours=hours)
        comparison = Comparison(number, pages=ALL_PAGES, seconds=DAY_SECONDS, dry_run=dry_run)
        try:
            comparison.run(begin, number.clock)
        except GatewayError as error:
            raise CommandError(f"{error.sentence} ({error})") from error
        finally:
            tally = comparison.tally
            verb = "would be filled in" if dry_run else "filled in"
            self.stdout.write(
                f"{tally.seen} messages at the gateway since {begin.isoformat(timespec='seconds')}: "
                f"{tally.messages} messages and {tally.receipts} receipts {verb}."
            )
