"""What two contacts that are one have of their own: name, block, attributes, tags. Steps of `messaging.merging`."""

from datetime import UTC, datetime
from typing import Any

from messaging.models import Contact, ContactTag, Tag
from messaging.rows import give_back, restore, row_of, some

NAME = ("name", "name_is_ours", "named_at")
BLOCK = ("blocked_at", "blocked_reason")

_NEVER = datetime.min.replace(tzinfo=UTC)


def join(before: dict[str, Any], kept: Contact, absorbed: Contact) -> None:
    """Give `kept` what is the other's; both are locked and as they are. `before`: what it takes to part them."""
    before["tags"] = _unite_tags(kept, absorbed)
    before["attributes"] = _take_attributes(kept, absorbed)
    _take_name(kept, absorbed)
    _take_block(kept, absorbed)
    before["kept_after"] = some(row_of(kept), (*NAME, *BLOCK))


def part(before: dict[str, Any], kept: Contact, absorbed: Contact) -> None:
    """Give back what is the absorbed contact's, unless somebody has changed it since."""
    _part_tags(before["tags"], kept, absorbed)
    if before["kept"]["id"] == str(kept.pk):
        for columns in (NAME, BLOCK):
            give_back(kept, before["kept"], before["kept_after"], columns, together=True)
        _give_back_attributes(before["attributes"], kept)


def _take_name(kept: Contact, absorbed: Contact) -> None:
    """Ours before theirs, then the one that was seen later; of two of ours that of the kept contact."""

    def rank(contact: Contact) -> tuple[Any, ...]:
        if contact.name and contact.name_is_ours:
            return (2, contact.pk == kept.pk)
        return (1, contact.named_at or _NEVER, contact.name) if contact.name else (0,)

    if rank(absorbed) > rank(kept):
        names = {column: getattr(absorbed, column) for column in NAME}
        Contact.objects.filter(pk=kept.pk).update(**names)


def _take_block(kept: Contact, absorbed: Contact) -> None:
    """A block on either contact holds for the joint one, since the earlier of two."""
    if absorbed.blocked_at and (kept.blocked_at is None or absorbed.blocked_at < kept.blocked_at):
        block = {column: getattr(absorbed, column) for column in BLOCK}
        Contact.objects.filter(pk=kept.pk).update(**block)


def _take_attributes(kept: Contact, absorbed: Contact) -> dict[str, Any]:
    """The kept contact's own values count; those that he gets besides."""
    missing = {key: value for key, value in absorbed.attributes.items() if key not in kept.attributes}
    if missing:
        Contact.objects.filter(pk=kept.pk).update(attributes=kept.attributes | missing)
    return missing


def _give_back_attributes(added: dict[str, Any], kept: Contact) -> None:
    """Take away what came with the absorbed contact, unless it says something else by now."""
    if added:
        row = Contact.objects.select_for_update(no_key=True).get(pk=kept.pk)
        own = {key: value for key, value in row.attributes.items() if key not in added or added[key] != value}
        Contact.objects.filter(pk=kept.pk).update(attributes=own)


def _unite_tags(kept: Contact, absorbed: Contact) -> dict[str, Any]:
    """All tags of both; the rows that moved, and those of tags that both had, which go with the absorbed contact."""
    rows = ContactTag.objects.filter(contact=absorbed)
    both = rows.filter(tag__in=ContactTag.objects.filter(contact=kept).values("tag")).order_by("pk")
    replaced = [row_of(row) for row in both]
    moving = rows.exclude(pk__in=[row["id"] for row in replaced]).order_by("pk").values_list("pk", flat=True)
    moved = [str(pk) for pk in moving]
    ContactTag.objects.filter(pk__in=moved).update(contact=kept)
    return {"replaced": replaced, "moved": moved}


def _part_tags(told: dict[str, Any], kept: Contact, absorbed: Contact) -> None:
    """Give the absorbed contact's tags back, but for those that nobody has any more."""
    ContactTag.objects.filter(pk__in=told["moved"], contact=kept).update(contact=absorbed)
    here = {str(pk) for pk in Tag.objects.filter(unit=absorbed.unit_id).values_list("pk", flat=True)}
    for row in told["replaced"]:
        if row["tag_id"] in here:
            restore(ContactTag, row)
