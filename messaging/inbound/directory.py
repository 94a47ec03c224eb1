"""What the phone's address book and its groups tell: names, and which numbers and LIDs are one person."""

from collections.abc import Sequence
from datetime import datetime
from itertools import compress, islice

from messaging import people
from messaging.events import Chat, ContactsChanged, GroupsChanged
from messaging.inbound.batch import DONE, NOBODY_KNOWN, Effects, Outcome, Told
from messaging.people import Sighting


def learn(effects: Effects, batch: Sequence[Told[ContactsChanged | GroupsChanged]]) -> list[Outcome]:
    """Apply what is told of people who are known here, and of groups if they are shown.

    A phone's whole address book makes nobody a contact. Groups are told once, before anybody speaks in them.
    """
    sightings: list[list[Sighting]] = [_sightings(effects, told.event, told.received_at) for told in batch]
    seen = [one for of_event in sightings for one in of_event]
    known = people.known_contacts_of(effects.connection.unit, [one.address for one in seen])
    counts = [bool(contact) or one.address.kind is Chat.GROUP for one, contact in zip(seen, known, strict=True)]
    people.contacts_of(effects.connection.unit, list(compress(seen, counts)), effects.changes)
    each = iter(counts)
    return [DONE if any(list(islice(each, len(told)))) else Outcome(reason=NOBODY_KNOWN) for told in sightings]


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
