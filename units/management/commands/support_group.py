"""`manage.py support_group`: a group of staff who look after the operation, without people, secrets or chats."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

# By app: what they see. Not who works here, what was done by whom, tokens, contacts, chats or their files.
SEES = {
    "units": ["unit", "whatsappconnection"],
    "messaging": ["sendlane", "failedattempt", "messagemedia", "contactimport"],
    "campaigns": ["campaign"],
    "webhooks": ["webhookevent", "completeness"],
    "attention": ["episode"],
}
# Where they also act: replay an event, compare a number, load a file again. None of these has a form to change.
ACTS = {"webhooks": ["webhookevent", "completeness"], "messaging": ["messagemedia"]}


class Command(BaseCommand):
    help = "Make the group of support staff for the admin, or give it back the rights it had at first."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--name", default=_("Support"), help="name of the group")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        wanted = {(app, f"view_{model}") for app, models in SEES.items() for model in models}
        wanted |= {(app, f"change_{model}") for app, models in ACTS.items() for model in models}
        rows = Permission.objects.select_related("content_type")
        found = [row for row in rows if (row.content_type.app_label, row.codename) in wanted]
        if len(found) != len(wanted):
            raise CommandError("Rights are missing: run migrate first.")
        group, is_new = Group.objects.get_or_create(name=name)
        group.permissions.set(found)
        self.stdout.write(f"{'Made' if is_new else 'Renewed'} the group “{name}” with {len(found)} rights.")
