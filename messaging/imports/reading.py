"""Reads the CSV files that people have: from a spreadsheet of any language, old or new."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from crm_whatsapp.csv_export import unguarded
from messaging.phones import InvalidPhone, parse_phone

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

DELIMITERS = ";,\t|"
# In the order in which they are tried. Windows' own has five holes, where Latin-1 has control characters.
ENCODINGS = ("utf-8", "cp1252", "latin-1")
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# How some other kinds of files begin.
_KINDS = {b"PK\x03\x04": "spreadsheet", b"\xd0\xcf\x11\xe0": "spreadsheet", b"%PDF": "binary"}
# The line by which Excel is told the delimiter, above the header.
_SAYS_DELIMITER = re.compile(r'"?sep=([;,\t|])"?[;,\t|]*(\r?\n|$)', re.IGNORECASE)
CHUNK_BYTES = 1 << 20
# What the kind of file is found out from, and how many rows of it a person sees.
SAMPLE_BYTES = 1 << 18
SAMPLE_ROWS = 5
MOST_COLUMNS = 200
# Characters of one line, and lines of one record: a quote that is never closed would take in the rest of the file.
LONGEST_LINE = 1 << 18
MOST_LINES = 100

PROBLEMS: dict[str, _StrPromise] = {
    "empty": _("The file is empty."),
    "too_large": _("The file is too large. Split it into smaller ones."),
    "spreadsheet": _("This is a spreadsheet, not a CSV file. In the spreadsheet, choose “Save as” and the kind “CSV”."),
    "binary": _("This is not a CSV file."),
    "wrong_encoding": _("The file is not written in the encoding that it claims. Save it again as “CSV UTF-8”."),
    "no_header": _("The first line must name the columns, for example: name;phone."),
    "no_rows": _("There is nothing below the first line."),
    "too_many_columns": _("The file has too many columns."),
}


class BadFile(ValueError):
    """A file that cannot be read; `code` is a key of PROBLEMS, `message` says it to a person."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = PROBLEMS[code]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written. `encoding` without a byte order mark, which Records skips."""

    encoding: str
    delimiter: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a file turned out to be: its columns by name, each another one, and its first rows."""

    layout: Layout
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the file. `problem`: a line with a quote that nobody closes, or the beginning of one that is too long,
    is the only cell; a key of `columns.REASONS`."""

    cells: list[str]
    problem: str = ""


class _Line(str):
    """A line as the csv module wants it; `size` in bytes, and whether only its beginning is here."""

    size: int
    is_cut: bool


class Records:
    """The records of a file, its header among them; `position` is the byte behind the one given last.

    A quote that is not closed within MOST_LINES costs its own line, not what follows. Raises UnicodeDecodeError where
    the file is not in `layout.encoding`.
    """

    def __init__(self, file: IO[bytes], layout: Layout) -> None:
        file.seek(0)
        mark = next((mark for mark, encoding in _MARKS.items() if encoding == layout.encoding), b"")
        self.position = len(mark) if mark and file.read(len(mark)) == mark else 0
        file.seek(self.position)
        self._layout = layout
        # No newline is translated, so that a line is as long as it was: `position` is counted from them.
        self._text = io.TextIOWrapper(file, layout.encoding, newline="")
        self._again: deque[_Line] = deque()
        self._taken: list[_Line] = []
        first = self._next_line()
        if _SAYS_DELIMITER.fullmatch(first):
            self.position += first.size
        else:
            self._again.append(first)

    def __iter__(self) -> Iterator[Record]:
        reader = self._reader()
        while True:
            self._taken.clear()
            try:
                cells = next(reader, None)
                broken = len(self._taken) > 1 and self._is_open()
            except (csv.Error, _Unclosed):
                cells, broken = [], True
            problem = ""
            if broken:
                problem = "long_line" if self._taken[0].is_cut else "broken_quotes"
                self._again.extendleft(reversed(self._taken[1:]))
                del self._taken[1:]
                cells = [self._taken[0].rstrip("\r\n")]
                reader = self._reader()
            if cells is None:
                return
            self.position += sum(line.size for line in self._taken)
            if broken or any(cells):
                yield Record(cells, problem)

    def close(self) -> None:
        """Leave the file, which stays open."""
        self._text.detach()

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._lines(), delimiter=self._layout.delimiter)

    def _lines(self) -> Iterator[str]:
        while line := self._again.popleft() if self._again else self._next_line():
            self._taken.append(line)
            if len(self._taken) > MOST_LINES or line.is_cut:
                raise _Unclosed
            yield line

    def _next_line(self) -> _Line:
        """Of one that is too long the beginning; its end is passed over, or it would be read as a row."""
        line = _Line(self._text.readline(LONGEST_LINE))
        line.size = self._size(line)
        line.is_cut = len(line) == LONGEST_LINE and not line.endswith(("\n", "\r"))
        more = line if line.is_cut else ""
        while len(more) == LONGEST_LINE and not more.endswith(("\n", "\r")):
            more = self._text.readline(LONGEST_LINE)
            line.size += self._size(more)
        return line

    def _size(self, text: str) -> int:
        return len(text.encode(self._layout.encoding))

    def _is_open(self) -> bool:
        """Whether the record ended because the file did; the csv module takes that for its end as well."""
        return sum(line.count('"') for line in self._taken) % 2 == 1


