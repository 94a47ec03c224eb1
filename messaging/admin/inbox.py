"""Admin of labels, canned replies, notes, and calls that failed."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter, RangeDateTimeFilter
from unfold.decorators import display

from messaging.inbox import steering
from messaging.models import CannedReply, FailedAttempt, Label, Note
from units.model_admin import ModelAdmin, ReadOnlyAdmin


class _SettingAdmin(ModelAdmin):
    """What a unit has set up; it keeps its unit."""

    list_filter = [("unit", AutocompleteSelectFilter)]
    list_select_related = ["unit"]
    autocomplete_fields = ["unit"]
    ordering = ["-id"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["unit"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_erase_permission(request, obj)


@admin.register(Label)
class LabelAdmin(_SettingAdmin):
    list_display = ["name", "unit", "color", "conversations", "created_at"]
    search_fields = ["name"]
    fields = ["unit", "name", "color"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Label]:
        return super().get_queryset(request).annotate(conversation_count=Count("labelled"))

    @display(description=_("conversations"))
    def conversations(self, label: Any) -> int:
        return int(label.conversation_count)

    def delete_model(self, request: HttpRequest, obj: Label) -> None:
        steering.delete_label(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Label]) -> None:
        for label in queryset:
            steering.delete_label(label)


@admin.register(CannedReply)
class CannedReplyAdmin(_SettingAdmin):
    list_display = ["shortcut", "unit", "beginning", "created_at"]
    search_fields = ["shortcut", "body"]
    fields = ["unit", "shortcut", "body"]

    @display(description=_("text"))
    def beginning(self, reply: CannedReply) -> str:
        return Truncator(reply.body).chars(80)


@admin.register(Note)
class NoteAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "conversation", "unit", "author", "beginning", "edited_at"]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("author", AutocompleteSelectFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_select_related = ["unit", "author", "conversation__contact"]
    search_fields = ["body"]
    ordering = ["-id"]
    fields = [("conversation", "unit"), ("author", "created_at", "edited_at"), "body"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Note]:
        return super().get_queryset(request).prefetch_related("conversation__contact__addresses")

    @display(description=_("text"))
    def beginning(self, note: Note) -> str:
        return Truncator(note.body).chars(80)


@admin.register(FailedAttempt)
class FailedAttemptAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "message", "unit", "number", "outcome", "code", "beginning"]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("outcome", FieldTextFilter),
        ("code", FieldTextFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_select_related = ["unit", "message"]
    search_fields = ["=message__id", "=code"]
    search_help_text = _("Id of the message, or a code")
    ordering = ["-id"]
    fields = [("message", "unit"), ("number", "created_at"), ("outcome", "code"), "answer"]

    @display(description=_("answer"))
    def beginning(self, attempt: FailedAttempt) -> str:
        return Truncator(attempt.answer).chars(80)
