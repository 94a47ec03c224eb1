"""Admin of tags, attributes and segments."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from messaging.admin.segment_forms import SegmentForm
from messaging.contacts import segments, tags
from messaging.contacts.changes import many_changed
from messaging.contacts.segments import InvalidFilter
from messaging.models import AttributeDefinition, Segment, Tag
from units import live
from units.model_admin import ModelAdmin


class OfUnitAdmin(ModelAdmin):
    """A thing of a unit keeps its unit. It goes through a service that refuses while something needs it."""

    list_select_related = ["unit"]
    autocomplete_fields = ["unit"]
    ordering = ["-id"]
    actions_detail = ["delete_for_good"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["unit"] if obj else []

    def erase(self, obj: Any) -> None:
        """Raises tags.InUse."""
        raise NotImplementedError

    @action(
        description=_("Delete"),
        icon="delete",
        variant=ActionVariant.DANGER,
        permissions=["erase"],
        dialog={
            "title": _("Delete this?"),
            "description": _("It is taken off all contacts, for good. What a segment asks for stays."),
            "form_submit_text": _("Delete for good"),
        },
    )
    def delete_for_good(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        try:
            return self.erase_row(request, object_id, self.erase)
        except tags.InUse as error:
            messages.error(request, str(error.message))
            return self.leave_dialog(request, self.address("change", object_id))


class OnContactsAdmin(OfUnitAdmin):
    """What contacts have: under another name it looks different on all of them."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change:
            live.publish([many_changed(obj.unit_id)])


@admin.register(Tag)
class TagAdmin(OnContactsAdmin):
    list_display = ["name", "unit", "created_at"]
    list_filter = [("unit", AutocompleteSelectFilter)]
    search_fields = ["name"]
    fields = ["unit", "name"]

    def erase(self, obj: Tag) -> None:
        tags.delete_tag(obj)


@admin.register(AttributeDefinition)
class AttributeDefinitionAdmin(OnContactsAdmin):
    list_display = ["name", "key", "kind", "unit", "created_at"]
    list_filter = [("unit", AutocompleteSelectFilter), "kind"]
    search_fields = ["name", "key"]
    fields = ["unit", "name", "key", "kind"]

    def get_readonly_fields(self, request: HttpRequest, obj: AttributeDefinition | None = None) -> list[str]:
        # Texts name it by its key, and values are of its kind.
        return ["unit", "key", "kind"] if obj else []

    def erase(self, obj: AttributeDefinition) -> None:
        tags.delete_attribute(obj)


@admin.register(Segment)
class SegmentAdmin(OfUnitAdmin):
    form = SegmentForm
    list_display = ["name", "unit", "created_at"]
    list_filter = [("unit", AutocompleteSelectFilter)]
    search_fields = ["name"]
    fields = ["unit", "name", "filters"]

    def get_fields(self, request: HttpRequest, obj: Segment | None = None) -> list[str]:
        return ["unit", "name", "filters", "people"] if obj else ["unit", "name", "filters"]

    def get_readonly_fields(self, request: HttpRequest, obj: Segment | None = None) -> list[str]:
        return ["unit", "people"] if obj else []

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        return super().get_queryset(request).select_related("unit")

    @display(description=_("people now"))
    def people(self, segment: Segment) -> str:
        """How many it names, or why it names nobody any more."""
        try:
            return str(segments.queryset(segment.unit, segment.filters).count())
        except InvalidFilter as error:
            return str(error.message)

    def erase(self, obj: Segment) -> None:
        Segment.objects.filter(pk=obj.pk).delete()
