"""What a campaign will do, before it does it: to whom, with which words, from when to when, and who is left out."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Count, F, QuerySet
from django.utils.translation import gettext_lazy as _

from campaigns import audience, content
from campaigns.audience import Tally
from campaigns.forecast import Course, Lane, forecast, slowest_that_ends_by
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, CampaignVariant, RecipientStatus
from campaigns.remembering import remembered
from campaigns.results import LOOKED_AT_AGAIN, results
from messaging import holds
from messaging.holds import Hold
from messaging.models import Attachment, Contact, Message, Origin
from messaging.pace import Pace, standing_of
from units.models import WhatsAppConnection

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

C = CampaignStatus
R = RecipientStatus

SAMPLES = 5
# What a gateway takes to answer, until the number's own sends tell.
ANSWER_SECONDS = 0.5
# Of so many of its last sends the middle one counts: a single slow answer says nothing.
MEASURED = 50
LEFT = (R.PENDING, R.QUEUED)


@dataclass(frozen=True, slots=True)
class Day:
    """So many messages of this campaign on a day of the unit; `cap`: most of all its campaigns together."""

    date: date
    people: int
    cap: int | None


@dataclass(frozen=True, slots=True)
class Finish:
    """The answer to "finish by": an interval for the campaign, or why it cannot be.

    `interval_seconds`: the slowest that makes it; None with an empty `refusal`: the number's own pace, which is just
    enough. `earliest`: when it ends at the number's own pace; None: not within three years.
    """

    by: datetime
    interval_seconds: Decimal | None
    earliest: datetime | None
    refusal: str | _StrPromise = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """When it sends. `last_at` is None when not everybody is reached: `left_out` people are not."""

    people: int
    starts_at: datetime
    first_at: datetime | None
    last_at: datetime | None
    left_out: int
    days: list[Day]
    # Mean seconds between two sends of the number, of which the gateway's answer takes so many.
    step_seconds: float
    answer_seconds: float
    # Campaigns that use the number at the same time.
    beside: list[Campaign]
    finish: Finish | None = None


def timing(
    campaign: Campaign,
    people: int,
    *,
    finish_by: datetime | None = None,
    may_be_old: bool = False,
    connection: WhatsAppConnection | None = None,
) -> Timing:
    """When `campaign` reaches `people` people, if it starts now or when it is scheduled, and nothing unforeseen holds
    it. Replies of people, which go first, are unforeseen. `may_be_old`: how many other campaigns have left may be.
    `connection`: the unit's, when it is at hand.

    Raises WhatsAppConnection.DoesNotExist for a unit without a number.
    """
    connection = connection or WhatsAppConnection.objects.get(unit_id=campaign.unit_id)
    lane, answer = lane_of(connection)
    now, pace, step = lane.now, lane.pace, lane.step
    starts_at = max(campaign.scheduled_at, now) if campaign.scheduled_at and _is_ahead(campaign) else now
    beside = _beside(campaign, may_be_old=may_be_old)
    courses = [
        Course(people, starts_at, campaign.ends_at, own_step(campaign, answer)),
        *(Course(count, other.scheduled_at or now, other.ends_at, own_step(other, answer)) for other, count in beside),
    ]
    mine, *others = forecast(lane, courses)
    return Timing(
        people=people,
        starts_at=starts_at,
        first_at=mine.first_at,
        last_at=mine.last_at,
        left_out=mine.left,
        days=[Day(day, count, pace.cap_on(day)) for day, count in mine.days.items()],
        step_seconds=step,
        answer_seconds=answer,
        beside=[
            other
            for (other, _count), outcome in zip(beside, others, strict=True)
            if outcome.first_at
            and mine.first_at
            and _overlap(mine.first_at, mine.last_at, outcome.first_at, outcome.last_at)
        ],
        finish=_finish(lane, courses, answer, finish_by) if finish_by and people else None,
    )


def lane_of(connection: WhatsAppConnection) -> tuple[Lane, float]:
    """The number's lane as it stands, and the seconds that the gateway takes to answer."""
    now, pace = standing_of(connection.pk)
    answer = answer_seconds(connection)
    step = float(connection.interval_seconds) + float(connection.jitter_seconds) / 2 + answer
    # As if a person let a number go on that the breaker has stopped: nobody knows when.
    return Lane(replace(pace, campaigns_held_at=None), now, step), answer


