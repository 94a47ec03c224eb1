"""What people sort and answer conversations with."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import TenantForeignKey, UUIDPrimaryKeyModel, one_of, tenant_parent
from messaging.models.conversations import Conversation
from units.models import Unit, User


class Label(UUIDPrimaryKeyModel):
    """What a conversation is about (“orçamento”, “reclamação”); a tag says what a contact is."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="labels", verbose_name=_("unit"), db_index=False)
    name = models.CharField(_("name"), max_length=40)
    color = models.CharField(
        _("colour"),
        max_length=7,
        db_default="#6b7280",
        default="#6b7280",
        validators=[RegexValidator(r"^#[0-9a-f]{6}$", _("Six hexadecimal digits, as in #1fa855."))],
    )
    conversations = models.ManyToManyField(Conversation, through="ConversationLabel", related_name="labels")

    class Meta:
        db_table = "labels"
        verbose_name = _("label")
        verbose_name_plural = _("labels")
        ordering = ["name"]
        constraints = [
            tenant_parent("labels"),
            models.UniqueConstraint(
                "unit", Lower("name"), name="labels_once", violation_error_message=_("It exists already.")
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ConversationLabel(UUIDPrimaryKeyModel):
    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="+", db_index=False)
    conversation = TenantForeignKey(Conversation, related_name="labelled", db_index=False)
    label = TenantForeignKey(Label, related_name="labelled")

    class Meta:
        db_table = "conversation_labels"
        constraints = [models.UniqueConstraint(fields=["conversation", "label"], name="conversation_labels_once")]

    def __str__(self) -> str:
        return f"{self.conversation_id} · {self.label_id}"


class Note(UUIDPrimaryKeyModel):
    """What colleagues tell each other in a conversation; the customer never sees it."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="+", db_index=False, verbose_name=_("unit"))
    conversation = TenantForeignKey(Conversation, related_name="notes", db_index=False, verbose_name=_("conversation"))
    author = models.ForeignKey(User, models.DB_SET_NULL, null=True, related_name="+", verbose_name=_("author"))
    body = models.TextField(pgettext_lazy("note", "text"), max_length=4000)
    edited_at = models.DateTimeField(_("edited"), null=True, editable=False)

    class Meta:
        db_table = "notes"
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        indexes = [models.Index(fields=["conversation", "-created_at", "-id"], name="notes_of_conversation")]

    def __str__(self) -> str:
        return self.body[:60]


class ConversationEventKind(models.TextChoices):
    """What a colleague did with a conversation; of a snoozed one, also that its time was over."""

    ASSIGNED = "assigned", pgettext_lazy("conversation event", "Assigned")
    OPENED = "opened", pgettext_lazy("conversation event", "Opened")
    PENDING = "pending", pgettext_lazy("conversation event", "Set to pending")
    SNOOZED = "snoozed", pgettext_lazy("conversation event", "Snoozed")
    RESOLVED = "resolved", pgettext_lazy("conversation event", "Resolved")


class ConversationEvent(UUIDPrimaryKeyModel):
    """A line in the thread: whose the conversation became, where it stood from then on, and who has said so."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="+", db_index=False)
    conversation = TenantForeignKey(Conversation, related_name="events", db_index=False)
    kind = models.CharField(_("kind"), max_length=16, choices=ConversationEventKind)
    # Null: nobody who is here still; of `opened` also that its time was over.
    author = models.ForeignKey(User, models.DB_SET_NULL, null=True, related_name="+", verbose_name=_("author"))
    # Of `assigned`; null: nobody's any more.
    assignee = models.ForeignKey(User, models.DB_SET_NULL, null=True, related_name="+")
    # Of `snoozed`; null: until the contact writes.
    until = models.DateTimeField(null=True)

    class Meta:
        db_table = "conversation_events"
        verbose_name = _("conversation event")
        verbose_name_plural = _("conversation events")
        constraints = [one_of("kind", ConversationEventKind, "conversation_events_kind")]
        indexes = [models.Index(fields=["conversation", "-created_at", "-id"], name="conversation_events_newest")]

    def __str__(self) -> str:
        return self.get_kind_display()


class CannedReply(UUIDPrimaryKeyModel):
    """A text that is often needed: `/` and its shortcut in the composer."""

    unit = models.ForeignKey(
        Unit, models.DB_CASCADE, related_name="canned_replies", verbose_name=_("unit"), db_index=False
    )
    shortcut = models.CharField(
        _("shortcut"),
        max_length=40,
        validators=[RegexValidator(r"^[\w-]+$", _("Letters, digits, - and _ alone."))],
        help_text=_("What is typed after the “/”."),
    )
    body = models.TextField(_("text"), max_length=4096)

    class Meta:
        db_table = "canned_replies"
        verbose_name = _("canned reply")
        verbose_name_plural = _("canned replies")
        ordering = ["shortcut"]
        constraints = [
            models.UniqueConstraint(
                "unit",
                Lower("shortcut"),
                name="canned_replies_once",
                violation_error_message=_("It exists already."),
            )
        ]

    def __str__(self) -> str:
        return f"/{self.shortcut}"
