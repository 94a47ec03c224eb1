"""What has become of a campaign: in people, by variant and over time."""

import hashlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Count, Max, Min, Q
from django.db.models.functions import TruncDay, TruncHour

from campaigns.models import Campaign, CampaignRecipient, CampaignVariant, RecipientStatus
from campaigns.remembering import remembered

R = RecipientStatus

# The message has left for certain; the later of these were the earlier before.
GONE = (R.SENT, R.DELIVERED, R.READ)
ARRIVED = (R.DELIVERED, R.READ)
LEFT = (R.PENDING, R.QUEUED, R.SENDING)

# So many times as long as reading took it is good enough for a page that is looked at again.
LOOKED_AT_AGAIN = 5

# A campaign longer than this is shown by days, a shorter one by hours.
BY_HOURS = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of people. Who has read it counts as delivered and sent as well; `sent` is certain, `uncertain` is not."""

    total: int = 0
    pending: int = 0
    queued: int = 0
    sending: int = 0
    sent: int = 0
    delivered: int = 0
    read: int = 0
    replied: int = 0
    opted_out: int = 0
    failed: int = 0
    uncertain: int = 0
    skipped: int = 0
    cancelled: int = 0

    @property
    def rates(self) -> dict[str, float | None]:
        """From 0 to 1: which part of those who were sent to got it, read it, replied or opted out; None before any.

        `failed` is a part of those whose turn has come.
        """
        tried = self.sent + self.failed + self.uncertain
        parts = {name: getattr(self, name) for name in ("delivered", "read", "replied", "opted_out")}
        rates: dict[str, float | None] = {
            name: min(people / self.sent, 1.0) if self.sent else None for name, people in parts.items()
        }
        return rates | {"failed": self.failed / tried if tried else None}


@dataclass(frozen=True, slots=True)
class OfVariant:
    """Of one text of the campaign. `position` None: whoever has no text yet."""

    position: int | None
    label: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class OfTime:
    """Of the messages that went out from `at` on, for an hour or a day: what has become of them until now."""

    at: datetime
    figures: Figures


@dataclass(frozen=True, slots=True)
class Results:
    """`step`: "hour" or "day", what `over_time` goes by. The reasons are codes with their number of people."""

    figures: Figures
    variants: list[OfVariant]
    over_time: list[OfTime]
    step: str
    skipped: dict[str, int]
    failed: dict[str, int]


def results(campaign: Campaign) -> Results:
    """Read them; three queries, however many people: two of them read the campaign's recipients once each."""
    groups = list(
        campaign.recipients.order_by()
        .values("variant", "status", "error_message")
        .annotate(
            people=Count("id"),
            replied=Count("replied_at"),
            opted_out=Count("opted_out_at"),
            first=Min("sent_at"),
            last=Max("sent_at"),
        )
    )
    written = [0, *campaign.variants.order_by("position").values_list("position", flat=True)]
    used = {group["variant"] for group in groups}
    positions: list[int | None] = [
        *written,
        *sorted(at for at in used if at is not None and at not in written),
        *([None] if None in used else []),
    ]
    times = [time for group in groups for time in (group["first"], group["last"]) if time]
    step = "day" if times and max(times) - min(times) > BY_HOURS else "hour"
    return Results(
        figures=_figures(groups),
        variants=[
            OfVariant(at, _label(at), _figures(group for group in groups if group["variant"] == at)) for at in positions
        ],
        over_time=_over_time(campaign, step) if times else [],
        step=step,
        skipped=_reasons(groups, R.SKIPPED),
        failed=_reasons(groups, R.FAILED),
    )


def recent_results(campaign: Campaign) -> Results:
    """`results`, for a page that looks again with every message: of a million people a few seconds old."""
    return remembered(f"results:{campaign.pk}", lambda: results(campaign), times=LOOKED_AT_AGAIN)


def recent_figures(ids: Collection[UUID]) -> dict[UUID, Figures]:
    """Of many campaigns at once, each with its figures; one query, or as `recent_results`."""
    if not ids:
        return {}
    names = ",".join(sorted(map(str, ids)))
    key = f"figures:{hashlib.sha256(names.encode()).hexdigest()}"
    return remembered(key, lambda: _figures_of(ids), times=LOOKED_AT_AGAIN)


def _figures_of(ids: Collection[UUID]) -> dict[UUID, Figures]:
    groups: dict[UUID, list[Any]] = {pk: [] for pk in ids}
    rows = CampaignRecipient.objects.filter(campaign__in=ids).order_by().values("campaign_id", "status")
    for row in rows.annotate(people=Count("id"), replied=Count("replied_at"), opted_out=Count("opted_out_at")):
        groups[row["campaign_id"]].append(row)
    return {pk: _figures(group) for pk, group in groups.items()}


def sent_since(campaign: Campaign, moment: datetime) -> int:
    """How many of its messages have gone out since; read by the index of the unit's latest."""
    return CampaignRecipient.objects.filter(unit_id=campaign.unit_id, sent_at__gte=moment, campaign=campaign).count()


def _label(position: int | None) -> str:
    return "" if position is None else str(CampaignVariant(position=position))


def _figures(groups: Any) -> Figures:
    by_status: Counter[str] = Counter()
    replied = opted_out = 0
    for group in groups:
        by_status[group["status"]] += group["people"]
        replied += group["replied"]
        opted_out += group["opted_out"]
    exact = {status.value: by_status[status] for status in R}
    gone = {"sent": sum(by_status[s] for s in GONE), "delivered": sum(by_status[s] for s in ARRIVED)}
    return Figures(**exact | gone, total=by_status.total(), replied=replied, opted_out=opted_out)


def _reasons(groups: list[Any], status: RecipientStatus) -> dict[str, int]:
    """Codes, the most frequent first."""
    counted: Counter[str] = Counter()
    for group in groups:
        if group["status"] == status:
            counted[group["error_message"] or "other"] += group["people"]
    return dict(counted.most_common())


def _over_time(campaign: Campaign, step: str) -> list[OfTime]:
    """By when the message went out, not by when it was read: so the columns of one row speak of the same people."""
    zone = ZoneInfo(campaign.unit.time_zone)
    truncate = TruncDay if step == "day" else TruncHour
    rows = (
        campaign.recipients.filter(sent_at__isnull=False)
        .order_by()
        .annotate(at=truncate("sent_at", tzinfo=zone))
        .values("at")
        .annotate(
            people=Count("id"),
            gone=Count("id", filter=Q(status__in=GONE)),
            arrived=Count("id", filter=Q(status__in=ARRIVED)),
            seen=Count("id", filter=Q(status=R.READ)),
            lost=Count("id", filter=Q(status=R.FAILED)),
            open=Count("id", filter=Q(status=R.UNCERTAIN)),
            replied=Count("replied_at"),
            opted_out=Count("opted_out_at"),
        )
        .order_by("at")
    )
    return [
        OfTime(
            row["at"],
            Figures(
                total=row["people"],
                sent=row["gone"],
                delivered=row["arrived"],
                read=row["seen"],
                failed=row["lost"],
                uncertain=row["open"],
                replied=row["replied"],
                opted_out=row["opted_out"],
            ),
        )
        for row in rows
    ]
