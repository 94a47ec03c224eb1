"""`manage.py reencrypt`: after a change of ENCRYPTION_KEYS (docs/operations.md, "Secrets and keys")."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from units.crypto import reencrypt


class Command(BaseCommand):
    help = (
        "Encrypt anew, by the first of ENCRYPTION_KEYS, what older keys have encrypted. Safe while everything runs, "
        "and to repeat. Afterwards the older keys can go."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        tally = reencrypt()
        self.stdout.write(f"{tally.renewed} values were encrypted anew, {tally.current} had the newest key already.")
        if tally.unreadable:
            raise CommandError(
                f"No key fits {tally.unreadable} values: an older key is missing. They stay as they are."
            )
