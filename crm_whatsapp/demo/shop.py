"""The demo shop as a whole: made as its people would have made it, each thing in its time."""

from datetime import timedelta

from django.core.files.base import ContentFile
from django.utils import timezone

from attention import episodes
from attention.models import Episode, Kind
from crm_whatsapp.db import ClockNow
from crm_whatsapp.demo import campaigns, chats
from crm_whatsapp.demo.past import at, by, days_ago
from crm_whatsapp.demo.words import CANNED_REPLIES, IMPORT, KNOWN, SEGMENTS, TEAM
from messaging import people
from messaging.contacts import consent, editing, segments
from messaging.imports import running, services
from messaging.models import (
    AttributeDefinition,
    AttributeKind,
    CannedReply,
    Contact,
    MediaStatus,
    Message,
    MessageMedia,
    OptOutSource,
    Segment,
)
from outgoing_webhooks import services as webhooks
from units import members, pacing
from units.models import Role, Unit, User
from units.roles import Action
from units.services import create_unit

NAME = "Ótica Aurora · Moema"
ATTRIBUTES = [("cidade", "Cidade", AttributeKind.TEXT), ("ultima_compra", "Última compra", AttributeKind.DATE)]


def make(owner: User, password: str) -> Unit:
    """A shop of some weeks, within a transaction. Nothing of it is sent, nor ever will be without a person."""
    with at(days_ago(70, 9, 12)):
        unit = by(owner, create_unit, NAME, owner=owner)
    with at(days_ago(69, 11, 40)):
        team = {"ana": owner} | _team(unit, owner, password)
        used_since = timezone.localdate() - timedelta(days=400)
        by(owner, pacing.change, unit.connection, {"in_use_since": used_since})
    with at(days_ago(66, 14, 5)):
        _settings(unit, owner)
    with at(days_ago(64, 10, 31)):
        regulars = _import(unit, owner)
    with at(days_ago(50, 15, 20)):
        met = chats.meet(unit)
    phones = [contact.phone_number for contact in regulars]
    chats.every_day(unit, phones, team)
    got_it = campaigns.finished(unit, owner, [*met[:2], *regulars], begins=days_ago(21, 10, 20))
    replied = [(row.contact.phone_number, row.sent_at) for row in got_it if row.sent_at][3::4]
    chats.answers(unit, replied, team)
    campaigns.cancelled(unit, team["julia"], regulars[:12], begins=days_ago(16, 16, 48))
    campaigns.held(unit, team["julia"], regulars, begins=days_ago(3, 15, 30))
    chats.these_days(unit, team)
    _sort_contacts(unit, team["celia"])
    campaigns.draft(unit, owner)
    _troubles(unit)
    return unit


def _team(unit: Unit, owner: User, password: str) -> dict[str, User]:
    team = {}
    for key, first_name, last_name, role in TEAM:
        email = f"{key}@example.com"
        names = {"first_name": first_name, "last_name": last_name}
        user = User.objects.filter(email=email).first() or User.objects.create_user(email, password, **names)
        team[key] = by(owner, members.enter, unit, user, role).user
    return team


def _settings(unit: Unit, owner: User) -> None:
    for shortcut, body in CANNED_REPLIES.items():
        CannedReply.objects.create(unit=unit, shortcut=shortcut, body=body)
    for key, name, kind in ATTRIBUTES:
        AttributeDefinition.objects.create(unit=unit, key=key, name=name, kind=kind)
    reads = frozenset({Action.READ_INBOX, Action.READ_CONTACTS, Action.WRITE_CONTACTS})
    by(owner, members.add_program, unit, "Sistema da loja", Role.AGENT, by=owner, scopes=reads)
    webhook, _secret = by(owner, webhooks.add, unit, "https://sistema.example.com/eventos", by=owner)
    # It leads nowhere.
    by(owner, webhooks.change, webhook, is_active=False)


def _import(unit: Unit, owner: User) -> list[Contact]:
    """The shop's customers, from the file that somebody had."""
    file = ContentFile(IMPORT.encode(), name="clientes da loja.csv")
    by(owner, services.start, unit, file, by=owner)
    if claimed := running.claim():
        running.work_on(claimed)
    for name, filters in SEGMENTS.items():
        Segment.objects.create(unit=unit, name=name, filters=segments.validate(unit, filters))
    return list(Contact.objects.filter(unit=unit).prefetch_related("addresses").order_by("name"))


def _sort_contacts(unit: Unit, colleague: User) -> None:
    for number, (tags, values) in KNOWN.items():
        editing.edit(people.contact_by_phone(unit, f"+{number}"), tag_names=tags, values=values)
    gone = people.contact_by_phone(unit, "+5511900000402")
    with at(days_ago(1, 17, 46)):
        by(colleague, consent.opt_out, gone, source=OptOutSource.STAFF, reason="Pediu no balcão.", by=colleague)


def _troubles(unit: Unit) -> None:
    """What needs a person now, besides what the conversations and campaigns say; and what did once."""
    lost = Message.objects.filter(unit=unit, kind="audio").latest("happened_at")
    gone = {"status": MediaStatus.FAILED, "error_code": "gone", "file": "", "attachment": None}
    MessageMedia.objects.filter(message=lost).update(**gone)
    for kind, began, minutes in (
        (Kind.DISCONNECTED, days_ago(9, 13, 22), 41),
        (Kind.UNCONFIRMED, days_ago(14, 17, 3), 12),
        (Kind.MEDIA, days_ago(20, 11, 50), 65),
    ):
        about = unit.connection.pk if kind == Kind.DISCONNECTED else unit.pk
        ended = began + timedelta(minutes=minutes)
        Episode.objects.create(unit=unit, kind=kind, object_id=about, created_at=began, told_at=began, ended_at=ended)
    with at(days_ago(3, 16, 10)):
        episodes.observe(unit.pk)
    # Nobody is to get an e-mail about them.
    Episode.objects.filter(unit=unit, told_at=None).update(told_at=ClockNow())
