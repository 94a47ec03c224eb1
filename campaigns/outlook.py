"""How a campaign that is sending will go on."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.models import Campaign, CampaignStatus, RecipientStatus
from campaigns.rehearsal import timing
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


def outlook(campaign: Campaign) -> Outlook:
    """How `campaign` will go on. Empty for one that is not meant to be sending.

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
    left = campaign.recipients.filter(status__in=UNFINISHED).count()
    return Outlook(held, timing(campaign, left, may_be_old=True).last_at)
