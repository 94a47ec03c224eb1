"""The WhatsApp number of a unit, and what opens the webhook endpoint for it."""

import secrets
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm_whatsapp.db import ClockNow, UUIDPrimaryKeyModel, one_of, tenant_parent
from units.crypto import EncryptedTextField, sha256
from units.models.units import Unit


class Provider(models.TextChoices):
    EVOLUTION = "evolution", "Evolution API"
    META = "meta", "Meta Cloud API"
    ZAPI = "zapi", "Z-API"


class ConnectionStatus(models.TextChoices):
    """disconnected → preparing → awaiting_scan → connecting → connected → disconnecting → disconnected."""

    DISCONNECTED = "disconnected", _("Disconnected")
    PREPARING = "preparing", pgettext_lazy("connection", "Preparing")
    AWAITING_SCAN = "awaiting_scan", _("Waiting for scan")
    CONNECTING = "connecting", _("Connecting")
    CONNECTED = "connected", _("Connected")
    DISCONNECTING = "disconnecting", _("Disconnecting")


class DisconnectCause(models.TextChoices):
    """Why a number is not connected, for a sentence to the user; empty: never connected, or nothing to say."""

    NONE = "", ""
    BY_US = "by_us", _("Disconnected here.")
    LOGGED_OUT = (
        "logged_out",
        _("The number was disconnected on the phone. Connect it again to send and receive."),
    )
    QR_EXPIRED = (
        "qr_expired",
        _("The code was not scanned in time. Generate a new one when the phone is at hand."),
    )
    GATEWAY_DOWN = (
        "gateway_down",
        _("The WhatsApp server did not answer. It is not your phone. Queued messages wait."),
    )
    INSTANCE_MISSING = "instance_missing", _("The WhatsApp server lost this number. Connect it again.")
    UNREACHABLE = "unreachable", _("WhatsApp could not be reached for minutes. Queued messages wait.")


class HeldFor(models.TextChoices):
    """Why the breaker stopped a number's campaigns; empty: it did not."""

    NONE = "", ""
    FAILURES = "failures", _("Several campaign messages in a row failed or were not confirmed.")
    NOT_ON_WHATSAPP = "not_on_whatsapp", _("Too many numbers of this list are not on WhatsApp.")
    REFUSED = "refused", _("WhatsApp refused too many messages: the number may be about to be banned.")


class Weekday(models.IntegerChoices):
    """ISO weekdays."""

    MONDAY = 1, _("Monday")
    TUESDAY = 2, _("Tuesday")
    WEDNESDAY = 3, _("Wednesday")
    THURSDAY = 4, _("Thursday")
    FRIDAY = 5, _("Friday")
    SATURDAY = 6, _("Saturday")
    SUNDAY = 7, _("Sunday")


def every_day() -> list[int]:
    return list(Weekday.values)


