"""A campaign that raises, whatever it is, delays itself alone; when it goes on raising it is stopped, and says so.

How long it rests is kept in the memory of the process: a new process tries at once, which does no harm.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, transaction
from django.db import connection as database
from django.utils.translation import gettext

from campaigns.models import Campaign, CampaignStatus
from campaigns.services import CampaignService, NotPossible, change_of
from units import live

log = structlog.get_logger(__name__)

C = CampaignStatus

# How long it rests after the first time; then twice as long, and so on …
FIRST_PAUSE = timedelta(seconds=1)
# … and after so many times, which is a good two minutes, nobody tries any more.
TRIES = 8
LONGEST_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Rest:
    failures: int
    # time.monotonic()
    until: float


# By what was done and the campaign it was done for.
_rests: dict[tuple[str, UUID], _Rest] = {}


def apart[T](work: str, ids: Sequence[UUID], do: Callable[[list[UUID]], T]) -> list[T]:
    """`do` something for campaigns, all at once; what the calls that went well have returned.

    If it raises it is done for each half of them, until those at fault are alone: they rest, and go on by themselves.
    `do` undoes what it has done when it raises. Raises what is nobody's fault: that the database is away.
    """
    now = time.monotonic()
    ids = [pk for pk in ids if (rest := _rests.get((work, pk))) is None or rest.until <= now]
    if not ids:
        return []
    try:
        done = do(ids)
    except Exception as error:
        if isinstance(error, DatabaseError | InterfaceError) and not database.is_usable():
            raise
        if len(ids) > 1:
            half = len(ids) // 2
            return apart(work, ids[:half], do) + apart(work, ids[half:], do)
        _rest(work, ids[0], error)
        return []
    for pk in ids:
        _rests.pop((work, pk), None)
    return [done]


def _rest(work: str, pk: UUID, error: Exception) -> None:
    before = _rests.get((work, pk))
    failures = before.failures + 1 if before else 1
    pause = min(FIRST_PAUSE * 2 ** min(failures - 1, 20), LONGEST_PAUSE)
    _rests[work, pk] = _Rest(failures, time.monotonic() + pause.total_seconds())
    # Somebody was merged or deleted at that moment, or two waited for each other: the next attempt finds what became
    # of it, unless it is the same again.
    is_passing = isinstance(error, IntegrityError | OperationalError) and failures == 1
    (log.info if is_passing else log.exception)("campaign_raised", campaign_id=str(pk), work=work, failures=failures)
    # A full disk or a time-out is the trouble of all: it rests, and goes on when that is over.
    if failures >= TRIES and not isinstance(error, OperationalError):
        try:
            if _stop(pk, error):
                # Whoever lets it go on gives it as many tries again.
                _rests.pop((work, pk), None)
        except Exception:
            log.exception("campaign_not_stopped", campaign_id=str(pk))


def _stop(pk: UUID, error: Exception) -> bool:
    """For good when it has not begun, else until a person lets it go on; False when it was stopped before."""
    reason = gettext(
        "Stopped after an error that came again and again (%(error)s). Whoever runs this installation finds more in its"
        " log, by the campaign's id."
    ) % {"error": type(error).__name__}
    campaign = Campaign.objects.get(pk=pk)
    with transaction.atomic():
        if Campaign.objects.filter(pk=pk, status=C.SCHEDULED).move_to(C.FAILED, status_reason=reason):
            live.publish([change_of(campaign)])
            return True
    try:
        CampaignService(campaign).pause(reason)
    except NotPossible:
        return False
    return True
