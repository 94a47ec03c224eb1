"""`manage.py seed_demo`: a unit with people and conversations to look at, for `make run`."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from messaging import people
from messaging.events import Chat, ChatAddress, MessageKind, MessageReceived
from messaging.inbound import MessageHandlerService, Told
from units.models import ApiToken, Unit, User, sha256
from units.services import create_unit

EMAIL, PASSWORD = "ana@example.com", "demonstracao"
UNIT = "Ótica Aurora · Moema"

# Name, number, and what was said: (minutes ago, by the contact?, text). The people are invented.
CONVERSATIONS: list[tuple[str, str, list[tuple[int, bool, str]]]] = [
    (
        "Marina Alves de Albuquerque",
        "5511900000208",
        [
            (95, True, "Oi! Essa armação aguenta lente multifocal?"),
            (80, False, "Aguenta sim! Fiz o orçamento com ela."),
            (12, True, "Pode ser quinta às 15h então 😊"),
        ],
    ),
    (
        "Seu Osvaldo Tavares",
        "5511900000118",
        [(60, True, "Boa tarde"), (42, True, "Meus óculos já estão prontos para retirada?")],
    ),
    ("Camila Nogueira", "5511900000177", [(18, True, "Vocês aceitam convênio da prefeitura?")]),
    (
        "Helena Duarte",
        "5511900000391",
        [(190, True, "Bom dia, tudo bem?"), (185, False, "Bom dia, Helena! Seus óculos estão prontos para retirada.")],
    ),
]
MORE_PEOPLE = [
    ("Paulo Rezende", "5511900000402"),
    ("Letícia Moura", "5511900000519"),
    ("Tiago Moreira", "5511900000533"),
    ("Gustavo Amaral", "5519900000025"),
]


class Command(BaseCommand):
    help = "Make a unit with people and conversations to look at, once; print how to log in."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("Demo data has a well-known password. Set DEBUG=true if this is no server.")
        user = User.objects.filter(email=EMAIL).first() or User.objects.create_superuser(
            EMAIL, PASSWORD, first_name="Ana", last_name="Prado"
        )
        unit = Unit.objects.of_member(user).first() or self._unit(user)
        # Always the same, so that every start can print it: only its hash is kept.
        token = f"crm_{salted_hmac('seed_demo', EMAIL).hexdigest()}"
        ApiToken.objects.get_or_create(sha256=sha256(token), defaults={"user": user, "name": "seed_demo"})
        self.stdout.write(f"Login    {EMAIL}   {PASSWORD}")
        self.stdout.write(f"Token    {token}")
        self.stdout.write(f"Unit     {unit.id}   {unit.name}")

    def _unit(self, user: User) -> Unit:
        unit = create_unit(UNIT, owner=user)
        now = timezone.now()
        told = []
        for name, number, messages in CONVERSATIONS:
            people.contact_by_phone(unit, f"+{number}", name)
            chat = ChatAddress(jid=f"{number}@s.whatsapp.net", kind=Chat.INDIVIDUAL, phone=f"+{number}")
            for place, (minutes, from_contact, text) in enumerate(messages):
                event = MessageReceived(
                    kind=MessageKind.TEXT,
                    external_id=f"DEMO{number}{place}",
                    from_me=not from_contact,
                    chat=chat,
                    text=text,
                    timestamp=int((now - timedelta(minutes=minutes)).timestamp()),
                )
                told.append(Told(event=event, received_at=now, key=f"{number}.{place}"))
        MessageHandlerService(unit.connection).handle(told)
        for name, number in MORE_PEOPLE:
            people.contact_by_phone(unit, f"+{number}", name)
        return unit
