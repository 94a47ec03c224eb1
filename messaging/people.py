"""From what WhatsApp or a person calls somebody to a contact and a conversation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db import connection as database

from messaging import merging
from messaging.contacts import consent, joining
from messaging.contacts.changes import contact_changes
from messaging.events import Chat, ChatAddress
from messaging.models import AddressKind, Contact, ContactAddress, Conversation, ConversationStatus
from messaging.phones import normal_form, parse_phone
from units import live
from units.models import Unit

# Each further look means that somebody else has added the same people in between; so often only a fault is.
MOST_LOOKS = 10
LONGEST_NAME = 200
_NEVER = datetime.min.replace(tzinfo=UTC)
_GROUP = re.compile(r"[\d-]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Somebody appeared in an event: by these addresses, under this name ("" when none is told), at that time.

    `at` None: the event does not tell when; then the name counts only where there is none yet. For a group, `name` is
    its subject.
    """

    address: ChatAddress
    name: str = ""
    at: datetime | None = None


def is_somebody(address: ChatAddress) -> bool:
    """Whether the address names a person or a group: it has a phone, a LID, or is a group's."""
    return bool(_keys_of(address))


def contacts_of(unit: Unit, sightings: Sequence[Sighting], changes: list[live.Change] | None = None) -> list[Contact]:
    """The contact behind each sighting, in their order; made when there is none. A few statements, however many.

    - A phone and a LID that come together are one person. Where both are known, as two contacts, these are merged
      (docs/decisions/0013-merging-contacts.md), unless somebody has parted them: then the phone decides.
    - Of names the one with the latest `at` stays (of equal times the greater, so that any order gives the same); one
      that staff typed always.
    - `ContactAddress.jid` becomes the JID that WhatsApp used last, where we send.

    Live changes of merges are added to `changes`, for the caller to publish last; without it they are published here.
    Raises ValueError for an address that is nobody's (`is_somebody`).
    """
    met = [(seen, _keys_of(seen.address)) for seen in sightings]
    for seen, keys in met:
        if not keys:
            raise ValueError(f"neither phone nor LID nor group: {seen.address}")
    for look in range(MOST_LOOKS):
        batch = _Batch(unit)
        try:
            with transaction.atomic():
                contacts = batch.resolve(met)
                if changes is None:
                    live.publish(batch.changes)
        except (IntegrityError, Contact.DoesNotExist):
            # Somebody else has just made or merged some of them: his rows are committed by now, since our insert
            # waited for them.
            if look == MOST_LOOKS - 1:
                raise
        else:
            if changes is not None:
                changes += batch.changes
            return contacts
    raise AssertionError("unreachable")


def known_contacts_of(unit: Unit, chats: Sequence[ChatAddress]) -> list[Contact | None]:
    """The contact behind each address, None where we have none; one query, nothing is written."""
    known = _known(unit, [key for chat in chats for key in _keys_of(chat)])
    found: list[Contact | None] = []
    for chat in chats:
        owners = [known[key.id].contact for key in _keys_of(chat) if key.id in known]
        found.append(owners[0] if owners else None)
    return found


def contacts_by_phone(unit: Unit, phones: Iterable[str]) -> list[Contact]:
    """The contacts with these numbers, as a person typed them, each once; made when there are none.

    Raises InvalidPhone for the first that is none.
    """
    numbers = dict.fromkeys(parse_phone(phone) for phone in phones)
    typed = [ChatAddress(jid="", kind=Chat.INDIVIDUAL, phone=number) for number in numbers]
    return list(dict.fromkeys(contacts_of(unit, [Sighting(address=address) for address in typed])))


def contact_by_phone(unit: Unit, phone: str, name: str = "") -> Contact:
    """The contact with this number, as a person typed it; made when there is none. Raises InvalidPhone.

    A `name` given here is staff's and is kept from then on.
    """
    (contact,) = contacts_by_phone(unit, [phone])
    if name and not contact.name_is_ours:
        with transaction.atomic():
            Contact.objects.filter(pk=contact.pk).update(name=name, name_is_ours=True)
            live.publish(contact_changes(unit.pk, [contact.pk]))
        contact.name, contact.name_is_ours = name, True
    return contact


def conversation_with(contact: Contact, *, status: ConversationStatus = ConversationStatus.OPEN) -> Conversation:
    """The conversation with a contact, or with the one it was merged into; made, in `status`, when there is none."""
    try:
        conversation, _made = Conversation.objects.get_or_create(
            unit_id=contact.unit_id, contact=contact, defaults={"status": status}
        )
    except IntegrityError:
        kept = merging.successor(contact)
        if kept is None:
            raise
        return conversation_with(kept, status=status)
    return conversation


def delete_contact(contact: Contact) -> None:
    """Delete a contact with its conversation and messages, in the database. That he opted out is not forgotten."""
    with transaction.atomic(), database.cursor() as cursor:
        consent.outlive(contact)
        cursor.execute("DELETE FROM contacts WHERE unit_id = %s AND id = %s", [contact.unit_id, contact.id])


