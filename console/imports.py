"""What the pages of imports read, and what their form takes."""

from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.presentation import Look
from messaging.contacts import attributes
from messaging.imports import columns, services
from messaging.imports.running import ERRORS
from messaging.imports.serializers import counts_of, percent_of
from messaging.models import ContactImport, ImportStatus
from units.models import Unit

# The latest; older ones have nothing to tell, and their refused rows are gone after a month.
ROWS = 30
SAMPLES = 3

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


def imports(unit: Unit) -> list[Progress]:
    """The latest, newest first."""
    return [Progress(row) for row in ContactImport.objects.filter(unit=unit).order_by("-created_at")[:ROWS]]


class FileForm(forms.Form):
    """A CSV file."""

    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("The first line names the columns. A spreadsheet saves one with “Save as”, kind “CSV”."),
        allow_empty_file=True,
        error_messages={"required": _("Choose a file.")},
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"}),
    )


class ImportForm(FileForm):
    """A file, what its columns are, and a tag for everybody in it."""

    tag = forms.CharField(
        label=_("Tag for everybody in the file (optional)"),
        max_length=columns.LONGEST_TAG,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def mapping(self) -> dict[str, str] | None:
        """Of the columns that were shown; None before they were."""
        data: Any = self.data
        names, targets = data.getlist("column"), data.getlist("target")
        if not names:
            return None
        return {name: target for name, target in zip(names, targets, strict=False) if target}


def columns_of(preview: services.Preview) -> list[tuple[str, list[str], str]]:
    """Of each column its name, some of what is in it, and what it seems to be ("": nothing)."""
    found = preview.found
    return [
        (
            name,
            [row[place] for row in found.rows if "".join(row[place : place + 1]).strip()][:SAMPLES],
            preview.mapping.get(name, ""),
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
