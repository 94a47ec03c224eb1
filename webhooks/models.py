"""The inbox: what the gateway told us, kept before anything else happens."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import ClockNow, UUIDPrimaryKeyModel, one_of
from units.models import WhatsAppConnection


class EventStatus(models.TextChoices):
    """received → handled | ignored (with a reason) | dead (with its error, replayable)."""

    RECEIVED = "received", pgettext_lazy("event", "Received")
    HANDLED = "handled", pgettext_lazy("event", "Handled")
    IGNORED = "ignored", pgettext_lazy("event", "Ignored")
    DEAD = "dead", pgettext_lazy("event", "Could not be handled")


class WebhookEvent(UUIDPrimaryKeyModel):
    """One body that was posted to the webhook endpoint. It is never changed, only marked."""

    # Null: nobody here has that instance, or the body does not say whose it is.
    connection = models.ForeignKey(
        WhatsAppConnection,
        models.DB_CASCADE,
        null=True,
        related_name="webhook_events",
        verbose_name=_("connection"),
        # `webhook_events_once` begins with it.
        db_index=False,
    )
    event = models.CharField(_("event"), max_length=80, blank=True)
    path_event = models.CharField(max_length=80, blank=True)
    # JSON without secrets, in ASCII: PostgreSQL refuses NUL characters and lone surrogates, their escapes it keeps.
    # What did not parse is kept as text with its secrets masked.
    body = models.TextField(_("body"))
    # SHA-256 of the bytes as they came, or of what makes two hints the same.
    fingerprint = models.BinaryField(max_length=32)
    status = models.CharField(
        _("status"), max_length=16, choices=EventStatus, db_default=EventStatus.RECEIVED, editable=False
    )
    reason = models.TextField(_("reason"), blank=True, db_default="")
    # WhatsApp's ids of messages that it speaks of and that are not here; it is tried again when one arrives.
    awaits = ArrayField(models.CharField(max_length=200), verbose_name=_("awaits"), db_default=[], editable=False)
    attempts = models.PositiveSmallIntegerField(_("attempts"), db_default=0)
    # Attempts that ended with an error; those that only found nothing to speak of yet are not counted.
    failures = models.PositiveSmallIntegerField(_("failures"), db_default=0)
    due_at = models.DateTimeField(_("due at"), db_default=ClockNow())
    settled_at = models.DateTimeField(_("settled at"), null=True)

    class Meta:
        db_table = "webhook_events"
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "fingerprint"], name="webhook_events_once", nulls_distinct=False
            ),
            one_of("status", EventStatus, "webhook_events_status"),
        ]
        indexes = [
            models.Index(
                fields=["connection", "due_at", "id"],
                name="webhook_events_due",
                condition=models.Q(status="received"),
            ),
            models.Index(fields=["status", "-created_at"], name="webhook_events_listed"),
            GinIndex(fields=["awaits"], name="webhook_events_awaiting", condition=~models.Q(awaits=[])),
            # What is old enough to go.
            models.Index(
                fields=["settled_at"],
                name="webhook_events_settled",
                condition=models.Q(status__in=["handled", "ignored"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event or '?'} · {self.get_status_display()}"


class Completeness(models.Model):
    """What we know of how complete a number's messages are: hot columns, apart from the connection that people edit."""

    connection = models.OneToOneField(
        WhatsAppConnection,
        models.DB_CASCADE,
        primary_key=True,
        related_name="completeness",
        verbose_name=_("connection"),
    )
    # When the gateway last posted anything.
    heard_at = models.DateTimeField(_("last event"), null=True, editable=False)
    # Everything that WhatsApp told the gateway from here on is here; null: not known yet.
    complete_since = models.DateTimeField(_("complete since"), null=True, editable=False)
    # Up to here the gateway's own store has been compared with ours.
    checked_until = models.DateTimeField(_("compared until"), null=True, editable=False)
    # The next comparison, and whoever makes it; null: none is wanted.
    due_at = models.DateTimeField(null=True, editable=False)
    claim_token = models.UUIDField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(_("attempts"), db_default=0, editable=False)
    error = models.TextField(_("error"), blank=True, db_default="", editable=False)

    class Meta:
        db_table = "inbound_completeness"
        verbose_name = _("completeness")
        verbose_name_plural = _("completeness")
        indexes = [
            models.Index(fields=["due_at"], name="inbound_completeness_due", condition=models.Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return str(self.connection)
