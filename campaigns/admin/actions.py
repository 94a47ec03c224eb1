"""What staff can do with a campaign on its page."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from campaigns.admin.dialogs import (
    CancelDialog,
    PauseDialog,
    PhonesDialog,
    ResumeDialog,
    RetryDialog,
    ScheduleDialog,
    StartDialog,
    TestDialog,
)
from campaigns.admin.recipients import recipients_url
from campaigns.admin.results import results_context
from campaigns.exports import recipient_rows
from campaigns.models import Campaign
from campaigns.rehearsal import rehearse
from campaigns.results import results
from campaigns.serializers import reasons
from campaigns.services import CampaignService, NotPossible
from campaigns.testing import send_test
from crm_whatsapp.csv_export import csv_response
from messaging.contacts.segments import InvalidFilter
from messaging.people import contacts_by_phone
from messaging.phones import InvalidPhone
from units.model_admin import ModelAdmin
from units.models import User


class CampaignActions(ModelAdmin):
    """Each asks first, or shows a page; what is not possible is said, and changes nothing."""

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
        seen = form.cleaned_data["seen"]
        return self._do(request, object_id, lambda service: service.dispatch(seen=seen), _("The campaign was started."))

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
        at, seen = form.cleaned_data["at"], form.cleaned_data["seen"]
        done = _("The campaign was scheduled.")
        return self._do(request, object_id, lambda service: service.schedule(at, seen=seen), done)

    @action(
        description=_("Pause"),
        icon="pause",
        variant=ActionVariant.WARNING,
        permissions=["act"],
        dialog={
            "title": _("Pause this campaign?"),
            "description": _("Messages that have not gone out wait until it is resumed."),
            "form_class": PauseDialog,
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
            "form_class": ResumeDialog,
            "form_submit_text": _("Resume"),
        },
    )
    def resume(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        seen = form.cleaned_data["seen"]
        return self._do(request, object_id, lambda service: service.resume(seen=seen), _("The campaign was resumed."))

    @action(
        description=_("Cancel campaign"),
        icon="cancel",
        variant=ActionVariant.DANGER,
        permissions=["act"],
        dialog={
            "title": _("Cancel the campaign?"),
            "form_class": CancelDialog,
            # The button beside it says "Cancel", and means the question.
            "form_submit_text": _("Yes, cancel the campaign"),
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
            "form_class": PhonesDialog,
            "form_submit_text": _("Add recipients"),
        },
    )
    def add_recipients(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        def add(service: CampaignService) -> int:
            with transaction.atomic():
                return service.add_contacts(contacts_by_phone(service.campaign.unit, form.cleaned_data["phones"]))

        return self._do(request, object_id, add, _("The recipients were added."))

    @action(
        description=_("Take off schedule"),
        icon="event_busy",
        permissions=["act"],
        dialog={"title": _("Make this campaign a draft again?"), "form_submit_text": _("Take off schedule")},
    )
    def unschedule(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, CampaignService.unschedule, _("The campaign is a draft again."))

    @action(
        description=_("Send a test"),
        icon="outbox",
        permissions=["act"],
        dialog={
            "title": _("To which number does the test go?"),
            "form_class": TestDialog,
            "form_submit_text": _("Send a test"),
        },
    )
    def test_send(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        def send(service: CampaignService) -> Any:
            return send_test(service.campaign, form.cleaned_data["phone"], author=cast(User, request.user))

        return self._do(request, object_id, send, _("The test is on its way."))

    @action(
        description=_("Try failed ones again"),
        icon="replay",
        permissions=["act"],
        dialog={
            "title": _("Try those again who did not get it?"),
            "description": _("Nobody who may have got it gets it twice."),
            "form_class": RetryDialog,
            "form_submit_text": _("Try again"),
        },
    )
    def retry_failed(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        shown = form.cleaned_data["people"]
        return self._do(
            request, object_id, lambda service: service.retry_failed(at_most=shown), _("They are tried again.")
        )

    @action(
        description=_("Clone"),
        icon="content_copy",
        permissions=["act"],
        dialog={"title": _("Make a draft with the same texts and audience?"), "form_submit_text": _("Clone")},
    )
    def clone(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        made = CampaignService(self.object_or_404(request, object_id)).clone(created_by=cast(User, request.user))
        messages.success(request, _("This is the copy."))
        return self.leave_dialog(request, self.address("change", made.pk))

    @action(
        description=_("Archive"),
        icon="archive",
        permissions=["act"],
        dialog={"title": _("Put this campaign away?"), "form_submit_text": _("Archive")},
    )
    def archive(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, CampaignService.archive, _("The campaign was archived."))

    def has_people_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Names and numbers are contacts, whatever shows them."""
        return self.has_view_permission(request, obj) and request.user.has_perm("messaging.view_contact")

    @action(description=_("Export recipients"), icon="download", permissions=["people"])
    def export(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.object_or_404(request, object_id)
        answer: Any = csv_response(f"{campaign.name}.csv", recipient_rows(campaign, campaign.recipients.all()))
        return answer

    @action(description=_("Rehearsal"), icon="fact_check", permissions=["view"])
    def rehearse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.object_or_404(request, object_id)
        try:
            told = rehearse(campaign)
        except InvalidFilter as error:
            messages.error(request, str(error.message))
            return redirect(self.address("change", object_id))
        samples = told.samples if self.has_people_permission(request) else None
        context = {"rehearsal": told, "samples": samples, "excluded": reasons(told.tally.excluded)}
        return self._page(request, campaign, "rehearsal", _("Rehearsal"), context)

    @action(description=_("Results"), icon="query_stats", permissions=["view"])
    def show_results(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.object_or_404(request, object_id)
        told = results(campaign)
        context = results_context(told)
        context |= {"skipped": reasons(told.skipped), "failed": reasons(told.failed)}
        return self._page(request, campaign, "results", _("Results"), context)

    def _page(
        self, request: HttpRequest, campaign: Campaign, template: str, title: Any, context: dict[str, Any]
    ) -> HttpResponse:
        context |= self.admin_site.each_context(request) | {
            "opts": self.opts,
            "original": campaign,
            "campaign": campaign,
            "title": f"{campaign} · {title}",
            "back": self.address("change", campaign.pk),
            "recipients_url": recipients_url(campaign),
        }
        return TemplateResponse(request, f"admin/campaigns/{template}.html", context)

    @action(description=_("Recipients"), icon="group", permissions=["people"])
    def show_recipients(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(recipients_url(self.object_or_404(request, object_id)))

    def _do(
        self, request: HttpRequest, object_id: str, do: Callable[[CampaignService], Any], done: Any
    ) -> HttpResponse:
        """Do it, or say why it is not possible, and show the campaign again."""
        campaign = self.object_or_404(request, object_id)
        try:
            do(CampaignService(campaign))
        except (NotPossible, InvalidPhone) as error:
            messages.error(request, str(error.message))
        else:
            self.log_change(request, campaign, str(done))
            messages.success(request, done)
        return self.leave_dialog(request, self.address("change", object_id))
