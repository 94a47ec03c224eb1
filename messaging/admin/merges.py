"""Admin of merges: which contacts turned out to be one, and the way back."""

from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from messaging.merging import CannotUndo, undo
from messaging.models import AddressKind, ContactAddress, ContactMerge
from messaging.phones import shown
from units.model_admin import ReadOnlyAdmin


class ContactMergeAdmin(ReadOnlyAdmin):
    list_display = ["kept", "merged", "unit", "created_at", "state", "undone_by"]
    list_display_links = ["kept", "merged"]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("created_at", RangeDateTimeFilter),
        ("undone_at", RangeDateTimeFilter),
    ]
    list_select_related = ["unit", "kept", "undone_by"]
    search_fields = ["kept__name", "absorbed_name"]
    search_help_text = _("Name of either contact, or at least four digits of the kept one's number")
    ordering = ["-id"]
    fields = [
        ("kept", "merged"),
        ("unit", "created_at"),
        ("addresses", "moved_messages"),
        ("undone_at", "undone_by"),
    ]
    readonly_fields = ["merged", "addresses", "moved_messages"]
    actions_detail = ["undo_merge"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ContactMerge]:
        # `before` may be large: what was moved, row by row.
        return super().get_queryset(request).defer("before").prefetch_related("kept__addresses")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ContactMerge], search_term: str
    ) -> tuple[QuerySet[ContactMerge], bool]:
        if search_term:
            found = Q(kept__name__icontains=search_term) | Q(absorbed_name__icontains=search_term)
            digits = "".join(filter(str.isdigit, search_term))
            if len(digits) >= 4:
                found |= Q(kept__in=ContactAddress.objects.filter(value__contains=digits).values("contact"))
            queryset = queryset.filter(found)
        return queryset, False

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[UnfoldAction]:
        """What is undone already cannot be undone."""
        merge = self.get_object(request, str(object_id))
        is_done = merge is not None and merge.undone_at is None
        return super().get_actions_detail(request, object_id) if is_done else []

    @display(description=_("merged contact"), ordering="absorbed_name")
    def merged(self, merge: ContactMerge) -> str:
        return merge.absorbed_name or gettext("No name")

    @display(description=_("state"), label={"merged": "info", "undone": "default"})
    def state(self, merge: ContactMerge) -> tuple[str, str]:
        return ("undone", gettext("Undone")) if merge.undone_at else ("merged", gettext("Merged"))

    @display(description=_("addresses of the merged contact"))
    def addresses(self, merge: ContactMerge) -> str:
        """As far as they are still here."""
        rows = ContactAddress.objects.filter(unit_id=merge.unit_id, pk__in=merge.before.get("addresses", []))
        return " · ".join(shown(row.value) if row.kind == AddressKind.PHONE else row.value for row in rows)

    @display(description=_("messages of the merged contact"))
    def moved_messages(self, merge: ContactMerge) -> int:
        return len(merge.before.get("messages", []))

    @action(
        description=_("Undo"),
        icon="undo",
        permissions=["act"],
        dialog={
            "title": _("Make two contacts of this one again?"),
            "description": _(
                "Addresses, messages and campaigns of the merged contact go back to it. What came since stays. "
                "The two are not merged by themselves again."
            ),
            "form_submit_text": _("Undo"),
        },
    )
    def undo_merge(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        merge = self.object_or_404(request, object_id)
        actor: Any = request.user
        try:
            contact = undo(merge, actor)
        except CannotUndo as error:
            messages.error(request, str(error.message))
        else:
            self.log_change(request, merge, gettext("Undone"))
            messages.success(request, _("“%(name)s” is a contact of its own again.") % {"name": contact})
        return self.leave_dialog(request, self.address("change", object_id))
