"""Admin of campaigns: staff write them, choose who gets them, start, pause and cancel them."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.views import ChangeList

from campaigns.admin_forms import (
    EDITABLE,
    AudienceDialog,
    CancelDialog,
    ChangeCampaignForm,
    NewCampaignForm,
    ScheduleDialog,
    StartDialog,
)
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService, NotPossible, outlook
from messaging.admin.contacts import contacts_matching
from messaging.phones import shown
from units.model_admin import ModelAdmin, ReadOnlyAdmin
from units.models import User

CAMPAIGN_CHIPS = {
    CampaignStatus.DRAFT.value: "default",
    CampaignStatus.SCHEDULED.value: "warning",
    CampaignStatus.PROCESSING.value: "info",
    CampaignStatus.PAUSED.value: "warning",
    CampaignStatus.COMPLETED.value: "success",
    CampaignStatus.CANCELLED.value: "default",
    CampaignStatus.FAILED.value: "danger",
}
RECIPIENT_CHIPS = {
    RecipientStatus.PENDING.value: "default",
    RecipientStatus.QUEUED.value: "default",
    RecipientStatus.SENDING.value: "info",
    RecipientStatus.SENT.value: "info",
    RecipientStatus.DELIVERED.value: "success",
    RecipientStatus.READ.value: "success",
    RecipientStatus.UNCERTAIN.value: "warning",
    RecipientStatus.FAILED.value: "danger",
    RecipientStatus.SKIPPED.value: "warning",
    RecipientStatus.CANCELLED.value: "default",
}
SENT = (RecipientStatus.SENT, RecipientStatus.DELIVERED, RecipientStatus.READ)
NOT_SENT = (
    RecipientStatus.FAILED,
    RecipientStatus.UNCERTAIN,
    RecipientStatus.SKIPPED,
    RecipientStatus.CANCELLED,
)
# In which statuses an action is offered; CampaignService has the last word.
OFFERED = {
    "start": EDITABLE,
    "schedule": frozenset({CampaignStatus.DRAFT}),
    "add_recipients": EDITABLE | {CampaignStatus.PAUSED},
    "pause": frozenset({CampaignStatus.PROCESSING}),
    "resume": frozenset({CampaignStatus.PAUSED}),
    "cancel": EDITABLE | {CampaignStatus.PROCESSING, CampaignStatus.PAUSED},
}


def shares(progress: dict[str, int]) -> dict[str, int]:
    """What a progress bar shows: counts, and widths in whole per cent."""
    total = progress.get("total", 0)
    sent = sum(progress.get(status, 0) for status in SENT)
    not_sent = sum(progress.get(status, 0) for status in NOT_SENT)
    return {
        "total": total,
        "sent": sent,
        "not_sent": not_sent,
        "sent_width": sent * 100 // total if total else 0,
        "not_sent_width": -(-not_sent * 100 // total) if total else 0,
    }


class CampaignChangeList(ChangeList):
    """The page's campaigns with their progress, counted in one query."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        counted: dict[Any, dict[str, int]] = {campaign.pk: {"total": 0} for campaign in self.result_list}
        rows = CampaignRecipient.objects.filter(campaign__in=list(counted)).values_list("campaign", "status")
        for campaign_id, status, count in rows.annotate(Count("id")).order_by():
            counted[campaign_id][status] = count
            counted[campaign_id]["total"] += count
        for campaign in self.result_list:
            campaign.counted = counted[campaign.pk]


