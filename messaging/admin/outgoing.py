"""Admin of what goes out beside messages: files to send, and what was asked in a chat. For looking only."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateTimeFilter,
)
from unfold.decorators import display

from messaging.admin.contacts import contacts_matching
from messaging.models import ActionStatus, Attachment, ChatAction
from messaging.outgoing.attachments import KINDS
from units.model_admin import ReadOnlyAdmin

ACTION_CHIPS = {
    ActionStatus.QUEUED.value: "default",
    ActionStatus.DONE.value: "success",
    ActionStatus.FAILED.value: "danger",
    ActionStatus.EXPIRED.value: "warning",
}
KIND_NAMES = {
    "image": _("Photo"),
    "video": _("Video"),
    "audio": _("Audio"),
    "document": _("Document"),
    "sticker": _("Sticker"),
}


class KindFilter(DropdownFilter):
    """As what the file is sent. The column has no choices of its own: kinds are words of the gateway."""

    title = _("sent as")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(kind, KIND_NAMES[kind]) for kind in KINDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Attachment]) -> QuerySet[Attachment]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Attachment)
class AttachmentAdmin(ReadOnlyAdmin):
    """What is known of a file, never the file itself, which is its unit's."""

    list_display = ["created_at", "name", "kind_name", "mime_type", "shown_size", "unit", "created_by"]
    list_display_links = ["created_at", "name"]
    list_filter = [("unit", AutocompleteSelectFilter), KindFilter, ("created_at", RangeDateTimeFilter)]
    list_select_related = ["unit", "created_by"]
    search_fields = ["name", "=sha256"]
    search_help_text = _("Name of the file, or its whole SHA-256")
    ordering = ["-id"]
    fields = [
        ("name", "kind_name"),
        ("mime_type", "shown_size"),
        "pixels",
        "sha256",
        ("unit", "created_by"),
        "created_at",
    ]

    @display(description=_("sent as"), ordering="kind")
    def kind_name(self, attachment: Attachment) -> str:
        return str(KIND_NAMES.get(attachment.kind, attachment.kind))

    @display(description=_("size"), ordering="size")
    def shown_size(self, attachment: Attachment) -> str:
        return filesizeformat(attachment.size)

    @display(description=_("pixels"))
    def pixels(self, attachment: Attachment) -> str:
        return f"{attachment.width} × {attachment.height}" if attachment.width else "–"


@admin.register(ChatAction)
class ChatActionAdmin(ReadOnlyAdmin):
    """Reading, typing, editing and deleting: what was asked of the gateway, and what became of it."""

    list_display = ["created_at", "contact", "unit", "asked", "status_chip", "error_code", "attempts", "author"]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("conversation", AutocompleteSelectFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_select_related = ["unit", "author", "conversation__contact"]
    # By `get_search_results`; the box is shown only with some.
    search_fields = ["id"]
    search_help_text = _("Name of the contact, or at least four digits of the number")
    ordering = ["-id"]
    fields = [
        ("asked", "status"),
        ("conversation", "unit"),
        "message",
        "text",
        ("author", "created_at"),
        ("attempts", "due_at", "expires_at"),
        "error_code",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChatAction]:
        return super().get_queryset(request).prefetch_related("conversation__contact__addresses")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ChatAction], search_term: str
    ) -> tuple[QuerySet[ChatAction], bool]:
        if search_term:
            queryset = queryset.filter(conversation__contact__in=contacts_matching(search_term).values("id"))
        return queryset, False

    @display(description=_("contact"))
    def contact(self, action: ChatAction) -> str:
        return str(action.conversation.contact)

    @display(description=_("asked for"), ordering="kind")
    def asked(self, action: ChatAction) -> str:
        return action.get_kind_display()

    @display(description=_("status"), ordering="status", label=ACTION_CHIPS)
    def status_chip(self, action: ChatAction) -> tuple[str, str]:
        return action.status, action.get_status_display()

    @display(description=_("text"))
    def text(self, action: ChatAction) -> str:
        """What an edit says instead."""
        return str(action.details.get("text", ""))
