"""Who it is: from what WhatsApp or a person calls somebody to a contact and a conversation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db import connection as database

from messaging.events import ChatAddress
from messaging.models import AddressKind, Contact, ContactAddress, Conversation, ConversationStatus
from messaging.phones import normal_form, parse_phone
from units.models import Unit


def contact_by_phone(unit: Unit, phone: str, name: str = "") -> Contact:
    """The contact with this number, as a person typed it; made when there is none. Raises InvalidPhone.

    A `name` given here is staff's and is kept from then on.
    """
    contact = _known_or_new(unit, [(AddressKind.PHONE, parse_phone(phone), "")], name)
    if name and not contact.name_is_ours:
        Contact.objects.filter(pk=contact.pk).update(name=name, name_is_ours=True)
        contact.name, contact.name_is_ours = name, True
    return contact


def contact_of(unit: Unit, chat: ChatAddress, push_name: str | None) -> Contact:
    """The contact behind a direct chat; made when there is none.

    A phone and a LID that come together are the same person: the one not known yet is added to the other's contact.
    Where both are known, as two contacts, the phone decides.
    """
    push_name = (push_name or "")[:200]
    contact = _known_or_new(unit, _keys_of(chat), push_name)
    if push_name and not contact.name_is_ours and contact.name != push_name:
        Contact.objects.filter(pk=contact.pk, name_is_ours=False).update(name=push_name)
        contact.name = push_name
    return contact


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Somebody appeared in an event: by these addresses, under this name ("" when none is told), at that time.

    `at` None: the event does not tell when; then the name counts only where there is none yet.
    """

    address: ChatAddress
    name: str = ""
    at: datetime | None = None


def contacts_of(unit: Unit, sightings: Sequence[Sighting]) -> list[Contact]:
    """The contact behind each sighting, in their order; made when there is none."""
    return [contact_of(unit, seen.address, seen.name) for seen in sightings]


def known_contact_of(unit: Unit, chat: ChatAddress) -> Contact | None:
    """The contact behind a direct chat, if we have one."""
    addresses = _known_addresses(unit, _keys_of(chat))
    return addresses[0].contact if addresses else None


def contacts_by_phone(unit: Unit, phones: Iterable[str]) -> list[Contact]:
    """`contact_by_phone` for many, in a handful of statements. Raises InvalidPhone for the first that is none."""
    numbers = list(dict.fromkeys(parse_phone(phone) for phone in phones))
    rows = ContactAddress.objects.filter(unit=unit, kind=AddressKind.PHONE, value__in=numbers)
    known = {row.value: row.contact for row in rows.select_related("contact")}
    missing = [number for number in numbers if number not in known]
    try:
        with transaction.atomic():
            made = Contact.objects.bulk_create([Contact(unit=unit) for _ in missing])
            ContactAddress.objects.bulk_create(
                ContactAddress(unit=unit, contact=contact, kind=AddressKind.PHONE, value=number)
                for contact, number in zip(made, missing, strict=True)
            )
    except IntegrityError:
        # Somebody else is adding some of them: one at a time, then.
        made = [contact_by_phone(unit, number) for number in missing]
    return [*known.values(), *made]


def conversation_with(contact: Contact, *, status: ConversationStatus = ConversationStatus.OPEN) -> Conversation:
    """The conversation with a contact; made, in `status`, when there is none."""
    conversation, _made = Conversation.objects.get_or_create(
        unit_id=contact.unit_id, contact=contact, defaults={"status": status}
    )
    return conversation


def delete_contact(contact: Contact) -> None:
    """Delete a contact with its conversation and messages, in the database."""
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM contacts WHERE unit_id = %s AND id = %s", [contact.unit_id, contact.id])


def send_address(contact: Contact) -> ContactAddress | None:
    """Where to send: the phone, else the LID; None for a contact without either."""
    addresses = sorted(contact.addresses.all(), key=lambda address: address.kind != AddressKind.PHONE)
    return addresses[0] if addresses else None


# Kind, value, and the JID that WhatsApp used ("" when it is not told).
type _Key = tuple[AddressKind, str, str]


def _keys_of(chat: ChatAddress) -> list[_Key]:
    """What identifies the person of a direct chat; the phone, which decides, first."""
    keys = []
    if chat.phone:
        keys.append((AddressKind.PHONE, normal_form(chat.phone), "" if chat.jid.endswith("@lid") else chat.jid))
    if chat.lid:
        keys.append((AddressKind.LID, chat.lid, f"{chat.lid}@lid"))
    return keys


def _known_addresses(unit: Unit, keys: list[_Key]) -> list[ContactAddress]:
    """Those of `keys` that we have, in their order."""
    values = [value for _kind, value, _jid in keys]
    rows = ContactAddress.objects.filter(unit=unit, value__in=values).select_related("contact")
    found = {(row.kind, row.value): row for row in rows}
    return [found[kind, value] for kind, value, _jid in keys if (kind, value) in found]


def _known_or_new(unit: Unit, keys: list[_Key], name: str) -> Contact:
    """The contact with any of `keys`, the first that is known deciding, else a new one."""
    addresses = _known_addresses(unit, keys)
    known = {(row.kind, row.value): row for row in addresses}
    owner = addresses[0].contact if addresses else None
    if owner is None:
        try:
            with transaction.atomic():
                owner = Contact.objects.create(unit=unit, name=name)
                for kind, value, jid in keys:
                    ContactAddress.objects.create(unit=unit, contact=owner, kind=kind, value=value, jid=jid)
        except IntegrityError:
            # Somebody else has just made it: his rows are committed by now, since the insert waited for them.
            return _known_or_new(unit, keys, name)
        return owner
    for kind, value, jid in keys:
        address = known.get((kind, value))
        if address is None:
            ContactAddress.objects.get_or_create(
                unit=unit, kind=kind, value=value, defaults={"contact": owner, "jid": jid}
            )
        elif jid and address.jid != jid:
            ContactAddress.objects.filter(pk=address.pk).update(jid=jid)
    return owner
