"""Who it is: from what WhatsApp or a person calls somebody to a contact and a conversation."""

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
    keys = []
    if chat.phone:
        keys.append((AddressKind.PHONE, normal_form(chat.phone), "" if chat.jid.endswith("@lid") else chat.jid))
    if chat.lid:
        keys.append((AddressKind.LID, chat.lid, f"{chat.lid}@lid"))
    contact = _known_or_new(unit, keys, push_name or "")
    if push_name and not contact.name_is_ours and contact.name != push_name:
        Contact.objects.filter(pk=contact.pk, name_is_ours=False).update(name=push_name)
        contact.name = push_name
    return contact


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


def _known_or_new(unit: Unit, keys: list[tuple[AddressKind, str, str]], name: str) -> Contact:
    """The contact with any of `keys` (kind, value, JID), the first that is known deciding, else a new one."""
    values = [value for _kind, value, _jid in keys]
    rows = ContactAddress.objects.filter(unit=unit, value__in=values).select_related("contact")
    known = {(row.kind, row.value): row for row in rows}
    owner = next((known[kind, value].contact for kind, value, _jid in keys if (kind, value) in known), None)
    if owner is None:
        try:
            with transaction.atomic():
                owner = Contact.objects.create(unit=unit, name=name[:200])
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
