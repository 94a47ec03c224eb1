"""A unit's contacts as a CSV file that can be imported again without a change."""

from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from messaging.contacts import attributes
from messaging.imports.columns import header_of_attribute
from messaging.models import AddressKind, AttributeDefinition, Contact, ContactAddress, Tag
from units import audit
from units.models import AuditAction, Unit

# Contacts of one statement.
PAGE = 2000


def rows_of(unit: Unit, contacts: QuerySet[Contact]) -> Iterator[list[object]]:
    """The header, and a row for each person among `contacts`, which is a unit's; oldest first, no groups.

    In pages by key, each a statement of its own: no transaction is open while somebody downloads, whose line may be
    slow. What changes meanwhile is there as it was when its page was read.

    The columns: phone, name, tags (with commas between them), opted out, blocked, and one for each attribute.
    """
    # Here and not in the rows, which are read when the request is over.
    audit.record(unit.pk, AuditAction.CONTACTS_EXPORTED)
    return _rows(unit, contacts)


def _rows(unit: Unit, contacts: QuerySet[Contact]) -> Iterator[list[object]]:
    definitions = list(attributes.definitions_of(unit).values())
    yield [
        *(_("Phone"), _("Name"), _("Tags"), _("Opted out"), _("Blocked")),
        *(header_of_attribute(definition) for definition in definitions),
    ]
    rows = _with_all(contacts.filter(is_group=False))
    last = None
    while page := list((rows.filter(id__gt=last) if last else rows)[:PAGE]):
        for row in page:
            yield _row(row, definitions)
        last = page[-1]["id"]


def _with_all(contacts: QuerySet[Contact]) -> QuerySet[Any, Any]:
    mine = ContactAddress.objects.filter(unit=OuterRef("unit"), contact=OuterRef("pk"))
    phones = mine.filter(kind=AddressKind.PHONE).order_by("id")
    tags = Tag.objects.filter(contact_tags__contact=OuterRef("pk"), unit=OuterRef("unit")).order_by(Lower("name"))
    return (
        contacts.order_by("id")
        .annotate(
            number=Subquery(phones.values("value")[:1]),
            labels=ArraySubquery(tags.values("name")),
            is_out=Exists(mine.opted_out()),
        )
        .values("id", "name", "number", "labels", "is_out", "blocked_at", "attributes")
    )


def _row(row: dict[str, Any], definitions: list[AttributeDefinition]) -> list[object]:
    yes, no = _("Yes"), _("No")
    return [
        row["number"],
        row["name"],
        ", ".join(row["labels"]),
        yes if row["is_out"] else no,
        yes if row["blocked_at"] else no,
        *(_shown(definition, row["attributes"].get(definition.key)) for definition in definitions),
    ]


def _shown(definition: AttributeDefinition, value: Any) -> object:
    if value is None:
        return ""
    text = attributes.shown(definition, value)
    # A number is no formula, also with a minus in front.
    return text if isinstance(value, str) else _Plain(text)


class _Plain:
    """A text of our own making, which a spreadsheet may take for what it looks like."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text
