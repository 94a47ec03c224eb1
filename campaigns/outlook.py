"""How a campaign that is sending will go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from campaigns.forecast import Course, forecast
from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from campaigns.rehearsal import lane_of, own_step, timing
from messaging import holds
from messaging.holds import Hold
from units.models import WhatsAppConnection

# Whose message may still go out, or is on the way.
UNFINISHED = (RecipientStatus.PENDING, RecipientStatus.QUEUED, RecipientStatus.SENDING)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What keeps a campaign from sending now, if anything, and when its last message leaves, if anybody can say."""

    hold: Hold | None = None
    ends_at: datetime | None = None


def outlook(campaign: Campaign, *, left: int | None = None) -> Outlook:
    """How `campaign` will go on. Empty for one that is not meant to be sending. `left`: UNFINISHED, when it is known.

    The end is that of a rehearsal of whoever is left; of an audience that is still being gone through, of those who
    are recipients by now. Asked again and again while somebody looks on, so it never reads a whole audience.
    """
    if campaign.status != CampaignStatus.PROCESSING:
        return Outlook()
    connection = WhatsAppConnection.objects.filter(unit_id=campaign.unit_id).first()
    if connection is None:
        return Outlook(holds.disconnected())
    held = holds.hold_of_campaigns(connection)
    if held and held.until is None:
        return Outlook(held)
    if left is None:
        left = campaign.recipients.filter(status__in=UNFINISHED).count()
    return Outlook(held, timing(campaign, left, may_be_old=True).last_at)


def ends_of(connection: WhatsAppConnection, left: Mapping[UUID, int]) -> dict[UUID, datetime]:
    """When campaigns of a number that are sending end, by how many people each has `left`; three queries for all.

    For a list: of those that are scheduled nobody is counted here, so the page of one campaign may tell a later end.
    """
    running = list(Campaign.objects.filter(pk__in=left, status=CampaignStatus.PROCESSING).order_by("pk"))
    if not running:
        return {}
    lane, answer = lane_of(connection)
    courses = [Course(left[one.pk], lane.now, one.ends_at, own_step(one, answer)) for one in running]
    outcomes = zip(running, forecast(lane, courses), strict=True)
    return {one.pk: outcome.last_at for one, outcome in outcomes if outcome.last_at}
