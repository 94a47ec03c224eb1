"""Two units with a row of everything, and what one of them must never show or give way to the other."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4
from zlib import crc32

from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection as database
from django.db import models
from django.utils import timezone

from attention.models import Episode, Kind
from campaigns.models import Campaign, CampaignRecipient, CampaignVariant
from crm_whatsapp.db import ClockNow
from messaging import merging
from messaging.models import (
    ActionKind,
    Attachment,
    AttributeDefinition,
    CannedReply,
    ChatAction,
    Contact,
    ContactImport,
    ContactTag,
    Conversation,
    ConversationEvent,
    ConversationLabel,
    FailedAttempt,
    ImportStatus,
    Label,
    MediaStatus,
    MessageMedia,
    Note,
    Segment,
    SendLane,
    Tag,
)
from outgoing_webhooks.models import OutgoingWebhook
from tests import factories, files
from units.audit import record
from units.live import Change, publish
from units.models import (
    ApiToken,
    AuditAction,
    Membership,
    Role,
    Unit,
    User,
    WebhookSecret,
    WhatsAppConnection,
)
from units.services import create_unit
from webhooks.models import Completeness, EventStatus, WebhookEvent

type Model = type[models.Model]

# What the tables of the installation, not of a unit, may be: anything else must lead to a unit.
OF_NO_UNIT = {
    # Of people, who may work in several units.
    "users",
    "users_groups",
    "users_user_permissions",
    "answered_requests",
    "units_user_groups",
    "units_user_user_permissions",
}
# Rows of people and of Django itself hang on these: what leads here leads to no unit.
_DJANGO = ("django_", "auth_", "axes_")


@dataclass(frozen=True)
class Populated:
    """A unit with a row in every table that is a unit's, and its people."""

    unit: Unit
    people: dict[Role, User]
    # A word that is in all that people typed there.
    word: str
    # Of each model a row; by the name of an id in a route, where that is about a certain one.
    ids: dict[Model | str, Any] = field(default_factory=dict)

    @cached_property
    def strings(self) -> set[str]:
        """All text in its rows: ids, names, numbers, hashes."""
        found: set[str] = set()
        for row in rows_of(self.unit.pk):
            found |= set(_strings(row))
        return found


@dataclass(frozen=True)
class World:
    """`theirs` has the canaries; everybody who tries is of `ours`, or of nothing."""

    ours: Populated
    theirs: Populated
    # Works in both, as owner.
    both: User
    # Staff of the installation with every permission, who works nowhere.
    staff: User

    @cached_property
    def canaries(self) -> list[str]:
        """Whatever is found in their rows and not in ours."""
        known = self.ours.strings | {str(self.both.pk), self.both.email}
        return sorted(self.theirs.strings - known)

    def seen(self, text: str, *told: Any) -> list[str]:
        """Canaries in `text`, besides those that were `told` in the request."""
        sent = {str(each) for each in told}
        return [canary for canary in self.canaries if canary in text and canary not in sent]


def build() -> World:
    """Two units, alike in everything but what they hold."""
    both = User.objects.create_user("ambas@example.com", first_name="Duas")
    staff = User.objects.create_superuser("equipe@example.com", first_name="Equipe")
    ours, theirs = populate("Magnólia", "aqui"), populate("Canindé", "alheio")
    for each in (ours, theirs):
        Membership.objects.create(unit=each.unit, user=both, role=Role.OWNER)
    return World(ours, theirs, both, staff)


def populate(word: str, name: str) -> Populated:
    """A unit whose name, people and rows all have `word` in them."""
    people = {
        role: User.objects.create_user(f"{role}@{name}.example.com", first_name=f"{word} {role.label}") for role in Role
    }
    owner = people[Role.OWNER]
    unit = create_unit(f"Loja {word}", owner=owner)
    for role in (Role.MANAGER, Role.AGENT):
        Membership.objects.create(unit=unit, user=people[role], role=role)
    program = Membership.objects.create(unit=unit, user=User.objects.create_integration(f"{word} programa"))
    token, _secret = ApiToken.mint(program.user, f"{word} token", unit=unit, created_by=owner)
    connection = WhatsAppConnection.objects.get(unit=unit)
    for column, value in (factories.CONNECTED | {"profile_name": f"{word} perfil", "qr_code": f"data:{word}"}).items():
        setattr(connection, column, value)
    connection.phone_number = f"+55119{crc32(word.encode()) % 10**8:08d}"
    connection.provider_token = f"{word}-instance-key"
    connection.save()
    WebhookSecret.mint(connection)
    _inbox(unit, owner, word)
    _contacts(unit, owner, word)
    _campaigns(unit, owner, word)
    _events(unit, owner, connection, word)
    record(unit.pk, AuditAction.TOKEN_MADE, token, name=word)
    # Something for every count.
    Conversation.objects.filter(unit=unit).update(unread_count=1)
    made = Populated(unit, people, word)
    for model in tenant_models():
        row = _rows(model, unit).first()
        if row is not None:
            made.ids[model] = row.pk
    # Of these a row that there is something to do with.
    made.ids[Membership] = Membership.objects.get(unit=unit, user=people[Role.AGENT]).pk
    made.ids[User] = people[Role.AGENT].pk
    made.ids["integration_id"] = program.pk
    return made


