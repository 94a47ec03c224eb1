"""Messages, in and out, and what else is asked of the gateway about them."""

from datetime import timedelta
from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import (
    ClockNow,
    Moves,
    SearchWords,
    StatusQuerySet,
    TenantForeignKey,
    UUIDPrimaryKeyModel,
    one_of,
    tenant_parent,
)
from messaging.models.contacts import Contact
from messaging.models.conversations import Conversation
from units.models import Provider, Unit, User, WhatsAppConnection


class Direction(models.TextChoices):
    INBOUND = "inbound", _("Inbound")
    OUTBOUND = "outbound", _("Outbound")


class Origin(models.TextChoices):
    """Who made a message. Replies and API messages go first; campaign messages keep the pace."""

    CONTACT = "contact", _("Contact")
    REPLY = "reply", _("Reply")
    CAMPAIGN = "campaign", _("Campaign")
    PHONE = "phone", _("Sent from the phone")
    GATEWAY = "gateway", _("Sent by another program")


class MessageStatus(models.TextChoices):
    """How far a message has come.

    ::

        queued → claimed → dispatching → sent → delivered → read
                    │           ├→ queued     certainly not sent
                    │           ├→ failed     refused for good
                    │           └→ uncertain → sent … | failed | a person decides
        queued, claimed → cancelled | expired          inbound: received
    """

    RECEIVED = "received", pgettext_lazy("message", "Received")
    QUEUED = "queued", pgettext_lazy("message", "Queued")
    CLAIMED = "claimed", pgettext_lazy("message", "Claimed")
    DISPATCHING = "dispatching", pgettext_lazy("message", "Sending")
    SENT = "sent", pgettext_lazy("message", "Sent")
    DELIVERED = "delivered", pgettext_lazy("message", "Delivered")
    READ = "read", pgettext_lazy("message", "Read")
    UNCERTAIN = "uncertain", pgettext_lazy("message", "Unconfirmed")
    FAILED = "failed", pgettext_lazy("message", "Not sent")
    CANCELLED = "cancelled", pgettext_lazy("message", "Cancelled")
    EXPIRED = "expired", pgettext_lazy("message", "Expired")


S = MessageStatus


class MessageQuerySet(StatusQuerySet["Message"]):
    def waiting(self) -> "MessageQuerySet":
        """Outbound messages that have not been sent and still may be."""
        return self.filter(status__in=[S.QUEUED, S.CLAIMED])

    def on_the_way(self) -> "MessageQuerySet":
        """Outbound messages whose fate is open: nothing more goes to their chat until it is known."""
        return self.filter(status__in=[S.DISPATCHING, S.UNCERTAIN])


