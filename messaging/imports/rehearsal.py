"""What an import would do, before it is started: its first rows read as they will be, and nothing written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from django.core.files.base import File

from messaging.contacts import attributes
from messaging.imports import columns as told
from messaging.imports.columns import Columns, Refused
from messaging.imports.reading import CHUNK_BYTES, Found, Records
from messaging.imports.services import NEW_ATTRIBUTE
from messaging.models import AddressKind, ContactAddress
from messaging.phones import DEFAULT_REGION
from units.models import Unit

# More rows tell nothing new about a file, and somebody waits.
ROWS = 2000
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """`number`: of the row in the file, where the first line is 1. `phone` and `name` as they stand there."""

    number: int
    name: str
    phone: str
    reason: str


@dataclass(slots=True)
class Rehearsal:
    """`lines`: in the file, below the first. `read`: rows that were looked at, from the first on."""

    lines: int
    read: int = 0
    created: int = 0
    known: int = 0
    opted_out: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: list[RefusedRow] = field(default_factory=list)
    is_whole: bool = True

    @property
    def refused_in_all(self) -> int:
        return self.refused.total()


def rehearse(unit: Unit, upload: File, found: Found, mapping: Mapping[str, str]) -> Rehearsal:
    """Read the first rows of a file by `mapping`, in which columns may still be "attribute" (a new one).

    Raises BadMapping.
    """
    definitions = attributes.definitions_of(unit)
    known = {column: target for column, target in mapping.items() if target != NEW_ATTRIBUTE}
    told.check(known, found.columns, definitions)
    reader = Columns(found.columns, known, region=DEFAULT_REGION, definitions=definitions)
    places = {target: found.columns.index(column) for column, target in known.items()}
    file: IO[Any] = upload.open("rb")
    done = Rehearsal(lines=_lines(file))
    records, phones = Records(file, found.layout), set[str]()
    try:
        rows = iter(records)
        next(rows, None)
        for number, record in enumerate(rows, 2):
            if done.read == ROWS:
                done.is_whole = False
                break
            done.read += 1
            try:
                person = reader.read(record)
                if person.phone in phones:
                    raise Refused("duplicate")
            except Refused as refusal:
                done.refused[refusal.code] += 1
                if len(done.examples) < EXAMPLES:
                    cells = record.cells
                    name, phone = (_cell(cells, places.get(target)) for target in (told.NAME, told.PHONE))
                    done.examples.append(RefusedRow(number, name, phone, told.reason_of(refusal.code)[2]))
                continue
            phones.add(person.phone)
            done.opted_out += person.opted_out
    finally:
        records.close()
    here = ContactAddress.objects.filter(unit=unit, kind=AddressKind.PHONE, value__in=phones)
    done.known = here.count()
    done.created = len(phones) - done.known
    if done.is_whole:
        # Blank lines and cells of several lines are counted rightly only now.
        done.lines = done.read
    return done


def _cell(cells: list[str], place: int | None) -> str:
    return cells[place].strip() if place is not None and place < len(cells) else ""


def _lines(file: IO[bytes]) -> int:
    """Below the first; about, since a cell may have several."""
    file.seek(0)
    count, last = 0, b""
    while chunk := file.read(CHUNK_BYTES):
        count += chunk.count(b"\n")
        last = chunk[-1:]
    return max(0, count - (last == b"\n"))