@admin.register(Campaign)
class CampaignAdmin(ModelAdmin):
    list_display = ["name", "unit", "status_chip", "progress_bar", "scheduled_at", "created_by", "created_at"]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("status", ChoicesDropdownFilter),
        ("scheduled_at", RangeDateTimeFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_per_page = 25
    list_select_related = ["unit", "created_by"]
    search_fields = ["name", "unit__name"]
    ordering = ["-id"]
    autocomplete_fields = ["unit"]
    add_fieldsets = [
        (None, {"fields": ["unit", "name", "content"]}),
        (_("Recipients"), {"fields": ["phones", "everyone"]}),
        (
            _("When"),
            {
                "fields": ["scheduled_at"],
                "description": _("Without a time it stays a draft, until you start it on its page."),
            },
        ),
    ]
    fieldsets = [
        (None, {"fields": [("status", "unit"), "progress_detail", "name", "content"]}),
        (
            _("History"),
            {
                "fields": [
                    ("created_by", "created_at"),
                    ("scheduled_at", "started_at"),
                    ("finished_at", "status_reason"),
                ]
            },
        ),
    ]
    actions_detail = ["start", "resume", "pause", "schedule", "add_recipients", "show_recipients", "cancel"]
    actions_row = ["start", "pause", "resume", "cancel"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CampaignChangeList

    def get_form(self, request: HttpRequest, obj: Campaign | None = None, **kwargs: Any) -> Any:
        kwargs["form"] = ChangeCampaignForm if obj else NewCampaignForm
        return super().get_form(request, obj, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Campaign | None = None) -> list[str]:
        if obj is None:
            return []
        fixed = [
            "status",
            "unit",
            "progress_detail",
            "created_by",
            "created_at",
            "scheduled_at",
            "started_at",
            "finished_at",
            "status_reason",
        ]
        return fixed if obj.status in EDITABLE else [*fixed, "name", "content"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        campaign = CampaignService.create(
            unit=obj.unit,
            name=obj.name,
            content=obj.content,
            contacts=form.contacts(obj.unit),
            created_by=cast(User, request.user),
            scheduled_at=obj.scheduled_at,
        )
        obj.pk = campaign.pk
        obj.refresh_from_db()

    def get_actions_detail(self, request: HttpRequest, object_id: int | str) -> list[UnfoldAction]:
        """Offer only what the campaign's status allows."""
        campaign = self.get_object(request, str(object_id))
        status = campaign.status if campaign else None
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        return [
            offered
            for offered in super().get_actions_detail(request, object_id)
            if status in OFFERED.get(offered.action_name.removeprefix(prefix), {status})
        ]

    @display(description=_("status"), ordering="status", label=CAMPAIGN_CHIPS)
    def status_chip(self, campaign: Campaign) -> tuple[str, str]:
        return campaign.status, campaign.get_status_display()

    @display(description=_("progress"))
    def progress_bar(self, campaign: Campaign) -> SafeString:
        return render_to_string("admin/campaigns/progress.html", shares(campaign.counted))  # type: ignore[attr-defined]

    @display(description=_("progress"))
    def progress_detail(self, campaign: Campaign) -> SafeString:
        progress, ahead = campaign.progress(), outlook(campaign)
        context = {
            "recipients_url": recipients_url(campaign),
            "statuses": [
                {"value": status.value, "label": status.label, "count": progress[status], "chip": chip}
                for status, chip in zip(RecipientStatus, RECIPIENT_CHIPS.values(), strict=True)
                if progress[status]
            ],
            "hold": ahead.hold,
            "ends_at": ahead.ends_at,
        }
        return render_to_string("admin/campaigns/progress_detail.html", context | shares(progress))

    @action(
        description=_("Start now"),
        icon="send",
        variant=ActionVariant.PRIMARY,
        permissions=["act"],
        dialog={
            "title": _("Start this campaign now?"),
            "form_class": StartDialog,
            "form_submit_text": _("Start now"),
        },
    )
    def start(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, CampaignService.dispatch, _("The campaign was started."))

    @action(
        description=_("Schedule"),
        icon="schedule",
        permissions=["act"],
        dialog={
            "title": _("When shall this campaign start?"),
            "form_class": ScheduleDialog,
            "form_submit_text": _("Schedule"),
        },
    )
    def schedule(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        at = form.cleaned_data["at"]
        return self._do(request, object_id, lambda service: service.schedule(at), _("The campaign was scheduled."))

    @action(
        description=_("Pause"),
        icon="pause",
        variant=ActionVariant.WARNING,
        permissions=["act"],
        dialog={
            "title": _("Pause this campaign?"),
            "description": _("Messages that have not gone out wait until it is resumed."),
            "form_submit_text": _("Pause"),
        },
    )
    def pause(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, CampaignService.pause, _("The campaign was paused."))

    @action(
        description=_("Resume"),
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        permissions=["act"],
        dialog={
            "title": _("Resume this campaign?"),
            "description": _("It goes on where it stopped; nobody gets it twice."),
            "form_submit_text": _("Resume"),
        },
    )
    def resume(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, CampaignService.resume, _("The campaign was resumed."))

    @action(
        description=_("Cancel campaign"),
        icon="cancel",
        variant=ActionVariant.DANGER,
        permissions=["act"],
        dialog={
            "title": _("Cancel the campaign?"),
            "form_class": CancelDialog,
            "form_submit_text": _("Cancel the campaign"),
        },
    )
    def cancel(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, CampaignService.cancel, _("The campaign was cancelled."))

    @action(
        description=_("Add recipients"),
        icon="group_add",
        permissions=["act"],
        dialog={
            "title": _("Who else gets this campaign?"),
            "form_class": AudienceDialog,
            "form_submit_text": _("Add recipients"),
        },
    )
    def add_recipients(self, request: HttpRequest, form: AudienceDialog, object_id: str) -> HttpResponse:
        def add(service: CampaignService) -> int:
            with transaction.atomic():
                return service.add_contacts(form.contacts(service.campaign.unit))

        return self._do(request, object_id, add, _("The recipients were added."))

    @action(description=_("Recipients"), icon="group", permissions=["view"])
    def show_recipients(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(recipients_url(self.object_or_404(request, object_id)))

    def _do(
        self, request: HttpRequest, object_id: str, do: Callable[[CampaignService], Any], done: Any
    ) -> HttpResponse:
        """Do it, or say why it is not possible, and show the campaign again."""
        campaign = self.object_or_404(request, object_id)
        try:
            do(CampaignService(campaign))
        except NotPossible as error:
            messages.error(request, str(error.message))
        else:
            self.log_change(request, campaign, str(done))
            messages.success(request, done)
        return self.leave_dialog(request, self.address("change", object_id))


def recipients_url(campaign: Campaign) -> str:
    """The list of a campaign's recipients: there may be a million, so its own page does not show them."""
    return f"{reverse('admin:campaigns_campaignrecipient_changelist')}?campaign__id__exact={campaign.pk}"


@admin.register(CampaignRecipient)
class CampaignRecipientAdmin(ReadOnlyAdmin):
    list_display = ["contact", "phone", "campaign", "status_chip", "sent_at", "error_message"]
    list_filter = [("campaign", AutocompleteSelectFilter), ("status", ChoicesDropdownFilter)]
    list_select_related = ["campaign", "contact"]
    search_fields = ["contact__name"]
    search_help_text = _("Name of the contact, or at least four digits of the number")
    ordering = ["-id"]
    fields = [("campaign", "contact"), ("status", "sent_at"), "message", "error_message"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CampaignRecipient]:
        return super().get_queryset(request).prefetch_related("contact__addresses")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CampaignRecipient], search_term: str
    ) -> tuple[QuerySet[CampaignRecipient], bool]:
        if search_term:
            queryset = queryset.filter(contact__in=contacts_matching(search_term).values("id"))
        return queryset, False

    @display(description=_("phone number"))
    def phone(self, recipient: CampaignRecipient) -> str:
        return shown(recipient.contact.phone_number)

    @display(description=_("status"), ordering="status", label=RECIPIENT_CHIPS)
    def status_chip(self, recipient: CampaignRecipient) -> tuple[str, str]:
        return recipient.status, recipient.get_status_display()
