"""Who wants no campaigns (I9): said once, and true of all addresses of that person until somebody lifts it.

And whom staff have blocked, which is another thing: nobody writes to them at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext

from crm_whatsapp.db import ClockNow
from messaging.contacts.changes import contact_changes
from messaging.models import Contact, ContactAddress, OptOut, OptOutSource
from messaging.models.contacts import OptOutQuerySet
from messaging.signals import contacts_opted_out
from units import audit, live
from units.models import AuditAction, User

# Said by somebody of ours, and not by the contact.
BY_STAFF = frozenset({OptOutSource.STAFF, OptOutSource.API})
# Our clock and WhatsApp's may differ: what was said within that time before an opt-out was lifted may have been said
# after it. Of the two mistakes an opt-out too many is the smaller.
CLOCKS_DIFFER_BY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class OptedOut:
    """A contact who wants no campaigns, why (what he wrote, or what staff say), and when he said so; None: now."""

    contact_id: UUID
    reason: str = ""
    said_at: datetime | None = None


def opt_out(
    contact: Contact,
    *,
    source: OptOutSource,
    reason: str = "",
    by: User | None = None,
    changes: list[live.Change] | None = None,
) -> bool:
    """No campaign goes to any address of `contact` from now on; whether that is new.

    Live changes are added to `changes`, for the caller to publish last; without it they are published here.
    """
    with transaction.atomic():
        new, told = opt_out_many(contact.unit_id, [OptedOut(contact.pk, reason)], source=source, by=by)
        if new and source in BY_STAFF:
            _record(contact, AuditAction.CONTACT_OPTED_OUT)
        if changes is None:
            live.publish(told)
        else:
            changes += told
    return bool(new)


def opt_out_many(
    unit_id: UUID, those: Sequence[OptedOut], *, source: OptOutSource, by: User | None = None
) -> tuple[set[UUID], list[live.Change]]:
    """Note that `those` contacts of a unit, each named once, want no campaigns, under any of their addresses.

    Somebody whose campaigns were clearly allowed again after that word, which only now arrives, is left out.

    Returns those who had not opted out before, and the live changes for the caller to publish last. Within a
    transaction, before recipients and conversations are locked.
    """
    with database.cursor() as cursor:
        cursor.execute(
            _OPT_OUT,
            {
                "unit": unit_id,
                "contacts": [one.contact_id for one in those],
                "reasons": [one.reason[:500] for one in those],
                "said_at": [one.said_at for one in those],
                "source": str(source),
                "by": by.pk if by else None,
                "tolerance": CLOCKS_DIFFER_BY.total_seconds(),
            },
        )
        new = dict(cursor.fetchall())
    if not new:
        return set(), []
    answers: list[tuple[Any, Any]] = contacts_opted_out.send(
        sender=OptOut, unit_id=unit_id, opted_out=sorted(new.items())
    )
    changes = [change for _receiver, more in answers for change in more or []]
    return set(new), changes + contact_changes(unit_id, sorted(new))


def lift(contact: Contact, *, reason: str, by: User | None) -> bool:
    """Campaigns may go to `contact` again; whether they did not."""
    with transaction.atomic():
        lifted = bool(_lift([contact.pk], source=None, reason=reason, by=by))
        if lifted:
            _record(contact, AuditAction.CONTACT_OPTED_IN)
            _tell(contact)
    return lifted


def lift_word(contact_ids: Sequence[UUID], *, word: str) -> set[UUID]:
    """They have asked for campaigns again by `word`: lift what they asked for in the chat themselves.

    Returns those of them to whom campaigns may go again: who was opted out otherwise still is.
    """
    lifted = _lift(contact_ids, source=OptOutSource.WORD, reason=word, by=None)
    still = ContactAddress.objects.filter(contact__in=lifted).opted_out().values_list("contact", flat=True)
    return lifted - set(still) if lifted else lifted


def has_opted_out(contact: Contact) -> bool:
    """Under any of his addresses."""
    return ContactAddress.objects.filter(contact=contact).opted_out().exists()


def history(contact: Contact) -> OptOutQuerySet:
    """What was noted under the addresses of `contact`, the latest first; also what has been lifted."""
    same = contact.addresses.filter(kind=OuterRef("kind"), value=OuterRef("value"))
    rows = OptOut.objects.filter(Exists(same), unit=contact.unit_id).select_related("by", "lifted_by")
    return rows.order_by("-created_at", "-id")


def block(contact: Contact, *, reason: str, by: User | None) -> bool:
    """Nobody writes to `contact` any more; whether that is new. What he writes still comes in."""
    with transaction.atomic():
        open_to_all = Contact.objects.filter(pk=contact.pk, blocked_at=None)
        is_new = bool(open_to_all.update(blocked_at=ClockNow(), blocked_reason=reason[:500]))
        if is_new:
            _enter(contact, by, gettext("Blocked: %(reason)s") % {"reason": reason})
            _record(contact, AuditAction.CONTACT_BLOCKED)
            _tell(contact)
    contact.refresh_from_db(fields=["blocked_at", "blocked_reason"])
    return is_new


def unblock(contact: Contact, *, reason: str, by: User | None) -> bool:
    """He may be written to again; whether he might not. Why, stands in the contact's history in the admin."""
    with transaction.atomic():
        blocked = Contact.objects.filter(pk=contact.pk, blocked_at__isnull=False)
        is_new = bool(blocked.update(blocked_at=None, blocked_reason=""))
        if is_new:
            _enter(contact, by, gettext("Unblocked: %(reason)s") % {"reason": reason})
            _record(contact, AuditAction.CONTACT_UNBLOCKED)
            _tell(contact)
    contact.refresh_from_db(fields=["blocked_at", "blocked_reason"])
    return is_new


