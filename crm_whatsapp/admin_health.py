"""The front page of the admin: how the system is, in numbers and words, each figure for those who may see its rows.

Quick however much there is: nothing counts a large table. What waits is read from partial indexes and counted up to
`MOST`; how much there is in all is PostgreSQL's own estimate, and said to be one.
"""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isinf
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db import connection as database
from django.db.models import Count, Min, Model, Q, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from attention.kinds import Disconnected
from attention.models import Episode
from campaigns.admin.campaigns import bar
from campaigns.models import Campaign, CampaignStatus
from campaigns.results import recent_figures
from campaigns.standing import Standing, look
from crm_whatsapp import heartbeat
from crm_whatsapp.management.commands.healthcheck import MAX_AGE_SECONDS
from messaging.holds import HoldCode
from messaging.models import Contact, ContactImport, ImportStatus, MediaStatus, Message, MessageMedia, MessageStatus
from outgoing_webhooks.models import OutgoingWebhook
from units.models import ConnectionStatus, WhatsAppConnection
from webhooks.models import EventStatus, WebhookEvent

MOST = 10_000
CAMPAIGNS = 10
# What waits longer than this is not just on its way.
LONG = timedelta(minutes=5)
# Less than this part of a disk is too little.
FULL = 0.1


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure, what it says, and where its rows are. `tone`: success, warning, danger, or nothing to say."""

    key: str
    title: str
    figure: str
    note: str = ""
    tone: str = "default"
    url: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many rows wait, MOST at most, and since when the first."""

    number: int
    oldest: datetime | None

    @property
    def figure(self) -> str:
        shown = intcomma(min(self.number, MOST))
        return _("more than %(number)s") % {"number": shown} if self.number > MOST else str(shown)

    @property
    def since(self) -> str:
        return _("The oldest: %(time)s ago") % {"time": _ago(self.oldest)} if self.oldest else ""

    @property
    def is_long(self) -> bool:
        return self.oldest is not None and timezone.now() - self.oldest > LONG


