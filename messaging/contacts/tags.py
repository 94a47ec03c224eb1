"""Words on contacts, many contacts at a time; and what goes only when no segment asks for it any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection as database
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from messaging.contacts import segments
from messaging.contacts.attributes import storable
from messaging.contacts.changes import MOST_TOLD, contact_changes, many_changed
from messaging.models import AttributeDefinition, Contact, ContactTag, Segment, Tag
from units import live
from units.models import Unit

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

LONGEST = 60


class InUse(ValueError):
    """What a saved segment asks for cannot go; `message` names the segments, to a person."""

    def __init__(self, names: Iterable[str]) -> None:
        self.message: str | _StrPromise = _("Still used by these segments: %(names)s") % {"names": ", ".join(names)}
        super().__init__(str(self.message))


class InvalidTag(ValueError):
    """A name that no tag can have; `message` says why, to a person."""

    def __init__(self) -> None:
        self.message = _("A tag has 1 to 60 characters, and no comma.")
        super().__init__(str(self.message))


def named(unit: Unit, names: Iterable[str]) -> list[Tag]:
    """The tags of these names, each once, in their order; made where there are none. Upper and lower case are one.

    Raises InvalidTag for the first name that none can have.
    """
    wanted = checked(names)
    with database.cursor() as cursor:
        cursor.execute(_MAKE, {"unit": unit.pk, "names": wanted})
    return found(unit, wanted)


def checked(names: Iterable[str]) -> list[str]:
    """The names as tags have them. Raises InvalidTag for the first that none can have."""
    wanted = [_one_line(name) for name in names]
    if any(not 0 < len(name) <= LONGEST or "," in name or not storable(name) for name in wanted):
        raise InvalidTag
    return wanted


def found(unit: Unit, names: Iterable[str]) -> list[Tag]:
    """Those tags of these names that there are, each once, in their order."""
    return list(Tag.objects.raw(_FIND, {"unit": unit.pk, "names": [_one_line(name) for name in names]}))


def _one_line(name: str) -> str:
    return " ".join(name.split())


def add(
    unit: Unit,
    contacts: QuerySet[Contact],
    tags: Iterable[Tag],
    *,
    at: datetime | None = None,
    changes: list[live.Change] | None = None,
) -> int:
    """Put `tags` on these contacts of the unit; the number of tags that are new on a contact. `at`: not just now.

    Live changes are added to `changes`, for the caller to publish last; without it they are published here.
    """
    try:
        wanted, parameters = contacts.filter(unit=unit).order_by().values("id").query.sql_with_params()
    except EmptyResultSet:
        return 0
    # The subquery is Django's own, with its parameters beside it.
    statement = (
        f"INSERT INTO contact_tags (unit_id, contact_id, tag_id, created_at)"  # noqa: S608
        f" SELECT %s, wanted.id, tag.id, coalesce(%s, crm_now()) FROM ({wanted}) AS wanted"
        f" CROSS JOIN unnest(%s::uuid[]) AS tag (id) ORDER BY wanted.id, tag.id"
        f" ON CONFLICT (contact_id, tag_id) DO NOTHING RETURNING contact_id"
    )
    return _do(unit, statement, [unit.pk, at, *parameters, [tag.pk for tag in tags]], changes)


def remove(
    unit: Unit, contacts: QuerySet[Contact], tags: Iterable[Tag], *, changes: list[live.Change] | None = None
) -> int:
    """Take `tags` off these contacts of the unit; the number of tags that were on a contact. `changes` as in `add`."""
    try:
        wanted, parameters = contacts.filter(unit=unit).order_by().values("id").query.sql_with_params()
    except EmptyResultSet:
        return 0
    statement = (
        f"DELETE FROM contact_tags WHERE unit_id = %s AND tag_id = ANY(%s::uuid[])"  # noqa: S608
        f" AND contact_id IN ({wanted}) RETURNING contact_id"
    )
    return _do(unit, statement, [unit.pk, [tag.pk for tag in tags], *parameters], changes)


def take_back(unit: Unit, tag_id: UUID, at: datetime) -> int:
    """Take a tag off those who got it `at` that very moment, and have it still; how many they were."""
    statement = "DELETE FROM contact_tags WHERE unit_id = %s AND tag_id = %s AND created_at = %s RETURNING contact_id"
    return _do(unit, statement, [unit.pk, tag_id, at], None)


def _do(unit: Unit, statement: str, parameters: Sequence[Any], changes: list[live.Change] | None) -> int:
    """Run a `statement` that returns a contact for each of its rows; the number of rows."""
    with transaction.atomic(savepoint=False), database.cursor() as cursor:
        cursor.execute(
            f"WITH done AS ({statement}) SELECT count(*), ARRAY(SELECT DISTINCT contact_id FROM done LIMIT %s)"  # noqa: S608
            f" FROM done",
            [*parameters, MOST_TOLD + 1],
        )
        count, contact_ids = cursor.fetchone()
        told = contact_changes(unit.pk, contact_ids)
        if changes is None:
            live.publish(told)
        else:
            changes += told
    return int(count)


def replace(contact: Contact, names: Iterable[str]) -> None:
    """Let `contact` have the tags of these names and no others; the caller tells of it. Raises InvalidTag."""
    with transaction.atomic():
        tags = named(contact.unit, names)
        ContactTag.objects.filter(contact=contact).exclude(tag__in=tags).delete()
        add(contact.unit, Contact.objects.filter(pk=contact.pk), tags, changes=[])


def delete_tag(tag: Tag) -> None:
    """Delete a tag, and take it off everybody. Raises InUse."""
    _refuse_in_use(segments.using(tag.unit, field="tag", value=str(tag.pk)))
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("DELETE FROM tags WHERE unit_id = %s AND id = %s", [tag.unit_id, tag.pk])
        live.publish([many_changed(tag.unit_id)])


def delete_attribute(definition: AttributeDefinition) -> None:
    """Delete an attribute and its values with all contacts. Raises InUse."""
    _refuse_in_use(segments.using(definition.unit, field=f"attribute.{definition.key}"))
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(
            "UPDATE contacts SET attributes = attributes - %(key)s"
            " WHERE unit_id = %(unit)s AND jsonb_exists(attributes, %(key)s)",
            {"key": definition.key, "unit": definition.unit_id},
        )
        definition.delete()
        live.publish([many_changed(definition.unit_id)])


def _refuse_in_use(rows: Iterable[Segment]) -> None:
    if names := [row.name for row in rows]:
        raise InUse(names)


# The case is folded by the database alone, as its unique index does it: Python folds some letters otherwise.
_MAKE = """
INSERT INTO tags (unit_id, name)
SELECT DISTINCT ON (lower(name)) %(unit)s, name FROM unnest(%(names)s::text[]) WITH ORDINALITY AS wanted (name, place)
WHERE NOT EXISTS (SELECT FROM tags t WHERE t.unit_id = %(unit)s AND lower(t.name) = lower(wanted.name))
ORDER BY lower(name), place
ON CONFLICT DO NOTHING
"""
_FIND = """
SELECT t.* FROM tags t
JOIN (
    SELECT lower(name) AS key, min(place) AS place
    FROM unnest(%(names)s::text[]) WITH ORDINALITY AS wanted (name, place) GROUP BY 1
) wanted ON wanted.key = lower(t.name)
WHERE t.unit_id = %(unit)s ORDER BY wanted.place
"""
