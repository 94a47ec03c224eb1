"""Admin of conversations, messages and lanes."""

import json
from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from messaging.admin.contacts import contacts_matching
from messaging.admin.forms import ConversationForm
from messaging.inbox import steering
from messaging.models import (
    Conversation,
    ConversationStatus,
    Direction,
    Message,
    MessageMedia,
    MessageStatus,
    SendLane,
)
from messaging.outgoing.errors import CannotQueue
from messaging.settling import OVER, SENT_AGAIN_AS, retry, send_again, settle
from units.model_admin import ModelAdmin, ReadOnlyAdmin
from units.models import User

CONVERSATION_CHIPS = {
    ConversationStatus.OPEN.value: "info",
    ConversationStatus.PENDING.value: "warning",
    ConversationStatus.SNOOZED.value: "default",
    ConversationStatus.RESOLVED.value: "success",
}
DIRECTION_CHIPS = {Direction.INBOUND.value: "primary", Direction.OUTBOUND.value: "default"}
MESSAGE_CHIPS = {
    MessageStatus.RECEIVED.value: "default",
    MessageStatus.QUEUED.value: "default",
    MessageStatus.CLAIMED.value: "default",
    MessageStatus.DISPATCHING.value: "info",
    MessageStatus.SENT.value: "info",
    MessageStatus.DELIVERED.value: "success",
    MessageStatus.READ.value: "success",
    MessageStatus.UNCERTAIN.value: "warning",
    MessageStatus.FAILED.value: "danger",
    MessageStatus.CANCELLED.value: "default",
    MessageStatus.EXPIRED.value: "warning",
}


def _as_json(value: Any) -> str:
    """For reading; empty for nothing."""
    if not value:
        return ""
    return format_html("<pre>{}</pre>", json.dumps(value, ensure_ascii=False, indent=2))


@admin.register(Conversation)
class ConversationAdmin(ModelAdmin):
    sortable_by = ReadOnlyAdmin.sortable_by
    list_display = [
        "contact",
        "unit",
        "status_chip",
        "assigned_to",
        "unread_count",
        "waiting_since",
        "last_message_at",
        "preview",
    ]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("status", ChoicesDropdownFilter),
        ("assigned_to", AutocompleteSelectFilter),
    ]
    search_fields = ["contact__name"]
    search_help_text = _("Name of the contact, or at least four digits of the number")
    ordering = ["-id"]
    form = ConversationForm
    fields = [
        ("contact", "unit"),
        ("status", "assigned_to"),
        ("unread_count", "waiting_since"),
        ("last_message_at", "preview"),
    ]
    readonly_fields = ["contact", "unit", "unread_count", "waiting_since", "last_message_at", "preview"]
    actions_detail = ["show_messages"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """As the API does it, so that open pages are told."""
        if "assigned_to" in form.changed_data:
            steering.assign(obj, obj.assigned_to_id, by=cast("User", request.user))
        if "status" in form.changed_data:
            steering.set_status(obj, obj.status, by=cast("User", request.user))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        # For the list and for autocompletes: they name a conversation by its contact.
        conversations = super().get_queryset(request).select_related("unit", "contact", "assigned_to")
        return conversations.prefetch_related("contact__addresses")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Conversation], search_term: str
    ) -> tuple[QuerySet[Conversation], bool]:
        if search_term:
            queryset = queryset.filter(contact__in=contacts_matching(search_term).values("id"))
        return queryset, False

    @display(description=_("status"), ordering="status", label=CONVERSATION_CHIPS)
    def status_chip(self, conversation: Conversation) -> tuple[str, str]:
        return conversation.status, conversation.get_status_display()

    @display(description=_("last message"))
    def preview(self, conversation: Conversation) -> str:
        return Truncator(conversation.last_message_preview).chars(60)

    @action(description=_("Messages"), icon="chat", permissions=["view"])
    def show_messages(self, request: HttpRequest, object_id: str) -> HttpResponse:
        conversation = self.object_or_404(request, object_id)
        return redirect(f"{reverse('admin:messaging_message_changelist')}?conversation__id__exact={conversation.pk}")


