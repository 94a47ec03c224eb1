"""The lane on which a number sends."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import ClockNow
from units.models import WhatsAppConnection


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
    # In flight: who holds it, and when that lease is certainly over.
    claim_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    # Campaign messages of the unit's day; replies do not count.
    day = models.DateField(null=True)
    sent_today = models.PositiveIntegerField(db_default=0)

    # Since when the number is not connected; null while it is.
    away_since = models.DateTimeField(null=True)
    # No numbers are checked before (`messaging.number_checks`).
    next_check_at = models.DateTimeField(db_default=ClockNow())

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
