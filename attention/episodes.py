"""Episodes begin, end, and are told once.

1. `observe` compares what needs a person with the episodes that are open: a new one begins, one that is over ends, and
   what comes back within `WELL_FOR` goes on with the episode that it was. The live feed says so in that transaction.
2. `tell` writes an e-mail for what has not been told, and notes it after the mail server has taken it. Whoever dies
   between the two is followed by somebody who writes it once more: rather twice than never.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from uuid import UUID

import structlog
from django.db import connection as database
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from attention import letters
from attention.concern import Need
from attention.finding import needs
from attention.kinds import CAN_WAIT, KINDS
from attention.models import Episode
from crm_whatsapp.db import ClockNow
from units import live
from units.models import Unit

log = structlog.get_logger(__name__)

# Over means: for so long. A number that comes and goes is one episode, and one e-mail.
WELL_FOR = timedelta(minutes=5)
# What is over for so long is forgotten: the page of what was settled shows the latest.
KEEP = timedelta(days=90)
# What a mail server says no with, to one letter.
_ANSWERS = (SMTPResponseException, SMTPRecipientsRefused)
# Names of locks in the database.
_OBSERVING, _TELLING = 7_206_101, 7_206_102


def count_now(unit_id: UUID) -> int:
    """How much needs a person of the unit now; one statement, by an index of what is open."""
    return Episode.objects.filter(unit=unit_id, ended_at=None).exclude(kind__in=CAN_WAIT).count()


def known_to(unit: Unit) -> QuerySet[Episode]:
    """The episodes of `unit`, open and ended, of which the reader (`unit.allowed`) may know."""
    hidden = [kind for kind, each in KINDS.items() if each.is_private and each.asks not in unit.allowed]
    return Episode.objects.filter(unit=unit).exclude(kind__in=hidden)


def observe(unit_id: UUID | None = None) -> list[Need]:
    """Have the episodes, of one unit or of all, be as things are; what needs a person."""
    with transaction.atomic():
        with database.cursor() as cursor:
            # One at a time, so that nobody goes by what he saw before another.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_OBSERVING])
        found = needs(unit_id)
        rows = Episode.objects.filter(ended_at=None)
        if unit_id:
            rows = rows.filter(unit=unit_id)
        known = {(row.unit_id, row.kind, row.object_id): row for row in rows}
        keys = {need.key for need in found}
        over = [row for key, row in known.items() if key not in keys]
        Episode.objects.filter(pk__in=[row.pk for row in over]).update(ended_at=ClockNow())
        begun = _begin(dict.fromkeys(need.key for need in found if need.key not in known))
        live.publish([*(_change_of(row, is_open=False) for row in over), *(_change_of(row) for row in begun)])
    return found


def _begin(keys: Iterable[tuple[UUID, str, UUID]]) -> list[Episode]:
    """Open episodes: the one that has only just ended, or else a new one."""
    keys = list(keys)
    if not keys:
        return []
    recent = Episode.objects.filter(
        unit__in={unit for unit, _kind, _object in keys}, ended_at__gt=ClockNow() - WELL_FOR
    ).order_by("ended_at")
    just_over = {(row.unit_id, row.kind, row.object_id): row for row in recent}
    again = [just_over[key] for key in keys if key in just_over]
    Episode.objects.filter(pk__in=[row.pk for row in again]).update(ended_at=None)
    new = Episode.objects.bulk_create(
        Episode(unit_id=unit, kind=kind, object_id=thing, told_at=None if KINDS[kind].by_mail else ClockNow())
        for unit, kind, thing in keys
        if (unit, kind, thing) not in just_over
    )
    for row in new:
        log.info("attention_needed", unit_id=str(row.unit_id), kind=row.kind, object_id=str(row.object_id))
    return [*again, *new]


def _change_of(row: Episode, *, is_open: bool = True) -> live.Change:
    data = {"kind": str(row.kind), "is_open": is_open}
    return live.Change(unit_id=row.unit_id, kind="attention", object_id=row.pk, data=data)


def tell(found: Iterable[Need]) -> int:
    """Write to the people of each unit about what of `found` they have not been told; the number of e-mails."""
    worth_it = {need.key for need in found if need.by_mail}
    written = 0
    with _alone(_TELLING) as is_alone:
        if not worth_it or not is_alone:
            return 0
        for row in Episode.objects.filter(told_at=None, ended_at=None).select_related("unit__connection"):
            if (row.unit_id, row.kind, row.object_id) not in worth_it:
                continue
            try:
                with timezone.override(row.unit.time_zone):
                    written += letters.write(row)
            except Exception as error:
                # Whatever a mail server and the network raise: the next round tries again.
                log.exception("attention_not_told", episode_id=str(row.pk))
                if isinstance(error, OSError) and not isinstance(error, _ANSWERS):
                    # Nobody answers there: nor will he to the others, each for as long.
                    break
                continue
            Episode.objects.filter(pk=row.pk).update(told_at=ClockNow())
    return written


@contextmanager
def _alone(lock: int) -> Iterator[bool]:
    """Whether nobody else is at it, in any process; no transaction is open meanwhile, since mail servers are slow."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        (is_alone,) = cursor.fetchone()
    try:
        yield is_alone
    finally:
        if is_alone:
            with database.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])


def look() -> None:
    """Observe all units, and tell."""
    tell(observe())


def forget_old() -> int:
    """Forget what ended long ago; the number of episodes. What is open stays, however old it is."""
    return Episode.objects.filter(ended_at__lt=ClockNow() - KEEP).delete()[0]