def _enter(contact: Contact, by: User | None, what: str) -> None:
    """Into the contact's history in the admin, which names who did it."""
    if by:
        LogEntry.objects.log_actions(by.pk, [contact], CHANGE, what)


def _record(contact: Contact, action: AuditAction) -> None:
    audit.record(contact.unit_id, action, contact, named=False)


def _tell(contact: Contact) -> None:
    live.publish(contact_changes(contact.unit_id, [contact.pk]))


def outlive(contact: Contact) -> None:
    """Before `contact` is deleted: what was said under one of his addresses is noted under each; a block as well.

    As long as he is here one is enough. Afterwards nothing tells that they are one person's, and an import of his other
    number would bring him back as somebody who has not opted out.
    """
    with database.cursor() as cursor:
        cursor.execute(_OUTLIVE, {"unit": contact.unit_id, "contact": contact.pk})


def _lift(contact_ids: Sequence[UUID], *, source: OptOutSource | None, reason: str, by: User | None) -> set[UUID]:
    """The contacts of whom something was lifted."""
    with database.cursor() as cursor:
        cursor.execute(
            _LIFT,
            {
                "contacts": list(contact_ids),
                "source": source and str(source),
                "reason": reason[:500],
                "by": by.pk if by else None,
            },
        )
        return {contact_id for (contact_id,) in cursor.fetchall()}


# In one order for everybody, so that two who note the same wait for each other and not in a circle. New are contacts
# opted out under no address, as this statement sees it, that got a row: of two at the same moment only one.
_OPT_OUT = """
WITH told AS (
    SELECT * FROM unnest(%(contacts)s::uuid[], %(reasons)s::text[], %(said_at)s::timestamptz[])
        AS told (contact_id, reason, said_at)
), addresses AS (
    SELECT a.contact_id, a.kind, a.value, told.reason, told.said_at FROM told
    JOIN contact_addresses a ON a.contact_id = told.contact_id AND a.unit_id = %(unit)s AND a.kind <> 'group'
    WHERE NOT EXISTS (
        SELECT FROM contact_addresses other
        JOIN opt_outs o ON o.unit_id = %(unit)s AND o.kind = other.kind AND o.value = other.value
        WHERE other.contact_id = told.contact_id AND o.lifted_at > told.said_at + make_interval(secs => %(tolerance)s))
), before AS (
    SELECT a.contact_id FROM addresses a
    JOIN opt_outs o ON o.unit_id = %(unit)s AND o.kind = a.kind AND o.value = a.value AND o.lifted_at IS NULL
), made AS (
    INSERT INTO opt_outs (unit_id, kind, value, source, reason, by_id)
    SELECT %(unit)s, kind, value, %(source)s, reason, %(by)s FROM addresses ORDER BY kind, value
    ON CONFLICT DO NOTHING
    RETURNING kind, value
)
SELECT DISTINCT a.contact_id, coalesce(a.said_at, crm_now()) FROM addresses a
JOIN made USING (kind, value)
WHERE a.contact_id NOT IN (SELECT contact_id FROM before)
"""

_LIFT = """
WITH locked AS (
    SELECT o.id, a.contact_id FROM opt_outs o
    JOIN contact_addresses a ON a.unit_id = o.unit_id AND a.kind = o.kind AND a.value = o.value
    WHERE a.contact_id = ANY(%(contacts)s::uuid[]) AND o.lifted_at IS NULL
      AND (%(source)s::text IS NULL OR o.source = %(source)s)
    ORDER BY o.kind, o.value FOR NO KEY UPDATE OF o
), lifted AS (
    UPDATE opt_outs o SET lifted_at = crm_now(), lifted_by_id = %(by)s, lifted_reason = %(reason)s
    FROM locked WHERE o.id = locked.id
)
SELECT DISTINCT contact_id FROM locked
"""

_OUTLIVE = """
INSERT INTO opt_outs (unit_id, kind, value, source, reason, by_id)
SELECT a.unit_id, a.kind, a.value, said.source, said.reason, said.by_id
FROM contact_addresses a
CROSS JOIN LATERAL (
    SELECT o.source, o.reason, o.by_id, o.created_at FROM contact_addresses other
    JOIN opt_outs o ON o.unit_id = other.unit_id AND o.kind = other.kind AND o.value = other.value
    WHERE other.contact_id = a.contact_id AND other.unit_id = a.unit_id AND o.lifted_at IS NULL
    UNION ALL
    SELECT 'staff', c.blocked_reason, NULL, c.blocked_at FROM contacts c
    WHERE c.id = a.contact_id AND c.blocked_at IS NOT NULL
    ORDER BY created_at LIMIT 1
) said
WHERE a.unit_id = %(unit)s AND a.contact_id = %(contact)s AND a.kind <> 'group'
ORDER BY a.kind, a.value
ON CONFLICT DO NOTHING
"""
