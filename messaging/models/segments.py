"""How a unit sorts its contacts: tags, attributes of its own, saved segments."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import TenantForeignKey, UUIDPrimaryKeyModel, one_of, tenant_parent
from messaging.models.contacts import Contact
from units.models import Unit


class Tag(UUIDPrimaryKeyModel):
    """A word on contacts of a unit; upper and lower case are one."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="tags", verbose_name=_("unit"), db_index=False)
    name = models.CharField(_("name"), max_length=60)
    contacts = models.ManyToManyField(Contact, through="ContactTag", related_name="tags")

    class Meta:
        db_table = "tags"
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        constraints = [
            tenant_parent("tags"),
            models.UniqueConstraint("unit", Lower("name"), name="tags_once_per_unit"),
        ]

    def __str__(self) -> str:
        return self.name


class ContactTag(UUIDPrimaryKeyModel):
    """A tag on a contact."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="+", db_index=False)
    contact = TenantForeignKey(Contact, related_name="contact_tags", verbose_name=_("contact"), db_index=False)
    tag = TenantForeignKey(Tag, related_name="contact_tags", verbose_name=_("tag"), db_index=False)

    class Meta:
        db_table = "contact_tags"
        verbose_name = _("tag of a contact")
        verbose_name_plural = _("tags of contacts")
        constraints = [models.UniqueConstraint(fields=["contact", "tag"], name="contact_tags_once")]
        indexes = [models.Index(fields=["tag", "contact"], name="contact_tags_by_tag")]

    def __str__(self) -> str:
        return f"{self.contact_id} · {self.tag_id}"


class AttributeKind(models.TextChoices):
    TEXT = "text", pgettext_lazy("attribute", "Text")
    NUMBER = "number", pgettext_lazy("attribute", "Number")
    DATE = "date", pgettext_lazy("attribute", "Date")
    BOOLEAN = "boolean", pgettext_lazy("attribute", "Yes or no")


class AttributeDefinition(UUIDPrimaryKeyModel):
    """Something that a unit keeps of its contacts, by name: its values are in `Contact.attributes[key]`."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="attributes", verbose_name=_("unit"), db_index=False)
    # As it is written in a campaign's text: {{ cidade }}.
    key = models.CharField(
        _("key"),
        max_length=40,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*\Z", _("Small letters, digits and _ only; a letter first."))],
    )
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=8, choices=AttributeKind, db_default=AttributeKind.TEXT)

    class Meta:
        db_table = "attribute_definitions"
        verbose_name = _("contact attribute")
        verbose_name_plural = _("contact attributes")
        constraints = [
            models.UniqueConstraint(fields=["unit", "key"], name="attribute_definitions_once"),
            one_of("kind", AttributeKind, "attribute_definitions_kind"),
        ]

    def __str__(self) -> str:
        return self.name


class Segment(UUIDPrimaryKeyModel):
    """Contacts of a unit by what they have in common, asked anew each time. Shape of `filters`: messaging.segments."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="segments", verbose_name=_("unit"), db_index=False)
    name = models.CharField(_("name"), max_length=120)
    filters = models.JSONField(_("filters"), db_default=[])

    class Meta:
        db_table = "segments"
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        constraints = [
            tenant_parent("segments"),
            models.UniqueConstraint("unit", Lower("name"), name="segments_once_per_unit"),
        ]

    def __str__(self) -> str:
        return self.name