class WhatsAppConnection(UUIDPrimaryKeyModel):
    """The WhatsApp number of a unit, as the gateway knows it, and the pace it may send at."""

    unit = models.OneToOneField(Unit, models.DB_CASCADE, related_name="connection", verbose_name=_("unit"))
    provider = models.CharField(
        _("provider"), max_length=16, choices=Provider, db_default=Provider.EVOLUTION, editable=False
    )
    instance_name = models.CharField(_("instance"), max_length=64, unique=True, editable=False)
    status = models.CharField(
        _("status"),
        max_length=16,
        choices=ConnectionStatus,
        db_default=ConnectionStatus.DISCONNECTED,
        editable=False,
    )
    status_changed_at = models.DateTimeField(_("status since"), db_default=ClockNow(), editable=False)
    cause = models.CharField(
        _("cause"), max_length=24, choices=DisconnectCause, blank=True, db_default="", editable=False
    )
    # A data: URI of a PNG, as Evolution sends it.
    qr_code = models.TextField(_("QR code"), blank=True, db_default="", editable=False)
    pairing_code = models.CharField(_("pairing code"), max_length=16, blank=True, db_default="", editable=False)
    qr_expires_at = models.DateTimeField(_("QR code expires at"), null=True, editable=False)
    phone_number = models.CharField(_("phone number"), max_length=20, blank=True, db_default="", editable=False)
    profile_name = models.CharField(_("profile name"), max_length=200, blank=True, db_default="", editable=False)
    profile_picture_url = models.TextField(_("profile picture"), blank=True, db_default="", editable=False)
    # The instance's own token, which opens its routes at the gateway.
    provider_token = EncryptedTextField(blank=True, db_default=b"", editable=False)
    # The gateway said that it is connecting to WhatsApp; while it goes on saying so its instance cannot be deleted.
    connecting_seen_at = models.DateTimeField(null=True, editable=False)
    # When somebody should ask the gateway how the connection is; null: nothing to ask.
    check_due_at = models.DateTimeField(null=True, editable=False)
    # Off: what is said in groups is neither shown nor kept.
    groups_enabled = models.BooleanField(
        _("show groups"), db_default=False, default=False, help_text=_("Each group becomes a conversation.")
    )

    interval_seconds = models.DecimalField(
        _("seconds between campaign messages"),
        max_digits=7,
        decimal_places=3,
        db_default=2,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
        help_text=_("At least this long between two messages of this number. Shorter risks a ban."),
    )
    jitter_seconds = models.DecimalField(
        _("random extra seconds"),
        max_digits=7,
        decimal_places=3,
        db_default=0,
        validators=[MinValueValidator(0), MaxValueValidator(600)],
        help_text=_("Up to this many seconds are added at random: it looks more like a person."),
    )
    daily_cap = models.PositiveIntegerField(
        _("campaign messages per day"), null=True, blank=True, help_text=_("Empty: no limit.")
    )
    # A young number may send less than the cap: settings.CAMPAIGN_WARM_UP. Set when a number connects first.
    in_use_since = models.DateField(
        _("number in use since"),
        null=True,
        blank=True,
        help_text=_("A young number starts with few campaign messages a day. Give the true date for an older one."),
    )
    window_start = models.TimeField(_("send campaigns from"), null=True, blank=True)
    window_end = models.TimeField(_("send campaigns until"), null=True, blank=True)
    # ISO weekdays: 1 is Monday.
    window_days = ArrayField(
        models.PositiveSmallIntegerField(choices=Weekday),
        verbose_name=_("send campaigns on"),
        db_default=[1, 2, 3, 4, 5, 6, 7],
        default=every_day,
    )
    # The breaker: this number's campaigns stand still until a person lets them go on (`messaging.breaker`).
    campaigns_held_at = models.DateTimeField(_("campaigns held since"), null=True, editable=False)
    campaigns_held_for = models.CharField(
        _("campaigns held because"), max_length=24, choices=HeldFor, blank=True, db_default="", editable=False
    )
    # Only what was sent since then counts for the breaker.
    campaigns_released_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        db_table = "unit_whatsapp_connections"
        verbose_name = _("WhatsApp connection")
        verbose_name_plural = _("WhatsApp connections")
        constraints = [
            tenant_parent("unit_whatsapp_connections"),
            one_of("provider", Provider, "unit_whatsapp_connections_provider"),
            one_of("status", ConnectionStatus, "unit_whatsapp_connections_status"),
            one_of("cause", DisconnectCause, "unit_whatsapp_connections_cause"),
            models.CheckConstraint(
                condition=models.Q(interval_seconds__gte=1, jitter_seconds__gte=0),
                name="unit_whatsapp_connections_pace",
            ),
            models.CheckConstraint(
                condition=models.Q(window_start__isnull=True, window_end__isnull=True)
                | models.Q(window_start__isnull=False, window_end__isnull=False),
                name="unit_whatsapp_connections_window_has_both_ends",
            ),
            models.CheckConstraint(
                condition=models.Q(window_days__len__gte=1, window_days__contained_by=[1, 2, 3, 4, 5, 6, 7]),
                name="unit_whatsapp_connections_window_days",
            ),
            one_of("campaigns_held_for", HeldFor, "unit_whatsapp_connections_held_for"),
        ]
        indexes = [
            # Read by the reconcile drain.
            models.Index(
                fields=["check_due_at"],
                name="connections_check_due",
                condition=models.Q(check_due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit} · {self.phone_number}" if self.phone_number else str(self.unit)

    @property
    def is_connected(self) -> bool:
        return self.status == ConnectionStatus.CONNECTED

    @property
    def interval(self) -> timedelta:
        """The floor of the pace."""
        return timedelta(seconds=float(self.interval_seconds))

    def clean(self) -> None:
        """The rules of the pace that span columns, or need the unit. Raises ValidationError by column."""
        problems: dict[str, Any] = {}
        if (self.window_start is None) != (self.window_end is None):
            missing = "window_start" if self.window_start is None else "window_end"
            problems[missing] = _("Give both ends of the sending window, or none.")
        if not self.window_days or set(self.window_days) - set(Weekday.values):
            problems["window_days"] = _("Choose at least one day of the week. To stop campaigns, pause them.")
        if self.daily_cap == 0:
            problems["daily_cap"] = _("At least 1, or empty for no limit. To stop campaigns, pause them.")
        if self.in_use_since and self.in_use_since > timezone.localdate(timezone=ZoneInfo(self.unit.time_zone)):
            problems["in_use_since"] = _("This day has not come yet.")
        if problems:
            raise ValidationError(problems)


def instance_name_for(unit_id: object) -> str:
    """`unit_<UUID>`: the name of a unit's instance at the gateway."""
    return f"unit_{unit_id}"


class WebhookSecret(UUIDPrimaryKeyModel):
    """Opens the webhook endpoint for one connection.

    Only the hash is kept, so each registration with the gateway mints a new secret; the one before stays good for the
    events that are under way.
    """

    KEEP = 2

    connection = models.ForeignKey(WhatsAppConnection, models.DB_CASCADE, related_name="webhook_secrets")
    sha256 = models.BinaryField(max_length=32, unique=True)

    class Meta:
        db_table = "webhook_secrets"

    def __str__(self) -> str:
        return f"{self.connection_id} · {self.created_at:%Y-%m-%d %H:%M}"

    @classmethod
    def mint(cls, connection: WhatsAppConnection) -> str:
        """Make a secret for `connection` and return it, the only time it is seen. The newest two stay valid."""
        secret = secrets.token_urlsafe(32)
        cls.objects.create(connection=connection, sha256=sha256(secret))
        newest = cls.objects.filter(connection=connection).order_by("-created_at", "-id").values("id")[: cls.KEEP]
        cls.objects.filter(connection=connection).exclude(id__in=list(newest.values_list("id", flat=True))).delete()
        return secret
