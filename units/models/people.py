"""Who logs in."""

from typing import Any
from uuid import uuid4

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import UUID7
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class UserManager(BaseUserManager["User"]):
    """People are found by their e-mail address, whatever its case."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A person who may log in; without a password, only after one is set."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Staff with every permission in the admin."""
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True} | fields)

    def create_integration(self, name: str) -> "User":
        """A program: it acts by tokens alone, and what it does stands under its name."""
        return self.create_user(f"{uuid4()}@integration.invalid", first_name=name, is_integration=True)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class Theme(models.TextChoices):
    """How the console looks. AUTO: as the person's device."""

    AUTO = "auto", pgettext_lazy("theme", "As the device")
    LIGHT = "light", pgettext_lazy("theme", "Light")
    DARK = "dark", pgettext_lazy("theme", "Dark")


class User(AbstractUser):
    """A person who logs in: unit staff through a membership, staff of the installation by `is_staff`."""

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    username = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail"), unique=True, error_messages={"unique": _("This e-mail is in use already.")})
    # A program of a unit, with tokens and no password; its address leads nowhere (RFC 2606).
    is_integration = models.BooleanField(_("integration"), default=False, db_default=False, editable=False)

    theme = models.CharField(_("theme"), max_length=8, choices=Theme, db_default=Theme.AUTO)
    # Single letters, as `?` in the inbox lists them. People who dictate to the computer turn them off.
    has_shortcuts = models.BooleanField(_("keyboard shortcuts"), default=True, db_default=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    objects = UserManager()  # type: ignore[assignment,misc]

    class Meta:
        db_table = "users"
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    @property
    def shown_name(self) -> str:
        """For colleagues, who may not see addresses: without a name, the part of the address that says the least."""
        return self.get_full_name() or self.email.partition("@")[0]
