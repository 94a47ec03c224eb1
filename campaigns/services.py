"""The life of a campaign, as people steer it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from django.db import connection as database
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from campaigns.tasks import ring
from crm_whatsapp.db import ClockNow
from messaging.models import Contact, Message, MessageStatus, SendLane
from messaging.pace import Pace
from units import live
from units.models import Unit, User, WhatsAppConnection

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

log = structlog.get_logger(__name__)

C = CampaignStatus
R = RecipientStatus

# The gateway answers a send in about half a second; after this long the wait deserves a word.
SLOW_ANSWER = timedelta(seconds=5)
# A wait beyond the pace that a person should be told the reason of.
LONG_WAIT = timedelta(seconds=30)

# Recipients whose message may still go out, or is on the way.
UNFINISHED = (R.PENDING, R.QUEUED, R.SENDING)


class NotPossible(ValueError):
    """The campaign is not in a state for this; `message` says so to a person."""

    def __init__(self, message: str | _StrPromise) -> None:
        self.message = message
        super().__init__(str(message))


class CampaignService:
    """One campaign. Every step is one guarded move: done twice, or by two people at once, it happens once."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign

    @classmethod
    def create(
        cls,
        *,
        unit: Unit,
        name: str,
        content: str,
        contacts: QuerySet[Contact] | Iterable[Contact] = (),
        created_by: User | None = None,
        scheduled_at: datetime | None = None,
    ) -> Campaign:
        """A draft with its recipients, or a scheduled campaign when `scheduled_at` is given. Raises NotPossible."""
        if not name.strip() or not content.strip():
            raise NotPossible(_("A campaign needs a name and a text."))
        with transaction.atomic():
            campaign = Campaign.objects.create(
                unit=unit, name=name.strip(), content=content.strip(), created_by=created_by
            )
            service = cls(campaign)
            service.add_contacts(contacts)
            if scheduled_at is not None:
                service.schedule(scheduled_at)
        campaign.refresh_from_db()
        return campaign

    def add_contacts(self, contacts: QuerySet[Contact] | Iterable[Contact]) -> int:
        """Make contacts of the campaign's own unit recipients, each once, groups never; the number of new ones.

        Raises NotPossible once the campaign has ended.
        """
        if self.campaign.status not in (C.DRAFT, C.SCHEDULED, C.PAUSED):
            raise NotPossible(_("Recipients can be added to a draft, a scheduled or a paused campaign only."))
        if isinstance(contacts, QuerySet):
            return self._add_all(contacts)
        before = self.campaign.recipients.count()
        rows = (
            CampaignRecipient(unit_id=self.campaign.unit_id, campaign=self.campaign, contact_id=contact.id)
            for contact in contacts
            if not contact.is_group
        )
        CampaignRecipient.objects.bulk_create(rows, batch_size=2000, ignore_conflicts=True)
        return self.campaign.recipients.count() - before

    def _add_all(self, contacts: QuerySet[Contact]) -> int:
        """One statement, however many: the rows never leave the database."""
        people = contacts.filter(unit_id=self.campaign.unit_id, is_group=False)
        wanted, parameters = people.values("id").query.sql_with_params()
        with database.cursor() as cursor:
            cursor.execute(
                "INSERT INTO campaign_recipients (unit_id, campaign_id, contact_id)"  # noqa: S608
                # The inner statement is the ORM's own; its values are parameters.
                f" SELECT %s, %s, wanted.id FROM ({wanted}) AS wanted ON CONFLICT DO NOTHING",
                [self.campaign.unit_id, self.campaign.pk, *parameters],
            )
            return cursor.rowcount

    def schedule(self, at: datetime) -> Campaign:
        """Start at `at`; a time in the past is at once. Raises NotPossible."""
        return self._move(C.SCHEDULED, _("Only a draft can be scheduled."), scheduled_at=at)

    def dispatch(self) -> Campaign:
        """Start sending now. Raises NotPossible for a campaign without recipients, or one that is not waiting."""
        if not self.campaign.recipients.exists():
            raise NotPossible(_("This campaign has no recipients. Choose who gets it first."))
        if not WhatsAppConnection.objects.filter(unit_id=self.campaign.unit_id).exists():
            raise NotPossible(_("This unit has no WhatsApp number yet. Connect one first."))
        return self._move(
            C.PROCESSING,
            _("Only a draft or a scheduled campaign can be started."),
            only_from=(C.DRAFT, C.SCHEDULED),
            started_at=ClockNow(),
        )

    def pause(self) -> Campaign:
        """Stop before the next message: what waits on the lane is withdrawn. Raises NotPossible."""
        return self._move(C.PAUSED, _("Only a campaign that is sending can be paused."), then=self.withdraw)

    def resume(self) -> Campaign:
        """Go on. Raises NotPossible."""
        return self._move(C.PROCESSING, _("Only a paused campaign can be resumed."), only_from=(C.PAUSED,))

    def cancel(self) -> Campaign:
        """End it for whoever has not got it yet. Raises NotPossible when it has ended already."""

        def end() -> None:
            self.withdraw()
            self.campaign.recipients.filter(status=R.PENDING).update(status=R.CANCELLED)

        return self._move(C.CANCELLED, _("This campaign has ended already."), then=end, finished_at=ClockNow())

    def _move(
        self,
        status: CampaignStatus,
        refusal: str | _StrPromise,
        *,
        only_from: tuple[CampaignStatus, ...] = (),
        then: Callable[[], None] | None = None,
        **changes: object,
    ) -> Campaign:
        """Move the campaign, and do what follows from it in the same transaction; the feed is written last."""
        with transaction.atomic():
            row = Campaign.objects.filter(pk=self.campaign.pk)
            if only_from:
                row = row.filter(status__in=only_from)
            if not row.move_to(status, status_reason="", **changes):
                raise NotPossible(refusal)
            if then:
                then()
            ring()
            live.publish([change_of(self.campaign)])
        self.campaign.refresh_from_db()
        log.info("campaign_moved", campaign_id=str(self.campaign.pk), status=status)
        return self.campaign

    def withdraw(self) -> None:
        """Take back what waits on the lane; its recipients are pending again.

        A worker that has claimed such a message finds it gone, and sends nothing. The database cuts the links.
        """
        waiting = Message.objects.filter(recipients__campaign=self.campaign).waiting().order_by("pk")
        ids = list(waiting.select_for_update(of=("self",)).values_list("id", flat=True))
        taken = list(self.campaign.recipients.filter(message_id__in=ids).values_list("id", flat=True))
        Message.objects.filter(id__in=ids).waiting().delete()
        self.campaign.recipients.filter(id__in=taken, message=None).update(status=R.PENDING)


