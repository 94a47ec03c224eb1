"""Campaigns and who gets them."""

from typing import ClassVar

from django.db import models
from django.db.models import Count
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import (
    Moves,
    StatusQuerySet,
    TenantForeignKey,
    UUIDPrimaryKeyModel,
    one_of,
    tenant_parent,
)
from messaging.models import Contact, Message
from units.models import Unit, User


class CampaignStatus(models.TextChoices):
    """draft → scheduled → processing ⇄ paused → completed; from each of them → cancelled."""

    DRAFT = "draft", pgettext_lazy("campaign", "Draft")
    SCHEDULED = "scheduled", pgettext_lazy("campaign", "Scheduled")
    PROCESSING = "processing", pgettext_lazy("campaign", "Sending")
    PAUSED = "paused", pgettext_lazy("campaign", "Paused")
    COMPLETED = "completed", pgettext_lazy("campaign", "Done")
    CANCELLED = "cancelled", pgettext_lazy("campaign", "Cancelled")
    FAILED = "failed", pgettext_lazy("campaign", "Failed")


C = CampaignStatus


class Campaign(UUIDPrimaryKeyModel):
    """One text to many contacts of a unit."""

    MOVES: ClassVar[Moves] = {
        C.DRAFT: frozenset({C.SCHEDULED}),
        C.SCHEDULED: frozenset({C.DRAFT}),
        C.PROCESSING: frozenset({C.DRAFT, C.SCHEDULED, C.PAUSED}),
        C.PAUSED: frozenset({C.PROCESSING}),
        C.COMPLETED: frozenset({C.PROCESSING}),
        C.CANCELLED: frozenset({C.DRAFT, C.SCHEDULED, C.PROCESSING, C.PAUSED}),
        C.FAILED: frozenset({C.SCHEDULED}),
    }

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="campaigns", verbose_name=_("unit"), db_index=False)
    name = models.TextField(_("name"))
    content = models.TextField(_("text"))
    scheduled_at = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    status = models.CharField(
        _("status"), max_length=16, choices=CampaignStatus, db_default=CampaignStatus.DRAFT, editable=False
    )
    status_reason = models.TextField(_("reason"), blank=True, db_default="", editable=False)
    created_by = models.ForeignKey(
        User, models.DB_SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("created by")
    )
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)

    objects = StatusQuerySet["Campaign"].as_manager()

    class Meta:
        db_table = "campaigns"
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        constraints = [
            tenant_parent("campaigns"),
            one_of("status", CampaignStatus, "campaigns_status"),
            models.CheckConstraint(
                condition=~models.Q(status="scheduled") | models.Q(scheduled_at__isnull=False),
                name="campaigns_scheduled_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["unit", "-created_at", "-id"], name="campaigns_listed"),
            models.Index(fields=["scheduled_at"], name="campaigns_due", condition=models.Q(status="scheduled")),
            models.Index(fields=["unit"], name="campaigns_fed", condition=models.Q(status="processing")),
        ]

    def __str__(self) -> str:
        return self.name

    def progress(self) -> dict[str, int]:
        """Recipients by status, and `total`; every status is present."""
        counted = dict(self.recipients.values_list("status").annotate(Count("id")))
        return {"total": sum(counted.values())} | {status: counted.get(status, 0) for status in RecipientStatus.values}


class RecipientStatus(models.TextChoices):
    """The message's status, as far as a campaign cares."""

    PENDING = "pending", pgettext_lazy("recipient", "Pending")
    QUEUED = "queued", pgettext_lazy("recipient", "Queued")
    SENDING = "sending", pgettext_lazy("recipient", "Sending")
    SENT = "sent", pgettext_lazy("recipient", "Sent")
    DELIVERED = "delivered", pgettext_lazy("recipient", "Delivered")
    READ = "read", pgettext_lazy("recipient", "Read")
    UNCERTAIN = "uncertain", pgettext_lazy("recipient", "Uncertain")
    FAILED = "failed", pgettext_lazy("recipient", "Failed")
    SKIPPED = "skipped", pgettext_lazy("recipient", "Skipped")
    CANCELLED = "cancelled", pgettext_lazy("recipient", "Cancelled")


class CampaignRecipient(UUIDPrimaryKeyModel):
    """A contact that a campaign is for; once per campaign."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="+", db_index=False)
    campaign = TenantForeignKey(Campaign, related_name="recipients", verbose_name=_("campaign"), db_index=False)
    contact = TenantForeignKey(Contact, related_name="campaign_recipients", verbose_name=_("contact"))
    message = TenantForeignKey(Message, null=True, blank=True, related_name="recipients", verbose_name=_("message"))
    status = models.CharField(
        _("status"),
        max_length=16,
        choices=RecipientStatus,
        db_default=RecipientStatus.PENDING,
        editable=False,
    )
    error_message = models.TextField(_("error"), null=True, blank=True, editable=False)
    sent_at = models.DateTimeField(_("sent at"), null=True, editable=False)

    class Meta:
        db_table = "campaign_recipients"
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        constraints = [
            models.UniqueConstraint(fields=["campaign", "contact"], name="campaign_recipients_once"),
            one_of("status", RecipientStatus, "campaign_recipients_status"),
        ]
        indexes = [
            # Who is next, and how many are where.
            models.Index(fields=["campaign", "status", "id"], name="campaign_recipients_next"),
        ]

    def __str__(self) -> str:
        return f"{self.contact} · {self.get_status_display()}"
