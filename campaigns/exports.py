"""The recipients of a campaign as rows for a spreadsheet."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from campaigns.models import Campaign, CampaignRecipient, CampaignVariant, RecipientStatus
from messaging.models import AddressKind, ContactAddress
from messaging.phones import shown
from messaging.serializers import error_sentence
from units import audit
from units.models import AuditAction

# Read in slices of their key: no transaction stays open for as long as a slow reader takes.
SLICE = 5_000


def recipient_rows(campaign: Campaign, recipients: QuerySet[CampaignRecipient]) -> Iterator[list[Any]]:
    """A line of column names, and a line for each of `recipients`, those of `campaign`, in the order of sending.

    In the language of the call and the unit's time zone; one slice of the rows is in memory at a time.
    """
    # Here and not in the rows, which are read when the request is over.
    audit.record(campaign.unit_id, AuditAction.CAMPAIGN_EXPORTED, campaign)
    return _rows(campaign, recipients, translation.get_language() or "")


def _rows(campaign: Campaign, recipients: QuerySet[CampaignRecipient], language: str) -> Iterator[list[Any]]:
    # The language is set anew for each slice: by then the request's may be another's.
    with translation.override(language):
        names = _names()
    yield names
    zone = ZoneInfo(campaign.unit.time_zone)
    phone = ContactAddress.objects.filter(contact=OuterRef("contact"), kind=AddressKind.PHONE).order_by("created_at")
    rows = recipients.annotate(phone=Subquery(phone.values("value")[:1])).order_by("id")
    after: UUID | None = None
    while found := list((rows.filter(id__gt=after) if after else rows).values_list("id", *_COLUMNS)[:SLICE]):
        after = found[-1][0]
        with translation.override(language):
            lines = [_line(row, zone) for row in found]
        yield from lines


_COLUMNS = (
    "contact__name",
    "phone",
    "status",
    "variant",
    "error_message",
    "sent_at",
    "message__delivered_at",
    "message__read_at",
    "replied_at",
    "opted_out_at",
)


def _names() -> list[str]:
    return [
        _("Name"),
        _("Phone"),
        _("Status"),
        _("Variant"),
        _("Error"),
        pgettext("recipient", "Sent at"),
        pgettext("recipient", "Delivered at"),
        pgettext("recipient", "Read at"),
        pgettext("recipient", "Replied at"),
        pgettext("recipient", "Opted out at"),
    ]


def _line(row: tuple[Any, ...], zone: ZoneInfo) -> list[Any]:
    _id, name, phone, status, variant, error, *times = row
    return [
        name,
        # As people write it; the plus of E.164 would be guarded like a formula.
        shown(phone) if phone else "",
        str(RecipientStatus(status).label),
        "" if variant is None else str(CampaignVariant(position=variant)),
        str(error_sentence(error)) if error else "",
        *(_moment(time, zone) for time in times),
    ]


def _moment(time: datetime | None, zone: ZoneInfo) -> str:
    """As spreadsheets read it; without a zone, which they do not."""
    return time.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if time else ""
