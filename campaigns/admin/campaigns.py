"""Admin of a campaign: written, rehearsed, started and steered, with its results."""

from contextlib import suppress
from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django_htmx.http import HttpResponseClientRefresh
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.dataclasses import UnfoldAction
from unfold.decorators import display
from unfold.views import BaseAutocompleteView, ChangeList

from campaigns.admin.actions import CampaignActions
from campaigns.admin.recipients import RECIPIENT_CHIPS, recipients_url
from campaigns.admin_forms import (
    EDITABLE,
    ChangeCampaignForm,
    NewCampaignForm,
    VariantFormSet,
)
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, CampaignVariant, RecipientStatus
from campaigns.outlook import outlook
from campaigns.services import CampaignService
from messaging.models import ContactImport, Segment, Tag
from units.models import Unit, User

CAMPAIGN_CHIPS = {
    CampaignStatus.DRAFT.value: "default",
    CampaignStatus.SCHEDULED.value: "warning",
    CampaignStatus.PROCESSING.value: "info",
    CampaignStatus.PAUSED.value: "warning",
    CampaignStatus.COMPLETED.value: "success",
    CampaignStatus.CANCELLED.value: "default",
    CampaignStatus.FAILED.value: "danger",
}
SENT = (RecipientStatus.SENT, RecipientStatus.DELIVERED, RecipientStatus.READ)
# Nor are the uncertain: they may have got it.
NOT_SENT = (RecipientStatus.FAILED, RecipientStatus.SKIPPED, RecipientStatus.CANCELLED)
# In which statuses an action is offered; CampaignService has the last word.
DRAFTED = frozenset({CampaignStatus.DRAFT, CampaignStatus.SCHEDULED})
ENDED = frozenset({CampaignStatus.COMPLETED, CampaignStatus.CANCELLED, CampaignStatus.FAILED})
OFFERED = {
    "start": DRAFTED,
    "schedule": DRAFTED,
    "unschedule": frozenset({CampaignStatus.SCHEDULED}),
    "rehearse": DRAFTED | {CampaignStatus.PROCESSING, CampaignStatus.PAUSED},
    "test_send": EDITABLE,
    "add_recipients": EDITABLE,
    "pause": frozenset({CampaignStatus.PROCESSING}),
    "resume": frozenset({CampaignStatus.PAUSED}),
    "retry_failed": frozenset({CampaignStatus.COMPLETED, CampaignStatus.PROCESSING, CampaignStatus.PAUSED}),
    "cancel": EDITABLE | {CampaignStatus.PROCESSING},
    "archive": ENDED | {CampaignStatus.DRAFT},
}

# Of these, what stands in the row of a campaign.
STEPS = ("start", "resume", "pause", "cancel")


def shares(progress: dict[str, int]) -> dict[str, int]:
    """What a progress bar shows of the recipients by their status."""
    sent = sum(progress.get(status, 0) for status in SENT)
    not_sent = sum(progress.get(status, 0) for status in NOT_SENT)
    return bar(progress.get("total", 0), sent, not_sent)


def bar(total: int, sent: int, not_sent: int) -> dict[str, int]:
    """What a progress bar shows: counts, and widths in whole per cent."""
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
        may_act = self.model_admin.has_act_permission(request)
        for campaign in self.result_list:
            campaign.counted = counted[campaign.pk]
            campaign.steps = [name for name in STEPS if may_act and campaign.status in OFFERED[name]]


class _Choices(BaseAutocompleteView):
    """What a campaign can be for, by name; each with its unit, since staff see all of them."""

    name = "name"

    def get_queryset(self) -> Any:
        if not self.request.user.has_perm("campaigns.view_campaign"):
            return self.model._default_manager.none()
        rows = self.model._default_manager.select_related("unit").order_by(self.name, "pk")
        return rows.filter(**{f"{self.name}__icontains": self.request.GET.get("term", "")})

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        super().get(request, *args, **kwargs)
        context = self.get_context_data()
        found = [{"id": str(row.pk), "text": self.words(row)} for row in context["object_list"]]
        return JsonResponse({"results": found, "pagination": {"more": context["page_obj"].has_next()}})

    def words(self, row: Any) -> str:
        return f"{row} · {row.unit}"


class TagChoices(_Choices):
    model = Tag


class SegmentChoices(_Choices):
    model = Segment


class ImportChoices(_Choices):
    """Of imports, which often have the same name, also their day. Without a tag nobody can tell who came with one."""

    model = ContactImport
    name = "file_name"

    def get_queryset(self) -> Any:
        return super().get_queryset().exclude(tags=[]).order_by("-id")

    def words(self, row: Any) -> str:
        return f"{super().words(row)} · {date_format(localtime(row.created_at), 'SHORT_DATE_FORMAT')}"


class VariantInline(StackedInline):
    """The campaign's other texts, A/B: variant A is its own."""

    model = CampaignVariant
    formset = VariantFormSet
    fields = ["content", "weight"]
    extra = 0
    verbose_name_plural = _("Other texts (A/B)")


AUDIENCE = ["everyone", "tags", "segments", "from_import", "phones", "exclude_tags", "exclude_contacted_within_days"]
# What is told of its life, as far as it has come.
HISTORY = ["created_by", "created_at", "scheduled_at", "started_at", "finished_at", "status_reason", "archived_at"]