def send_address(contact: Contact) -> ContactAddress | None:
    """Where to send: a phone that is on WhatsApp, the one we learned of last; else the LID, or the group; else any.

    None for a contact without any.
    """

    def rank(address: ContactAddress) -> tuple[Any, ...]:
        is_phone = address.kind == AddressKind.PHONE
        return address.not_on_whatsapp_at is None, is_phone, address.created_at, address.pk

    return max(contact.addresses.all(), key=rank, default=None)


@dataclass(frozen=True, slots=True)
class _Key:
    """One way to know somebody, and the JID that WhatsApp used ("" when it is not told)."""

    kind: AddressKind
    value: str
    jid: str

    @property
    def id(self) -> tuple[str, str]:
        return self.kind, self.value


def _keys_of(address: ChatAddress) -> list[_Key]:
    """What identifies whoever is behind an address; the phone, which decides, first."""
    if address.kind == Chat.GROUP:
        value = address.jid.partition("@")[0]
        return [_Key(AddressKind.GROUP, value, f"{value}@g.us")] if _GROUP.fullmatch(value) else []
    keys = []
    if address.phone:
        jid = "" if address.kind == Chat.LID else address.jid
        keys.append(_Key(AddressKind.PHONE, normal_form(address.phone), jid))
    if address.lid:
        keys.append(_Key(AddressKind.LID, address.lid, f"{address.lid}@lid"))
    return keys


def _known(unit: Unit, keys: Iterable[_Key]) -> dict[tuple[str, str], ContactAddress]:
    """Those of `keys` that we have, by kind and value."""
    wanted = {key.id for key in keys}
    rows = ContactAddress.objects.filter(
        unit=unit, kind__in={kind for kind, _value in wanted}, value__in={value for _kind, value in wanted}
    )
    return {(row.kind, row.value): row for row in rows.select_related("contact")}


# Sightings with what they tell.
type _Met = Sequence[tuple[Sighting, list[_Key]]]


@dataclass(eq=False, slots=True)
class _Person:
    """Somebody of a batch, before it is written."""

    contact: Contact | None = None
    is_group: bool = False
    # Of two that are one, the other.
    became: _Person | None = None

    @property
    def now(self) -> _Person:
        return self.became.now if self.became else self


@dataclass(slots=True)
class _Batch:
    """One try at finding and making the contacts of some sightings."""

    unit: Unit
    changes: list[live.Change] = field(default_factory=list)
    # Who has which address, and what is to be written.
    owners: dict[tuple[str, str], _Person] = field(default_factory=dict)
    added: dict[tuple[str, str], _Key] = field(default_factory=dict)
    parted: dict[frozenset[Any], bool] = field(default_factory=dict)

    def resolve(self, met: _Met) -> list[Contact]:
        known = _known(self.unit, [key for _seen, keys in met for key in keys])
        people: dict[Any, _Person] = {}
        for key_id, row in known.items():
            self.owners[key_id] = people.setdefault(row.contact_id, _Person(row.contact))
        seen_people = [self._person(keys) for _seen, keys in met]
        names = _names((person, seen) for person, (seen, _keys) in zip(seen_people, met, strict=True))
        jids = _jids(met)
        self._add(names, jids)
        self._name({person.contact: name for person, name in names.items() if person.contact})
        _set_jids(
            {row: jids[key_id] for key_id, row in known.items() if jids.get(key_id, (row.jid, None))[0] != row.jid}
        )
        return [_made(person) for person in seen_people]

    def _person(self, keys: list[_Key]) -> _Person:
        """Whose the addresses of a sighting are: of one who is known already, or a new one."""
        found = list(dict.fromkeys(self.owners[key.id].now for key in keys if key.id in self.owners))
        person = found[0] if found else _Person(is_group=keys[0].kind == AddressKind.GROUP)
        for other in found[1:]:
            person = self._one_of(person, other)
        for key in keys:
            if key.id not in self.owners:
                self.owners[key.id] = person
                self.added[key.id] = key
        return person

    def _one_of(self, person: _Person, other: _Person) -> _Person:
        """The one that two become; `person` itself where they were parted."""
        if person.contact and other.contact:
            if self._were_parted(person.contact, other.contact):
                return person
            kept, absorbed = merging.in_order(person.contact, other.contact)
            merging.merge(kept, absorbed, self.changes)
            if kept is other.contact:
                person, other = other, person
            kept.refresh_from_db(fields=joining.NAME)
        elif other.contact:
            person, other = other, person
        other.became = person
        return person

    def _were_parted(self, one: Contact, other: Contact) -> bool:
        pair = frozenset([one.pk, other.pk])
        if pair not in self.parted:
            self.parted[pair] = merging.were_parted(one, other)
        return self.parted[pair]

    def _add(self, names: dict[_Person, tuple[str, datetime | None]], jids: dict[tuple[str, str], _Jid]) -> None:
        """Insert contacts and addresses that are new. Raises IntegrityError when somebody else was faster."""
        if not self.added:
            return
        # In one order for everybody, so that two who add the same wait for each other and not in a circle.
        added = sorted(self.added)
        new = list(dict.fromkeys(person for key_id in added if (person := self.owners[key_id].now).contact is None))
        made = Contact.objects.bulk_create(
            Contact(unit=self.unit, name=name, named_at=at, is_group=person.is_group)
            for person in new
            for name, at in [names.pop(person, ("", None))]
        )
        for person, contact in zip(new, made, strict=True):
            person.contact = contact
        ContactAddress.objects.bulk_create(
            ContactAddress(
                unit=self.unit,
                contact=_made(self.owners[key_id]),
                kind=self.added[key_id].kind,
                value=self.added[key_id].value,
                jid=jids.get(key_id, ("", None))[0],
                jid_at=jids.get(key_id, ("", None))[1],
            )
            for key_id in added
        )

    def _name(self, names: dict[Contact, tuple[str, datetime | None]]) -> None:
        """Write the names that count more than the ones we have; again decided by the rows, which may have moved on."""
        better = {
            contact.pk: (contact, name, at)
            for contact, (name, at) in names.items()
            if not contact.name_is_ours
            and (not contact.name or (at and (at, name) > (contact.named_at or _NEVER, contact.name)))
        }
        if not better:
            return
        with database.cursor() as cursor:
            cursor.execute(
                _SET_NAMES,
                {
                    "unit": self.unit.pk,
                    "ids": list(better),
                    "names": [name for _contact, name, _at in better.values()],
                    "times": [at for _contact, _name, at in better.values()],
                },
            )
            for (pk,) in cursor.fetchall():
                contact, name, at = better[pk]
                contact.name, contact.named_at = name, at
                self.changes += contact_changes(self.unit.pk, [pk])


