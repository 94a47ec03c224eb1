"""What needs a person, by the rows that say so: nothing is kept here, so nothing can be out of date."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import BooleanField, CharField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Value

from attention.models import Kind
from campaigns.models import Campaign, CampaignStatus
from campaigns.standing import Standing, look
from crm_whatsapp.db import ClockNow
from messaging.models import (
    ConversationStatus,
    Direction,
    MediaStatus,
    Message,
    MessageMedia,
    MessageStatus,
    Origin,
)
from messaging.settling import OVER, SENT_AGAIN_AS
from outgoing_webhooks.models import OutgoingWebhook
from units.models import ConnectionStatus, DisconnectCause, WhatsAppConnection
from webhooks.models import EventStatus, WebhookEvent

# A reply that nobody has looked after for so long is no news any more.
FAILED_FOR = timedelta(days=7)
# As long as WhatsApp keeps files, about.
FILES_KEPT_FOR = timedelta(days=30)
# A person has said so himself.
_KNOWN = ("sent_again", "not_sent_by_word")


class Need(NamedTuple):
    """Something needs a person. `by_mail`: worth an e-mail, since it does not pass by itself and nobody is at it."""

    unit_id: UUID
    kind: str
    object_id: UUID
    by_mail: bool

    @property
    def key(self) -> tuple[UUID, str, UUID]:
        """What an episode is about."""
        return self.unit_id, self.kind, self.object_id


def needs(unit_id: UUID | None = None) -> list[Need]:
    """All there is, of one unit or of all: three statements, however much that is."""
    found = [
        _of_connections(Kind.DISCONNECTED, away(), unit_id, by_mail=_NOBODY_IS_AT_IT),
        _of_connections(Kind.HELD, WhatsAppConnection.objects.filter(campaigns_held_at__isnull=False), unit_id),
        _of_unit(Kind.UNCONFIRMED, unconfirmed(), unit_id),
        _of_unit(Kind.FAILED, failed(), unit_id),
        _of_unit(Kind.LATE, late(), unit_id),
        _of_unit(Kind.MEDIA, lost_files(), unit_id, by_mail=False),
        _of_unit(Kind.DEAD_LETTERS, dead_letters(), unit_id, "connection__unit_id", by_mail=False),
        _shown(Kind.HELD, stopped(), unit_id, "unit_id", "id", Value(True)),
        _shown(Kind.WEBHOOK_OFF, switched_off(), unit_id, "unit_id", "id", Value(True)),
    ]
    rows = [Need(*row) for row in found[0].union(*found[1:], all=True)]
    return rows + [Need(unit, Kind.HELD, standing.id, False) for unit, standing in at_the_limit(unit_id)]


def away() -> QuerySet[WhatsAppConnection]:
    """Numbers that were connected once, and are not."""
    return WhatsAppConnection.objects.exclude(status=ConnectionStatus.CONNECTED).exclude(phone_number="")


# Neither scanning a code this moment, nor disconnected here on purpose.
_NOBODY_IS_AT_IT = ExpressionWrapper(
    Q(status=ConnectionStatus.DISCONNECTED) & ~Q(cause=DisconnectCause.BY_US), BooleanField()
)


def unconfirmed() -> QuerySet[Message]:
    """Messages that have been looked for in vain: a person decides."""
    return Message.objects.filter(status=MessageStatus.UNCERTAIN, look_up_due_at=None)


def failed() -> QuerySet[Message]:
    """Replies of the last days that were not sent, in chats where nobody has written since, or closed the matter."""
    later = Message.objects.filter(
        conversation=OuterRef("conversation"), direction=Direction.OUTBOUND, happened_at__gt=OuterRef("happened_at")
    ).exclude(origin=Origin.CAMPAIGN)
    rows = Message.objects.filter(
        status__in=OVER, direction=Direction.OUTBOUND, happened_at__gt=ClockNow() - FAILED_FOR
    ).exclude(origin=Origin.CAMPAIGN)
    return (
        rows.exclude(error_code__in=_KNOWN)
        .exclude(kind="reaction")
        .exclude(details__has_key=SENT_AGAIN_AS)
        .exclude(conversation__status=ConversationStatus.RESOLVED)
        .exclude(Exists(later.exclude(status__in=[*OVER, MessageStatus.CANCELLED])))
    )


def late() -> QuerySet[Message]:
    """Messages that waited while their number was away, as `messaging.stale` has it."""
    return Message.objects.filter(status=MessageStatus.QUEUED, due_at=None).exclude(origin=Origin.CAMPAIGN)


def lost_files() -> QuerySet[MessageMedia]:
    """Files that could not be loaded, and that WhatsApp may still have."""
    return MessageMedia.objects.filter(status=MediaStatus.FAILED, created_at__gt=ClockNow() - FILES_KEPT_FOR)


def dead_letters() -> QuerySet[WebhookEvent]:
    """What WhatsApp's server told and nobody could make sense of."""
    return WebhookEvent.objects.filter(status=EventStatus.DEAD, connection__isnull=False)


def stopped() -> QuerySet[Campaign]:
    """Campaigns that the product has stopped, and that go on only when a person says so; or that did not begin."""
    paused = Q(status=CampaignStatus.PAUSED) & ~Q(status_reason="")
    not_begun = Q(status=CampaignStatus.FAILED, scheduled_at__gt=ClockNow() - FAILED_FOR)
    return Campaign.objects.filter(paused | not_begun, archived_at=None)


def switched_off() -> QuerySet[OutgoingWebhook]:
    """Outgoing webhooks that we have stopped, as they took nothing; not those that a person switched off."""
    return OutgoingWebhook.objects.filter(is_active=False, failures__gt=0)


def at_the_limit(unit_id: UUID | None = None) -> list[tuple[UUID, Standing]]:
    """Campaigns that today's limit of their number holds, with their unit. They go on tomorrow by themselves."""
    sending = Campaign.objects.filter(status=CampaignStatus.PROCESSING)
    units = dict((sending.filter(unit=unit_id) if unit_id else sending).values_list("id", "unit_id"))
    return [(units[each.id], each) for each in (look(list(units)) if units else []) if limit_lifts_at(each)]


def limit_lifts_at(standing: Standing) -> datetime | None:
    """When the number may send again, if it is the limit alone that holds the campaign."""
    pace = standing.pace
    if not standing.is_connected or not standing.has_pending or pace is None or pace.campaigns_held_at is not None:
        return None
    return pace.cap_lifts_at(standing.now) and pace.opens_at(standing.now)


def _of_unit(
    kind: Kind, rows: QuerySet[Any], unit_id: UUID | None, unit: str = "unit_id", *, by_mail: bool = True
) -> QuerySet[Any, tuple[Any, ...]]:
    """One for each unit that has such `rows`."""
    return _shown(kind, rows, unit_id, unit, unit, Value(by_mail)).distinct()


def _of_connections(
    kind: Kind, rows: QuerySet[WhatsAppConnection], unit_id: UUID | None, by_mail: Any = True
) -> QuerySet[Any, tuple[Any, ...]]:
    return _shown(kind, rows, unit_id, "unit_id", "id", Value(True) if by_mail is True else by_mail)


def _shown(
    kind: Kind, rows: QuerySet[Any], unit_id: UUID | None, unit: str, thing: str, by_mail: Any
) -> QuerySet[Any, tuple[Any, ...]]:
    """As columns of `Need`."""
    if unit_id:
        rows = rows.filter(**{unit: unit_id})
    word = Value(kind.value, output_field=CharField())
    return rows.order_by().values_list(F(unit), word, F(thing), ExpressionWrapper(by_mail, BooleanField()))
