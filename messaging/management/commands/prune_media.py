"""`manage.py prune_media`: delete files whose messages are gone."""

from argparse import ArgumentParser
from itertools import islice
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand

from messaging.media import storage


class Command(BaseCommand):
    help = "Delete stored files that no message has any more; files of the last day are left alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=int, default=10_000, help="delete no more than this many (10000)")
        parser.add_argument("--dry-run", action="store_true", help="name them, and delete nothing")

    def handle(self, *args: Any, limit: int, dry_run: bool, **options: Any) -> None:
        count = 0
        for count, name in enumerate(islice(storage.orphans(), limit), start=1):  # noqa: B007 - counted to the end
            if dry_run:
                self.stdout.write(name)
            else:
                default_storage.delete(name)
        self.stdout.write(f"{count} {'would be deleted' if dry_run else 'deleted'}")
