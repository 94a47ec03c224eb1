"""`manage.py seed_demo`: a unit with people and conversations to look at, for `make run`."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.crypto import salted_hmac

from crm_whatsapp.demo import shop
from units.crypto import sha256
from units.models import ApiToken, Unit, User
from units.models.tokens import PREFIX_CHARACTERS
from units.roles import Action

EMAIL, PASSWORD = "ana@example.com", "demonstracao"


class Command(BaseCommand):
    help = "Make a shop of some weeks to look at, once; print how to log in."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("Demo data has a well-known password. Set DEBUG=true if this is no server.")
        user = User.objects.filter(email=EMAIL).first() or User.objects.create_superuser(
            EMAIL, PASSWORD, first_name="Ana", last_name="Prado"
        )
        unit = Unit.objects.of_member(user).first() or shop.make(user, PASSWORD)
        # Always the same, so that every start can print it: only its hash is kept.
        token = f"crm_{salted_hmac('seed_demo', EMAIL).hexdigest()}"
        known = {
            "user": user,
            "name": "Demonstração",
            "prefix": token[:PREFIX_CHARACTERS],
            "scopes": list(Action.values),
        }
        ApiToken.objects.get_or_create(sha256=sha256(token), defaults=known)
        self.stdout.write(f"Login    {EMAIL}   {PASSWORD}")
        self.stdout.write(f"Token    {token}")
        self.stdout.write(f"Unit     {unit.id}   {unit.name}")
