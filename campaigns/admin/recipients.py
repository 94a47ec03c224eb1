"""Admin of recipients: who gets a campaign, and what became of it."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from campaigns.models import Campaign, CampaignRecipient, CampaignVariant, RecipientStatus
from campaigns.serializers import reason_sentence
from messaging.admin.contacts import contacts_matching
from messaging.phones import shown
from units.model_admin import ReadOnlyAdmin

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


def recipients_url(campaign: Campaign) -> str:
    """The list of a campaign's recipients: there may be a million, so its own page does not show them."""
    return f"{reverse('admin:campaigns_campaignrecipient_changelist')}?campaign__id__exact={campaign.pk}"


@admin.register(CampaignRecipient)
class CampaignRecipientAdmin(ReadOnlyAdmin):
    list_display = ["contact", "phone", "campaign", "variant_letter", "status_chip", "sent_at", "replied_at", "reason"]
    list_filter = [
        ("campaign", AutocompleteSelectFilter),
        ("status", ChoicesDropdownFilter),
        "variant",
        ("replied_at", admin.EmptyFieldListFilter),
        ("opted_out_at", admin.EmptyFieldListFilter),
    ]
    list_select_related = ["campaign", "contact"]
    search_fields = ["contact__name"]
    search_help_text = _("Name of the contact, or at least four digits of the number")
    ordering = ["-id"]
    fields = [
        ("campaign", "contact"),
        ("status", "variant_letter"),
        ("sent_at", "replied_at", "opted_out_at"),
        "message",
        "reason",
    ]

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

    @display(description=_("variant"), ordering="variant")
    def variant_letter(self, recipient: CampaignRecipient) -> str:
        return "" if recipient.variant is None else str(CampaignVariant(position=recipient.variant))

    @display(description=_("error"), ordering="error_message")
    def reason(self, recipient: CampaignRecipient) -> str:
        return str(reason_sentence(recipient.error_message)) if recipient.error_message else ""
