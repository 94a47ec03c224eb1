"""What the attention page shows: an item for each open episode, with what there is to do about it.

The episodes say which questions are worth asking, so the page costs at most a dozen statements, whatever is wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Min, QuerySet
from django.utils import timezone

from attention import finding
from attention.episodes import CAN_WAIT
from attention.letters import ASKS
from attention.models import Episode, Kind
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus
from campaigns.outlook import UNFINISHED
from campaigns.standing import look
from console.presentation import ATTENTION, WEBHOOK_OFF, Look
from messaging.models import Message, Origin
from messaging.threads import look_around, with_people_and_files
from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.words import why
from units import members
from units.models import Unit, WhatsAppConnection
from units.roles import ALLOWED, Action, Role

# As many of a kind are listed; the others follow when these are done.
ROWS = 50
# Without opening the list, so many are seen.
AT_ONCE = 3
_ORDER = list(ATTENTION)


@dataclass(frozen=True, slots=True)
class Item:
    """Something that needs a person. `facts`: what its sentence says, by name; `rows`: each one, `count` in all.

    `ask`: names of the people to turn to, when the reader may not do it himself.
    """

    kind: str
    key: UUID
    since: datetime
    asks: Action
    count: int = 1
    rows: Sequence[Any] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    may_act: bool = True
    ask: str = ""

    @property
    def look(self) -> Look:
        return ATTENTION[self.kind]

    @property
    def more(self) -> int:
        """How many are folded away."""
        return max(self.count - AT_ONCE, 0)

    @property
    def template(self) -> str:
        return f"console/attention/{self.kind}.html"

    @property
    def order(self) -> str:
        """Where it stands in the list."""
        return f"{1 if self.is_now else 3}|{_ORDER.index(self.kind)}|{self.since.isoformat()}"

    @property
    def is_now(self) -> bool:
        return self.kind not in CAN_WAIT and self.kind != WEBHOOK_OFF


@dataclass(frozen=True, slots=True)
class Board:
    """All of a unit's items, by when they are to be done."""

    now: list[Item]
    later: list[Item]


def board(unit: Unit) -> Board:
    """What needs a person of `unit`, as far as the reader (`unit.allowed`) is concerned."""
    items: list[Item] = []
    open_episodes = Episode.objects.filter(unit=unit, ended_at=None).order_by("created_at")
    for episode in open_episodes:
        items += _FOUND[Kind(episode.kind)](unit, episode)
    if Action.MANAGE_ACCESS in unit.allowed:
        items += _webhooks_off(unit)
    items = sorted(_with_whom_to_ask(unit, items), key=lambda item: item.order)
    return Board([item for item in items if item.is_now], [item for item in items if not item.is_now])


def _with_whom_to_ask(unit: Unit, items: list[Item]) -> list[Item]:
    """One statement more, if there is anything that the reader may not do."""
    if all(item.asks in unit.allowed for item in items):
        return items
    people = [row for row in members.people(unit).order_by("created_at", "id") if row.user.is_active]
    return [item if item.asks in unit.allowed else _to_ask(item, people) for item in items]


def _to_ask(item: Item, people: Sequence[Any]) -> Item:
    may = [row.user.get_full_name() or row.user.email.partition("@")[0] for row in people if _may(row, item.asks)]
    return Item(
        item.kind, item.key, item.since, item.asks, item.count, item.rows, item.facts, False, ", ".join(may[:3])
    )


def _may(membership: Any, action: Action) -> bool:
    return action in ALLOWED[Role(membership.role)]


def _item(episode: Episode, **found: Any) -> Item:
    known: dict[str, Any] = {
        "kind": episode.kind,
        "key": episode.pk,
        "since": episode.created_at,
        "asks": ASKS[Kind(episode.kind)],
    }
    return Item(**known | found)


def _disconnected(unit: Unit, episode: Episode) -> list[Item]:
    number = WhatsAppConnection.objects.filter(pk=episode.object_id, unit=unit).select_related("lane")
    connection = number.first()
    if connection is None or connection.is_connected:
        return []
    lane = getattr(connection, "lane", None)
    facts = {
        "connection": connection,
        "campaigns": Campaign.objects.filter(unit=unit, status=CampaignStatus.PROCESSING).count(),
        "replies": _waiting(connection).count(),
    }
    return [_item(episode, since=(lane and lane.away_since) or connection.status_changed_at, facts=facts)]


def _waiting(connection: WhatsAppConnection) -> QuerySet[Message]:
    """By the index of the queue."""
    return Message.objects.filter(connection=connection, status="queued").exclude(origin=Origin.CAMPAIGN)


