"""Campaigns and who gets them."""

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
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
from messaging.models import Attachment, Contact, Message
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
        C.SCHEDULED: frozenset({C.DRAFT, C.PAUSED}),
        # From completed: those that failed are tried again.
        C.PROCESSING: frozenset({C.DRAFT, C.SCHEDULED, C.PAUSED, C.COMPLETED}),
        # From scheduled: it had begun before.
        C.PAUSED: frozenset({C.PROCESSING, C.SCHEDULED}),
        C.COMPLETED: frozenset({C.PROCESSING}),
        C.CANCELLED: frozenset({C.DRAFT, C.SCHEDULED, C.PROCESSING, C.PAUSED}),
        C.FAILED: frozenset({C.SCHEDULED, C.PROCESSING}),
    }

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="campaigns", verbose_name=_("unit"), db_index=False)
    name = models.TextField(_("name"))
    content = models.TextField(_("text"))
    # Variant 0 is the campaign's own text and file; `variants` has the others.
    attachment = TenantForeignKey(
        Attachment, null=True, blank=True, related_name="+", verbose_name=_("file"), db_index=False
    )
    weight = models.PositiveSmallIntegerField(
        _("weight"), db_default=1, default=1, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    # How to get no more campaigns, as the last line of every variant; empty: no such line.
    opt_out_line = models.CharField(_("opt-out line"), max_length=300, blank=True, db_default="")
    # Who gets it, besides those added one by one; shape: `campaigns.audience`.
    audience = models.JSONField(_("audience"), db_default={}, blank=True)
    scheduled_at = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    # Nothing is sent after.
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    # Slower than the number's own pace; null: as the number.
    interval_seconds = models.DecimalField(
        _("seconds between messages of this campaign"),
        max_digits=8,
        decimal_places=3,
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
    )
    status = models.CharField(
        _("status"), max_length=16, choices=CampaignStatus, db_default=CampaignStatus.DRAFT, editable=False
    )
    status_reason = models.TextField(_("reason"), blank=True, db_default="", editable=False)
    created_by = models.ForeignKey(
        User, models.DB_SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("created by")
    )
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)
    archived_at = models.DateTimeField(_("archived at"), null=True, editable=False)
    # The audience becomes recipients in slices: how far that is, and when it was done.
    audience_cursor = models.UUIDField(null=True, editable=False)
    audience_done_at = models.DateTimeField(null=True, editable=False)
    # With an interval of its own: its next message goes no earlier.
    next_send_at = models.DateTimeField(null=True, editable=False)

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
            models.CheckConstraint(condition=models.Q(weight__gte=1), name="campaigns_weight"),
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


class CampaignVariant(UUIDPrimaryKeyModel):
    """Another text of a campaign, for some of its recipients: A/B."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="+", db_index=False)
    campaign = TenantForeignKey(Campaign, related_name="variants", verbose_name=_("campaign"), db_index=False)
    # From 1; 0 is the campaign's own text.
    position = models.PositiveSmallIntegerField(_("position"), validators=[MinValueValidator(1), MaxValueValidator(25)])
    weight = models.PositiveSmallIntegerField(
        _("weight"), db_default=1, default=1, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    content = models.TextField(_("text"))
    attachment = TenantForeignKey(
        Attachment, null=True, blank=True, related_name="+", verbose_name=_("file"), db_index=False
    )

    class Meta:
        db_table = "campaign_variants"
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        constraints = [
            models.UniqueConstraint(fields=["campaign", "position"], name="campaign_variants_once"),
            models.CheckConstraint(
                condition=models.Q(position__gte=1, weight__gte=1), name="campaign_variants_position_and_weight"
            ),
        ]

    def __str__(self) -> str:
        return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[self.position]


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
    # Which text, once it is queued: 0 is the campaign's own.
    variant = models.PositiveSmallIntegerField(_("variant"), null=True, editable=False)
    # A code: why it was skipped, or what its message says.
    error_message = models.TextField(_("error"), null=True, blank=True, editable=False)
    sent_at = models.DateTimeField(_("sent at"), null=True, editable=False)
    # When the person wrote, or opted out, after it: what the campaign has brought about.
    replied_at = models.DateTimeField(_("replied at"), null=True, editable=False)
    opted_out_at = models.DateTimeField(_("opted out at"), null=True, editable=False)

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
            # Whom campaigns wrote to lately.
            models.Index(
                fields=["unit", "sent_at", "contact"],
                name="campaign_recipients_lately",
                condition=models.Q(sent_at__isnull=False),
            ),
            # Who replied, as the page of a campaign lists them.
            models.Index(
                fields=["campaign", "id"],
                name="campaign_recipients_replied",
                condition=models.Q(replied_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact} · {self.get_status_display()}"