def change_of(campaign: Campaign) -> live.Change:
    """The live change that makes whoever watches this campaign look again."""
    return live.Change(unit_id=campaign.unit_id, kind="campaign", object_id=campaign.pk)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a campaign that should be sending is not, and until when (None: until that changes)."""

    reason: str | _StrPromise
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What keeps a campaign from sending now, if anything, and when its last message leaves, if anybody can say."""

    hold: Hold | None = None
    ends_at: datetime | None = None


def outlook(campaign: Campaign) -> Outlook:
    """How `campaign` will go on. Empty for one that is not meant to be sending.

    The end is that of the present hold, and then the pace for everybody who is left.
    """
    if campaign.status != C.PROCESSING:
        return Outlook()
    rows = WhatsAppConnection.objects.select_related("unit").annotate(clock=ClockNow())
    connection: Any = rows.filter(unit_id=campaign.unit_id).first()
    if connection is None or not connection.is_connected:
        return Outlook(Hold(_("The number is disconnected. The campaign goes on when it is back.")))
    now: datetime = connection.clock
    held = _hold(connection, now)
    if held and held.until is None:
        return Outlook(held)
    left = campaign.recipients.filter(status__in=UNFINISHED).count()
    each = connection.interval + timedelta(seconds=float(connection.jitter_seconds) / 2)
    return Outlook(held, max(now, held.until if held and held.until else now) + left * each)


def _hold(connection: WhatsAppConnection, now: datetime) -> Hold | None:
    """What keeps a connected number from sending campaign messages."""
    pace = pace_of(connection)
    if (until := pace.cap_lifts_at(now)) is not None:
        return Hold(_("Today's limit of messages is reached."), until)
    if (until := pace.window_opens_at(now)) is not None:
        return Hold(_("Outside the sending window. Nobody gets it twice."), until)
    slow = Message.objects.filter(status=MessageStatus.DISPATCHING, dispatched_at__lt=now - SLOW_ANSWER)
    if slow.filter(connection=connection).exists():
        return Hold(_("Waiting for the WhatsApp server's answer to the last message."))
    if pace.next_send_at - now > connection.interval + LONG_WAIT:
        reason = _("An earlier message got no answer. The campaign waits until it can be on its way no more.")
        return Hold(reason, pace.next_send_at)
    return None


def pace_of(connection: WhatsAppConnection) -> Pace:
    """The connection's rules and where its lane stands."""
    lane = SendLane.objects.filter(connection=connection).first() or SendLane(
        next_send_at=connection.created_at, sent_today=0
    )
    return Pace(
        lane.next_send_at,
        lane.day,
        lane.sent_today,
        connection.daily_cap,
        connection.window_start,
        connection.window_end,
        connection.unit.time_zone,
    )
