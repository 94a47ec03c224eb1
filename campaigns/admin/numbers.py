"""Before staff disconnect a number, what stops: its campaigns, which the apps below do not know, and replies."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from campaigns.models import Campaign, CampaignStatus
from messaging.admin.numbers import NumberAdmin
from messaging.models import Message, MessageStatus, Origin
from units.admin_forms import DisconnectForm
from units.models import WhatsAppConnection
from units.services import ConnectionService


class CountedDisconnectForm(DisconnectForm):
    """Says which number it is, and what waits until it is back."""

    form_before_template = "admin/campaigns/before_disconnect.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        context = super().get_before_template_context(request, object_id)
        if connection := context["connection"]:
            replies = Message.objects.filter(
                status__in=[MessageStatus.QUEUED, MessageStatus.CLAIMED], connection=connection
            )
            context["replies"] = replies.exclude(origin=Origin.CAMPAIGN).count()
            running = Campaign.objects.filter(unit=connection.unit_id, status=CampaignStatus.PROCESSING)
            context["campaigns"] = running.count()
        return context


class CountedNumberAdmin(NumberAdmin):
    """A number as `messaging` shows it."""

    @action(
        description=_("Disconnect"),
        icon="link_off",
        variant=ActionVariant.DANGER,
        permissions=["act"],
        dialog={
            "title": _("Disconnect this number?"),
            "form_class": CountedDisconnectForm,
            "form_submit_text": _("Disconnect"),
        },
    )
    def disconnect(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._ask_gateway(request, object_id, ConnectionService.disconnect)


admin.site.unregister(WhatsAppConnection)
admin.site.register(WhatsAppConnection, CountedNumberAdmin)
