"""Admin of WhatsApp numbers, with what only this app knows of them: what holds one, and what waits for a choice."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from messaging import breaker, stale
from messaging.holds import Hold, holds_of
from messaging.pace import standing_of
from units.admin import WhatsAppConnectionAdmin
from units.models import WhatsAppConnection


class RescheduleForm(BaseDialogForm):
    at = forms.SplitDateTimeField(label=_("Send at"), widget=UnfoldAdminSplitDateTimeWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["at"].help_text = _("Time zone: %(name)s") % {"name": timezone.get_current_timezone_name()}


def _until(hold: Hold) -> str:
    if hold.until is None:
        return ""
    return " → " + date_format(timezone.localtime(hold.until), "SHORT_DATETIME_FORMAT")


class NumberAdmin(WhatsAppConnectionAdmin):
    """A number with where it stands. What it may send a day, and what holds it, are read from its lane."""

    fieldsets = [
        *WhatsAppConnectionAdmin.fieldsets[:1],
        (_("Sending"), {"fields": ["holds", ("campaigns_today", "waiting_messages")]}),
        *WhatsAppConnectionAdmin.fieldsets[1:],
    ]
    readonly_fields = [*WhatsAppConnectionAdmin.readonly_fields, "holds", "campaigns_today", "waiting_messages"]
    actions_detail = [
        *WhatsAppConnectionAdmin.actions_detail,
        "release_campaigns",
        "send_waiting",
        "reschedule_waiting",
        "drop_waiting",
    ]

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[UnfoldAction]:
        """A choice is offered only while there is one."""
        connection = self.get_object(request, str(object_id))
        hidden = set()
        if connection is None or connection.campaigns_held_at is None:
            hidden.add("release_campaigns")
        if connection is None or not stale.waiting(connection).exists():
            hidden |= {"send_waiting", "reschedule_waiting", "drop_waiting"}
        offered = super().get_actions_detail(request, object_id)
        names = {f"units_whatsappconnection_{name}" for name in hidden}
        return [one for one in offered if one.action_name not in names]

    @display(description=_("held by"))
    def holds(self, connection: WhatsAppConnection) -> str:
        return format_html_join("", "<p>{}{}</p>", ((hold.reason, _until(hold)) for hold in holds_of(connection)))

    @display(description=_("campaign messages today"))
    def campaigns_today(self, connection: WhatsAppConnection) -> str:
        now, pace = standing_of(connection.pk)
        today = pace.today(now)
        cap = pace.cap_on(today)
        return str(pace.sent_on(today)) if cap is None else f"{pace.sent_on(today)} / {cap}"

    @display(description=_("messages that wait for a choice"))
    def waiting_messages(self, connection: WhatsAppConnection) -> int:
        return stale.waiting(connection).count()

    @action(
        description=_("Let campaigns go on"),
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        permissions=["act"],
        dialog={
            "title": _("Let the campaigns of this number go on?"),
            "description": _("Look at what failed first. From here on failures are counted anew."),
            "form_submit_text": _("Let campaigns go on"),
        },
    )
    def release_campaigns(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        connection = self.object_or_404(request, object_id)
        if breaker.release(connection):
            self.log_change(request, connection, str(_("Campaigns go on.")))
            messages.success(request, _("Campaigns go on."))
        return self.leave_dialog(request, self.address("change", object_id))

    @action(
        description=_("Send what waited"),
        icon="send",
        permissions=["act"],
        dialog={
            "title": _("Send the messages that waited while the number was away?"),
            "form_submit_text": _("Send now"),
        },
    )
    def send_waiting(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._choose(request, object_id, stale.send)

    @action(
        description=_("Reschedule what waited"),
        icon="schedule",
        permissions=["act"],
        dialog={
            "title": _("When shall the messages that waited be sent?"),
            "form_class": RescheduleForm,
            "form_submit_text": _("Reschedule"),
        },
    )
    def reschedule_waiting(self, request: HttpRequest, form: RescheduleForm, object_id: str) -> HttpResponse:
        at = form.cleaned_data["at"]
        return self._choose(request, object_id, lambda connection: stale.reschedule(connection, at))

    @action(
        description=_("Drop what waited"),
        icon="delete",
        variant=ActionVariant.DANGER,
        permissions=["act"],
        dialog={
            "title": _("Drop the messages that waited while the number was away?"),
            "description": _("They are cancelled and stay in their chats."),
            "form_submit_text": _("Drop"),
        },
    )
    def drop_waiting(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._choose(request, object_id, stale.drop)

    def _choose(
        self, request: HttpRequest, object_id: str, choose: Callable[[WhatsAppConnection], int]
    ) -> HttpResponse:
        connection = self.object_or_404(request, object_id)
        try:
            count = choose(connection)
        except stale.CannotReschedule as error:
            messages.error(request, str(error.message))
        else:
            said = ngettext("Done for %(count)d message.", "Done for %(count)d messages.", count) % {"count": count}
            self.log_change(request, connection, said)
            messages.success(request, said)
        return self.leave_dialog(request, self.address("change", object_id))


# In place of the page of `units`, which does not know what is sent.
admin.site.unregister(WhatsAppConnection)
admin.site.register(WhatsAppConnection, NumberAdmin)
