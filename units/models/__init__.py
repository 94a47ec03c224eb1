"""Who works where, the WhatsApp number of each unit, its feed, and who may do what as whom."""

from units.models.audit import AnsweredRequest, AuditAction, AuditEntry
from units.models.connections import (
    ConnectionStatus,
    DisconnectCause,
    HeldFor,
    Provider,
    WebhookSecret,
    Weekday,
    WhatsAppConnection,
    every_day,
    instance_name_for,
)
from units.models.feed import LiveEvent, UnitFeed
from units.models.memberships import Membership
from units.models.people import Theme, User, UserManager
from units.models.tokens import ApiToken, ApiTokenQuerySet
from units.models.units import Unit, UnitQuerySet, validate_time_zone
from units.roles import Action, Role

__all__ = [
    "Action",
    "AnsweredRequest",
    "ApiToken",
    "ApiTokenQuerySet",
    "AuditAction",
    "AuditEntry",
    "ConnectionStatus",
    "DisconnectCause",
    "HeldFor",
    "LiveEvent",
    "Membership",
    "Provider",
    "Role",
    "Theme",
    "Unit",
    "UnitFeed",
    "UnitQuerySet",
    "User",
    "UserManager",
    "WebhookSecret",
    "Weekday",
    "WhatsAppConnection",
    "every_day",
    "instance_name_for",
    "validate_time_zone",
]
