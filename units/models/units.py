"""The unit: a shop, a clinic, a branch."""

from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.db import connection as database
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm_whatsapp.db import UUIDPrimaryKeyModel
from units.models.people import User
from units.roles import Action


def validate_time_zone(name: str) -> None:
    """Raise ValidationError unless `name` is an IANA time zone that PostgreSQL knows too: it counts the days."""
    known = name in available_timezones()
    if known:
        with database.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = %s)", [name])
            (known,) = cursor.fetchone()
    if not known:
        raise ValidationError(_("“%(name)s” is not a time zone. Example: America/Sao_Paulo."), params={"name": name})


class UnitQuerySet(models.QuerySet["Unit"]):
    def of_member(self, user: User) -> "UnitQuerySet":
        """The units in which `user` works."""
        return self.filter(memberships__user=user)


class Unit(UUIDPrimaryKeyModel):
    """A shop, a clinic, a branch: it has one WhatsApp number, and its data is its own."""

    name = models.CharField(_("name"), max_length=120)
    time_zone = models.CharField(
        _("time zone"), max_length=64, db_default="America/Sao_Paulo", validators=[validate_time_zone]
    )
    # In minutes: who waits longer stands out in the inbox.
    answer_goal = models.PositiveSmallIntegerField(_("answer within (minutes)"), default=30, db_default=30)

    # What the person in question may do here: set by `units.access.unit_for` alone.
    allowed: frozenset[Action]

    objects = UnitQuerySet.as_manager()

    class Meta:
        db_table = "units"
        verbose_name = _("unit")
        verbose_name_plural = _("units")
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name
