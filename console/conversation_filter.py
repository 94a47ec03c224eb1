"""Which conversations the list shows: whose they are, where they stand, what they are about, what was searched for.

It is kept in the address of the page, and there as it is in the page's own links.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import pgettext_lazy

from console.forms import uuid_of
from messaging.models import Conversation, ConversationLabel, ConversationStatus, Label
from messaging.search import conversations as found_in
from units.models import Unit, User

S = ConversationStatus

WHOSE: Final[Mapping[str, str | Promise]] = {
    "mine": pgettext_lazy("conversations", "Mine"),
    "unassigned": pgettext_lazy("conversations", "Unassigned"),
    "": pgettext_lazy("conversations", "All"),
}
# Without a choice: what somebody still has to do with.
STATUSES: Final[Mapping[str, str | Promise]] = {
    "": pgettext_lazy("conversations", "Open and pending"),
    S.OPEN: pgettext_lazy("conversations", "Open"),
    S.PENDING: pgettext_lazy("conversations", "Pending"),
    S.SNOOZED: pgettext_lazy("conversations", "Snoozed"),
    S.RESOLVED: pgettext_lazy("conversations", "Resolved"),
    "all": pgettext_lazy("conversations", "Whatever the status"),
}
IN_HAND: Final = (S.OPEN, S.PENDING)
UNREAD: Final = pgettext_lazy("conversations", "Unread")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilter:
    """What is not asked for is empty. Several labels: those that have all of them."""

    whose: str = ""
    status: str = ""
    unread: bool = False
    labels: tuple[UUID, ...] = ()
    q: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Self:
        """As the address says; what makes no sense there is as if it were not there."""
        return cls(
            whose=_known(query.get("whose", ""), WHOSE),
            status=_known(query.get("status", ""), STATUSES),
            unread=query.get("unread") == "1",
            labels=tuple(dict.fromkeys(filter(None, map(uuid_of, query.getlist("label"))))),
            q=query.get("q", "").strip(),
        )

    @property
    def query(self) -> str:
        """As it stands in the address, after the “?”."""
        told: dict[str, Any] = {"whose": self.whose, "status": self.status, "unread": "1" if self.unread else ""}
        told |= {"label": [str(label) for label in self.labels], "q": self.q}
        return urlencode({name: value for name, value in told.items() if value}, doseq=True)

    @property
    def is_narrow(self) -> bool:
        """Whether anything is asked for."""
        return self != type(self)()

    def but(self, **changes: Any) -> str:
        """The query of the same filter with `changes`."""
        return replace(self, **changes).query

    def with_label(self, label: UUID) -> str:
        """The query with the label, or without it where it is asked for already."""
        others = tuple(one for one in self.labels if one != label)
        return self.but(labels=others if label in self.labels else (*self.labels, label))

    def apply(self, rows: QuerySet[Conversation], unit: Unit, person: User) -> QuerySet[Conversation]:
        """Those of the unit's conversations that `person` asked for."""
        if self.whose == "mine":
            rows = rows.filter(assigned_to=person)
        elif self.whose == "unassigned":
            rows = rows.filter(assigned_to=None)
        if self.status in S.values:
            rows = rows.filter(status=self.status)
        elif not self.status and not self.q:
            # Who searches looks for somebody, wherever that conversation stands.
            rows = rows.filter(status__in=IN_HAND)
        if self.unread:
            rows = rows.filter(unread_count__gt=0)
        for label in self.labels:
            rows = rows.filter(Exists(ConversationLabel.objects.filter(label=label, conversation=OuterRef("pk"))))
        return rows.filter(found_in(unit, self.q)) if self.q else rows


def _known(value: str, choices: Mapping[str, Any]) -> str:
    return value if value in choices else ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A pill or a line of a menu: its word, and the query it leads to."""

    name: str | Promise
    query: str
    is_on: bool
    key: str = ""
    color: str = ""


@dataclass(frozen=True, slots=True)
class Pills:
    """What the list pane offers; `words` says what is asked for, empty when nothing is."""

    whose: Sequence[Choice]
    statuses: Sequence[Choice]
    labels: Sequence[Choice]
    unread: Choice
    words: str

    @classmethod
    def of(cls, wanted: ConversationFilter, labels: Iterable[Label]) -> Self:
        whose = [Choice(name, wanted.but(whose=key), key == wanted.whose, key) for key, name in WHOSE.items()]
        statuses = [Choice(name, wanted.but(status=key), key == wanted.status, key) for key, name in STATUSES.items()]
        offered = [
            Choice(label.name, wanted.with_label(label.pk), label.pk in wanted.labels, str(label.pk), label.color)
            for label in labels
        ]
        unread = Choice(UNREAD, wanted.but(unread=not wanted.unread), wanted.unread)
        asked = [f"“{wanted.q}”"] if wanted.q else []
        asked += [str(one.name) for one in (*whose, *statuses) if one.is_on and one.key]
        asked += [str(one.name) for one in (*offered, unread) if one.is_on]
        return cls(whose, statuses, offered, unread, " + ".join(asked))

    @property
    def status(self) -> Choice:
        """The one that is on."""
        return next(one for one in self.statuses if one.is_on)
