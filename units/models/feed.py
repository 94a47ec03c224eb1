"""What changed in a unit, in the order of commits."""

from django.db import models

from crm_whatsapp.db import ClockNow
from units.models.units import Unit


class UnitFeed(models.Model):
    """The counter of a unit's live events. Locked last in a transaction: order of numbers is order of commits."""

    unit = models.OneToOneField(Unit, models.DB_CASCADE, primary_key=True, related_name="feed")
    last_seq = models.BigIntegerField(db_default=0)

    class Meta:
        db_table = "unit_feeds"

    def __str__(self) -> str:
        return f"{self.unit_id} · {self.last_seq}"


class LiveEvent(models.Model):
    """Something changed in a unit; written in the transaction of the change, read by open browsers and by sync."""

    pk = models.CompositePrimaryKey("unit_id", "seq")
    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="live_events", db_index=False)
    seq = models.BigIntegerField()
    # message, conversation, contact, connection, campaign or attention: what to look at again.
    kind = models.CharField(max_length=24)
    object_id = models.UUIDField()
    data = models.JSONField(db_default={})
    created_at = models.DateTimeField(db_default=ClockNow())

    class Meta:
        db_table = "live_events"
        indexes = [models.Index(fields=["created_at"], name="live_events_pruned_by_age")]

    def __str__(self) -> str:
        return f"{self.unit_id} · {self.seq} · {self.kind}"
