"""Admin of imports: how far each is, and what came of it."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display

from messaging.imports.running import ERRORS
from messaging.imports.serializers import counts_of, percent_of
from messaging.imports.views import refused_response
from messaging.models import ContactImport, ImportStatus
from units.model_admin import ReadOnlyAdmin

IMPORT_CHIPS = {
    ImportStatus.WAITING.value: "default",
    ImportStatus.RUNNING.value: "info",
    ImportStatus.DONE.value: "success",
    ImportStatus.FAILED.value: "danger",
    ImportStatus.CANCELLED.value: "warning",
}


class ContactImportAdmin(ReadOnlyAdmin):
    sortable_by = None
    list_display = ["file_name", "unit", "state", "progress", "rows_done", "refused", "created_by", "created_at"]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("status", ChoicesDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_select_related = ["unit", "created_by"]
    search_fields = ["file_name"]
    ordering = ["-id"]
    fields = [
        ("file_name", "unit"),
        ("state", "progress"),
        ("created_by", "created_at"),
        ("started_at", "finished_at"),
        ("rows_done", "size"),
        "result",
        "error",
        ("mapping", "tags"),
        ("encoding", "delimiter", "default_region"),
    ]
    readonly_fields = ["state", "progress", "result", "error"]
    actions_detail = ["download_refused"]

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[UnfoldAction]:
        """Only where rows were refused, once they lie together."""
        row = self.get_object(request, str(object_id))
        return super().get_actions_detail(request, object_id) if row and row.refused_file else []

    @display(description=_("status"), label=IMPORT_CHIPS)
    def state(self, row: ContactImport) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @display(description=_("progress"))
    def progress(self, row: ContactImport) -> str:
        return f"{percent_of(row)} %"

    @display(description=_("refused rows"))
    def refused(self, row: ContactImport) -> int:
        return int(counts_of(row)["refused"])

    @display(description=_("result"))
    def result(self, row: ContactImport) -> str:
        counts: dict[str, Any] = counts_of(row)
        lines = [
            (gettext("New contacts"), counts["created"]),
            (gettext("Updated contacts"), counts["updated"]),
            (gettext("Unchanged contacts"), counts["unchanged"]),
            *((each["message"], each["count"]) for each in counts["refused_by_reason"]),
        ]
        return format_html_join("", "<div>{}: {}</div>", lines)

    @display(description=_("error"), empty_value="-")
    def error(self, row: ContactImport) -> str | None:
        return str(ERRORS[row.error_code]) if row.error_code else None

    @action(description=_("Download the refused rows"), icon="download", permissions=["view"])
    def download_refused(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return refused_response(self.object_or_404(request, object_id))
