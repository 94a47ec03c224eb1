"""Contacts, conversations and messages of a unit, and the lane on which its number sends."""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.indexes import GinIndex
from django.db import connection, models
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
from messaging.words import has_words, number_in
from units.models import Provider, Unit, User, WhatsAppConnection


class ContactQuerySet(models.QuerySet["Contact"]):
    def people(self) -> "ContactQuerySet":
        """No groups: they are talked to, and get no campaigns."""
        return self.filter(is_group=False)

    def matching(self, unit_id: UUID, text: str) -> "ContactQuerySet":
        """Of a unit: whose name has every word of `text`, or one of whose numbers has its digits."""
        named = self.filter(has_words("name", unit_id, text), unit=unit_id)
        digits = number_in(text)
        if not digits:
            return named
        numbered = ContactAddress.objects.filter(unit=unit_id, value__contains=digits).values("contact")
        # A union, which uses an index for each half; an OR would look at every contact.
        return self.filter(id__in=named.order_by().values("id").union(numbered))


class Contact(UUIDPrimaryKeyModel):
    """A person who writes to a unit, or to whom it writes."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="contacts", verbose_name=_("unit"), db_index=False)
    name = models.CharField(_("name"), max_length=200, blank=True, db_default="")
    # A name typed by staff is never overwritten by what the phone calls itself.
    name_is_ours = models.BooleanField(db_default=False, editable=False)
    # When, by WhatsApp's clock, the person was last seen under this name: of two the later counts.
    named_at = models.DateTimeField(null=True, editable=False)
    # A group is somebody to talk to like any other; whoever speaks in it is the message's `sender`.
    is_group = models.BooleanField(_("group"), db_default=False, editable=False)

    objects = ContactQuerySet.as_manager()

    class Meta:
        db_table = "contacts"
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        constraints = [tenant_parent("contacts")]
        indexes = [
            models.Index(fields=["unit", "name", "id"], name="contacts_listed_by_name"),
            GinIndex(SearchWords("name"), name="contacts_search"),
        ]

    def __str__(self) -> str:
        return self.name or self.phone_number or str(_("No name"))

    @property
    def phone_number(self) -> str:
        """E.164, or empty for a person of whom only a LID is known. Prefetch `addresses` where many are shown."""
        return next((a.value for a in self.addresses.all() if a.kind == AddressKind.PHONE), "")


class AddressKind(models.TextChoices):
    PHONE = "phone", _("Phone number")
    LID = "lid", _("WhatsApp LID")
    GROUP = "group", _("WhatsApp group")


class ContactAddress(UUIDPrimaryKeyModel):
    """What identifies a person at WhatsApp. A JID is not a phone number.

    A phone has one normal form (E.164; a Brazilian mobile always with its ninth digit, a landline never), so that both
    spellings of one number are one address. `jid` is what WhatsApp itself last used, which is where we send.
    """

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="+", verbose_name=_("unit"))
    contact = TenantForeignKey(Contact, related_name="addresses", verbose_name=_("contact"))
    kind = models.CharField(_("kind"), max_length=8, choices=AddressKind)
    value = models.CharField(_("address"), max_length=40)
    jid = models.CharField("JID", max_length=200, blank=True, db_default="")
    # When, by WhatsApp's clock, it used that JID; null: not told.
    jid_at = models.DateTimeField(null=True, editable=False)
    opted_out_at = models.DateTimeField(_("opted out at"), null=True, blank=True)
    not_on_whatsapp_at = models.DateTimeField(_("not on WhatsApp since"), null=True, blank=True)

    class Meta:
        db_table = "contact_addresses"
        verbose_name = _("contact address")
        verbose_name_plural = _("contact addresses")
        constraints = [
            models.UniqueConstraint(fields=["unit", "kind", "value"], name="contact_addresses_one_person_each"),
            one_of("kind", AddressKind, "contact_addresses_kind"),
        ]

    def __str__(self) -> str:
        return self.value


class ContactMerge(UUIDPrimaryKeyModel):
    """Two contacts that turned out to be one: all of `absorbed_id` went to `kept`. And what it takes to undo it."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="+", verbose_name=_("unit"), db_index=False)
    kept = TenantForeignKey(Contact, related_name="merges", verbose_name=_("contact"))
    # The contact that is no more; its rows as they were lie in `before`.
    absorbed_id = models.UUIDField(editable=False)
    absorbed_name = models.CharField(_("merged name"), max_length=200, blank=True, db_default="", editable=False)
    before = models.JSONField(db_default={}, editable=False)
    undone_at = models.DateTimeField(_("undone at"), null=True, editable=False)
    undone_by = models.ForeignKey(
        User, models.DB_SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("undone by")
    )

    class Meta:
        db_table = "contact_merges"
        verbose_name = _("contact merge")
        verbose_name_plural = _("contact merges")
        indexes = [
            models.Index(fields=["unit", "-created_at"], name="contact_merges_listed"),
            # An old link to a contact that was merged leads to the one that was kept.
            models.Index(fields=["unit", "absorbed_id"], name="contact_merges_absorbed"),
        ]

    def __str__(self) -> str:
        return f"{self.absorbed_name or self.absorbed_id} → {self.kept}"