def _messages(rows: QuerySet[Message], order: str) -> list[Message]:
    """With who they are to, and which campaign they are of."""
    with_all = rows.select_related("conversation__contact").prefetch_related(
        "conversation__contact__addresses", "recipients__campaign"
    )
    return list(look_around(with_people_and_files(with_all).order_by(order, "id")[:ROWS]))


def _unconfirmed(unit: Unit, episode: Episode) -> list[Item]:
    rows = finding.unconfirmed().filter(unit=unit)
    found = _messages(rows, "dispatched_at")
    return _listed(episode, found, rows, found[0].dispatched_at if found else None)


def _failed(unit: Unit, episode: Episode) -> list[Item]:
    rows = finding.failed().filter(unit=unit)
    found = _messages(rows, "happened_at")
    return _listed(episode, found, rows, found[0].happened_at if found else None)


def _listed(
    episode: Episode, found: list[Any], rows: QuerySet[Any], since: datetime | None, **facts: Any
) -> list[Item]:
    """Counted only when there are more than are shown."""
    if not found or since is None:
        return []
    count = rows.count() if len(found) == ROWS else len(found)
    return [_item(episode, count=count, rows=found, since=since, facts=facts)]


def _late(unit: Unit, episode: Episode) -> list[Item]:
    told = finding.late().filter(connection=unit.connection).aggregate(count=Count("id"), expires_at=Min("expires_at"))
    return [_item(episode, count=told["count"], facts=told)] if told["count"] else []


def _held(unit: Unit, episode: Episode) -> list[Item]:
    if episode.object_id == unit.connection.pk:
        connection = unit.connection
        if connection.campaigns_held_at is None:
            return []
        return [_item(episode, since=connection.campaigns_held_at, asks=Action.WRITE_NUMBER, facts={"by": connection})]
    campaign = Campaign.objects.filter(unit=unit, pk=episode.object_id).first()
    if campaign is None:
        return []
    if campaign.status != CampaignStatus.PROCESSING:
        return [_item(episode, facts={"campaign": campaign})] if campaign.status_reason else []
    standing = next(iter(look([campaign.pk])), None)
    until = standing and finding.limit_lifts_at(standing)
    if standing is None or standing.pace is None or until is None:
        return []
    today = standing.pace.today(standing.now)
    left = CampaignRecipient.objects.filter(campaign=campaign, status__in=UNFINISHED).count()
    limit = {"sent": standing.pace.sent_on(today), "cap": standing.pace.cap_on(today), "until": until, "left": left}
    return [_item(episode, asks=Action.READ_CAMPAIGNS, facts={"campaign": campaign, "limit": limit})]


def _media(unit: Unit, episode: Episode) -> list[Item]:
    rows = finding.lost_files().filter(unit=unit)
    with_all = rows.select_related("message__conversation__contact").defer("content")
    found = list(with_all.prefetch_related("message__conversation__contact__addresses").order_by("created_at")[:ROWS])
    if not found:
        return []
    left = found[0].created_at + finding.FILES_KEPT_FOR - timezone.now()
    return _listed(episode, found, rows, found[0].created_at, days=max(left // timedelta(days=1), 0))


def _dead_letters(unit: Unit, episode: Episode) -> list[Item]:
    rows = finding.dead_letters().filter(connection=unit.connection)
    found = list(rows.only("id", "event", "created_at").order_by("created_at")[:ROWS])
    return _listed(episode, found, rows, found[0].created_at if found else None)


def _webhooks_off(unit: Unit) -> list[Item]:
    """Those that were switched off because they failed for too long, not by a person."""
    off = OutgoingWebhook.objects.filter(unit=unit, is_active=False, failures__gt=0).order_by("due_at")
    return [
        Item(WEBHOOK_OFF, row.pk, row.due_at, Action.MANAGE_ACCESS, facts={"webhook": row, "error": why(row)})
        for row in off
    ]


_FOUND: dict[Kind, Callable[[Unit, Episode], list[Item]]] = {
    Kind.DISCONNECTED: _disconnected,
    Kind.UNCONFIRMED: _unconfirmed,
    Kind.FAILED: _failed,
    Kind.LATE: _late,
    Kind.HELD: _held,
    Kind.MEDIA: _media,
    Kind.DEAD_LETTERS: _dead_letters,
}


def resolved(unit: Unit) -> list[Episode]:
    """The episodes that ended last, with what they were about."""
    ended = Episode.objects.filter(unit=unit, ended_at__isnull=False).order_by("-created_at")
    rows = list(ended[:ROWS])
    campaigns = Campaign.objects.filter(unit=unit).in_bulk({row.object_id for row in rows if row.kind == Kind.HELD})
    for row in rows:
        row.about = campaigns.get(row.object_id)  # type: ignore[attr-defined]
    return rows
