"""Contacts that come from a CSV file."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import StatusQuerySet, UUIDPrimaryKeyModel, one_of
from units.models import Unit, User


class ImportStatus(models.TextChoices):
    """waiting → running → done | failed; waiting, running → cancelled."""

    WAITING = "waiting", pgettext_lazy("import", "Waiting")
    RUNNING = "running", pgettext_lazy("import", "Running")
    DONE = "done", pgettext_lazy("import", "Done")
    FAILED = "failed", pgettext_lazy("import", "Failed")
    CANCELLED = "cancelled", pgettext_lazy("import", "Cancelled")


I = ImportStatus  # noqa: E741


class ContactImport(UUIDPrimaryKeyModel):
    """A CSV file on its way into a unit's contacts: how to read it, how far it has come, and what came of it."""

    MOVES = {
        I.RUNNING: frozenset({I.WAITING}),
        I.DONE: frozenset({I.RUNNING}),
        I.FAILED: frozenset({I.WAITING, I.RUNNING}),
        I.CANCELLED: frozenset({I.WAITING, I.RUNNING}),
    }

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="imports", verbose_name=_("unit"), db_index=False)
    created_by = models.ForeignKey(
        User, models.DB_SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("created by")
    )
    file_name = models.CharField(_("file"), max_length=200)
    file = models.FileField(max_length=300, editable=False)
    size = models.PositiveBigIntegerField(_("size"), editable=False)
    # Empty: found out from the file.
    encoding = models.CharField(_("encoding"), max_length=20, blank=True, db_default="")
    delimiter = models.CharField(_("delimiter"), max_length=1, blank=True, db_default="")
    # Column of the file → what it is: "phone", "name", "tags", "opted_out", or "attributes.<key>".
    mapping = models.JSONField(_("columns"), db_default={})
    default_region = models.CharField(_("region of numbers without a country code"), max_length=2, db_default="BR")
    # Names of tags that everybody in the file gets.
    tags = models.JSONField(_("tags"), db_default=[], blank=True)
    status = models.CharField(
        _("status"), max_length=16, choices=ImportStatus, db_default=ImportStatus.WAITING, editable=False
    )
    # How far it has come; what lies before has been committed.
    rows_done = models.PositiveIntegerField(_("rows"), db_default=0, editable=False)
    bytes_done = models.PositiveBigIntegerField(db_default=0, editable=False)
    # {"created", "updated", "unchanged", "refused": {reason: number}}
    counts = models.JSONField(_("result"), db_default={}, editable=False)
    # The refused rows as they were, with the reason of each.
    refused_file = models.FileField(max_length=300, blank=True, db_default="", editable=False)
    error_code = models.CharField(_("error code"), max_length=40, blank=True, db_default="", editable=False)
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)
    claim_token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    objects = StatusQuerySet["ContactImport"].as_manager()

    class Meta:
        db_table = "contact_imports"
        verbose_name = _("contact import")
        verbose_name_plural = _("contact imports")
        constraints = [one_of("status", ImportStatus, "contact_imports_status")]
        indexes = [
            models.Index(fields=["unit", "-created_at"], name="contact_imports_listed"),
            models.Index(
                fields=["created_at"],
                name="contact_imports_open",
                condition=models.Q(status__in=["waiting", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return self.file_name
