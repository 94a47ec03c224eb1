"""Admin of what needed people, and whether they were told."""

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter

from attention.models import Episode
from units.model_admin import ReadOnlyAdmin


@admin.register(Episode)
class EpisodeAdmin(ReadOnlyAdmin):
    """Episodes, the newest first."""

    list_display = ["created_at", "unit", "kind", "told_at", "ended_at"]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("kind", ChoicesDropdownFilter),
        ("ended_at", admin.EmptyFieldListFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_select_related = ["unit"]
    search_fields = ["unit__name"]
    ordering = ["-created_at", "-id"]
    fields = ["unit", "kind", "object_id", "created_at", "told_at", "ended_at"]