class ConversationStatus(models.TextChoices):
    OPEN = "open", pgettext_lazy("conversation", "Open")
    PENDING = "pending", pgettext_lazy("conversation", "Pending")
    SNOOZED = "snoozed", pgettext_lazy("conversation", "Snoozed")
    RESOLVED = "resolved", pgettext_lazy("conversation", "Resolved")


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def lock(self) -> list[UUID]:
        """Lock these conversations, in one order for all who lock several; their keys."""
        return list(self.select_for_update(no_key=True).order_by("id").values_list("id", flat=True))

    def refresh_summary(self) -> int:
        """Recompute what the inbox shows of these conversations from their messages, within a transaction.

        A function of the rows, not a running count: any order of events, and any repetition, gives the same. Locked
        before it is computed: a statement that waited for the row would count what it saw before it waited. Whoever
        answers has read; campaign messages are no answer; what a sync of old messages brought waits for nobody. Of more
        than a thousand that wait, a thousand are counted.
        """
        ids = self.lock()
        with connection.cursor() as cursor:
            cursor.execute(_REFRESH_SUMMARY, {"ids": ids})
            return cursor.rowcount


_REFRESH_SUMMARY = """
UPDATE conversations c SET
    last_message_at = coalesce(last.happened_at, c.created_at),
    last_message_preview = CASE WHEN last.deleted_at IS NULL THEN coalesce(left(last.body, 200), '') ELSE '' END,
    unread_count = waiting.unread,
    waiting_since = waiting.since
FROM unnest(%(ids)s::uuid[]) AS wanted (id)
JOIN conversations known ON known.id = wanted.id
LEFT JOIN LATERAL (
    SELECT m.happened_at, m.body, m.deleted_at FROM messages m
    WHERE m.conversation_id = wanted.id AND m.kind <> 'reaction'
    ORDER BY m.happened_at DESC, m.external_id DESC NULLS LAST, m.id DESC LIMIT 1
) last ON true
LEFT JOIN LATERAL (
    SELECT o.happened_at FROM messages o
    WHERE o.conversation_id = wanted.id AND o.direction = 'outbound' AND o.origin <> 'campaign'
      AND o.status NOT IN ('failed', 'cancelled', 'expired') AND o.kind <> 'reaction'
    ORDER BY o.happened_at DESC LIMIT 1
) answered ON true
CROSS JOIN LATERAL (
    SELECT min(m.happened_at) AS since,
           count(*) FILTER (
               WHERE m.created_at > coalesce(known.read_until, '-infinity')
                 AND m.happened_at > coalesce(known.seen_until, '-infinity')) AS unread
    FROM (
        SELECT i.happened_at, i.created_at FROM messages i
        WHERE i.conversation_id = wanted.id AND i.direction = 'inbound' AND NOT i.from_history AND i.kind <> 'reaction'
          AND i.deleted_at IS NULL
          AND i.happened_at > coalesce(answered.happened_at, '-infinity')
        ORDER BY i.happened_at LIMIT 1000
    ) m
) waiting
WHERE c.id = wanted.id
"""


