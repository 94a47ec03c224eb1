"""What a campaign refuses, in words for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class NotPossible(ValueError):
    """The campaign is not in a state for this, or what was given is no good; `message` says so to a person.

    `field`: the part of a campaign that is at fault (a name of `CampaignService.edit`), or empty.
    """

    def __init__(self, message: str | _StrPromise, field: str = "") -> None:
        self.message = message
        self.field = field
        super().__init__(str(message))
