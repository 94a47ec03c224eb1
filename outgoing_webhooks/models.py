"""Addresses of other programs, and how far each has been told."""

from cryptography.fernet import InvalidToken
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import ClockNow, UUIDPrimaryKeyModel
from units.crypto import EncryptedTextField
from units.models import Unit, User


class OutgoingWebhookManager(models.Manager["OutgoingWebhook"]):
    def get_queryset(self) -> models.QuerySet["OutgoingWebhook"]:
        """Without the secret: one that no key decrypts would take every list with it."""
        return super().get_queryset().defer("secret")


class OutgoingWebhook(UUIDPrimaryKeyModel):
    """An address to which the live events of a unit are posted, in order, each at least once.

    No queue of its own: the feed is the queue, and `after_seq` the place in it.
    """

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="outgoing_webhooks", verbose_name=_("unit"))
    url = models.URLField(_("address"), max_length=2000)
    # Signs what is posted (HMAC-SHA256), so that the receiver knows that it is from us.
    secret = EncryptedTextField(editable=False)
    # Kinds of live events, as in docs/live-events.md; empty: all.
    kinds = ArrayField(models.CharField(max_length=24), verbose_name=_("events"), blank=True, db_default=[])
    is_active = models.BooleanField(_("active"), db_default=True)
    # The number of the last event that the receiver has, or that it did not want.
    after_seq = models.BigIntegerField(editable=False)
    # When to look for more: at once after an event, later after a failure.
    due_at = models.DateTimeField(_("next attempt"), db_default=ClockNow(), editable=False)
    # One after another, since the last success.
    failures = models.PositiveIntegerField(_("failures"), db_default=0, editable=False)
    last_error = models.CharField(_("last error"), max_length=200, blank=True, db_default="", editable=False)
    last_success_at = models.DateTimeField(_("last success"), null=True, editable=False)
    created_by = models.ForeignKey(
        User, models.DB_SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("created by")
    )

    objects = OutgoingWebhookManager()

    class Meta:
        db_table = "outgoing_webhooks"
        verbose_name = _("outgoing webhook")
        verbose_name_plural = _("outgoing webhooks")
        ordering = ["created_at", "id"]
        constraints = [models.UniqueConstraint(fields=["unit", "url"], name="outgoing_webhooks_once_per_address")]
        indexes = [
            models.Index(fields=["due_at"], name="outgoing_webhooks_due", condition=models.Q(is_active=True)),
        ]

    def __str__(self) -> str:
        return self.url

    def secret_if_readable(self) -> str:
        """Nothing when no key decrypts it."""
        try:
            return self.secret
        except InvalidToken:
            return ""