def own_step(campaign: Campaign, answer: float) -> float | None:
    """The seconds between two messages of a campaign with a pace of its own; None: as the number."""
    return float(campaign.interval_seconds) + answer if campaign.interval_seconds is not None else None


def answer_seconds(connection: WhatsAppConnection) -> float:
    """How long the gateway takes for a message of this number, by its last campaign messages, or by default."""
    sent = Message.objects.filter(
        connection=connection, origin=Origin.CAMPAIGN, dispatched_at__isnull=False, sent_at__gte=F("dispatched_at")
    )
    times = sent.order_by("-dispatched_at").values_list("dispatched_at", "sent_at")[:MEASURED]
    return median([(sent_at - at).total_seconds() for at, sent_at in times if at and sent_at] or [ANSWER_SECONDS])


def _is_ahead(campaign: Campaign) -> bool:
    return campaign.status in (C.DRAFT, C.SCHEDULED)


def _beside(campaign: Campaign, *, may_be_old: bool) -> list[tuple[Campaign, int]]:
    """The other campaigns of the number that send or are going to, with how many people each has left."""
    others = Campaign.objects.filter(unit_id=campaign.unit_id, status__in=[C.PROCESSING, C.SCHEDULED])
    rows = list(others.exclude(pk=campaign.pk).order_by("pk"))
    counted = _recipients_left([row.pk for row in rows if _is_in_recipients(row)], may_be_old=may_be_old)
    count = audience.recent_count if may_be_old else audience.count
    return [(row, counted.get(row.pk, 0) if _is_in_recipients(row) else count(row).people) for row in rows]


def _recipients_left(campaigns: list[UUID], *, may_be_old: bool) -> dict[UUID, int]:
    """Of all of them by one query."""

    def count() -> dict[UUID, int]:
        left = CampaignRecipient.objects.filter(campaign__in=campaigns, status__in=LEFT).order_by()
        return dict(left.values_list("campaign").annotate(people=Count("id")))

    if not campaigns:
        return {}
    key = "left:" + hashlib.sha256(b"".join(pk.bytes for pk in campaigns)).hexdigest()
    return remembered(key, count, times=LOOKED_AT_AGAIN) if may_be_old else count()


def _overlap(first: datetime, last: datetime | None, other_first: datetime, other_last: datetime | None) -> bool:
    return (last is None or other_first <= last) and (other_last is None or first <= other_last)


def _finish(lane: Lane, courses: list[Course], answer: float, by: datetime) -> Finish:
    plain = [replace(courses[0], interval=None), *courses[1:]]
    earliest = forecast(lane, plain)[0].last_at
    found = slowest_that_ends_by(lane, plain, 0, by) if by > lane.now else None
    if found is None:
        return Finish(by, None, earliest, _refusal(lane, plain, by))
    if found <= lane.step * 1.001:
        return Finish(by, None, earliest)
    return Finish(by, Decimal(math.floor((found - answer) * 1000)) / 1000, earliest)


def _refusal(lane: Lane, courses: list[Course], by: datetime) -> str | _StrPromise:
    """Which rule it is that would have to give way, the one that is easiest to change first."""
    if by <= max(lane.now, courses[0].starts_at):
        return _("The campaign does not start before that time.")

    def would_do(pace: Pace, courses: list[Course]) -> bool:
        return slowest_that_ends_by(replace(lane, pace=pace), courses, 0, by) is not None

    uncapped = replace(lane.pace, daily_cap=None, in_use_since=date.min)
    always = replace(lane.pace, window_start=None, window_end=None, window_days=[1, 2, 3, 4, 5, 6, 7])
    if would_do(lane.pace, [replace(courses[0], ends_at=None), *courses[1:]]):
        return _("The campaign itself ends before everybody has got it.")
    if would_do(lane.pace, courses[:1]):
        return _("Other campaigns of this number send at the same time.")
    if would_do(uncapped, courses):
        return _("The number's daily limit of campaign messages does not allow it.")
    if would_do(always, courses):
        return _("The number's sending window does not leave enough time.")
    return _("The number's pace does not allow it: it may not send faster.")


