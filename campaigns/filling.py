"""An audience becomes recipients: in slices, so that a million people take bounded memory, and anybody else a turn.

Each slice is a transaction under the lock of the campaign's row: a worker killed in the middle of one has done nothing
of it, and the next goes on behind the one before. Pausing and cancelling act between two. Sending begins meanwhile.
"""

import time
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import IntegrityError, OperationalError, transaction
from django.db import connection as database
from django.db.models import Exists, OuterRef

from campaigns import audience, lost, trouble
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from campaigns.services import CampaignService, NotPossible, change_of
from campaigns.withdrawing import leave_out
from crm_whatsapp.db import ClockNow
from messaging.contacts.segments import InvalidFilter
from units import live

log = structlog.get_logger(__name__)

C = CampaignStatus

# People at a time: half a second or so.
SLICE = 20_000
# A merge of two contacts, which has the right of way, may take a slice with it.
TRIES = 5
# A cancelled campaign of many is given a last look this long after.
TIDY_FOR = timedelta(days=2)


def fill_audiences(*, seconds: float = 10, size: int = SLICE) -> int:
    """Make recipients of the audiences of campaigns that are sending, in turns; the number of people looked at."""
    until, count = time.monotonic() + seconds, 0
    while True:
        waiting = Campaign.objects.filter(status=C.PROCESSING, audience_done_at=None).order_by("started_at")
        done = 0
        for pk in waiting.values_list("pk", flat=True):
            done += sum(trouble.apart("fill", [pk], lambda ids: fill_slice(*ids, size=size) or 0))
        done += _tidy()
        count += done
        if not done or time.monotonic() > until:
            return count


def fill_slice(pk: UUID, *, size: int = SLICE) -> int | None:
    """Make the next people of one campaign's audience recipients; how many were looked at.

    None when it is another's at the moment, or has nothing to fill (any more).
    """
    for attempt in range(TRIES):
        try:
            return _fill_slice(pk, size)
        except (IntegrityError, OperationalError):
            # Somebody of the slice has just been merged into another, or a merge stands in the way: it is read anew.
            if attempt == TRIES - 1:
                raise
            time.sleep(0.1)
        except (InvalidFilter, NotPossible) as error:
            # A tag has been deleted since, or the attribute that a segment asks for.
            CampaignService(Campaign.objects.get(pk=pk)).pause(str(error.message))
            return None
    raise AssertionError("unreachable")


def _fill_slice(pk: UUID, size: int) -> int | None:
    with transaction.atomic():
        rows = Campaign.objects.select_for_update(no_key=True, skip_locked=True)
        campaign = rows.filter(pk=pk, status=C.PROCESSING, audience_done_at=None).first()
        if campaign is None or audience.is_importing(campaign):
            return None
        with database.cursor() as cursor:
            cursor.execute(*audience.slice_of(campaign, size))
            last, looked_at, made = cursor.fetchone()
        lost.require_whole(campaign)
        row = Campaign.objects.filter(pk=pk)
        if looked_at < size:
            row.update(audience_cursor=last or campaign.audience_cursor, audience_done_at=ClockNow())
        else:
            row.update(audience_cursor=last)
        log.info("audience_slice", campaign_id=str(pk), looked_at=looked_at, made=made)
        live.publish([change_of(campaign)])
    return int(looked_at)


def _tidy() -> int:
    """Cancel who was left of a large cancelled campaign: a slice of each; the number of campaigns with more."""
    left = 0
    recent = Campaign.objects.filter(status=C.CANCELLED, finished_at__gt=ClockNow() - TIDY_FOR)
    pending = CampaignRecipient.objects.filter(campaign=OuterRef("pk"), status=RecipientStatus.PENDING)
    for pk in recent.filter(Exists(pending)).values_list("pk", flat=True):
        left += sum(trouble.apart("tidy", [pk], lambda ids: _tidy_one(*ids)))
    return left


def _tidy_one(pk: UUID) -> bool:
    """Whether there are more."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=pk).first()
        if campaign is None:
            return False
        is_done = leave_out(campaign, RecipientStatus.CANCELLED, None)
        live.publish([change_of(campaign)])
    return not is_done
