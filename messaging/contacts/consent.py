"""Who wants no campaigns (I9): said once, and true of all addresses of that person until somebody lifts it."""

from django.db.models import Exists, OuterRef

from crm_whatsapp.db import ClockNow
from messaging.models import AddressKind, Contact, ContactAddress, OptOut, OptOutSource
from units.models import User


def opt_out(contact: Contact, *, source: OptOutSource, reason: str = "", by: User | None = None) -> bool:
    """No campaign goes to any address of `contact` from now on; whether that is new."""
    addresses = contact.addresses.exclude(kind=AddressKind.GROUP).order_by("kind", "value")
    made = [
        OptOut.objects.get_or_create(
            unit_id=contact.unit_id,
            kind=address.kind,
            value=address.value,
            lifted_at=None,
            defaults={"source": source, "reason": reason, "by": by},
        )[1]
        for address in addresses
    ]
    return any(made)


def lift(contact: Contact, *, reason: str, by: User | None) -> bool:
    """Campaigns may go to `contact` again; whether they did not."""
    in_force = OptOut.objects.in_force().filter(
        Exists(
            contact.addresses.filter(kind=OuterRef("kind"), value=OuterRef("value")),
        ),
        unit=contact.unit_id,
    )
    return bool(in_force.update(lifted_at=ClockNow(), lifted_by=by, lifted_reason=reason))


def has_opted_out(contact: Contact) -> bool:
    """Under any of his addresses."""
    return ContactAddress.objects.filter(contact=contact).opted_out().exists()
