"""Open episodes as things are this moment: for lists, and in full for the page.

The episodes say which questions are worth asking, so the page costs at most a dozen statements, whatever is wrong.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from attention.concern import ROWS, Item
from attention.episodes import known_to
from attention.kinds import CAN_WAIT, KINDS
from attention.models import Episode, Kind
from campaigns.models import Campaign
from units import members
from units.models import Membership, Unit
from units.roles import ALLOWED, Action, Role

_ORDER = list(KINDS)


@dataclass(frozen=True, slots=True)
class Board:
    """All of a unit's items, by when they are to be done."""

    now: list[Item]
    later: list[Item]


def board(unit: Unit) -> Board:
    """What needs a person of `unit`, as far as the reader (`unit.allowed`) is concerned."""
    found, people = items(unit, known_to(unit).filter(ended_at=None), in_full=True), []
    if any(item.asks not in unit.allowed for item in found):
        people = [row for row in members.people(unit).order_by("created_at", "id") if row.user.is_active]
    found = [
        replace(item, order=_order(item), ask=None if item.asks in unit.allowed else _who_may(item.asks, people))
        for item in found
    ]
    found.sort(key=lambda item: item.order)
    return Board(
        [item for item in found if item.episode.kind not in CAN_WAIT],
        [item for item in found if item.episode.kind in CAN_WAIT],
    )


def items(unit: Unit, episodes: Iterable[Episode], *, in_full: bool = False) -> list[Item]:
    """Open episodes of `unit`, in their order; without those that are over since they were looked at.

    A fixed number of statements for each kind there is; more `in_full`.
    """
    episodes, by_kind = list(episodes), defaultdict(list)
    for episode in episodes:
        by_kind[episode.kind].append(episode)
    found = {
        item.episode.pk: item
        for kind, of_kind in by_kind.items()
        for item in KINDS[kind].items(unit, of_kind, in_full=in_full)
    }
    return [found[episode.pk] for episode in episodes if episode.pk in found]


def _order(item: Item) -> str:
    """The gravest first, the oldest of them first; between them stand the headings of the page."""
    kind = item.episode.kind
    return f"{3 if kind in CAN_WAIT else 1}|{_ORDER.index(kind)}|{item.since.isoformat()}"


def _who_may(action: Action, people: Sequence[Membership]) -> str:
    may = [row.user for row in people if action in ALLOWED[Role(row.role)]]
    return ", ".join(user.get_full_name() or user.email.partition("@")[0] for user in may[:3])


def resolved(unit: Unit) -> list[Episode]:
    """The episodes that ended last, with what they were about."""
    rows = list(known_to(unit).filter(ended_at__isnull=False).order_by("-created_at")[:ROWS])
    campaigns = Campaign.objects.filter(unit=unit).in_bulk({row.object_id for row in rows if row.kind == Kind.HELD})
    for row in rows:
        row.about = campaigns.get(row.object_id)  # type: ignore[attr-defined]
    return rows
