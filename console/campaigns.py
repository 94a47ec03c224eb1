"""What the list of campaigns and the page of one under way read."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from campaigns.models import Campaign, CampaignStatus
from campaigns.outlook import ends_of
from campaigns.results import Figures, recent_figures, sent_since
from console.presentation import CAMPAIGN, Look
from messaging.holds import Hold, HoldCode, hold_of_campaigns
from messaging.pace import standing_of
from units.models import Unit, WhatsAppConnection

C = CampaignStatus
HOUR = timedelta(hours=1)
# A rate of less than this says nothing yet.
SHORTEST = timedelta(minutes=1)

# The filters above the list, and the statuses behind each.
FILTERS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "all": (pgettext_lazy("campaigns", "All"), ()),
    "running": (pgettext_lazy("campaigns", "Under way"), (C.PROCESSING, C.PAUSED)),
    "scheduled": (pgettext_lazy("campaigns", "Scheduled"), (C.SCHEDULED,)),
    "drafts": (pgettext_lazy("campaigns", "Drafts"), (C.DRAFT,)),
    "ended": (pgettext_lazy("campaigns", "Ended"), (C.COMPLETED, C.CANCELLED, C.FAILED)),
    "archived": (pgettext_lazy("campaigns", "Archived"), ()),
}
# What a person can do about a hold, and the page where.
WAYS_OUT: dict[str, tuple[Any, str]] = {
    HoldCode.DISCONNECTED: (gettext_lazy("Connect the number"), "console:number"),
    HoldCode.BREAKER: (gettext_lazy("See what happened"), "console:number"),
    HoldCode.CAP: (gettext_lazy("Change the limit"), "console:settings-number"),
    HoldCode.WARM_UP: (gettext_lazy("See the limits"), "console:settings-number"),
    HoldCode.WEEKDAY: (gettext_lazy("Change the window"), "console:settings-number"),
    HoldCode.WINDOW: (gettext_lazy("Change the window"), "console:settings-number"),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign has come, in people."""

    figures: Figures

    @property
    def total(self) -> int:
        """Everybody it is for."""
        return self.figures.total

    @property
    def left(self) -> int:
        """Those who have not been sent to, and still may be."""
        return self.figures.pending + self.figures.queued + self.figures.sending

    @property
    def done(self) -> int:
        """Those whose turn has come, whatever came of it."""
        return self.total - self.left - self.figures.cancelled

    @property
    def sent(self) -> int:
        """Those to whom the message has gone out for certain."""
        return self.figures.sent

    @property
    def failed(self) -> int:
        """Those who did not get it."""
        return self.figures.failed

    @property
    def failed_at(self) -> int:
        """Where the failed part of the bar begins: it is the last of what is done."""
        return self.done - self.failed

    @property
    def whole(self) -> int:
        """What a bar is measured against; never 0."""
        return max(self.total, 1)

    @property
    def tenth(self) -> int:
        """Percent done in steps of ten: what is said aloud."""
        return self.done * 10 // self.whole * 10

    @property
    def lines(self) -> list[tuple[str | Promise, int, str]]:
        """Word, people and tone of each line of the result; a message that was read was delivered and sent too."""
        told = self.figures
        return [
            (pgettext_lazy("recipients", "Sent"), told.sent, "sent"),
            (pgettext_lazy("recipients", "Delivered"), told.delivered, "delivered"),
            (pgettext_lazy("recipients", "Read"), told.read, "read"),
            (pgettext_lazy("recipients", "Replied"), told.replied, "replied"),
            (pgettext_lazy("recipients", "Opted out"), told.opted_out, "skipped"),
            (pgettext_lazy("recipients", "Failed"), told.failed, "failed"),
            (pgettext_lazy("recipients", "Uncertain"), told.uncertain, "uncertain"),
        ]


@dataclass(frozen=True, slots=True)
class Row:
    """A campaign of the list. `ends_at`: when it ended, or is going to."""

    campaign: Campaign
    people: Progress
    look: Look
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Listing:
    """The list as it was asked for. `filters`: key, word, number of campaigns."""

    rows: list[Row]
    filters: list[tuple[str, Any, int]]
    show: str
    search: str

    @property
    def has_any(self) -> bool:
        """Whether the unit has a campaign at all, whatever is shown of them."""
        return any(number for _key, _word, number in self.filters)


def campaigns(unit: Unit, *, show: str = "all", search: str = "") -> Listing:
    """The unit's newest hundred that match; the number of queries is the same for any."""
    mine = Campaign.objects.filter(unit=unit)
    show = show if show in FILTERS else "all"
    rows = mine.filter(_shown(show), name__icontains=search).select_related("created_by")
    found = list(rows.order_by("-created_at", "-id")[:100])
    figures = recent_figures([campaign.pk for campaign in found])
    people = {pk: Progress(told) for pk, told in figures.items()}
    sending = {one.pk: people[one.pk].left for one in found if one.status == C.PROCESSING}
    connection = WhatsAppConnection.objects.filter(unit=unit).first() if sending else None
    hold = hold_of_campaigns(connection) if connection else None
    ends = ends_of(connection, sending) if connection and (hold is None or hold.until) else {}
    counts = mine.aggregate(**{key: Count("id", filter=_shown(key)) for key in FILTERS})
    return Listing(
        [Row(one, people[one.pk], look_of(one, hold), one.finished_at or ends.get(one.pk)) for one in found],
        [(key, word, counts[key]) for key, (word, _statuses) in FILTERS.items()],
        show,
        search,
    )


def _shown(show: str) -> Q:
    statuses = FILTERS[show][1]
    kept = Q(archived_at__isnull=show != "archived")
    return kept & Q(status__in=statuses) if statuses else kept


def look_of(campaign: Campaign, hold: Hold | None) -> Look:
    """How a campaign's state looks; one that is sending but held says so, and until when."""
    if campaign.status == C.PROCESSING and hold:
        return Look("pause", "warn", held_until(hold))
    plain = CAMPAIGN[campaign.status]
    return Look(plain.icon, plain.tone, plain.label or campaign.get_status_display())


def held_until(hold: Hold) -> str:
    """Paused until 08:00 · Paused until 11/26/2026 08:00 · On hold."""
    if hold.until is None:
        return _("On hold")
    until = timezone.localtime(hold.until)
    is_soon = until - timezone.localtime() < timedelta(hours=20)
    return _("Paused until %(time)s") % {"time": date_format(until, "H:i" if is_soon else "SHORT_DATETIME_FORMAT")}


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a campaign goes: people a minute of late, and what the number has used of today's limit."""

    per_minute: float | None
    sent_today: int
    cap: int | None

    @property
    def seconds(self) -> float | None:
        """From one person to the next, on average."""
        return 60 / self.per_minute if self.per_minute else None


def speed(campaign: Campaign, connection: WhatsAppConnection) -> Speed:
    """Of the last hour, or since the campaign started when that is less."""
    now, pace = standing_of(connection.pk)
    begun = max(now - HOUR, campaign.started_at or now)
    minutes = max(now - begun, SHORTEST) / timedelta(minutes=1)
    people = sent_since(campaign, begun) if campaign.status == C.PROCESSING else 0
    today = pace.today(now)
    return Speed(people / minutes or None, pace.sent_on(today), pace.cap_on(today))
