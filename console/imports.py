"""What the pages of imports read, and what their form takes."""

from collections.abc import Mapping
from functools import cached_property
from itertools import islice
from math import ceil
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.presentation import Look
from messaging.contacts import attributes
from messaging.contacts.tags import InvalidTag, checked
from messaging.imports import columns, files, services
from messaging.imports.reading import Found, names_of
from messaging.imports.running import ERRORS
from messaging.imports.serializers import counts_of, percent_of
from messaging.models import ContactImport, ImportStatus
from units.models import Unit

# The latest; older ones have nothing to tell, and their refused rows are gone after a month.
ROWS = 30
SAMPLES = 3
# Refused rows that are shown; all of them are in the file to download.
EXAMPLES = 5
# A file is sent along with each change of a column, to look at its rows anew. Of a larger one only when asked.
SENT_AGAIN_UP_TO = 5 << 20

LOOKS: dict[str, Look] = {
    ImportStatus.WAITING: Look("clock"),
    ImportStatus.RUNNING: Look("loader", "info"),
    ImportStatus.DONE: Look("check", "ok"),
    ImportStatus.FAILED: Look("circle-alert", "danger"),
    ImportStatus.CANCELLED: Look("ban"),
}


class Progress:
    """An import as a page shows it."""

    def __init__(self, row: ContactImport) -> None:
        self.row = row
        self.look = LOOKS[row.status]
        self.percent = percent_of(row)
        counts = counts_of(row)
        self.created, self.updated, self.unchanged = counts["created"], counts["updated"], counts["unchanged"]
        self.refused = counts["refused"]
        self.reasons = [(each["message"], each["count"]) for each in counts["refused_by_reason"]]
        self.is_open = row.status in {ImportStatus.WAITING, ImportStatus.RUNNING}
        self.error = ERRORS.get(row.error_code, "")

    @property
    def rows_expected(self) -> int:
        """About how many rows the file has; 0 before the first of them are done."""
        row = self.row
        return round(row.rows_done * row.size / row.bytes_done) if row.bytes_done and self.is_open else 0

    @property
    def minutes_left(self) -> int:
        """About, from how long it has taken so far; 0: nobody can say yet."""
        row = self.row
        if not (self.is_open and row.started_at and row.bytes_done):
            return 0
        so_far = (timezone.now() - row.started_at).total_seconds()
        return ceil(so_far * (row.size - row.bytes_done) / row.bytes_done / 60)

    @cached_property
    def examples(self) -> list[tuple[str, str, str]]:
        """Of the first refused rows name, phone as it stands in the file, and why. Once it has ended."""
        if not self.row.refused_file:
            return []
        places = {target: column for column, target in self.row.mapping.items()}
        try:
            (_code, *header), *rows = islice(files.refused_rows(self.row), EXAMPLES + 1)
        except (FileNotFoundError, ValueError):
            return []
        names = names_of(header)

        def cell(cells: list[str], target: str) -> str:
            place = names.index(places[target]) if places.get(target) in names else len(cells)
            return cells[place] if place < len(cells) else ""

        return [
            (cell(cells, columns.NAME), cell(cells, columns.PHONE), columns.reason_of(code)[2]) for code, *cells in rows
        ]


def running(unit: Unit) -> Progress | None:
    """The import that is under way, the latest of several; None: there is none."""
    states = [ImportStatus.WAITING, ImportStatus.RUNNING]
    row = ContactImport.objects.filter(unit=unit, status__in=states).order_by("-created_at").first()
    return Progress(row) if row else None


def imports(unit: Unit) -> list[Progress]:
    """The latest, newest first."""
    return [Progress(row) for row in ContactImport.objects.filter(unit=unit).order_by("-created_at")[:ROWS]]


class ImportForm(forms.Form):
    """A file, what its columns are, whether its people agreed, and a tag for all of them."""

    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("The first line names the columns. A spreadsheet saves one with “Save as”, kind “CSV”."),
        allow_empty_file=True,
        error_messages={"required": _("Choose a file.")},
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"}),
    )
    tag = forms.CharField(
        label=_("Tag for everybody in the file (optional)"),
        max_length=columns.LONGEST_TAG,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    agreed = forms.ChoiceField(
        label=_("Have these people agreed to get messages from you?"),
        required=False,
        choices=[
            ("yes", _("Yes, all of them")),
            ("no", _("Not all, or I do not know")),
        ],
        widget=forms.RadioSelect,
    )

    def clean_tag(self) -> str:
        try:
            return "".join(checked([typed] if (typed := self.cleaned_data["tag"]) else []))
        except InvalidTag as error:
            raise forms.ValidationError(error.message) from error

    def clean(self) -> dict[str, Any]:
        """Anyone who was shown the columns was asked about consent as well."""
        if self.mapping() is not None and not self.cleaned_data.get("agreed"):
            self.add_error("agreed", _("Say whether they have agreed: campaigns to who did not cost you the number."))
        return self.cleaned_data

    def tags(self) -> list[str]:
        """For everybody in the file: the one that was typed, and one by which campaigns leave out who was not asked."""
        typed, was_asked = self.cleaned_data["tag"], self.cleaned_data["agreed"] != "no"
        return [*([typed] if typed else []), *([] if was_asked else [str(services.NEVER_ASKED)])]

    def mapping(self) -> dict[str, str] | None:
        """Of the columns that were shown; None before they were."""
        data: Any = self.data
        names, targets = data.getlist("column"), data.getlist("target")
        if not names:
            return None
        return {name: target for name, target in zip(names, targets, strict=False) if target}


def columns_of(found: Found, mapping: Mapping[str, str]) -> list[tuple[str, list[str], str]]:
    """Of each column its name, some of what is in it, and what it is ("": nothing)."""
    return [
        (
            name,
            [row[place] for row in found.rows if "".join(row[place : place + 1]).strip()][:SAMPLES],
            mapping.get(name, ""),
        )
        for place, name in enumerate(found.columns)
    ]


def targets(unit: Unit) -> list[tuple[str, str | Promise]]:
    """What a column can be, with its words."""
    return [
        ("", _("Leave out")),
        (columns.PHONE, _("Phone")),
        (columns.NAME, _("Name")),
        (columns.TAGS, _("Tags")),
        (columns.OPTED_OUT, pgettext_lazy("column", "Opted out (yes or no)")),
        *((f"{columns.ATTRIBUTE}{key}", each.name) for key, each in attributes.definitions_of(unit).items()),
        (services.NEW_ATTRIBUTE, _("A new attribute with this name")),
    ]
