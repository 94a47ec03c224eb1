"""The chat with a contact, and what the inbox shows of it."""

from uuid import UUID

from django.db import connection, models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import ClockNow, TenantForeignKey, UUIDPrimaryKeyModel, one_of, tenant_parent
from messaging.models.contacts import Contact
from units.models import Unit, User


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
    last_inbound_at = heard.happened_at,
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
    SELECT i.happened_at FROM messages i
    WHERE i.conversation_id = wanted.id AND i.direction = 'inbound'
    ORDER BY i.happened_at DESC LIMIT 1
) heard ON true
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
    # Of a snoozed one: when it opens again by itself.
    snoozed_until = models.DateTimeField(_("snoozed until"), null=True, blank=True)
    # Whatever arrived here until then has been seen in the inbox; and what was sent until then, on the unit's phone.
    read_until = models.DateTimeField(null=True, editable=False)
    seen_until = models.DateTimeField(null=True, editable=False)
    unread_count = models.PositiveIntegerField(_("unread"), db_default=0, editable=False)
    last_message_at = models.DateTimeField(_("last message at"), db_default=ClockNow(), editable=False)
    # When the contact last wrote; null: never. What segments ask.
    last_inbound_at = models.DateTimeField(_("last wrote at"), null=True, editable=False)
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
            # Who wrote since when, or has not.
            models.Index(fields=["unit", "last_inbound_at"], name="conversations_heard_from"),
            # Whose they are, and those of nobody.
            models.Index(fields=["unit", "assigned_to", "-last_message_at"], name="conversations_of_person"),
            models.Index(fields=["unit", "status", "-last_message_at"], name="conversations_by_status"),
            # What opens again by itself.
            models.Index(
                fields=["snoozed_until"],
                name="conversations_snoozed",
                condition=models.Q(status="snoozed", snoozed_until__isnull=False),
            ),
            models.Index(fields=["unit"], name="conversations_unread", condition=models.Q(unread_count__gt=0)),
        ]

    def __str__(self) -> str:
        return str(self.contact)
