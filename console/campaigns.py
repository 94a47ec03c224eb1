"""What the campaign pages read."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.db.models import Count
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from campaigns import audience, content
from campaigns.audience import Tally
from campaigns.models import Campaign, CampaignRecipient, RecipientStatus
from console.inbox import Page
from messaging.models import Contact
from units.models import Unit

R = RecipientStatus
ROWS = 50

# What a campaign has done for a recipient, from "the message left" on.
GONE = (R.SENT, R.DELIVERED, R.READ)
LEFT = (R.PENDING, R.QUEUED, R.SENDING)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign has come, in people."""

    counts: dict[str, int]
    replied: int = 0
    opted_out: int = 0

    @property
    def total(self) -> int:
        """Everybody it is for."""
        return self.counts["total"]

    @property
    def done(self) -> int:
        """Those whose turn has come, whatever came of it."""
        return self.total - self.left - self.counts[R.CANCELLED]

    @property
    def sent(self) -> int:
        """Those to whom the message has gone out for certain."""
        return sum(self.counts[status] for status in GONE)

    @property
    def left(self) -> int:
        """Those who have not been sent to, and still may be."""
        return sum(self.counts[status] for status in LEFT)

    @property
    def failed(self) -> int:
        """Those who did not get it."""
        return self.counts[R.FAILED]

    @property
    def failed_at(self) -> int:
        """Where the failed part of the bar begins: it is the last of what is done."""
        return self.done - self.failed

    @property
    def whole(self) -> int:
        """What the lines of the result are measured against; never 0."""
        return max(self.total, 1)

    @property
    def tenth(self) -> int:
        """Percent done in steps of ten: what is said aloud."""
        return self.done * 10 // self.whole * 10

    @property
    def rows(self) -> list[tuple[str | Promise, int, str]]:
        """Word, people and tone of each line of the result; a message that was read was delivered and sent too."""
        count = self.counts
        return [
            (pgettext_lazy("recipients", "Sent"), self.sent, "sent"),
            (pgettext_lazy("recipients", "Delivered"), count[R.DELIVERED] + count[R.READ], "delivered"),
            (pgettext_lazy("recipients", "Read"), count[R.READ], "read"),
            (pgettext_lazy("recipients", "Replied"), self.replied, "read"),
            (pgettext_lazy("recipients", "Opted out"), self.opted_out, "skipped"),
            (pgettext_lazy("recipients", "Failed"), count[R.FAILED], "failed"),
            (pgettext_lazy("recipients", "Uncertain"), count[R.UNCERTAIN], "uncertain"),
            (pgettext_lazy("recipients", "Skipped"), count[R.SKIPPED], "skipped"),
        ]


def campaigns(unit: Unit, *, archived: bool = False) -> list[Campaign]:
    """The unit's newest hundred, those in the archive or those that are not, each with `people`, its Progress; two
    queries.
    """
    kept = Campaign.objects.filter(unit=unit, archived_at__isnull=not archived)
    rows = list(kept.select_related("created_by").order_by("-created_at", "-id")[:100])
    counts = _counts(row.id for row in rows)
    for row in rows:
        row.people = Progress(counts[row.id])  # type: ignore[attr-defined]
    return rows


def _counts(ids: Iterable[UUID]) -> dict[UUID, dict[str, int]]:
    counts = {key: {"total": 0} | dict.fromkeys(R.values, 0) for key in ids}
    grouped = CampaignRecipient.objects.filter(campaign__in=counts).values_list("campaign_id", "status")
    for campaign_id, status, people in grouped.annotate(Count("id")):
        counts[campaign_id][status] += people
        counts[campaign_id]["total"] += people
    return counts


@dataclass(frozen=True, slots=True)
class Draft:
    """What a campaign looks like while it is written: for one of its people, and for how many."""

    problems: list[str]
    person: Contact | None
    text: str
    tally: Tally
    more: int


def draft(unit: Unit, text: str, line: str, spec: dict[str, Any], *, place: int, has_file: bool) -> Draft:
    """The draft as it would be kept; nothing is. `place`: which person it is shown for."""
    made = Campaign(id=uuid4(), unit=unit, name="", content=text, opt_out_line=line, audience=spec)
    tally = audience.recent_count(made)
    found = audience.first_people(made, place + 1)
    person = found[min(place, len(found) - 1)] if found else Contact.objects.people().filter(unit=unit).first()
    problems = [str(p.message) for p in content.check(unit, text, caption=has_file, opt_out_line=line) if text.strip()]
    shown = content.render(made, person, person.pk) if person and not problems else None
    if shown and shown.problem:
        problems = [str(audience.REASONS[shown.problem])]
    return Draft(problems, person, shown.text if shown else "", tally, place + 1)


# The filters above the recipients, and the statuses behind each.
RECIPIENT_FILTERS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "all": (pgettext_lazy("recipients", "All"), ()),
    "queue": (pgettext_lazy("recipients", "In the queue"), LEFT),
    "sent": (pgettext_lazy("recipients", "Sent"), GONE),
    "failed": (pgettext_lazy("recipients", "Failed"), (R.FAILED,)),
    "uncertain": (pgettext_lazy("recipients", "Uncertain"), (R.UNCERTAIN,)),
    "skipped": (pgettext_lazy("recipients", "Skipped"), (R.SKIPPED, R.CANCELLED)),
    "replied": (pgettext_lazy("recipients", "Replied"), ()),
}


def recipients(campaign: Campaign, *, show: str = "all", after: UUID | None = None) -> Page[CampaignRecipient]:
    """A page of recipients in sending order."""
    rows = campaign.recipients.select_related("contact").prefetch_related("contact__addresses").order_by("id")
    statuses = RECIPIENT_FILTERS.get(show, RECIPIENT_FILTERS["all"])[1]
    if statuses:
        rows = rows.filter(status__in=statuses)
    if show == "replied":
        rows = rows.filter(replied_at__isnull=False)
    if after:
        rows = rows.filter(id__gt=after)
    found = list(rows[: ROWS + 1])
    page = found[:ROWS]
    return Page(page, str(page[-1].id) if len(found) > ROWS else "", after is None)
