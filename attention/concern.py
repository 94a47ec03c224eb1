"""What all kinds of need have in common. The kinds themselves are in attention/kinds.py."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from attention.models import Episode, Kind
from units.models import Unit
from units.roles import Action

# As many of a kind are listed; the others follow when these are done.
ROWS = 50
# Without opening the list, so many are seen.
AT_ONCE = 3


class Need(NamedTuple):
    """Something needs a person. `by_mail`: worth an e-mail, since it does not pass by itself and nobody is at it."""

    unit_id: UUID
    kind: str
    object_id: UUID
    by_mail: bool

    @property
    def key(self) -> tuple[UUID, str, UUID]:
        """What an episode is about."""
        return self.unit_id, self.kind, self.object_id


@dataclass(frozen=True, slots=True)
class About:
    """The number, campaign or outgoing webhook concerned, or the unit. `name` is empty for who may not see it."""

    type: str
    id: UUID
    name: str


def about_unit(unit: Unit) -> About:
    return About("unit", unit.pk, unit.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An open episode, as things are this moment. What follows `count` is for the page.

    `count`: messages, files or events; of numbers, campaigns and webhooks there is one for each episode. `rows`: each
    of them; `facts`: what the sentence says, by name; `ask`: whom the reader turns to, who may not do it himself.
    """

    episode: Episode
    about: About
    count: int = 1
    since: datetime
    asks: Action
    rows: Sequence[Any] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    ask: str | None = None
    # Where it stands in the list.
    order: str = ""

    @property
    def more(self) -> int:
        """How many are folded away."""
        return max(self.count - AT_ONCE, 0)


@dataclass(frozen=True, slots=True)
class Letter:
    """`page` of the console, with `args` behind the unit's id."""

    subject: str
    happened: str
    means: str
    do: str
    page: str = "attention"
    args: tuple[object, ...] = ()


class Concern(ABC):
    """A kind of need; each row that says so has an episode of its own."""

    kind: ClassVar[Kind]
    # What somebody has to be allowed to do about it.
    asks: ClassVar[Action]
    # It waits until there is time, and counts in no badge.
    can_wait: ClassVar[bool] = False
    # Known to those alone who may do something about it.
    is_private: ClassVar[bool] = False
    # Whether people are told by e-mail; a condition: of which rows.
    by_mail: ClassVar[bool | Q] = True
    # From a row to its unit's id.
    unit: ClassVar[str] = "unit_id"

    @abstractmethod
    def rows(self) -> QuerySet[Any]:
        """What says so, of all units, by an index."""

    def found(self) -> list[QuerySet[Any]]:
        """The same, if there are several tables that say so."""
        return [self.rows()]

    def found_besides(self, unit_id: UUID | None) -> list[Need]:
        """What no row says alone; of one unit or of all."""
        return []

    @abstractmethod
    def items(self, unit: Unit, episodes: Sequence[Episode], *, in_full: bool = False) -> list[Item]:
        """Open episodes for the reader (`unit.allowed`), without those that are over since they were looked at.

        `in_full`: with what console/templates/console/attention/<kind>.html shows.
        """

    def item(self, episode: Episode, **known: Any) -> Item:
        basics: dict[str, Any] = {"episode": episode, "since": episode.created_at, "asks": self.asks}
        return Item(**basics | known)

    def letter(self, episode: Episode) -> Letter | None:
        """What is written to people; nothing, if it is over."""
        return None


class OfUnit(Concern):
    """A kind of which a unit has one episode, however many rows say so."""

    # Since when a row says so.
    began: ClassVar[str]

    def of(self, unit: Unit) -> QuerySet[Any]:
        return self.rows().filter(**{self.unit: unit.pk})

    def load(self, rows: QuerySet[Any]) -> Sequence[Any]:
        """The oldest, with what the page shows of each."""
        return list(rows[:ROWS])

    def facts(self, shown: Sequence[Any]) -> dict[str, Any]:
        return {}

    def items(self, unit: Unit, episodes: Sequence[Episode], *, in_full: bool = False) -> list[Item]:
        rows = self.of(unit)
        shown = self.load(rows.order_by(self.began, "id")) if in_full else []
        # Counted only when there are more than are shown.
        count = len(shown) if in_full and len(shown) < ROWS else rows.count()
        known: dict[str, Any] = {"about": about_unit(unit), "count": count}
        if shown:
            known |= {"since": getattr(shown[0], self.began), "rows": shown, "facts": self.facts(shown)}
        return [self.item(episode, **known) for episode in episodes if count]
