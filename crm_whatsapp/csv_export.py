"""CSV that is safe to open in a spreadsheet, and streamed: a million lines in a few kilobytes of memory.

A cell that begins like a formula would be run by the spreadsheet of whoever opens the file, and its text came from
strangers. Such a cell gets an apostrophe in front (`guarded`); `unguarded` takes it away again, so that what was
exported can be imported. Every cell is quoted: where the spreadsheet's separator is another one than ours, an unquoted
cell would be cut in two, and its second half could begin like a formula.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import batched

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import get_language

# Lines that go out together: a chunk of the response for each would be slower than making it.
BATCH = 500
_BOM = "\ufeff"
# Any number of apostrophes, so that a text that has one already is told from one that got it here. The full-width
# signs are formulas too for a spreadsheet in Japanese.
_FORMULA = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def guarded(cell: object) -> str:
    """A cell as it is written. Only text is guarded: a number such as -5 is one, and None is an empty cell."""
    if cell is None:
        return ""
    text = str(cell)
    return f"'{text}" if isinstance(cell, str) and _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text that `guarded` has written so."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def delimiter_of(language: str | None) -> str:
    """What separates cells for a spreadsheet in that language: where the comma is in numbers, a semicolon."""
    return ";" if (language or "").lower().startswith("pt") else ","


def csv_chunks(rows: Iterable[Sequence[object]], *, delimiter: str) -> Iterator[bytes]:
    """A CSV file of `rows` (the first names the columns) in pieces: UTF-8 with a byte order mark, which Excel needs."""
    # The writer hands each line to `write` and returns what that returns.
    writer = csv.writer(_Line(), delimiter=delimiter, quoting=csv.QUOTE_ALL)
    yield _BOM.encode()
    for some in batched(rows, BATCH):
        yield "".join(writer.writerow([guarded(cell) for cell in row]) for row in some).encode()


def csv_response(file_name: str, rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """`rows` as a file to download, separated as spreadsheets in the language of the request have it.

    `rows` is read while the answer is on its way, without the request's transaction; nothing of it is kept.
    """
    chunks = csv_chunks(rows, delimiter=delimiter_of(get_language()))
    response = StreamingHttpResponse(chunks, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = content_disposition_header(True, file_name) or "attachment"
    response.headers["Cache-Control"] = "private, no-store"
    return response


class _Line:
    """What the csv module writes to."""

    def write(self, line: str) -> str:
        return line
