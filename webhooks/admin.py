"""Admin of the webhook inbox: what came in, what became of it, and a second try."""

import json

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
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
from webhooks.models import EventStatus, WebhookEvent
from webhooks.replay import replay

EVENT_CHIPS = {
    EventStatus.RECEIVED.value: "info",
    EventStatus.HANDLED.value: "success",
    EventStatus.IGNORED.value: "default",
    EventStatus.DEAD.value: "danger",
}
# A body may have 32 MB (WEBHOOK_MAX_BODY_BYTES); media in it is not for reading.
SHOWN_CHARACTERS = 100_000


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        "event",
        "connection",
        "status_chip",
        "short_reason",
        "attempts",
        "settled_at",
    ]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        ("connection", AutocompleteSelectFilter),
        ("event", FieldTextFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_select_related = ["connection__unit"]
    search_fields = ["=id"]
    search_help_text = _("Id of the event")
    ordering = ["-id"]
    fieldsets = [
        (None, {"fields": [("event", "connection"), ("status", "attempts"), "reason"]}),
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
        return Truncator(event.reason).chars(80)

    @display(description=_("body"))
    def pretty_body(self, event: WebhookEvent) -> SafeString:
        try:
            body = json.dumps(json.loads(event.body), indent=2, ensure_ascii=False)
        except ValueError:
            body = event.body
        context = {"body": body[:SHOWN_CHARACTERS], "left_out": max(0, len(body) - SHOWN_CHARACTERS)}
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
        sentence = ngettext("%(count)d event is handled again.", "%(count)d events are handled again.", count)
        messages.success(request, sentence % {"count": count})
