"""Admin of the webhook inbox: what came in, what became of it, and a second try."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    FieldTextFilter,
    RangeDateTimeFilter,
)
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from units.model_admin import ReadOnlyAdmin
from webhooks import catch_up, completeness, reading
from webhooks.models import Completeness, EventStatus, WebhookEvent
from webhooks.replay import replay

EVENT_CHIPS = {
    EventStatus.RECEIVED.value: "info",
    EventStatus.HANDLED.value: "success",
    EventStatus.IGNORED.value: "default",
    EventStatus.DEAD.value: "danger",
}


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    zone_of_row = "connection__unit__time_zone"
    list_display = [
        "created_at",
        "event",
        "connection",
        "status_chip",
        "short_reason",
        "origin",
        "attempts",
        "settled_at",
    ]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        ("connection", AutocompleteSelectFilter),
        ("connection__unit", AutocompleteSelectFilter),
        ("event", FieldTextFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_select_related = ["connection__unit"]
    search_fields = ["=id"]
    search_help_text = _("Id of the event")
    ordering = ["-id"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("event", "connection", "origin"),
                    ("status", "attempts", "failures", "awaits"),
                    "full_reason",
                ]
            },
        ),
        (_("Times"), {"fields": [("created_at", "due_at", "settled_at")]}),
        (_("Body"), {"fields": ["pretty_body"]}),
    ]
    actions = ["replay_selected"]
    actions_detail = ["replay_this"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEvent]:
        # The list would read megabytes to show none of them; a single event loads its body when it is shown.
        return super().get_queryset(request).defer("body", "fingerprint")

    @display(description=_("status"), ordering="status", label=EVENT_CHIPS)
    def status_chip(self, event: WebhookEvent) -> tuple[str, str]:
        return event.status, event.get_status_display()

    @display(description=_("reason"))
    def short_reason(self, event: WebhookEvent) -> str:
        return Truncator(_told(event.reason)).chars(80)

    @display(description=_("reason"))
    def full_reason(self, event: WebhookEvent) -> str:
        return _told(event.reason)

    @display(description=_("origin"))
    def origin(self, event: WebhookEvent) -> str:
        return str(_("Looked up") if event.path_event == catch_up.SOURCE else _("Webhook"))

    @display(description=_("body"))
    def pretty_body(self, event: WebhookEvent) -> SafeString:
        body, left_out = reading.readable(event)
        context = {"body": body, "left_out": left_out}
        return render_to_string("admin/webhooks/body.html", context)

    @admin.action(description=_("Replay the selected events"), permissions=["act"])
    def replay_selected(self, request: HttpRequest, events: QuerySet[WebhookEvent]) -> None:
        self._replay(request, events)

    @action(
        description=_("Replay"),
        icon="replay",
        variant=ActionVariant.PRIMARY,
        permissions=["act"],
        dialog={
            "title": _("Handle this event again?"),
            "description": _("What it changed before stays as it is: nothing is stored or sent twice."),
            "form_submit_text": _("Replay"),
        },
    )
    def replay_this(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        event = self.object_or_404(request, object_id)
        self._replay(request, WebhookEvent.objects.filter(pk=event.pk))
        return self.leave_dialog(request, self.address("change", object_id))

    def _replay(self, request: HttpRequest, events: QuerySet[WebhookEvent]) -> None:
        count = replay(events)
        if not count:
            nothing = _("Nothing to handle again: hints about the connection, and what was no JSON, are not replayed.")
            messages.warning(request, nothing)
            return
        sentence = ngettext("%(count)d event is handled again.", "%(count)d events are handled again.", count)
        messages.success(request, sentence % {"count": count})


def _told(sentence: str) -> str:
    """A sentence of ours as kept, which is its msgid, in the reader's language; an error as it is."""
    return gettext(sentence) if sentence else ""


@admin.register(Completeness)
class CompletenessAdmin(ReadOnlyAdmin):
    """How complete each number's messages are, and when that is looked at next."""

    sortable_by = None
    list_display = ["connection", "complete_since", "heard_at", "checked_until", "next_check", "attempts", "last_error"]
    list_filter = [("connection", AutocompleteSelectFilter)]
    list_select_related = ["connection__unit"]
    search_fields = ["=connection__instance_name", "connection__unit__name"]
    ordering = ["connection"]
    fields = ["connection", "complete_since", "heard_at", "checked_until", "next_check", "attempts", "last_error"]
    actions = ["compare_selected"]

    @display(description=_("next comparison"), ordering="due_at")
    def next_check(self, row: Completeness) -> Any:
        return row.due_at

    @display(description=_("error"))
    def last_error(self, row: Completeness) -> str:
        return _told(row.error)

    @admin.action(description=_("Compare the selected numbers now"), permissions=["act"])
    def compare_selected(self, request: HttpRequest, rows: QuerySet[Completeness]) -> None:
        count = completeness.make_due(rows)
        sentence = ngettext("%(count)d number is compared.", "%(count)d numbers are compared.", count)
        messages.success(request, sentence % {"count": count})
