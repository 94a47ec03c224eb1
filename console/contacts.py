"""What the contact list reads."""

from django.db.models import Q
from django.http import Http404

from console.inbox import Page, matching
from messaging.models import Contact
from units.models import Unit

ROWS = 50


def contacts(unit: Unit, *, search: str = "", after: str = "") -> Page[Contact]:
    """A page of contacts by name. `after` is the id of the last one shown; Http404 when that is nobody here."""
    rows = (
        Contact.objects.people()
        .filter(matching(unit, search), unit=unit)
        .prefetch_related("addresses")
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