@admin.register(Campaign)
class CampaignAdmin(CampaignActions):
    list_display = [
        "name",
        "unit",
        "status_chip",
        "progress_bar",
        "scheduled_at",
        "created_by",
        "created_at",
        "steps",
    ]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("status", ChoicesDropdownFilter),
        ("scheduled_at", RangeDateTimeFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_per_page = 25
    search_fields = ["name", "unit__name"]
    ordering = ["-id"]
    autocomplete_fields = ["unit"]
    inlines = [VariantInline]
    add_fieldsets = [
        (None, {"fields": ["unit", "name", "content", "file", ("weight", "opt_out_line")]}),
        (_("Recipients"), {"fields": AUDIENCE}),
        (
            _("When"),
            {
                "fields": ["scheduled_at", ("ends_at", "interval_seconds")],
                "description": _(
                    "Times are those of the unit, wherever you are. Without a time to send it stays a draft, until you"
                    " start it on its page."
                ),
            },
        ),
    ]
    actions_detail = [
        "start",
        "resume",
        "pause",
        "rehearse",
        "show_results",
        "show_recipients",
        {
            "title": _("More"),
            "items": [
                "schedule",
                "unschedule",
                "test_send",
                "add_recipients",
                "retry_failed",
                "clone",
                "export",
                "archive",
                "cancel",
            ],
        },
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("unit", "attachment", "created_by")

    def get_fieldsets(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        about = [("status", "unit"), "progress_detail", "name", "content"]
        about += ["file_link"] if obj.attachment_id else []
        history = (_("History"), {"fields": [name for name in HISTORY if getattr(obj, name)]})
        if obj.status not in EDITABLE:
            return [(None, {"fields": about}), history]
        return [
            (None, {"fields": [*about, "file"]}),
            (None, {"fields": [("weight", "opt_out_line"), ("ends_at", "interval_seconds")]}),
            (_("Recipients"), {"fields": [name for name in AUDIENCE if name != "phones"]}),
            history,
        ]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """What was sent is not written any more: nothing to save."""
        obj = kwargs.get("obj")
        if obj is not None and obj.status not in EDITABLE:
            context |= {"show_save": False, "show_save_and_continue": False, "show_save_and_add_another": False}
        return super().render_change_form(request, context, **kwargs)

    def get_inline_instances(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        inlines = super().get_inline_instances(request, obj)
        if obj is not None and obj.status not in EDITABLE and not obj.variants.exists():
            return []
        for inline in inlines:
            if obj is not None and obj.status not in EDITABLE:
                inline.max_num = 0
                inline.can_delete = False
        return inlines

    def get_urls(self) -> Any:
        choices = [
            path(
                f"choices/{name}/",
                self.admin_site.admin_view(choice.as_view()),
                name=f"campaigns_campaign_{name}",
            )
            for name, choice in (("tags", TagChoices), ("segments", SegmentChoices), ("imports", ImportChoices))
        ]
        progress = path(
            "<path:object_id>/progress/",
            self.admin_site.admin_view(self.progress_view),
            name="campaigns_campaign_progress",
        )
        return [*choices, progress, *super().get_urls()]

    def progress_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Where a campaign is that is sending, for its own page; which is loaded anew once it is not any more."""
        campaign = self.object_or_404(request, object_id)
        if not self.has_view_permission(request, campaign):
            raise PermissionDenied
        if campaign.status != CampaignStatus.PROCESSING:
            return HttpResponseClientRefresh()
        return HttpResponse(self.progress_detail(campaign))

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """What is typed is meant by the clocks of the unit that is chosen."""
        zone = None
        with suppress(ValidationError):
            chosen = Unit.objects.filter(pk=request.POST.get("unit", ""))
            zone = chosen.values_list("time_zone", flat=True).first()
        with timezone.override(zone):
            return super().add_view(request, *args, **kwargs)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CampaignChangeList

    def get_form(self, request: HttpRequest, obj: Campaign | None = None, **kwargs: Any) -> Any:
        kwargs["form"] = ChangeCampaignForm if obj else NewCampaignForm
        return super().get_form(request, obj, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Campaign | None = None) -> list[str]:
        if obj is None:
            return []
        fixed = ["status", "unit", "progress_detail", "file_link", *HISTORY]
        return fixed if obj.status in EDITABLE else [*fixed, "name", "content"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            CampaignService(obj).edit(**form.changes())
            return
        campaign = CampaignService.create(
            unit=obj.unit,
            contacts=form.contacts(obj.unit),
            created_by=cast(User, request.user),
            scheduled_at=obj.scheduled_at,
            **form.changes(),
        )
        obj.pk = campaign.pk
        obj.refresh_from_db()

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """The other texts are written by the service, all at once: they are numbered by their order."""
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        if formset.has_changed():
            CampaignService(form.instance).edit(variants=formset.texts())

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

    @display(description=_("steps"))
    def steps(self, campaign: Campaign) -> SafeString:
        """What its status allows: each asks first, as on its page."""
        names: list[str] = campaign.steps  # type: ignore[attr-defined]
        steps = [(getattr(self, name).short_description, self.address(name, campaign.pk)) for name in names]
        return render_to_string("admin/campaigns/steps.html", {"steps": steps, "campaign": campaign})

    @display(description=_("progress"))
    def progress_detail(self, campaign: Campaign) -> SafeString:
        progress, ahead = campaign.progress(), outlook(campaign)
        is_sending = campaign.status == CampaignStatus.PROCESSING
        context = {
            "progress_url": self.address("progress", campaign.pk) if is_sending else "",
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

    @display(description=_("file it has"))
    def file_link(self, campaign: Campaign) -> str:
        return str(campaign.attachment)
