"""What the phone's address book and its groups tell: names, and which numbers and LIDs are one person."""

from collections.abc import Sequence
from datetime import datetime

from messaging import people
from messaging.events import Chat, ContactsChanged, GroupsChanged
from messaging.inbound.batch import DONE, NOBODY_KNOWN, Effects, Outcome, Told
from messaging.people import Sighting


def learn(effects: Effects, batch: Sequence[Told[ContactsChanged | GroupsChanged]]) -> list[Outcome]:
    """Apply what is told of people who are known here. A phone's whole address book makes nobody a contact."""
    sightings: list[list[Sighting]] = [_sightings(effects, told.event, told.received_at) for told in batch]
    seen = [one for of_event in sightings for one in of_event]
    known = people.known_contacts_of(effects.connection.unit, [one.address for one in seen])
    met = [one for one, contact in zip(seen, known, strict=True) if contact]
    people.contacts_of(effects.connection.unit, met, effects.changes)
    return [DONE if any(one in met for one in of_event) else Outcome(reason=NOBODY_KNOWN) for of_event in sightings]


def _sightings(effects: Effects, event: ContactsChanged | GroupsChanged, at: datetime) -> list[Sighting]:
    """Whom it is about, as far as they can have a conversation here. A group's name is its subject, nothing else.

    No event tells since when somebody has his name. Of a group the last word counts; a person's messages tell it too,
    with their times.
    """
    if isinstance(event, GroupsChanged):
        told = [Sighting(address=group.address, name=group.subject or "", at=at) for group in event.groups]
    else:
        people_only = (one for one in event.contacts if one.address.kind is not Chat.GROUP)
        told = [Sighting(address=one.address, name=one.name or "") for one in people_only]
    return [one for one in told if not effects.not_shown(one.address)]
