"""Who is talked to, under which addresses, and who does not want campaigns."""

from uuid import UUID

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import SearchWords, TenantForeignKey, UUIDPrimaryKeyModel, one_of, tenant_parent
from messaging.words import has_words, number_in
from units.models import Unit, User


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
    # What the unit keeps of a person besides: values by the `key` of an AttributeDefinition of the unit. Text, number,
    # true/false, or a date as "2026-11-22".
    attributes = models.JSONField(_("attributes"), db_default={}, blank=True)
    # Staff want nothing to do with this person: nobody writes to him. What he writes still comes in.
    blocked_at = models.DateTimeField(_("blocked at"), null=True, editable=False)
    blocked_reason = models.CharField(_("reason for blocking"), max_length=500, blank=True, db_default="")

    objects = ContactQuerySet.as_manager()

    class Meta:
        db_table = "contacts"
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        constraints = [tenant_parent("contacts")]
        indexes = [
            models.Index(fields=["unit", "name", "id"], name="contacts_listed_by_name"),
            GinIndex(SearchWords("name"), name="contacts_search"),
            GinIndex(fields=["attributes"], name="contacts_attributes", opclasses=["jsonb_path_ops"]),
            # A whole unit in slices of one order: audiences and exports.
            models.Index(fields=["unit", "id"], name="contacts_in_order"),
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


class ContactAddressQuerySet(models.QuerySet["ContactAddress"]):
    def opted_out(self) -> "ContactAddressQuerySet":
        same = OptOut.objects.in_force().filter(unit=OuterRef("unit"), kind=OuterRef("kind"), value=OuterRef("value"))
        return self.filter(Exists(same))


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
    not_on_whatsapp_at = models.DateTimeField(_("not on WhatsApp since"), null=True, blank=True)
    # When WhatsApp was last asked whether it knows this number; null: never.
    checked_at = models.DateTimeField(_("checked at"), null=True, editable=False)
    # When it should be asked, before a campaign writes to it for the first time; null: nobody needs to know.
    check_due_at = models.DateTimeField(null=True, editable=False)

    objects = ContactAddressQuerySet.as_manager()

    class Meta:
        db_table = "contact_addresses"
        verbose_name = _("contact address")
        verbose_name_plural = _("contact addresses")
        constraints = [
            models.UniqueConstraint(fields=["unit", "kind", "value"], name="contact_addresses_one_person_each"),
            one_of("kind", AddressKind, "contact_addresses_kind"),
        ]
        indexes = [
            # Which numbers to ask WhatsApp about next.
            models.Index(
                fields=["unit", "check_due_at"],
                name="contact_addresses_to_check",
                condition=models.Q(check_due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.value


class OptOutSource(models.TextChoices):
    WORD = "word", pgettext_lazy("opt-out", "Asked for it in the chat")
    STAFF = "staff", pgettext_lazy("opt-out", "Entered by staff")
    IMPORT = "import", pgettext_lazy("opt-out", "Imported")
    API = "api", pgettext_lazy("opt-out", "By a program")


class OptOutQuerySet(models.QuerySet["OptOut"]):
    def in_force(self) -> "OptOutQuerySet":
        return self.filter(lifted_at=None)


class OptOut(UUIDPrimaryKeyModel):
    """An address to which no campaign goes (I9), from `created_at` until it is lifted.

    It hangs on the address and not on the contact: it survives the contact, a merge and a re-import. Whoever has opted
    out under one of his addresses has under all of them.
    """

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="+", verbose_name=_("unit"), db_index=False)
    kind = models.CharField(_("kind"), max_length=8, choices=AddressKind)
    value = models.CharField(_("address"), max_length=40)
    source = models.CharField(_("source"), max_length=8, choices=OptOutSource)
    reason = models.CharField(_("reason"), max_length=500, blank=True, db_default="")
    by = models.ForeignKey(User, models.DB_SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by"))
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True, editable=False)
    lifted_by = models.ForeignKey(
        User, models.DB_SET_NULL, null=True, blank=True, editable=False, related_name="+", verbose_name=_("lifted by")
    )
    lifted_reason = models.CharField(_("reason for lifting"), max_length=500, blank=True, db_default="")

    objects = OptOutQuerySet.as_manager()

    class Meta:
        db_table = "opt_outs"
        verbose_name = _("opt-out")
        verbose_name_plural = _("opt-outs")
        constraints = [
            models.UniqueConstraint(
                fields=["unit", "kind", "value"], name="opt_outs_in_force", condition=models.Q(lifted_at__isnull=True)
            ),
            one_of("kind", AddressKind, "opt_outs_kind"),
            one_of("source", OptOutSource, "opt_outs_source"),
        ]
        indexes = [models.Index(fields=["unit", "kind", "value", "-created_at"], name="opt_outs_history")]

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
