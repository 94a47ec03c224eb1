"""Admin of campaigns: staff write them, choose who gets them, rehearse, start and steer them, and read the results."""

from campaigns.admin.campaigns import CampaignAdmin
from campaigns.admin.numbers import CountedNumberAdmin
from campaigns.admin.recipients import CampaignRecipientAdmin

__all__ = ["CampaignAdmin", "CampaignRecipientAdmin", "CountedNumberAdmin"]