class Message(UUIDPrimaryKeyModel):
    """One message of a conversation, in or out."""

    # A receipt proves that the message went out, whatever we believed of it (I6: forward only).
    MOVES: ClassVar[Moves] = {
        S.QUEUED: frozenset({S.CLAIMED, S.DISPATCHING, S.UNCERTAIN}),
        S.CLAIMED: frozenset({S.QUEUED}),
        S.DISPATCHING: frozenset({S.CLAIMED}),
        S.SENT: frozenset({S.DISPATCHING, S.UNCERTAIN}),
        S.DELIVERED: frozenset({S.SENT, S.FAILED, S.UNCERTAIN}),
        S.READ: frozenset({S.SENT, S.DELIVERED, S.FAILED, S.UNCERTAIN}),
        S.UNCERTAIN: frozenset({S.DISPATCHING}),
        S.FAILED: frozenset({S.CLAIMED, S.DISPATCHING, S.UNCERTAIN, S.SENT}),
        S.CANCELLED: frozenset({S.QUEUED, S.CLAIMED}),
        S.EXPIRED: frozenset({S.QUEUED, S.CLAIMED}),
    }
    # How long a message is worth sending.
    LIFETIME = timedelta(hours=24)
    # How long one that was sent may be without a receipt before the gateway is asked.
    RECEIPT_PATIENCE = timedelta(minutes=10)

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="messages", verbose_name=_("unit"), db_index=False)
    connection = TenantForeignKey(
        WhatsAppConnection, related_name="messages", verbose_name=_("connection"), db_index=False
    )
    conversation = TenantForeignKey(
        Conversation, related_name="messages", verbose_name=_("conversation"), db_index=False
    )
    provider = models.CharField(_("provider"), max_length=16, choices=Provider, db_default=Provider.EVOLUTION)
    direction = models.CharField(_("direction"), max_length=8, choices=Direction)
    # WhatsApp's id, unique only within a connection and a direction: when two units write to each other both carry it.
    external_id = models.CharField(_("external id"), max_length=200, null=True, blank=True)
    origin = models.CharField(_("origin"), max_length=16, choices=Origin)
    author = models.ForeignKey(
        User, models.DB_SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("author")
    )
    # Who spoke in a group; null elsewhere.
    sender = TenantForeignKey(
        Contact, null=True, blank=True, related_name="+", verbose_name=_("sender"), db_index=False
    )
    kind = models.CharField(_("kind"), max_length=32, db_default="text")
    body = models.TextField(_("text"), blank=True, db_default="")
    # What the kind needs besides a text: coordinates, poll options, file name …; shape by `messaging.events`.
    details = models.JSONField(db_default={}, blank=True)
    # The quoted message, which may not be here; what WhatsApp told of it is in `details`.
    reply_to_external_id = models.CharField(max_length=200, blank=True, db_default="")
    # The message that this one hangs on (a reaction, a vote); it may come later, or never.
    target_external_id = models.CharField(max_length=200, blank=True, db_default="")
    # Told by a sync of the phone's old messages, not as it came: it is nobody's to answer.
    from_history = models.BooleanField(db_default=False, editable=False)
    edited_at = models.DateTimeField(_("edited at"), null=True, editable=False)
    # Deleted for everyone: the row stays, its text is shown to nobody.
    deleted_at = models.DateTimeField(_("deleted at"), null=True, editable=False)

    status = models.CharField(_("status"), max_length=16, choices=MessageStatus)
    error_code = models.CharField(_("error code"), max_length=40, blank=True, db_default="")
    error = models.TextField(_("error"), blank=True, db_default="")
    # WhatsApp's time for what came in, ours for what goes out: the order of the chat.
    happened_at = models.DateTimeField(_("time"), db_default=ClockNow())
    dispatched_at = models.DateTimeField(null=True, editable=False)
    sent_at = models.DateTimeField(_("sent at"), null=True, editable=False)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, editable=False)
    read_at = models.DateTimeField(_("read at"), null=True, editable=False)
    played_at = models.DateTimeField(_("played at"), null=True, editable=False)

    # Sending: where to, when, and who has it in hand.
    recipient = models.CharField(_("recipient"), max_length=200, blank=True, db_default="")
    attempts = models.PositiveSmallIntegerField(_("attempts"), db_default=0, editable=False)
    # Null while queued: its number was away for long, and a person chooses what becomes of it (`messaging.stale`).
    due_at = models.DateTimeField(_("due at"), null=True, editable=False)
    expires_at = models.DateTimeField(null=True, editable=False)
    claim_token = models.UUIDField(null=True, editable=False)
    # When to ask the gateway for the receipts of a message that stays `sent`; null: not any more.
    receipt_due_at = models.DateTimeField(null=True, editable=False)
    # When the gateway is asked next what became of an uncertain message; null: not any more, a person decides.
    look_up_due_at = models.DateTimeField(null=True, editable=False)
    # Look-ups in a row that found no trace of it.
    look_ups = models.PositiveSmallIntegerField(db_default=0, editable=False)
    # What a program calls its request: the same again is the same message.
    idempotency_key = models.CharField(max_length=200, null=True, editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        db_table = "messages"
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            tenant_parent("messages"),
            # I2. Plain, not partial, so that it can arbitrate ON CONFLICT; NULLs are distinct.
            models.UniqueConstraint(
                fields=["connection", "provider", "direction", "external_id"], name="messages_once"
            ),
            models.UniqueConstraint(fields=["unit", "idempotency_key"], name="messages_one_per_request"),
            one_of("provider", Provider, "messages_provider"),
            one_of("direction", Direction, "messages_direction"),
            one_of("origin", Origin, "messages_origin"),
            one_of("status", MessageStatus, "messages_status"),
        ]
        indexes = [
            # The chat, newest first.
            models.Index(fields=["conversation", "-happened_at", "-id"], name="messages_thread"),
            # Look-ups by what the provider calls it.
            models.Index(fields=["external_id"], name="messages_external_id"),
            # What a lane sends next.
            models.Index(
                fields=["connection", "origin", "due_at", "id"],
                name="messages_queue",
                condition=models.Q(status="queued"),
            ),
            # What the number sent last in campaigns: the breaker's window.
            models.Index(
                fields=["connection", "-dispatched_at"],
                name="messages_campaign_sends",
                condition=models.Q(origin="campaign", dispatched_at__isnull=False),
            ),
            # What nobody knows the fate of, for people and for look-ups.
            models.Index(
                fields=["unit", "-dispatched_at"], name="messages_uncertain", condition=models.Q(status="uncertain")
            ),
            models.Index(
                fields=["look_up_due_at"], name="messages_to_look_up", condition=models.Q(look_up_due_at__isnull=False)
            ),
            # What did not reach somebody, for people; a campaign tells of its own.
            models.Index(
                fields=["unit", "-happened_at"],
                name="messages_not_sent",
                condition=models.Q(status__in=["failed", "expired"]) & ~models.Q(origin="campaign"),
            ),
            # What has outlived its time.
            models.Index(fields=["expires_at"], name="messages_expiring", condition=models.Q(status="queued")),
            # What somebody wrote in groups, for when he is merged or deleted.
            models.Index(fields=["sender"], name="messages_by_sender", condition=models.Q(sender__isnull=False)),
            # What hangs on a message.
            models.Index(
                fields=["connection", "target_external_id"],
                name="messages_about",
                condition=~models.Q(target_external_id=""),
            ),
            # Since when a chat has been answered.
            models.Index(
                fields=["conversation", "-happened_at"],
                name="messages_answers",
                condition=models.Q(direction="outbound") & ~models.Q(origin="campaign"),
            ),
            # Whose receipts may have been lost.
            models.Index(
                fields=["connection", "receipt_due_at"],
                name="messages_without_receipt",
                condition=models.Q(status="sent", receipt_due_at__isnull=False),
            ),
            GinIndex(SearchWords("body"), name="messages_search"),
            # Chats in which a message is on the way or uncertain; and all that somebody holds, should he be dead.
            models.Index(
                fields=["conversation", "status"],
                name="messages_unsettled",
                condition=models.Q(status__in=["claimed", "dispatching", "uncertain"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_direction_display()} · {self.get_status_display()}"


class FailedAttempt(UUIDPrimaryKeyModel):
    """A call for a message of ours that did not end in "sent", and what was answered. The one that did is the message.

    `number`: 1 is the first. `outcome`: a class of `units.gateways.errors`.
    """

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="+", db_index=False)
    message = TenantForeignKey(Message, related_name="failed_attempts")
    number = models.PositiveSmallIntegerField(_("attempt"))
    outcome = models.CharField(_("outcome"), max_length=40)
    code = models.CharField(_("code"), max_length=64)
    answer = models.TextField(_("answer"), blank=True)

    class Meta:
        db_table = "failed_attempts"
        verbose_name = _("failed attempt")
        verbose_name_plural = _("failed attempts")
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return f"{self.number} · {self.outcome} · {self.code}"


class ActionKind(models.TextChoices):
    READ = "read", pgettext_lazy("action", "Mark as read")
    TYPING = "typing", pgettext_lazy("action", "Show typing")
    EDIT = "edit", pgettext_lazy("action", "Edit")
    DELETE = "delete", pgettext_lazy("action", "Delete for everyone")


class ActionStatus(models.TextChoices):
    """queued → done | failed | expired. Doing one twice does no harm, so that an unknown outcome is tried again."""

    QUEUED = "queued", pgettext_lazy("action", "Queued")
    DONE = "done", pgettext_lazy("action", "Done")
    FAILED = "failed", pgettext_lazy("action", "Failed")
    EXPIRED = "expired", pgettext_lazy("action", "Expired")


class ChatAction(UUIDPrimaryKeyModel):
    """Something asked of the gateway in a chat that is no message, and harmless when it happens twice."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="+", db_index=False, verbose_name=_("unit"))
    connection = TenantForeignKey(WhatsAppConnection, related_name="+", db_index=False)
    conversation = TenantForeignKey(
        Conversation, related_name="actions", db_index=False, verbose_name=_("conversation")
    )
    # What is edited or deleted, or up to which message all are read.
    message = TenantForeignKey(Message, null=True, related_name="actions", db_index=False, verbose_name=_("message"))
    kind = models.CharField(_("kind"), max_length=8, choices=ActionKind)
    # An edit's {"text"}.
    details = models.JSONField(db_default={})
    author = models.ForeignKey(User, models.DB_SET_NULL, null=True, related_name="+", verbose_name=_("author"))
    status = models.CharField(_("status"), max_length=8, choices=ActionStatus, db_default=ActionStatus.QUEUED)
    error_code = models.CharField(max_length=40, db_default="")
    attempts = models.PositiveSmallIntegerField(db_default=0)
    due_at = models.DateTimeField(db_default=ClockNow())
    expires_at = models.DateTimeField()
    claim_token = models.UUIDField(null=True)

    class Meta:
        db_table = "chat_actions"
        verbose_name = _("chat action")
        verbose_name_plural = _("chat actions")
        constraints = [
            one_of("kind", ActionKind, "chat_actions_kind"),
            one_of("status", ActionStatus, "chat_actions_status"),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="chat_actions_due", condition=models.Q(status="queued")),
            models.Index(fields=["conversation"], name="chat_actions_of_chat"),
            models.Index(fields=["message"], name="chat_actions_of_message", condition=models.Q(message__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.get_status_display()}"