def _inbox(unit: Unit, owner: User, word: str) -> None:
    chat = factories.conversation(unit, name=f"{word} Cliente")
    heard = factories.message(chat, f"{word} pergunta", kind="image", sender=chat.contact)
    sent = factories.message(chat, f"{word} resposta", out=True, author=owner)
    factories.reply(unit, f"{word} na fila", to=chat)
    FailedAttempt.objects.create(unit=unit, message=sent, number=1, outcome="NotSent", code="x", answer=f"{word} erro")
    attachment = Attachment.objects.create(
        unit=unit,
        created_by=owner,
        kind="document",
        name=f"{word}.txt",
        file=_stored(f"{word} anexo"),
        thumbnail=_stored(f"{word} miniatura"),
        mime_type="text/plain",
        size=len(f"{word} anexo".encode()),
        sha256=uuid4().hex * 2,
    )
    MessageMedia.objects.create(
        unit=unit,
        message=heard,
        status=MediaStatus.STORED,
        attachment=attachment,
        url=f"https://example.com/{word}",
        file=_stored(f"{word} arquivo"),
        thumbnail=_stored(f"{word} miniatura"),
        mime_type="text/plain",
        size=len(f"{word} arquivo".encode()),
        sha256=uuid4().hex * 2,
    )
    ChatAction.objects.create(
        unit=unit,
        connection=unit.connection,
        conversation=chat,
        message=sent,
        kind=ActionKind.EDIT,
        details={"text": f"{word} de novo"},
        author=owner,
        expires_at=ClockNow(),
    )
    label = Label.objects.create(unit=unit, name=f"{word} rótulo")
    ConversationLabel.objects.create(unit=unit, conversation=chat, label=label)
    Note.objects.create(unit=unit, conversation=chat, author=owner, body=f"{word} nota")
    ConversationEvent.objects.create(unit=unit, conversation=chat, kind="resolved", author=owner)
    CannedReply.objects.create(unit=unit, shortcut=f"{word}", body=f"{word} pronta")
    SendLane.objects.get_or_create(connection=unit.connection)


def _contacts(unit: Unit, owner: User, word: str) -> None:
    person = Contact.objects.filter(unit=unit).earliest("id")
    absorbed = factories.contact(unit, name=f"{word} Outra")
    merging.merge(person, factories.contact(unit, name=f"{word} Antiga"))
    factories.opt_out(absorbed)
    AttributeDefinition.objects.create(unit=unit, key="cidade", name=f"{word} cidade")
    Contact.objects.filter(pk=person.pk).update(attributes={"cidade": f"{word} do Sul"})
    tag = Tag.objects.create(unit=unit, name=f"{word} VIP")
    ContactTag.objects.create(unit=unit, contact=person, tag=tag)
    Segment.objects.create(
        unit=unit, name=f"{word} todos", filters=[{"field": "name", "op": "contains", "value": word}]
    )
    ContactImport.objects.create(
        unit=unit,
        created_by=owner,
        file_name=f"{word}.csv",
        file=_stored(f"nome;fone\n{word};1"),
        refused_file=_stored(f"code,nome,fone\nno_number,{word},1\n"),
        size=10,
        tags=[f"{word} VIP"],
        status=ImportStatus.DONE,
    )


def _campaigns(unit: Unit, owner: User, word: str) -> None:
    made = factories.campaign(unit, people=1)
    attachment = Attachment.objects.filter(unit=unit).first()
    Campaign.objects.filter(pk=made.pk).update(
        name=f"{word} campanha", content=f"{word} oferta", attachment=attachment, created_by=owner
    )
    CampaignVariant.objects.create(unit=unit, campaign=made, position=1, content=f"{word} B", attachment=attachment)
    person = Contact.objects.filter(unit=unit).earliest("id")
    CampaignRecipient.objects.get_or_create(
        unit=unit, campaign=made, contact=person, defaults={"error_message": f"{word} falha"}
    )