class _Unclosed(Exception):
    pass


def inspect(file: IO[bytes], *, encoding: str = "", delimiter: str = "") -> Found:
    """Find out how a file is written, and what is in it. What is given is not guessed.

    All of it is read once, in a bounded amount of memory: a byte that is no UTF-8 may be in the last line.
    Raises BadFile.
    """
    encoding = _encoding_of(file, encoding)
    file.seek(0)
    sample = codecs.getincrementaldecoder(encoding)().decode(file.read(SAMPLE_BYTES)).lstrip("\ufeff")
    if not sample.strip():
        raise BadFile("empty")
    said = _SAYS_DELIMITER.match(sample)
    layout = Layout(encoding, delimiter or (said[1] if said else _delimiter_of(sample)))
    records = Records(file, layout)
    try:
        found = [record.cells for record, _n in zip(records, range(SAMPLE_ROWS + 1), strict=False)]
    finally:
        records.close()
    header, *rows = found or [[]]
    columns = names_of(header)
    if len(columns) > MOST_COLUMNS:
        raise BadFile("too_many_columns")
    if any(_is_phone(cell) for cell in header):
        raise BadFile("no_header")
    if not rows:
        raise BadFile("no_rows")
    return Found(layout, columns, [[unguarded(cell.strip(" ")) for cell in row[: len(columns)]] for row in rows])


def names_of(header: Sequence[str]) -> list[str]:
    """The columns' names: as the header has them, numbered where it has none or the same twice."""
    names: list[str] = []
    for number, cell in enumerate(header, 1):
        name = unguarded(" ".join(cell.replace("\0", "").split()))[:100] or f"#{number}"
        names.append(f"{name} ({number})" if name in names else name)
    return names


def _encoding_of(file: IO[bytes], wanted: str) -> str:
    file.seek(0)
    start = file.read(4)
    for kind, code in _KINDS.items():
        if start.startswith(kind):
            raise BadFile(code)
    marked = next((encoding for mark, encoding in _MARKS.items() if start.startswith(mark)), "")
    if wanted or marked:
        if not _reads_as(file, wanted or marked):
            raise BadFile("wrong_encoding")
        return wanted or marked
    return next(encoding for encoding in ENCODINGS if _reads_as(file, encoding))


def _reads_as(file: IO[bytes], encoding: str) -> bool:
    """Whether all of the file is in that encoding. Raises BadFile for one that is no text."""
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    try:
        while chunk := file.read(CHUNK_BYTES):
            if b"\0" in chunk and not encoding.startswith("utf-16"):
                raise BadFile("binary")
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter_of(sample: str) -> str:
    """The delimiter by which most rows have as many cells as the first, and the first the most."""

    def agreement(delimiter: str) -> tuple[int, int]:
        rows: list[list[str]] = []
        # The last line may be cut off, and one may have a cell that nobody wants to read.
        with suppress(csv.Error):
            for row in csv.reader(sample.splitlines(keepends=True)[:51], delimiter=delimiter):
                rows.append(row)
        width = len(rows[0]) if rows else 0
        return (sum(len(row) == width for row in rows), width) if width > 1 else (0, 0)

    return max(",;\t|", key=agreement)


def _is_phone(text: str) -> bool:
    try:
        return bool(parse_phone(unguarded(text.strip())))
    except InvalidPhone:
        return False
