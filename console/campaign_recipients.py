"""The people of a campaign, as its page lists them."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.models import Campaign, CampaignRecipient, RecipientStatus
from campaigns.results import Figures
from console.inbox import Page
from messaging.models import Contact

R = RecipientStatus
ROWS = 50
# A list of which more has been shown than this stays as it is, instead of being read anew with every message.
MOST_SHOWN = 500

LEFT = (R.PENDING, R.QUEUED, R.SENDING)
GONE = (R.SENT, R.DELIVERED, R.READ)

# The filters above the list, and the statuses behind each.
FILTERS: dict[str, tuple[Any, tuple[RecipientStatus, ...]]] = {
    "all": (pgettext_lazy("recipients", "All"), tuple(R)),
    "queue": (pgettext_lazy("recipients", "In the queue"), LEFT),
    "sent": (pgettext_lazy("recipients", "Sent"), GONE),
    "delivered": (pgettext_lazy("recipients", "Delivered"), (R.DELIVERED, R.READ)),
    "read": (pgettext_lazy("recipients", "Read"), (R.READ,)),
    "replied": (pgettext_lazy("recipients", "Replied"), tuple(R)),
    "failed": (pgettext_lazy("recipients", "Failed"), (R.FAILED,)),
    "uncertain": (pgettext_lazy("recipients", "Uncertain"), (R.UNCERTAIN,)),
    "skipped": (pgettext_lazy("recipients", "Skipped"), (R.SKIPPED, R.CANCELLED)),
}

# What a person can do for somebody who did not get it, by the reason's code.
ADVICE: dict[str, Any] = {
    "not_on_whatsapp": _("Ask for another number, and correct it in the contact."),
    "invalid_number": _("Correct the number in the contact."),
    "no_address": _("Add a number to the contact."),
    "missing_value": _("Fill the value in on the contact's page."),
    "too_long": _("Shorten the text in a copy of the campaign."),
    "unsettled": _("Say in the conversation whether the earlier message arrived; then try again."),
    "unconfirmed": _("Look in the conversation whether it arrived."),
    "undecided": _("Look at the phone, and say in the conversation whether it arrived."),
    "media_unreadable": _("Choose another file in a copy of the campaign."),
    "invalid_message": _("Change the text in a copy of the campaign."),
    "refused_by_whatsapp": _("Try again later, or answer this person yourself."),
}


def filters(figures: Figures) -> list[tuple[str, Any, int]]:
    """Key, word and number of people of each filter."""
    numbers = {
        "all": figures.total,
        "queue": figures.pending + figures.queued + figures.sending,
        "skipped": figures.skipped + figures.cancelled,
    }
    return [(key, word, numbers.get(key, getattr(figures, key, 0))) for key, (word, _statuses) in FILTERS.items()]


def recipients(
    campaign: Campaign, *, show: str = "all", search: str = "", after: UUID | None = None, number: int = ROWS
) -> Page[CampaignRecipient]:
    """A page in sending order. Rows carry `advice`, what to do for whoever did not get it."""
    show = show if show in FILTERS else "all"
    ids = _ids(campaign, show, search, after, number + 1)
    found = CampaignRecipient.objects.filter(pk__in=ids[:number]).order_by("id")
    rows = list(found.select_related("contact", "message").prefetch_related("contact__addresses"))
    for row in rows:
        row.advice = ADVICE.get(row.error_message or "", "")  # type: ignore[attr-defined]
    return Page(rows, str(rows[-1].pk) if rows and len(ids) > number else "", after is None)


def _ids(campaign: Campaign, show: str, search: str, after: UUID | None, number: int) -> list[UUID]:
    """The first so many. Each status is read on its own, in the order of its index: of a million people no more than a
    page of each.
    """
    rows = campaign.recipients.all()
    if after:
        rows = rows.filter(id__gt=after)
    if show == "replied":
        rows = rows.filter(replied_at__isnull=False)
    if search:
        contacts = Contact.objects.filter(unit_id=campaign.unit_id).matching(campaign.unit_id, search)
        rows = rows.filter(contact__in=contacts.order_by().values("id"))
    ids = rows.order_by("id").values_list("id", flat=True)
    first, *others = [ids.filter(status=status)[:number] for status in FILTERS[show][1]]
    return list(first.union(*others, all=True).order_by("id")[:number] if others else first)
