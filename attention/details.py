"""What an episode is about, and how many there are of it: for lists."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from attention import finding
from attention.models import Episode, Kind
from campaigns.models import Campaign
from units.models import Unit
from units.roles import Action


@dataclass(frozen=True, slots=True)
class About:
    """The number, campaign or outgoing webhook concerned, or the unit. `name` is empty for who may not see it."""

    type: str
    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Detailed:
    """`count`: messages, files or events; of numbers, campaigns and webhooks there is one for each episode."""

    episode: Episode
    about: About
    count: int = 1


# Of these a unit has one episode, however many there are.
_COUNTED: dict[str, Callable[[Unit], QuerySet[Any]]] = {
    Kind.UNCONFIRMED: lambda unit: finding.unconfirmed().filter(unit=unit),
    Kind.FAILED: lambda unit: finding.failed().filter(unit=unit),
    Kind.LATE: lambda unit: finding.late().filter(connection=unit.connection),
    Kind.MEDIA: lambda unit: finding.lost_files().filter(unit=unit),
    Kind.DEAD_LETTERS: lambda unit: finding.dead_letters().filter(connection=unit.connection),
}


def detailed(unit: Unit, episodes: Iterable[Episode]) -> list[Detailed]:
    """Open episodes of `unit` for the reader (`unit.allowed`); without those that are over since they were looked at.

    Two statements at most, and one for each kind that is counted.
    """
    episodes = list(episodes)
    abouts = _abouts(unit, {episode.object_id for episode in episodes if episode.kind not in _COUNTED})
    of_unit = About("unit", unit.pk, unit.name)
    found = [
        Detailed(episode, of_unit, _COUNTED[episode.kind](unit).count())
        if episode.kind in _COUNTED
        else Detailed(episode, abouts[episode.kind, episode.object_id])
        for episode in episodes
        if episode.kind in _COUNTED or (episode.kind, episode.object_id) in abouts
    ]
    return [each for each in found if each.count]


def _abouts(unit: Unit, ids: set[UUID]) -> dict[tuple[str, UUID], About]:
    """Those of the numbers, campaigns and webhooks `ids` that need somebody still."""
    if not ids:
        return {}
    connection = unit.connection
    number = About("number", connection.pk, connection.phone_number if Action.READ_NUMBER in unit.allowed else "")
    found: dict[tuple[str, UUID], About] = {}
    if not connection.is_connected:
        found[Kind.DISCONNECTED, connection.pk] = number
    if connection.campaigns_held_at is not None:
        found[Kind.HELD, connection.pk] = number
    for pk, name in Campaign.objects.filter(unit=unit, pk__in=ids).values_list("pk", "name"):
        found[Kind.HELD, pk] = About("campaign", pk, name if Action.READ_CAMPAIGNS in unit.allowed else "")
    for pk, url in finding.switched_off().filter(unit=unit, pk__in=ids).values_list("pk", "url"):
        found[Kind.WEBHOOK_OFF, pk] = About("webhook", pk, url)
    return found
