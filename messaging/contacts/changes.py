"""What is told of contacts that changed: the live events of kind "contact"."""

from collections.abc import Iterable
from itertools import islice
from uuid import UUID

from units import live

# Of more that change at once one event tells that many have: a tag on 100,000 people would else be as many events, each
# of which every open page and every program reads.
MOST_TOLD = 100


def contact_changes(unit_id: UUID, contact_ids: Iterable[UUID]) -> list[live.Change]:
    """Tell that these contacts of a unit changed."""
    ids = list(islice(dict.fromkeys(contact_ids), MOST_TOLD + 1))
    if len(ids) > MOST_TOLD:
        return [many_changed(unit_id)]
    return [live.Change(unit_id=unit_id, kind="contact", object_id=pk) for pk in ids]


def many_changed(unit_id: UUID) -> live.Change:
    """Tell that contacts of a unit changed, without saying which: who shows some looks at all of them again."""
    return live.Change(unit_id=unit_id, kind="contact", object_id=unit_id, data={"many": True})
