"""What lets a program act for somebody."""

import secrets
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import ClockNow, UUIDPrimaryKeyModel
from units.crypto import sha256
from units.models.people import User
from units.models.units import Unit
from units.roles import Action

# So much of a token is kept and shown, for people to tell one from another.
PREFIX_CHARACTERS = 12


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def valid(self) -> "ApiTokenQuerySet":
        """Those that open something now: not revoked, not over, of a person who may log in."""
        lasting = Q(expires_at=None) | Q(expires_at__gt=ClockNow())
        return self.filter(lasting, revoked_at=None, user__is_active=True)


class ApiToken(UUIDPrimaryKeyModel):
    """Lets a program act as a person, or as the integration that it was made for. Shown once; only its hash is kept.

    It may do what its person may (by the role in each unit), within `scopes`, and with `unit` in that unit alone.
    """

    user = models.ForeignKey(User, models.DB_CASCADE, related_name="api_tokens", verbose_name=_("acts as"))
    unit = models.ForeignKey(
        Unit,
        models.DB_CASCADE,
        null=True,
        blank=True,
        related_name="api_tokens",
        verbose_name=_("unit"),
        help_text=_("Empty: every unit in which the person works."),
    )
    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(_("begins with"), max_length=PREFIX_CHARACTERS, editable=False)
    sha256 = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(
        models.CharField(max_length=24, choices=Action),
        verbose_name=pgettext_lazy("token", "may"),
        default=list,
        help_text=_("What the role of the person does not allow stays forbidden."),
    )
    expires_at = models.DateTimeField(_("valid until"), null=True, blank=True)
    # To the minute: not every request is a write.
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    created_by = models.ForeignKey(
        User, models.DB_SET_NULL, null=True, related_name="+", verbose_name=_("made by"), editable=False
    )

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "api_tokens"
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def mint(
        cls, user: User, name: str, *, expires_at: datetime | None = None, **fields: Any
    ) -> tuple["ApiToken", str]:
        """Make a token for `user`; the row, and the token itself: the only time that it is seen.

        `scopes` among `fields`: what it may do; everything that the person may, when left out.
        """
        secret = f"crm_{secrets.token_urlsafe(32)}"
        fields = {"scopes": list(Action.values)} | fields
        token = cls.objects.create(
            user=user,
            name=name,
            prefix=secret[:PREFIX_CHARACTERS],
            sha256=sha256(secret),
            expires_at=expires_at,
            **fields,
        )
        return token, secret
