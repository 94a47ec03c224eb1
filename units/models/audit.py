"""What people did that others may ask for, and what a request has answered before."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import UUIDPrimaryKeyModel, one_of
from units.crypto import EncryptedTextField
from units.models.people import User
from units.models.units import Unit


class AuditAction(models.TextChoices):
    """What was done; the object is what it was done to."""

    NUMBER_CONNECTED = "number.connected", _("Connected the number")
    NUMBER_DISCONNECTED = "number.disconnected", _("Disconnected the number")
    NUMBER_PACE = "number.pace", _("Changed the pace")
    NUMBER_GROUPS = "number.groups", _("Changed whether groups are shown")
    NUMBER_RELEASED = "number.released", _("Let the number's campaigns go on")
    NUMBER_WAITING = "number.waiting", _("Decided on messages that waited too long")
    SECRET_ROTATED = "secret.rotated", _("Renewed the webhook secret")
    CAMPAIGN_SCHEDULED = "campaign.scheduled", _("Scheduled a campaign")
    CAMPAIGN_STARTED = "campaign.started", _("Started a campaign")
    CAMPAIGN_PAUSED = "campaign.paused", _("Paused a campaign")
    CAMPAIGN_RESUMED = "campaign.resumed", _("Resumed a campaign")
    CAMPAIGN_CANCELLED = "campaign.cancelled", _("Cancelled a campaign")
    CAMPAIGN_RETRIED = "campaign.retried", _("Tried a campaign's failed messages again")
    CAMPAIGN_EXPORTED = "campaign.exported", _("Exported a campaign's recipients")
    CONTACTS_EXPORTED = "contacts.exported", _("Exported contacts")
    CONTACTS_IMPORTED = "contacts.imported", _("Imported contacts")
    CONTACTS_MERGED = "contacts.merged", _("Merged contacts")
    CONTACTS_PARTED = "contacts.parted", _("Undid a merge")
    CONTACT_OPTED_OUT = "contact.opted_out", _("Opted a contact out")
    CONTACT_OPTED_IN = "contact.opted_in", _("Lifted an opt-out")
    CONTACT_BLOCKED = "contact.blocked", _("Blocked a contact")
    CONTACT_UNBLOCKED = "contact.unblocked", _("Unblocked a contact")
    MESSAGE_SETTLED = "message.settled", _("Decided on an uncertain message")
    MEMBER_ADDED = "member.added", _("Added a person")
    MEMBER_CHANGED = "member.changed", _("Changed a person's role")
    MEMBER_REMOVED = "member.removed", _("Removed a person")
    TOKEN_MADE = "token.made", _("Made a token")
    TOKEN_REVOKED = "token.revoked", _("Revoked a token")
    WEBHOOK_ADDED = "webhook.added", _("Added an outgoing webhook")
    WEBHOOK_CHANGED = "webhook.changed", _("Changed an outgoing webhook")
    WEBHOOK_REMOVED = "webhook.removed", _("Removed an outgoing webhook")
    UNIT_CHANGED = "unit.changed", _("Changed the unit")
    EVENTS_REPLAYED = "events.replayed", _("Handled webhook events again")


class AuditEntry(UUIDPrimaryKeyModel):
    """Somebody did something in a unit. The database refuses to change or delete it; it goes with its unit.

    `details`: what was and what is, by field; never a secret, a text or a number of a customer.
    """

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="audit", db_index=False, verbose_name=_("unit"))
    # Null: the product itself, or somebody who is gone; the name stays.
    actor = models.ForeignKey(User, models.DB_SET_NULL, null=True, related_name="+", verbose_name=_("who"))
    actor_name = models.CharField(_("name"), max_length=200, blank=True, db_default="")
    token_name = models.CharField(_("with the token"), max_length=100, blank=True, db_default="")
    action = models.CharField(_("what"), max_length=32, choices=AuditAction)
    object_id = models.UUIDField(null=True)
    object_name = models.CharField(pgettext_lazy("audit", "to"), max_length=200, blank=True, db_default="")
    details = models.JSONField(_("details"), db_default={})
    request_id = models.CharField(_("request"), max_length=64, blank=True, db_default="")

    class Meta:
        db_table = "audit_entries"
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ["-created_at", "-id"]
        constraints = [one_of("action", AuditAction, "audit_entries_action")]
        indexes = [
            models.Index(fields=["unit", "-created_at", "-id"], name="audit_entries_listed"),
            models.Index(
                fields=["object_id"], name="audit_entries_of_object", condition=models.Q(object_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} · {self.object_name}"


class AnsweredRequest(UUIDPrimaryKeyModel):
    """What was answered to a request with an `Idempotency-Key`, written in the transaction of what it did."""

    user = models.ForeignKey(User, models.DB_CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=200)
    # SHA-256 of method, path and body.
    fingerprint = models.BinaryField(max_length=32)
    # Null: still at it.
    status = models.PositiveSmallIntegerField(null=True)
    # An answer may have a secret in it that is shown once.
    body = EncryptedTextField(blank=True, db_default=b"")

    class Meta:
        db_table = "answered_requests"
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="answered_requests_once")]
        indexes = [models.Index(fields=["created_at"], name="answered_requests_by_age")]

    def __str__(self) -> str:
        return self.key