class MediaInline(TabularInline):
    """The file of a message: how far it is, never the file itself, which is its unit's."""

    model = MessageMedia
    extra = 0
    can_delete = False
    fields = ["status", "mime_type", "size", "sha256", "attempts", "due_at", "error_code", "error"]
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[MessageMedia]:
        return super().get_queryset(request).defer("content")

    def has_add_permission(self, request: HttpRequest, obj: Message | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Message | None = None) -> bool:
        return False


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = [
        "happened_at",
        "contact",
        "unit",
        "direction_chip",
        "origin",
        "status_chip",
        "text",
        "error_code",
    ]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("status", ChoicesDropdownFilter),
        ("direction", ChoicesDropdownFilter),
        ("origin", ChoicesDropdownFilter),
        ("conversation", AutocompleteSelectFilter),
        ("happened_at", RangeDateTimeFilter),
    ]
    list_select_related = ["unit", "conversation__contact"]
    search_fields = ["=external_id"]
    search_help_text = _("Name of the contact, at least four digits of the number, or the external id")
    ordering = ["-id"]
    fieldsets = [
        (
            None,
            {"fields": [("conversation", "unit"), ("direction", "origin"), ("status", "author"), "sender", "content"]},
        ),
        (_("Problem"), {"fields": [("error_code", "error")]}),
        (
            _("Times"),
            {
                "fields": [
                    ("happened_at", "created_at"),
                    ("sent_at", "delivered_at", "read_at"),
                    ("edited_at", "deleted_at"),
                ]
            },
        ),
        (
            _("Gateway"),
            {"fields": [("provider", "kind"), ("external_id", "recipient"), "about", "attempts", "facts", "raw"]},
        ),
    ]
    inlines = [MediaInline]
    actions = ["all_arrived", "none_arrived", "send_all_again"]
    actions_detail = ["it_arrived", "it_did_not_arrive", "once_more"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return super().get_queryset(request).prefetch_related("conversation__contact__addresses")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        """By whole ids first: an OR across three joins would read the whole table."""
        if search_term:
            found = contacts_matching(search_term).values_list("conversations", flat=True)[:500]
            queryset = queryset.filter(
                Q(external_id=search_term) | Q(conversation__in=[pk for pk in found if pk is not None])
            )
        return queryset, False

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[UnfoldAction]:
        """A person decides what is uncertain, and repeats what was not sent."""
        message = self.get_object(request, str(object_id))
        offered: set[str] = set()
        if message is not None and message.direction == Direction.OUTBOUND:
            if message.status == MessageStatus.UNCERTAIN:
                offered = {"it_arrived", "it_did_not_arrive", "once_more"}
            elif message.status in OVER and SENT_AGAIN_AS not in message.details:
                offered = {"once_more"}
        every = super().get_actions_detail(request, object_id)
        return [one for one in every if one.action_name.removeprefix("messaging_message_") in offered]

    @display(description=_("contact"))
    def contact(self, message: Message) -> str:
        return str(message.conversation.contact)

    @display(description=_("direction"), ordering="direction", label=DIRECTION_CHIPS)
    def direction_chip(self, message: Message) -> tuple[str, str]:
        return message.direction, message.get_direction_display()

    @display(description=_("status"), ordering="status", label=MESSAGE_CHIPS)
    def status_chip(self, message: Message) -> tuple[str, str]:
        return message.status, message.get_status_display()

    @display(description=_("text"))
    def text(self, message: Message) -> str:
        return Truncator(self.content(message)).chars(60) or f"({message.kind})"

    @display(description=_("text"))
    def content(self, message: Message) -> str:
        return gettext("Message deleted") if message.deleted_at else message.body

    @display(description=_("about"))
    def about(self, message: Message) -> str:
        """The message that it answers or hangs on."""
        return message.target_external_id or message.reply_to_external_id

    @display(description=_("details"))
    def facts(self, message: Message) -> str:
        # A quoted message may be deleted by now; as it is, it stands in its own place.
        left_out = ("raw", "quoted")
        shown = {} if message.deleted_at else {k: part for k, part in message.details.items() if k not in left_out}
        return _as_json(shown)

    @display(description=_("as WhatsApp sent it"))
    def raw(self, message: Message) -> str:
        """Of a kind that is not known here: for whoever is to teach it to us."""
        return "" if message.deleted_at else _as_json(message.details.get("raw"))

    @action(
        description=_("It arrived"),
        icon="done_all",
        permissions=["act"],
        dialog={
            "title": _("Did this message arrive?"),
            "description": _("Look at the phone first. The message counts as sent."),
            "form_submit_text": _("It arrived"),
        },
    )
    def it_arrived(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._settle(request, object_id, was_sent=True)

    @action(
        description=_("It did not arrive"),
        icon="close",
        permissions=["act"],
        dialog={
            "title": _("Did this message not arrive?"),
            "description": _("Look at the phone first. The message counts as not sent and stays here."),
            "form_submit_text": _("It did not arrive"),
        },
    )
    def it_did_not_arrive(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._settle(request, object_id, was_sent=False)

    @action(
        description=_("Send again"),
        icon="replay",
        permissions=["act"],
        dialog={
            "title": _("Send this message again?"),
            "description": _("If it did arrive, the customer gets it twice."),
            "form_submit_text": _("Send again"),
        },
    )
    def once_more(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        message = self.object_or_404(request, object_id)
        repeat = send_again if message.status == MessageStatus.UNCERTAIN else retry
        try:
            made = repeat(message, author=cast("User", request.user))
        except CannotQueue as error:
            messages.error(request, str(error.message))
            return self.leave_dialog(request, self.address("change", object_id))
        self.log_change(request, message, gettext("Sent again"))
        messages.success(request, made.get_status_display())
        return self.leave_dialog(request, self.address("change", made.pk))

    @admin.action(description=_("The selected unconfirmed messages arrived"), permissions=["act"])
    def all_arrived(self, request: HttpRequest, rows: QuerySet[Message]) -> None:
        self._of_each(request, rows, lambda message: settle(message, was_sent=True))

    @admin.action(description=_("The selected unconfirmed messages did not arrive"), permissions=["act"])
    def none_arrived(self, request: HttpRequest, rows: QuerySet[Message]) -> None:
        self._of_each(request, rows, lambda message: settle(message, was_sent=False))

    @admin.action(description=_("Send the selected unconfirmed messages again"), permissions=["act"])
    def send_all_again(self, request: HttpRequest, rows: QuerySet[Message]) -> None:
        author = cast("User", request.user)
        self._of_each(request, rows, lambda message: send_again(message, author=author))

    def _of_each(self, request: HttpRequest, rows: QuerySet[Message], act: Callable[[Message], Message]) -> None:
        """Do it to the uncertain ones among `rows`, and say how many those were."""
        done = 0
        for message in rows.filter(status=MessageStatus.UNCERTAIN).order_by("pk"):
            try:
                made = act(message)
            except CannotQueue:
                # Settled meanwhile, or nowhere to send to.
                continue
            self.log_change(request, message, made.get_status_display())
            done += 1
        told = ngettext("%(count)s message.", "%(count)s messages.", done) % {"count": done}
        self.message_user(request, told, messages.SUCCESS if done else messages.WARNING)

    def _settle(self, request: HttpRequest, object_id: str, *, was_sent: bool) -> HttpResponse:
        message = self.object_or_404(request, object_id)
        try:
            message = settle(message, was_sent=was_sent)
        except CannotQueue as error:
            messages.error(request, str(error.message))
        else:
            self.log_change(request, message, message.get_status_display())
            messages.success(request, message.get_status_display())
        return self.leave_dialog(request, self.address("change", object_id))


@admin.register(SendLane)
class SendLaneAdmin(ReadOnlyAdmin):
    sortable_by = None
    list_display = [
        "connection",
        "due_at",
        "next_send_at",
        "in_flight",
        "lease_until",
        "day",
        "sent_today",
        "away_since",
    ]
    list_select_related = ["connection__unit"]
    search_fields = ["connection__unit__name", "connection__phone_number"]
    ordering = ["connection__unit__name", "pk"]
    fields = [
        "connection",
        ("due_at", "next_send_at"),
        ("in_flight", "lease_until"),
        ("day", "sent_today"),
        ("away_since", "next_check_at"),
    ]

    @display(description=_("sending now"), boolean=True)
    def in_flight(self, lane: SendLane) -> bool:
        return lane.claim_token is not None
