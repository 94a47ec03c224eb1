"""What staff and programs enter about a contact."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from messaging.contacts import attributes, tags
from messaging.contacts.changes import contact_changes
from messaging.models import Contact, Conversation
from messaging.services import conversation_change
from units import live


def edit(
    contact: Contact,
    *,
    name: str | None = None,
    tag_names: Iterable[str] | None = None,
    values: Mapping[str, Any] | None = None,
) -> None:
    """Set what is not None: the name, all tags, and those attributes that `values` names (null takes one away).

    Raises InvalidTag, InvalidAttribute, and Contact.DoesNotExist when it has gone meanwhile.
    """
    with transaction.atomic():
        row = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
        if name is not None:
            # From now on the phone's own name for this person does not replace it.
            row.name, row.name_is_ours = name, bool(name)
        if values is not None:
            checked = attributes.checked(attributes.definitions_of(contact.unit), values)
            row.attributes = attributes.changed(row.attributes, checked)
        row.save(update_fields=["name", "name_is_ours", "attributes"])
        if tag_names is not None:
            tags.replace(row, tag_names)
        changes = contact_changes(row.unit_id, [row.pk])
        if name is not None:
            chats = Conversation.objects.filter(contact=row).values_list("id", flat=True)
            changes += [conversation_change(row.unit_id, chat) for chat in chats]
        live.publish(changes)
    contact.refresh_from_db()