def health(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """For Unfold's DASHBOARD_CALLBACK: the context of the front page."""
    may = request.user.has_perm
    sections = [
        ("numbers", _("Numbers"), _numbers() if may("units.view_whatsappconnection") else []),
        ("needs", _("Needs a person"), _needs(may)),
        ("way", _("On the way"), _queues(may)),
        ("processes", _("Processes"), [_process(*each) for each in _processes()]),
        ("amounts", _("How much there is"), _amounts(may)),
    ]
    return context | {
        "title": _("How the system is"),
        "sections": sections,
        "campaigns": _campaigns() if may("campaigns.view_campaign") else None,
        "campaigns_url": _listed(Campaign),
        "looked_at": timezone.localtime(),
    }


def _numbers() -> list[Tile]:
    connected = Q(status=ConnectionStatus.CONNECTED)
    every = WhatsAppConnection.objects.aggregate(
        connected=Count("pk", filter=connected), never=Count("pk", filter=~connected & Q(phone_number=""))
    )
    lost = Disconnected().rows().count()
    return [
        Tile(
            "connected",
            pgettext("numbers", "Connected"),
            str(intcomma(every["connected"])),
            tone="success" if every["connected"] else "default",
            url=_listed(WhatsAppConnection, status__exact=ConnectionStatus.CONNECTED),
        ),
        Tile(
            "disconnected",
            pgettext("numbers", "Disconnected"),
            str(intcomma(lost)),
            _("They were connected before; what they send waits.") if lost else _("None that was connected before."),
            tone="danger" if lost else "success",
            url=_listed(WhatsAppConnection, status__exact=ConnectionStatus.DISCONNECTED),
        ),
        Tile(
            "never",
            pgettext("numbers", "Never connected"),
            str(intcomma(every["never"])),
            _("Units that have not read a code yet."),
            url=_listed(WhatsAppConnection, phone_number__exact=""),
        ),
    ]


def _queues(may: Any) -> list[Tile]:
    tiles = []
    if may("messaging.view_message"):
        rows = Message.objects.filter(status=MessageStatus.QUEUED)
        queued = _waiting(rows, "due_at", due=True)
        tiles.append(
            Tile(
                "queued",
                _("Messages to send"),
                queued.figure,
                queued.since,
                tone="warning" if queued.is_long else "default",
                url=_listed(Message, status__exact=MessageStatus.QUEUED),
            )
        )
    if may("messaging.view_messagemedia"):
        files = _waiting(MessageMedia.objects.filter(status=MediaStatus.WAITING), "due_at", due=True)
        tiles.append(
            Tile(
                "files",
                _("Files to load"),
                files.figure,
                files.since,
                tone="warning" if files.is_long else "default",
                url=_listed(MessageMedia, status__exact=MediaStatus.WAITING),
            )
        )
    if may("webhooks.view_webhookevent"):
        waiting = _waiting(WebhookEvent.objects.filter(status=EventStatus.RECEIVED), "created_at")
        minute = timezone.now() - timedelta(minutes=1)
        lately = WebhookEvent.objects.filter(status__in=EventStatus.values, created_at__gt=minute).count()
        tiles += [
            Tile(
                "webhooks",
                _("Webhooks in the last minute"),
                str(intcomma(lately)),
                url=_listed(WebhookEvent),
            ),
            Tile(
                "webhooks-waiting",
                _("Webhooks that wait"),
                waiting.figure,
                waiting.since,
                tone="warning" if waiting.is_long else "default",
                url=_listed(WebhookEvent, status__exact=EventStatus.RECEIVED),
            ),
        ]
    if may("messaging.view_contactimport"):
        running = ContactImport.objects.filter(status__in=[ImportStatus.WAITING, ImportStatus.RUNNING]).count()
        tiles.append(Tile("imports", _("Imports under way"), str(intcomma(running)), url=_listed(ContactImport)))
    return tiles


def _needs(may: Any) -> list[Tile]:
    tiles = []
    if may("messaging.view_message"):
        uncertain = _waiting(Message.objects.filter(status=MessageStatus.UNCERTAIN), "dispatched_at")
        tiles.append(
            _need(
                "uncertain",
                _("Unconfirmed messages"),
                uncertain,
                _("What became of each is known."),
                url=_listed(Message, status__exact=MessageStatus.UNCERTAIN),
            )
        )
    if may("webhooks.view_webhookevent"):
        dead = _waiting(WebhookEvent.objects.filter(status=EventStatus.DEAD), "created_at")
        tiles.append(
            _need(
                "dead",
                _("Webhooks that were not understood"),
                dead,
                _("Everything was understood."),
                url=_listed(WebhookEvent, status__exact=EventStatus.DEAD),
            )
        )
    if may("attention.view_episode"):
        open_still = _waiting(Episode.objects.filter(ended_at=None), "created_at")
        tiles.append(
            _need(
                "attention",
                _("Open attention episodes"),
                open_still,
                _("Nothing needs people of the units."),
                url=_listed(Episode, ended_at__isempty=1),
            )
        )
    if may("outgoing_webhooks.view_outgoingwebhook"):
        failing = OutgoingWebhook.objects.filter(failures__gt=0)
        number = failing.count()
        off = failing.filter(is_active=False).count() if number else 0
        said = ngettext("%(count)d is switched off", "%(count)d are switched off", off) % {"count": off} if off else ""
        tiles.append(
            Tile(
                "outgoing",
                _("Outgoing webhooks that fail"),
                str(intcomma(number)),
                said or ("" if number else _("All receivers answer.")),
                tone="warning" if number else "success",
                url=_listed(OutgoingWebhook),
            )
        )
    return tiles


def _need(key: str, title: str, rows: Waiting, none: str, url: str) -> Tile:
    return Tile(
        key, title, rows.figure, rows.since if rows.number else none, "danger" if rows.number else "success", url
    )


def _processes() -> list[tuple[str, str]]:
    return [
        ("worker", _("Worker: sends, reads webhooks")),
        ("beat", _("Clock: rings each second")),
        ("pump", _("Reserve: works without the broker")),
    ]


def _process(name: str, does: str) -> Tile:
    age = heartbeat.age(name)
    if isinf(age):
        # Each container has its own files: what is not seen from here is looked after by its health check.
        return Tile(name, does, _("Not seen"), _("No sign of life on this machine; it may run on another."))
    seen = _("Last sign of life %(time)s ago") % {"time": _seconds(age)}
    if age > MAX_AGE_SECONDS:
        return Tile(name, does, _("Silent"), seen, tone="danger")
    return Tile(name, does, _("Alive"), seen, tone="success")


def _amounts(may: Any) -> list[Tile]:
    tiles = [
        Tile(key, title, _about(model), url=_listed(model))
        for key, title, model in (
            ("messages", _("Messages"), Message),
            ("contacts", _("Contacts"), Contact),
            ("events", _("Kept webhooks"), WebhookEvent),
        )
        if may(f"{model._meta.app_label}.view_{model._meta.model_name}")
    ]
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        tiles.append(Tile("database", _("Database"), filesizeformat(cursor.fetchone()[0])))
    return [*tiles, _disk()]


def _disk() -> Tile:
    """Room for files of messages."""
    title = _("Room for files")
    if settings.MEDIA_S3_BUCKET:
        return Tile("disk", title, _("In a bucket"), settings.MEDIA_S3_BUCKET)
    try:
        disk = shutil.disk_usage(settings.MEDIA_ROOT)
    except OSError:
        return Tile("disk", title, "–", _("No file has been kept yet."))
    is_full = disk.free < disk.total * FULL
    return Tile(
        "disk",
        title,
        filesizeformat(disk.free),
        _("free of %(size)s") % {"size": filesizeformat(disk.total)},
        tone="danger" if is_full else "success",
    )


def _about(model: type[Model]) -> str:
    """How many rows: few are counted, of many PostgreSQL's own estimate is told."""
    few = model._default_manager.order_by().values("pk")[: MOST + 1].count()
    if few <= MOST:
        return str(intcomma(few))
    with database.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])
        estimate = int(cursor.fetchone()[0])
    if estimate <= MOST:
        return _("more than %(number)s") % {"number": intcomma(MOST)}
    # No more digits than it is good for.
    return _("about %(number)s") % {"number": intcomma(round(estimate, 2 - len(str(estimate))))}


