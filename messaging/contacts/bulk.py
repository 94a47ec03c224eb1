"""What staff do to many contacts at once: each a statement or two, however many they are."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection as database
from django.db import transaction
from django.db.models import QuerySet

from messaging.contacts import consent, tags
from messaging.contacts.consent import OptedOut
from messaging.models import Contact, OptOutSource, Tag
from units import audit, live
from units.models import AuditAction, Unit, User


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tag that was put on `count` contacts at one moment, by which they are known: to take it off them again."""

    tag: Tag
    count: int
    at: datetime


def tag(unit: Unit, contacts: QuerySet[Contact], name: str) -> Tagged:
    """Put the tag `name` on `contacts`; it is made when there is none. Raises InvalidTag."""
    with transaction.atomic():
        (made,) = tags.named(unit, [name])
        at = _now()
        return Tagged(made, tags.add(unit, contacts, [made], at=at), at)


def opt_out(unit: Unit, contacts: QuerySet[Contact], *, reason: str, by: User) -> int:
    """No campaign goes to `contacts` from now on; to how many of them it still did."""
    with transaction.atomic():
        ids = contacts.filter(unit=unit, is_group=False).order_by("pk").values_list("pk", flat=True)
        those = [OptedOut(pk, reason) for pk in ids]
        new, changes = consent.opt_out_many(unit.pk, those, source=OptOutSource.STAFF, by=by)
        if new:
            audit.record(unit.pk, AuditAction.CONTACT_OPTED_OUT, contacts=len(new))
        live.publish(changes)
    return len(new)


def _now() -> datetime:
    with database.cursor() as cursor:
        cursor.execute("SELECT crm_now()")
        now: datetime = cursor.fetchone()[0]
    return now
