"""What the contact list reads."""

from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.http import Http404
from django.shortcuts import get_object_or_404

from console.inbox import Page, matching
from messaging.models import Contact, ContactAddress
from units.models import Unit

ROWS = 50
# Of a contact: whether no campaign goes to it.
OPTED_OUT = Exists(ContactAddress.objects.filter(contact=OuterRef("pk")).opted_out())


def contacts(unit: Unit, *, search: str = "", after: str = "") -> Page[Contact]:
    """A page of contacts by name. `after` is the id of the last one shown; Http404 when that is nobody here."""
    rows = (
        Contact.objects.people()
        .filter(matching(unit, search), unit=unit)
        .prefetch_related("addresses", "tags")
        .annotate(opted_out=OPTED_OUT)
        .order_by("name", "id")
    )
    if after:
        last = _last(unit, after)
        rows = rows.filter(Q(name__gt=last.name) | Q(name=last.name, id__gt=last.id))
    found = list(rows[: ROWS + 1])
    page = found[:ROWS]
    return Page(page, str(page[-1].id) if len(found) > ROWS else "", not after)


def _last(unit: Unit, contact_id: str) -> Contact:
    try:
        return Contact.objects.get(unit=unit, id=contact_id)
    except (Contact.DoesNotExist, ValueError) as error:
        raise Http404 from error


def contact(unit: Unit, contact_id: UUID) -> Contact:
    """A contact with tags, addresses and consent. Http404 when that is nobody here."""
    rows = Contact.objects.filter(unit=unit).prefetch_related("addresses", "tags").select_related("unit")
    return get_object_or_404(rows.annotate(opted_out=OPTED_OUT), id=contact_id)
