"""Files: those that come with messages, and those that staff upload to send."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import ClockNow, TenantForeignKey, UUIDPrimaryKeyModel, one_of, tenant_parent
from messaging.models.messages import Message
from units.models import Unit, User


class MediaStatus(models.TextChoices):
    """waiting → stored | failed (may be asked for again) | refused (too large, or a type that is not taken)."""

    WAITING = "waiting", pgettext_lazy("file", "Loading")
    STORED = "stored", pgettext_lazy("file", "Loaded")
    FAILED = "failed", pgettext_lazy("file", "Could not be loaded")
    REFUSED = "refused", pgettext_lazy("file", "Refused")


class Attachment(UUIDPrimaryKeyModel):
    """A file to send, uploaded or fetched once, in as many messages as one likes; judged by its bytes."""

    unit = models.ForeignKey(
        Unit, models.DB_CASCADE, related_name="attachments", verbose_name=_("unit"), db_index=False
    )
    created_by = models.ForeignKey(
        User, models.DB_SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("created by")
    )
    # image, video, audio, document or sticker: what it is sent as.
    kind = models.CharField(_("kind"), max_length=16)
    name = models.CharField(_("name"), max_length=200, blank=True, db_default="")
    file = models.FileField(_("file"), max_length=300, editable=False)
    thumbnail = models.FileField(max_length=300, blank=True, db_default="", editable=False)
    mime_type = models.CharField(_("type"), max_length=100, editable=False)
    size = models.PositiveBigIntegerField(_("size"), editable=False)
    sha256 = models.CharField("SHA-256", max_length=64, editable=False)
    # Pixels.
    width = models.PositiveIntegerField(null=True, editable=False)
    height = models.PositiveIntegerField(null=True, editable=False)

    class Meta:
        db_table = "attachments"
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        constraints = [tenant_parent("attachments")]
        indexes = [models.Index(fields=["created_at"], name="attachments_by_age")]

    def __str__(self) -> str:
        return self.name or self.mime_type


class MessageMedia(UUIDPrimaryKeyModel):
    """The file of a message: where to get it, and once it is here, what it really is.

    What the message itself announced (type, name, size, seconds) stays in `Message.details["media"]`.
    """

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="+", verbose_name=_("unit"), db_index=False)
    message = TenantForeignKey(Message, related_name="files", verbose_name=_("message"), db_index=False)
    status = models.CharField(
        _("status"), max_length=16, choices=MediaStatus, db_default=MediaStatus.WAITING, editable=False
    )
    # Sources: a link that the gateway told, or the bytes that came with the webhook, until they are stored.
    url = models.TextField(blank=True, db_default="", editable=False)
    content = models.BinaryField(null=True, editable=False)
    # What was stored, by its own bytes.
    file = models.FileField(_("file"), max_length=300, blank=True, db_default="", editable=False)
    thumbnail = models.FileField(max_length=300, blank=True, db_default="", editable=False)
    mime_type = models.CharField(_("type"), max_length=100, blank=True, db_default="", editable=False)
    size = models.PositiveBigIntegerField(_("size"), null=True, editable=False)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True, db_default="", editable=False)
    # Pixels.
    width = models.PositiveIntegerField(null=True, editable=False)
    height = models.PositiveIntegerField(null=True, editable=False)
    # Of a message of ours: what was attached, whose stored file this is too.
    attachment = TenantForeignKey(
        Attachment, null=True, editable=False, related_name="files", verbose_name=_("attachment"), db_index=False
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), db_default=0, editable=False)
    due_at = models.DateTimeField(_("due at"), null=True, db_default=ClockNow(), editable=False)
    claim_token = models.UUIDField(null=True, editable=False)
    error_code = models.CharField(_("error code"), max_length=40, blank=True, db_default="", editable=False)
    error = models.TextField(_("error"), blank=True, db_default="", editable=False)

    class Meta:
        db_table = "message_media"
        verbose_name = _("file")
        verbose_name_plural = _("files")
        constraints = [
            models.UniqueConstraint(fields=["message"], name="message_media_one_per_message"),
            one_of("status", MediaStatus, "message_media_status"),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="message_media_due", condition=models.Q(status="waiting")),
            # What did not load, for people.
            models.Index(
                fields=["unit", "-created_at"], name="message_media_failed", condition=models.Q(status="failed")
            ),
            # Whether an attachment is still of use.
            models.Index(
                fields=["attachment"], name="message_media_attached", condition=models.Q(attachment__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.file.name or self.get_status_display()