def _events(unit: Unit, owner: User, connection: WhatsAppConnection, word: str) -> None:
    WebhookEvent.objects.create(
        connection=connection,
        event="messages.upsert",
        body=json.dumps({"instance": connection.instance_name, "data": f"{word} corpo"}, ensure_ascii=False),
        fingerprint=uuid4().bytes * 2,
        status=EventStatus.DEAD,
        reason=f"{word} motivo",
        settled_at=timezone.now() - timedelta(hours=1),
    )
    Completeness.objects.get_or_create(connection=connection, defaults={"error": f"{word} falta"})
    OutgoingWebhook.objects.create(
        unit=unit,
        url=f"https://127.0.0.1/{quote(word)}",
        secret=f"whsec_{b64encode(word.encode()).decode()}",
        after_seq=0,
        last_error=f"{word} erro",
        created_by=owner,
    )
    off = OutgoingWebhook.objects.create(
        unit=unit, url=f"https://127.0.0.1/{quote(word)}/off", secret="whsec_", after_seq=0, is_active=False, failures=1
    )
    held = Campaign.objects.filter(unit=unit).earliest("id")
    for kind, about in ((Kind.DEAD_LETTERS, unit), (Kind.WEBHOOK_OFF, off), (Kind.HELD, held)):
        Episode.objects.create(unit=unit, kind=kind, object_id=about.pk)
    publish([Change(unit_id=unit.pk, kind="connection", object_id=connection.pk, data={"name": word})])


def _stored(text: str) -> str:
    content = files.picture() if text.endswith("miniatura") else text.encode()
    return default_storage.save(f"access/{uuid4()}", ContentFile(content))


# The tables of a unit


def tenant_models() -> list[Model]:
    """Models whose rows are a unit's."""
    tables = set(paths())
    return [model for model in apps.get_models() if model._meta.db_table in tables]


def paths() -> dict[str, str]:
    """Every table whose rows are a unit's: which rows, as SQL with one parameter, the unit's id. From the catalog."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'unit_id')"
            " FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
        )
        tables = dict(cursor.fetchall())
        cursor.execute(
            "SELECT f.conrelid::regclass::text, a.attname, f.confrelid::regclass::text, p.attname FROM pg_constraint f"
            " JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]"
            " JOIN pg_attribute p ON p.attrelid = f.confrelid AND p.attnum = f.confkey[1]"
            " WHERE f.contype = 'f' AND array_length(f.conkey, 1) = 1"
        )
        links = cursor.fetchall()
    found = {"units": "id = $1"} | {table: "unit_id = $1" for table, has_unit in tables.items() if has_unit}
    grown = True
    while grown:
        grown = False
        for table, column, parent, key in links:
            if table not in found and parent in found:
                found[table] = f"{column} IN (SELECT {key} FROM {parent} WHERE {found[parent]})"
                grown = True
    return found


def tables_of_no_unit() -> set[str]:
    """Tables that `paths` does not lead to and that are neither Django's nor known to be the installation's."""
    with database.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        names = {name for (name,) in cursor.fetchall()}
    return {name for name in names - set(paths()) - OF_NO_UNIT if not name.startswith(_DJANGO)}


def prepare_checksums() -> None:
    """Once for a database connection, before `checksum`: planning it each time takes longer than running it."""
    sums = " UNION ALL ".join(
        f"SELECT '{table}' AS name, md5(string_agg(md5(r::text), '' ORDER BY md5(r::text))) AS sum, count(*) AS number"
        f" FROM {table} r WHERE {condition}"
        for table, condition in sorted(paths().items())
    )
    with database.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
        cursor.execute(f"PREPARE checksums (uuid) AS {sums}")


def checksum(unit_id: UUID) -> dict[str, tuple[str | None, int]]:
    """Of each table: the sum over the unit's rows, and their number."""
    with database.cursor() as cursor:
        cursor.execute(f"EXECUTE checksums ('{unit_id}')")
        return {table: (total, number) for table, total, number in cursor.fetchall()}


def rows_of(unit_id: UUID) -> Iterator[Any]:
    """All rows of the unit, as JSON values."""
    with database.cursor() as cursor:
        for table, condition in paths().items():
            cursor.execute(f"SELECT to_jsonb(r) FROM {table} r WHERE {condition}".replace("$1", "%s"), [unit_id] * 1)
            for (row,) in cursor.fetchall():
                yield json.loads(row) if isinstance(row, str) else row


def _rows(model: Model, unit: Unit) -> models.QuerySet[Any]:
    if model is Unit:
        return Unit.objects.filter(pk=unit.pk)
    column = "unit" if any(each.name == "unit" for each in model._meta.fields) else "connection__unit"
    return model._default_manager.filter(**{column: unit}).order_by("pk")


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+.*)?")


def _strings(value: Any) -> Iterator[str]:
    """Text of six characters or more, from a JSON value; no times, which are nobody's secret."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, str) and len(value) >= 6 and not _MOMENT.fullmatch(value):
        yield value
