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
from attention.episodes import CAN_WAIT, known_to
from attention.letters import ASKS
from attention.models import Episode, Kind
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus
from campaigns.outlook import UNFINISHED
from campaigns.standing import look
from console.presentation import ATTENTION, Look
from messaging.models import Message, Origin
from messaging.threads import look_around, with_people_and_files
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
        return self.kind not in CAN_WAIT


@dataclass(frozen=True, slots=True)
class Board:
    """All of a unit's items, by when they are to be done."""

    now: list[Item]
    later: list[Item]


def board(unit: Unit) -> Board:
    """What needs a person of `unit`, as far as the reader (`unit.allowed`) is concerned."""
    items: list[Item] = []
    by_kind: dict[Kind, list[Episode]] = {}
    for episode in known_to(unit).filter(ended_at=None).order_by("created_at"):
        by_kind.setdefault(Kind(episode.kind), []).append(episode)
    for kind, episodes in by_kind.items():
        items += _FOUND[kind](unit, episodes)
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


def _disconnected(unit: Unit, episodes: list[Episode]) -> list[Item]:
    (episode,) = episodes
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


def _unconfirmed(unit: Unit, episodes: list[Episode]) -> list[Item]:
    rows = finding.unconfirmed().filter(unit=unit)
    found = _messages(rows, "dispatched_at")
    return _listed(episodes, found, rows, found[0].dispatched_at if found else None)


def _failed(unit: Unit, episodes: list[Episode]) -> list[Item]:
    rows = finding.failed().filter(unit=unit)
    found = _messages(rows, "happened_at")
    return _listed(episodes, found, rows, found[0].happened_at if found else None)


def _listed(
    episodes: list[Episode], found: list[Any], rows: QuerySet[Any], since: datetime | None, **facts: Any
) -> list[Item]:
    """The unit's one item of a kind; counted only when there are more than are shown."""
    (episode,) = episodes
    if not found or since is None:
        return []
    count = rows.count() if len(found) == ROWS else len(found)
    return [_item(episode, count=count, rows=found, since=since, facts=facts)]


def _late(unit: Unit, episodes: list[Episode]) -> list[Item]:
    (episode,) = episodes
    told = finding.late().filter(connection=unit.connection).aggregate(count=Count("id"), expires_at=Min("expires_at"))
    return [_item(episode, count=told["count"], facts=told)] if told["count"] else []


def _held(unit: Unit, episodes: list[Episode]) -> list[Item]:
    connection, items = unit.connection, []
    campaigns = Campaign.objects.filter(unit=unit).in_bulk([episode.object_id for episode in episodes])
    limits = _limits([pk for pk, each in campaigns.items() if each.status == CampaignStatus.PROCESSING])
    for episode in episodes:
        campaign = campaigns.get(episode.object_id)
        if campaign is None:
            since = connection.campaigns_held_at
            if since is not None and episode.object_id == connection.pk:
                items.append(_item(episode, since=since, asks=Action.WRITE_NUMBER, facts={"by": connection}))
        elif campaign.pk in limits:
            facts = {"campaign": campaign, "limit": limits[campaign.pk]}
            items.append(_item(episode, asks=Action.READ_CAMPAIGNS, facts=facts))
        elif campaign.status != CampaignStatus.PROCESSING and campaign.status_reason:
            items.append(_item(episode, facts={"campaign": campaign}))
    return items


def _limits(sending: list[UUID]) -> dict[UUID, dict[str, Any]]:
    """Of the campaigns that are sending, those at the limit of their day: which it is, and until when."""
    found: dict[UUID, dict[str, Any]] = {}
    for standing in look(sending) if sending else ():
        if standing.pace and (until := finding.limit_lifts_at(standing)):
            today = standing.pace.today(standing.now)
            found[standing.id] = {
                "sent": standing.pace.sent_on(today),
                "cap": standing.pace.cap_on(today),
                "until": until,
                "left": 0,
            }
    left = CampaignRecipient.objects.filter(campaign__in=found, status__in=UNFINISHED).values_list("campaign")
    for campaign_id, count in left.annotate(count=Count("id")) if found else ():
        found[campaign_id]["left"] = count
    return found


def _media(unit: Unit, episodes: list[Episode]) -> list[Item]:
    rows = finding.lost_files().filter(unit=unit)
    with_all = rows.select_related("message__conversation__contact").defer("content")
    found = list(with_all.prefetch_related("message__conversation__contact__addresses").order_by("created_at")[:ROWS])
    if not found:
        return []
    left = found[0].created_at + finding.FILES_KEPT_FOR - timezone.now()
    return _listed(episodes, found, rows, found[0].created_at, days=max(left // timedelta(days=1), 0))


def _dead_letters(unit: Unit, episodes: list[Episode]) -> list[Item]:
    rows = finding.dead_letters().filter(connection=unit.connection)
    found = list(rows.only("id", "event", "created_at").order_by("created_at")[:ROWS])
    return _listed(episodes, found, rows, found[0].created_at if found else None)


def _webhooks_off(unit: Unit, episodes: list[Episode]) -> list[Item]:
    off = finding.switched_off().filter(unit=unit).in_bulk([episode.object_id for episode in episodes])
    return [
        _item(episode, since=webhook.due_at, facts={"webhook": webhook, "error": why(webhook)})
        for episode in episodes
        if (webhook := off.get(episode.object_id))
    ]


_FOUND: dict[Kind, Callable[[Unit, list[Episode]], list[Item]]] = {
    Kind.DISCONNECTED: _disconnected,
    Kind.UNCONFIRMED: _unconfirmed,
    Kind.FAILED: _failed,
    Kind.LATE: _late,
    Kind.HELD: _held,
    Kind.MEDIA: _media,
    Kind.WEBHOOK_OFF: _webhooks_off,
    Kind.DEAD_LETTERS: _dead_letters,
}


def resolved(unit: Unit) -> list[Episode]:
    """The episodes that ended last, with what they were about."""
    rows = list(known_to(unit).filter(ended_at__isnull=False).order_by("-created_at")[:ROWS])
    campaigns = Campaign.objects.filter(unit=unit).in_bulk({row.object_id for row in rows if row.kind == Kind.HELD})
    for row in rows:
        row.about = campaigns.get(row.object_id)  # type: ignore[attr-defined]
    return rows
