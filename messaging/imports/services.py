"""What a person asks for: look into a file, import it, stop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any
from uuid import uuid4

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext_lazy

from crm_whatsapp.bell import ring_on_commit
from crm_whatsapp.db import ClockNow
from messaging.contacts import attributes
from messaging.contacts import tags as contact_tags
from messaging.imports import columns, files
from messaging.imports.reading import BadFile, Found, inspect
from messaging.models import AttributeDefinition, ContactImport, ImportStatus
from messaging.phones import DEFAULT_REGION
from units import audit
from units.models import AuditAction, Unit, User

TASK = "messaging.tasks.run_imports"
# The tag of everybody in a file whose people were not asked whether they want campaigns.
NEVER_ASKED = gettext_lazy("Never asked")
# A column's target that makes an attribute of the column's name.
NEW_ATTRIBUTE = "attribute"


@dataclass(frozen=True, slots=True)
class Preview:
    found: Found
    # Column → what it seems to be; columns that seem to be nothing are not in it.
    mapping: dict[str, str]


def preview(unit: Unit, upload: File, *, encoding: str = "", delimiter: str = "") -> Preview:
    """What is in a file, and what its columns seem to be. Nothing is kept. Raises BadFile."""
    found = _inspect(upload, encoding, delimiter)
    known = attributes.definitions_of(unit).values()
    return Preview(found, columns.guess(found.columns, found.rows, known))


def start(
    unit: Unit,
    upload: File,
    *,
    by: User | None,
    mapping: Mapping[str, str] | None = None,
    region: str = DEFAULT_REGION,
    tags: Sequence[str] = (),
    encoding: str = "",
    delimiter: str = "",
) -> ContactImport:
    """Keep a file and import it in the background.

    `mapping`: column → "phone", "name", "tags", "opted_out", "attributes.<key>", or "attribute": an attribute that is
    called like the column, made when there is none. None: what the columns seem to be. `region`: of numbers without a
    country code. `tags`: for everybody in the file.

    Raises BadFile, BadMapping, InvalidTag.
    """
    tags = contact_tags.checked(tags)
    found = _inspect(upload, encoding, delimiter)
    known = attributes.definitions_of(unit)
    if mapping is None:
        mapping = columns.guess(found.columns, found.rows, known.values())
    mapping, new = _with_attributes(mapping, known)
    columns.check(mapping, found.columns, [*known, *(each.key for each in new)])
    name = files.keep_source(unit.pk, upload)
    with transaction.atomic():
        for each in new:
            AttributeDefinition.objects.get_or_create(unit=unit, key=each.key, defaults={"name": each.name})
        row = ContactImport.objects.create(
            unit=unit,
            created_by=by,
            file_name=(upload.name or "")[-200:],
            file=name,
            size=upload.size,
            encoding=found.layout.encoding,
            delimiter=found.layout.delimiter,
            mapping=mapping,
            default_region=region,
            tags=tags,
        )
        audit.record(unit.pk, AuditAction.CONTACTS_IMPORTED, row, bytes=upload.size)
        ring_on_commit(TASK)
    row.refresh_from_db()
    return row


def told_apart(unit: Unit) -> QuerySet[ContactImport]:
    """The unit's imports whose people are known by a tag that they gave. NEVER_ASKED is given by many."""
    rows = ContactImport.objects.filter(unit=unit).exclude(tags=[])
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            rows = rows.exclude(tags=[str(NEVER_ASKED)])
    return rows


def cancel(row: ContactImport) -> bool:
    """Stop before the next rows; what was imported stays. Whether it was still under way."""
    # The new token tells a worker that the import is no longer its own, and that files are to be put away.
    stopped = ContactImport.objects.filter(pk=row.pk).move_to(
        ImportStatus.CANCELLED, finished_at=ClockNow(), claim_token=uuid4()
    )
    ring_on_commit(TASK)
    return bool(stopped)


def _inspect(upload: File, encoding: str, delimiter: str) -> Found:
    if upload.size > settings.IMPORT_MAX_BYTES:
        raise BadFile("too_large")
    file: IO[Any] = upload.open("rb")
    return inspect(file, encoding=encoding, delimiter=delimiter)


def _with_attributes(
    mapping: Mapping[str, str], known: Mapping[str, AttributeDefinition]
) -> tuple[dict[str, str], list[AttributeDefinition]]:
    """`mapping` with the keys of attributes that are called like their columns, and those of them that are new."""
    by_name = {columns.fold(each.name): each.key for each in known.values()}
    new: dict[str, AttributeDefinition] = {}
    named = dict(mapping)
    for column, target in mapping.items():
        if target == NEW_ATTRIBUTE:
            key = by_name.get(columns.fold(column))
            if key is None:
                key = columns.key_of(column, [*known, *new])
                new[key] = AttributeDefinition(key=key, name=column[:80])
            named[column] = f"{columns.ATTRIBUTE}{key}"
    return named, list(new.values())
