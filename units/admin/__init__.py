"""Admin of people, units, their WhatsApp numbers, tokens and the audit log."""

from units.admin.access import ApiTokenAdmin, AuditEntryAdmin
from units.admin.numbers import WhatsAppConnectionAdmin
from units.admin.people import GroupAdmin, UserAdmin
from units.admin.units import UnitAdmin

__all__ = [
    "ApiTokenAdmin",
    "AuditEntryAdmin",
    "GroupAdmin",
    "UnitAdmin",
    "UserAdmin",
    "WhatsAppConnectionAdmin",
]