def _campaigns() -> dict[str, Any]:
    """Those that are sending: the first ones, how far each is, and what holds it."""
    sending = Campaign.objects.filter(status=CampaignStatus.PROCESSING)
    rows = list(sending.select_related("unit").order_by("started_at", "pk")[:CAMPAIGNS])
    figures = recent_figures([row.pk for row in rows])
    standings = {each.id: each for each in look([row.pk for row in rows])} if rows else {}
    lines = []
    for row in rows:
        told, standing = figures[row.pk], standings.get(row.pk)
        lines.append(
            {
                "campaign": row,
                "url": reverse("admin:campaigns_campaign_change", args=[row.pk]),
                "bar": bar(told.total, told.sent, told.failed + told.skipped + told.cancelled),
                "hold": _hold(standing) if standing else "",
            }
        )
    return {"number": sending.count() if len(rows) == CAMPAIGNS else len(rows), "lines": lines}


def _hold(standing: Standing) -> str:
    """Why nothing goes out now; empty when it does."""
    if not standing.is_connected or standing.pace is None:
        return str(HoldCode.DISCONNECTED.label)
    if standing.pace.campaigns_held_at is not None:
        return str(HoldCode.BREAKER.label)
    if standing.pace.cap_lifts_at(standing.now):
        return str(HoldCode.CAP.label)
    return str(HoldCode.WINDOW.label) if standing.pace.window_opens_at(standing.now) else ""


def _waiting(rows: QuerySet[Any], moment: str, *, due: bool = False) -> Waiting:
    """Counted up to MOST, with the earliest `moment`; with `due`, of those whose moment has come."""
    come = Q(**{f"{moment}__lte": timezone.now()}) if due else None
    few = rows.order_by().values("pk", moment)[: MOST + 1]
    told = few.aggregate(number=Count("pk"), oldest=Min(moment, filter=come))
    return Waiting(told["number"], told["oldest"])


def _listed(model: type[Model], **filters: Any) -> str:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address


def _ago(moment: datetime | None) -> str:
    seconds = (timezone.now() - moment).total_seconds() if moment else 0
    return _seconds(max(seconds, 0))


def _seconds(seconds: float) -> str:
    """A span in words: below a minute in seconds, then the largest unit."""
    if seconds < 60:
        return _("%(seconds)d s") % {"seconds": seconds}
    return str(timesince(timezone.now() - timedelta(seconds=seconds), depth=1))