# All of it together


@dataclass(frozen=True, slots=True)
class Sample:
    """What a real contact gets. `problem`: why that is nothing (`content.Rendered`), or empty."""

    contact: Contact
    variant: int
    text: str
    attachment: Attachment | None
    problem: str

    @property
    def label(self) -> str:
        """The variant's letter."""
        return str(CampaignVariant(position=self.variant))


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """`tally`: who gets it, and why others do not; of a campaign under way, who is left, and who was skipped until now.

    `missing`: variable → people without a value, who will be skipped. `texts`: how many it may say. `timing`: None for
    a unit without a number. `hold`: what keeps the number from sending campaigns at this moment.
    """

    campaign: Campaign
    tally: Tally
    missing: dict[str, int]
    texts: int
    samples: list[Sample]
    timing: Timing | None
    hold: Hold | None


def rehearse(campaign: Campaign, *, finish_by: datetime | None = None) -> Rehearsal:
    """Rehearse `campaign`, or what is left of it. Writes nothing, and takes a scan of the audience.

    The samples of a draft are drawn anew at its start: who gets which variant is only settled then.
    Raises InvalidFilter for a segment that asks for what is no more.
    """
    texts = content.Texts.of(campaign)
    tally, people = _left(campaign)
    missing = content.missing(campaign, people, texts=texts)
    if missing:
        tally = content.less(tally, content.without_text(people, texts))
    connection = WhatsAppConnection.objects.filter(unit_id=campaign.unit_id).first()
    return Rehearsal(
        campaign,
        tally,
        missing,
        len(texts.variants),
        _samples(campaign, texts),
        timing(campaign, tally.people, finish_by=finish_by, connection=connection) if connection else None,
        holds.hold_of_campaigns(connection) if connection else holds.disconnected(),
    )


def _left(campaign: Campaign) -> tuple[Tally, QuerySet[Contact]]:
    """Those who have not got it yet, and are to."""
    if _has_its_people(campaign):
        figures = results(campaign)
        left = figures.figures.pending + figures.figures.queued
        rows = campaign.recipients.filter(status__in=LEFT).values("contact")
        people = Contact.objects.filter(unit_id=campaign.unit_id, pk__in=rows)
        return Tally(left + figures.figures.skipped, left, figures.skipped), people
    return audience.count(campaign), audience.people(campaign)


def _has_its_people(campaign: Campaign) -> bool:
    """Whether all of the audience have become recipients."""
    return not _is_ahead(campaign) and (campaign.audience_done_at is not None or audience.is_empty(campaign.audience))


def _is_in_recipients(campaign: Campaign) -> bool:
    """Whether nobody else gets it but its recipients."""
    return _has_its_people(campaign) or audience.is_empty(campaign.audience)


def _samples(campaign: Campaign, texts: content.Texts) -> list[Sample]:
    """Of the first people, one text after the other, so that each is shown."""
    number = max(SAMPLES, len(texts.variants))
    if _has_its_people(campaign):
        rows = campaign.recipients.filter(status__in=LEFT).order_by("pk").select_related("contact")
        chosen = [row.contact for row in rows.prefetch_related("contact__addresses")[:number]]
    else:
        chosen = audience.first_people(campaign, number)
    keys = dict(campaign.recipients.filter(contact__in=chosen).values_list("contact_id", "pk"))
    made = []
    for place, contact in enumerate(chosen):
        variant = texts.variants[place % len(texts.variants)].position
        shown = content.render(texts, contact, keys.get(contact.pk, contact.pk), variant=variant)
        made.append(Sample(contact, shown.variant, shown.text, shown.attachment, shown.problem))
    return made