def _made(person: _Person) -> Contact:
    contact = person.now.contact
    if contact is None:
        raise AssertionError("asked for before it was made")
    return contact


def _names(seen: Iterable[tuple[_Person, Sighting]]) -> dict[_Person, tuple[str, datetime | None]]:
    """The name that counts of those that each person was seen under: the latest, and any with a time before others."""
    names: dict[_Person, tuple[str, datetime | None]] = {}
    for person, sighting in seen:
        name = sighting.name[:LONGEST_NAME]
        known, known_at = names.get(person.now, ("", None))
        if name and (sighting.at or _NEVER, name) > (known_at or _NEVER, known):
            names[person.now] = name, sighting.at
    return names


type _Jid = tuple[str, datetime | None]


def _jids(met: _Met) -> dict[tuple[str, str], _Jid]:
    """The JID that each address was last seen with, and when; where it is told. At one time, the greater."""
    by_time = sorted(((seen.at, key) for seen, keys in met for key in keys if key.jid), key=_when)
    return {key.id: (key.jid, at) for at, key in by_time}


def _when(seen: tuple[datetime | None, _Key]) -> tuple[datetime, str]:
    return seen[0] or _NEVER, seen[1].jid


def _set_jids(jids: dict[ContactAddress, _Jid]) -> None:
    """Not waiting for rows that a send is about to set from its answer: the next sighting tells again."""
    if jids:
        with database.cursor() as cursor:
            jid, at = [jid for jid, _at in jids.values()], [at for _jid, at in jids.values()]
            cursor.execute(_SET_JIDS, {"ids": [row.pk for row in jids], "jids": jid, "times": at})


_SET_NAMES = """
WITH locked AS (
    SELECT id FROM contacts WHERE unit_id = %(unit)s AND id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE
)
UPDATE contacts c SET name = seen.name, named_at = seen.at
FROM locked, unnest(%(ids)s::uuid[], %(names)s::text[], %(times)s::timestamptz[]) AS seen (id, name, at)
WHERE c.id = locked.id AND seen.id = locked.id AND NOT c.name_is_ours
  AND (c.name = '' OR seen.at > c.named_at OR (seen.at IS NOT NULL AND c.named_at IS NULL)
       OR (seen.at = c.named_at AND seen.name > c.name))
RETURNING c.id
"""

_SET_JIDS = """
WITH free AS (SELECT id FROM contact_addresses WHERE id = ANY(%(ids)s) FOR NO KEY UPDATE SKIP LOCKED)
UPDATE contact_addresses a SET jid = seen.jid, jid_at = seen.at
FROM free, unnest(%(ids)s::uuid[], %(jids)s::text[], %(times)s::timestamptz[]) AS seen (id, jid, at)
WHERE a.id = free.id AND seen.id = free.id
  AND (a.jid = '' OR a.jid_at IS NULL OR (a.jid_at, a.jid) < (seen.at, seen.jid))
"""
