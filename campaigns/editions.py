"""What somebody looked at before saying yes: nobody sends, or writes over, what he has not seen."""

import hashlib
import json

from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign
from campaigns.refusals import NotPossible

# All that people are asked to look at, but for the other texts, which are rows of their own.
_TOLD = ("name", "content", "attachment", "weight", "opt_out_line", "audience", "ends_at", "interval_seconds")


class Changed(NotPossible):
    """The campaign is not any more as it was looked at."""

    def __init__(self) -> None:
        super().__init__(_("The campaign has changed meanwhile. Look at it again."))


def edition_of(campaign: Campaign) -> str:
    """A word for what `campaign` says, to whom and how, as it is stored; after each change another one."""
    own = Campaign.objects.filter(pk=campaign.pk).values_list(*_TOLD).first()
    others = campaign.variants.order_by("position").values_list("content", "weight", "attachment")
    told = json.dumps([own, list(others)], default=str, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def require(campaign: Campaign, edition: str | None) -> None:
    """Raises Changed unless `campaign`, whose row is locked, is still that edition; None: whatever it is."""
    if edition is not None and edition != edition_of(campaign):
        raise Changed
