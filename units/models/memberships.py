"""Who works where, in which role."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import UUIDPrimaryKeyModel, one_of
from units.models.people import User
from units.models.units import Unit
from units.roles import Role


class Membership(UUIDPrimaryKeyModel):
    """A person works in a unit, in a role."""

    unit = models.ForeignKey(Unit, models.DB_CASCADE, related_name="memberships", verbose_name=_("unit"))
    user = models.ForeignKey(User, models.DB_CASCADE, related_name="memberships", verbose_name=_("user"))
    role = models.CharField(_("role"), max_length=16, choices=Role, db_default=Role.AGENT)
    # E-mails of the unit about what needs a person.
    gets_mail = models.BooleanField(_("gets e-mails"), default=True, db_default=True)

    class Meta:
        db_table = "memberships"
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(fields=["unit", "user"], name="memberships_one_per_person"),
            one_of("role", Role, "memberships_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.unit} · {self.get_role_display()}"
