"""`manage.py renew_webhooks`: register the webhooks of all numbers anew (docs/operations.md, "Secrets and keys")."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from units import webhook_secrets
from units.gateways.errors import GatewayError, InstanceMissing
from units.models import Unit
from units.webhook_secrets import RenewedJustNow


class Command(BaseCommand):
    help = (
        "Register a webhook with a new secret, and with the header of EVOLUTION_WEBHOOK_HEADER_SECRETS, for every "
        "number that is set up at the gateway. What is on its way to the address before still comes in."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--unit", type=UUID, metavar="ID", help="only of this unit")

    def handle(self, *args: Any, unit: UUID | None, **options: Any) -> None:
        units = Unit.objects.select_related("connection").order_by("id")
        done = failed = 0
        for one in units.filter(pk=unit) if unit else units:
            try:
                webhook_secrets.renew(one)
            except InstanceMissing:
                # Not set up at the gateway: the next connect registers it.
                continue
            except (GatewayError, RenewedJustNow) as error:
                failed += 1
                self.stderr.write(f"{one.pk}: {error or type(error).__name__}")
            else:
                done += 1
        self.stdout.write(f"{done} webhooks are registered anew.")
        if failed:
            raise CommandError(f"{failed} are as they were. Run this again.")