class Conversation(UUIDPrimaryKeyModel):
    """The chat with one contact, as on the phone: there is one, and it opens again when the contact writes."""

    unit = models.ForeignKey(
        Unit, models.DB_CASCADE, related_name="conversations", verbose_name=_("unit"), db_index=False
    )
    contact = TenantForeignKey(Contact, related_name="conversations", verbose_name=_("contact"))
    status = models.CharField(
        _("status"), max_length=16, choices=ConversationStatus, db_default=ConversationStatus.OPEN
    )
    assigned_to = models.ForeignKey(
        User, models.DB_SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("assigned to")
    )
    # Whatever arrived here until then has been seen in the inbox; and what was sent until then, on the unit's phone.
    read_until = models.DateTimeField(null=True, editable=False)
    seen_until = models.DateTimeField(null=True, editable=False)
    unread_count = models.PositiveIntegerField(_("unread"), db_default=0, editable=False)
    last_message_at = models.DateTimeField(_("last message at"), db_default=ClockNow(), editable=False)
    last_message_preview = models.CharField(max_length=200, blank=True, db_default="", editable=False)
    # When the contact wrote last without an answer since; null: nobody waits.
    waiting_since = models.DateTimeField(_("waiting since"), null=True, editable=False)
    # The advert that led here last: title, body, source_id, source_url, click_id; empty without one.
    referral = models.JSONField(_("advert"), db_default={}, blank=True, editable=False)
    referred_at = models.DateTimeField(null=True, editable=False)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        db_table = "conversations"
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        constraints = [
            tenant_parent("conversations"),
            models.UniqueConstraint(fields=["unit", "contact"], name="conversations_one_per_contact"),
            one_of("status", ConversationStatus, "conversations_status"),
        ]
        indexes = [
            models.Index(fields=["unit", "-last_message_at", "-id"], name="conversations_inbox"),
            models.Index(fields=["unit"], name="conversations_unread", condition=models.Q(unread_count__gt=0)),
        ]

    def __str__(self) -> str:
        return str(self.contact)


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
    due_at = models.DateTimeField(_("due at"), null=True, editable=False)
    expires_at = models.DateTimeField(null=True, editable=False)
    claim_token = models.UUIDField(null=True, editable=False)
    # When to ask the gateway for the receipts of a message that stays `sent`; null: not any more.
    receipt_due_at = models.DateTimeField(null=True, editable=False)
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
            # Chats in which a message is on the way or uncertain.
            models.Index(
                fields=["conversation", "status"],
                name="messages_unsettled",
                condition=models.Q(status__in=["dispatching", "uncertain"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_direction_display()} · {self.get_status_display()}"


class MediaStatus(models.TextChoices):
    """waiting → stored | failed (may be asked for again) | refused (too large, or a type that is not taken)."""

    WAITING = "waiting", pgettext_lazy("file", "Loading")
    STORED = "stored", pgettext_lazy("file", "Loaded")
    FAILED = "failed", pgettext_lazy("file", "Could not be loaded")
    REFUSED = "refused", pgettext_lazy("file", "Refused")


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
        ]

    def __str__(self) -> str:
        return self.file.name or self.get_status_display()


class SendLane(models.Model):
    """The one queue on which a number sends: its hot columns, apart from the connection that people edit."""

    connection = models.OneToOneField(
        WhatsAppConnection,
        models.DB_CASCADE,
        primary_key=True,
        related_name="lane",
        verbose_name=_("connection"),
    )
    # The earliest time at which a look may find something to send; null: nothing waits.
    due_at = models.DateTimeField(null=True)
    # No campaign message goes out before: the answer of the send before, plus the interval.
    next_send_at = models.DateTimeField(db_default=ClockNow())
    # In flight: who has it, and when he has certainly lost it.
    claim_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    # Campaign messages of the unit's day; replies do not count.
    day = models.DateField(null=True)
    sent_today = models.PositiveIntegerField(db_default=0)

    class Meta:
        db_table = "send_lanes"
        verbose_name = _("send lane")
        verbose_name_plural = _("send lanes")
        indexes = [
            models.Index(fields=["due_at"], name="send_lanes_due", condition=models.Q(due_at__isnull=False)),
            models.Index(
                fields=["lease_until"],
                name="send_lanes_in_flight",
                condition=models.Q(claim_token__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.connection)
