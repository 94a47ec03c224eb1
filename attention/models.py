"""Episodes: from the moment something needs a person until it does not."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import UUIDPrimaryKeyModel, one_of
from units.models import Unit


class Kind(models.TextChoices):
    """Why somebody is needed. One episode of a kind for each number, campaign or webhook; else for the unit."""

    DISCONNECTED = "disconnected", pgettext_lazy("attention", "Number disconnected")
    UNCONFIRMED = "unconfirmed", pgettext_lazy("attention", "Unconfirmed messages")
    FAILED = "failed", pgettext_lazy("attention", "Messages not sent")
    MEDIA = "media", pgettext_lazy("attention", "Files that did not load")
    HELD = "held", pgettext_lazy("attention", "Campaign held")
    LATE = "late", pgettext_lazy("attention", "Messages that waited too long")
    WEBHOOK_OFF = "webhook_off", pgettext_lazy("attention", "Outgoing webhook switched off")
    DEAD_LETTERS = "dead_letters", pgettext_lazy("attention", "Events that were not understood")


class Episode(UUIDPrimaryKeyModel):
    """Something needs a person, since `created_at`. Told once, however often it is looked at."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="episodes", verbose_name=_("unit"), db_index=False)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    # The connection, campaign or outgoing webhook concerned, or the unit.
    object_id = models.UUIDField()
    # When people were told by e-mail, or when it began, if nobody is; null: not yet.
    told_at = models.DateTimeField(_("told at"), null=True, editable=False)
    # Null: it still does.
    ended_at = models.DateTimeField(_("ended at"), null=True, editable=False)

    class Meta:
        db_table = "attention_episodes"
        verbose_name = _("attention episode")
        verbose_name_plural = _("attention episodes")
        constraints = [
            models.UniqueConstraint(
                fields=["unit", "kind", "object_id"],
                name="attention_episodes_one_open",
                condition=models.Q(ended_at__isnull=True),
            ),
            one_of("kind", Kind, "attention_episodes_kind"),
        ]
        indexes = [models.Index(fields=["unit", "-created_at"], name="attention_episodes_newest")]

    def __str__(self) -> str:
        return f"{self.unit} · {self.get_kind_display()}"
