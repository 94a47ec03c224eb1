"""Admin of the files of messages: how far each is, never the file itself, which is its unit's."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    FieldTextFilter,
    RangeDateTimeFilter,
)
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from messaging.media.intake import try_again
from messaging.models import MediaStatus, MessageMedia
from units.model_admin import ReadOnlyAdmin

FILE_CHIPS = {
    MediaStatus.WAITING.value: "info",
    MediaStatus.STORED.value: "success",
    MediaStatus.FAILED.value: "danger",
    MediaStatus.REFUSED.value: "default",
}


@admin.register(MessageMedia)
class MessageMediaAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "unit", "status_chip", "mime_type", "shown_size", "attempts", "due_at", "error_code"]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("status", ChoicesDropdownFilter),
        ("error_code", FieldTextFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_select_related = ["unit"]
    search_fields = ["=message__id", "=sha256"]
    search_help_text = _("Id of the message, or the whole SHA-256 of the file")
    ordering = ["-id"]
    fields = [
        ("message", "unit"),
        ("status", "attempts", "due_at"),
        ("error_code", "error"),
        ("mime_type", "shown_size"),
        "sha256",
        "created_at",
    ]
    actions = ["load_selected_again"]
    actions_detail = ["load_again"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[MessageMedia]:
        # The list would read megabytes to show none of them.
        return super().get_queryset(request).defer("content", "url")

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[UnfoldAction]:
        """Only for a file that could not be loaded."""
        row = self.get_object(request, str(object_id))
        is_lost = row is not None and row.status == MediaStatus.FAILED
        return super().get_actions_detail(request, object_id) if is_lost else []

    @display(description=_("status"), ordering="status", label=FILE_CHIPS)
    def status_chip(self, row: MessageMedia) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @display(description=_("size"), ordering="size")
    def shown_size(self, row: MessageMedia) -> str:
        return "–" if row.size is None else filesizeformat(row.size)

    @action(
        description=_("Load again"),
        icon="replay",
        permissions=["act"],
        dialog={
            "title": _("Load this file again?"),
            "description": _("WhatsApp keeps files for about a month."),
            "form_submit_text": _("Load again"),
        },
    )
    def load_again(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        row = self.object_or_404(request, object_id)
        self._load(request, MessageMedia.objects.filter(pk=row.pk))
        return self.leave_dialog(request, self.address("change", object_id))

    @admin.action(description=_("Load the selected files again"), permissions=["act"])
    def load_selected_again(self, request: HttpRequest, rows: QuerySet[MessageMedia]) -> None:
        self._load(request, rows)

    def _load(self, request: HttpRequest, rows: QuerySet[MessageMedia]) -> None:
        count = sum(try_again(row.message) for row in rows.select_related("message"))
        told = ngettext("%(count)d file is loaded again.", "%(count)d files are loaded again.", count)
        self.message_user(request, told % {"count": count}, messages.SUCCESS if count else messages.WARNING)
