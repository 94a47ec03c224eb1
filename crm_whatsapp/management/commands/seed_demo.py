"""`manage.py seed_demo`: a unit with people and conversations to look at, for `make run`."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from campaigns.services import CampaignService
from messaging import people
from messaging.contacts import consent, editing
from messaging.events import Chat, ChatAddress, MessageKind, MessageReceived
from messaging.inbound import MessageHandlerService, Told
from messaging.models import AttributeDefinition, AttributeKind, OptOutSource, Tag
from units.crypto import sha256
from units.models import ApiToken, Unit, User
from units.models.tokens import PREFIX_CHARACTERS
from units.roles import Action
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
# Number → tags and attributes.
KNOWN = {
    "5511900000208": (["Multifocal"], {"cidade": "São Paulo", "ultima_compra": "2025-08-14"}),
    "5511900000118": (["Multifocal"], {"cidade": "São Paulo", "ultima_compra": "2024-03-02"}),
    "5511900000177": (["Convênio"], {"cidade": "Santo André"}),
    "5511900000391": (["Retirada"], {"cidade": "São Paulo"}),
    "5511900000402": (["Multifocal"], {"ultima_compra": "2023-11-20"}),
    "5519900000025": (["Multifocal", "Convênio"], {"cidade": "Campinas", "ultima_compra": "2024-06-30"}),
}
ATTRIBUTES = [("cidade", "Cidade", AttributeKind.TEXT), ("ultima_compra", "Última compra", AttributeKind.DATE)]
# Nobody gets it by itself: a draft, to look at the rehearsal.
CAMPAIGN: dict[str, Any] = {
    "name": "Multifocais com 30% (exemplo)",
    "content": "{Oi|Olá}, {{ primeiro_nome | tudo bem }}! Esta semana as lentes multifocais estão com 30% de desconto "
    "aqui na Ótica Aurora. Quer que eu separe um horário?",
    "opt_out_line": "Para não receber mais, responda SAIR.",
}


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
        known = {"user": user, "name": "seed_demo", "prefix": token[:PREFIX_CHARACTERS], "scopes": list(Action.values)}
        ApiToken.objects.get_or_create(sha256=sha256(token), defaults=known)
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
        self._sort(unit)
        multifocal = Tag.objects.get(unit=unit, name="Multifocal")
        CampaignService.create(unit=unit, created_by=user, audience={"tags": [str(multifocal.pk)]}, **CAMPAIGN)
        return unit

    def _sort(self, unit: Unit) -> None:
        for key, name, kind in ATTRIBUTES:
            AttributeDefinition.objects.create(unit=unit, key=key, name=name, kind=kind)
        for number, (tags, values) in KNOWN.items():
            contact = people.contact_by_phone(unit, f"+{number}")
            editing.edit(contact, tag_names=tags, values=values)
        gone = people.contact_by_phone(unit, "+5511900000402")
        consent.opt_out(gone, source=OptOutSource.STAFF, reason="Pediu no balcão.")
