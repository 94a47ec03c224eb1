"""`manage.py replay_webhooks`: handle events again (docs/operations.md)."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand
from django.db.models import Count, QuerySet

from webhooks.management.arguments import aware_time
from webhooks.models import EventStatus, WebhookEvent
from webhooks.replay import chosen, replay, replayable

SETTLED = (EventStatus.DEAD, EventStatus.IGNORED, EventStatus.HANDLED)


class Command(BaseCommand):
    help = (
        "Handle webhook events again: by default those that could not be handled. What had its effect has it no second "
        "time, and nothing is sent. Hints about the connection and what was no JSON are left out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=UUID, nargs="*", help="only these events, whatever became of them")
        parser.add_argument("--unit", type=UUID, metavar="ID", help="only of this unit")
        parser.add_argument("--since", type=aware_time, metavar="TIME", help="that came then or later")
        parser.add_argument("--until", type=aware_time, metavar="TIME", help="that came before then")
        parser.add_argument("--status", choices=[*SETTLED, "all"], help="what became of them (dead)")
        parser.add_argument("--dry-run", action="store_true", help="only say which, change nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        events = _wanted(**options)
        if not dry_run:
            self.stdout.write(f"{replay(events)} events are handled again.")
            return
        rows = replayable(events).order_by().values_list("status", "event").annotate(count=Count("id"))
        for status, event, count in rows.order_by("status", "event"):
            self.stdout.write(f"{count:>8}  {status:<8}  {event or '?'}")
        self.stdout.write(f"{sum(count for _status, _event, count in rows)} events would be handled again.")


def _wanted(
    *,
    id: list[UUID],  # noqa: A002 - as the argument is called
    unit: UUID | None,
    since: datetime | None,
    until: datetime | None,
    status: str | None,
    **options: Any,
) -> QuerySet[WebhookEvent]:
    wanted = status or ("all" if id else EventStatus.DEAD)
    return chosen(ids=id, unit_id=unit, since=since, until=until, status=None if wanted == "all" else wanted)
