"""The life of a campaign, as people steer it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from django.core.exceptions import EmptyResultSet
from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from campaigns import audience, drafting, editions, lost
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus, RecipientStatus
from campaigns.refusals import NotPossible
from campaigns.tasks import ring
from campaigns.withdrawing import leave_out, withdraw
from crm_whatsapp.db import ClockNow
from messaging.models import Contact, Message, MessageStatus
from units import audit, live
from units.models import AuditAction, Unit, User, WhatsAppConnection

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

log = structlog.get_logger(__name__)

C = CampaignStatus
R = RecipientStatus

EDITABLE = (C.DRAFT, C.SCHEDULED, C.PAUSED)
ENDED = (C.COMPLETED, C.CANCELLED, C.FAILED)
CLONED = ("content", "attachment", "weight", "opt_out_line", "audience", "interval_seconds")
# Was uncertain before it failed: the person may have it, whatever was found out since, or gets it by a copy. Not when
# somebody has looked at the phone and said that it did not go out ("not_sent_by_word").
MAY_HAVE_IT = ("unconfirmed", "unconfirmed_not_sent", "sent_again", "undecided")

__all__ = ["CampaignService", "NotPossible", "change_of"]


class CampaignService:
    """One campaign. Every step is one guarded move: done twice, or by two people at once, it happens once."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign

    # Writing it

    @classmethod
    def create(
        cls,
        *,
        unit: Unit,
        name: str,
        content: str = "",
        contacts: QuerySet[Contact] | Iterable[Contact] = (),
        created_by: User | None = None,
        scheduled_at: datetime | None = None,
        key: UUID | None = None,
        **more: Any,
    ) -> Campaign:
        """A draft with its recipients, or a scheduled campaign when `scheduled_at` is given.

        `more`: what `edit` takes. `contacts` are added besides its `audience`. `key`: its id, of which there can be but
        one: who sends a form twice gets an IntegrityError. Raises NotPossible.
        """
        campaign = Campaign(unit=unit, created_by=created_by, name=name, content=content, audience={}, opt_out_line="")
        cleaned = drafting.clean(campaign, {"name": name, "content": content, **more})
        with transaction.atomic():
            own = {"id": key} if key else {}
            campaign = Campaign.objects.create(unit=unit, created_by=created_by, **own, **cleaned.columns)
            drafting.store(campaign, drafting.Cleaned(variants=cleaned.variants))
            service = cls(campaign)
            service.add_contacts(contacts)
            if scheduled_at is not None:
                service.schedule(scheduled_at)
        campaign.refresh_from_db()
        return campaign

    def edit(self, *, seen: str | None = None, keep_added: bool = True, **changes: Any) -> Campaign:
        """Change what `drafting.FIELDS` names; what is not given stays.

        `content`, `opt_out_line`: see `campaigns.content`. `attachment`: an Attachment of the unit, or its id, or None.
        `variants`: all of them, as `drafting.VariantText` or dicts of its fields. `audience`: see `campaigns.audience`.
        `ends_at`: nothing is sent after. `interval_seconds`: slower than the number's own pace; None: as the number.
        A draft and a scheduled campaign may be changed freely. In a paused one it holds for whoever has not got it
        yet, and people can only be added. Any other, but an archived one, can be given another name.
        `seen`: the edition that was looked at. `keep_added`: False: whoever was added one by one is not meant any more;
        of one that has begun they stay.
        Raises NotPossible (`field` names what is at fault), and nothing has changed then.
        """
        with transaction.atomic():
            locked = Campaign.objects.select_for_update(no_key=True).select_related("unit").get(pk=self.campaign.pk)
            if locked.archived_at is not None:
                raise NotPossible(_("This campaign is in the archive. Take it out first."))
            if set(changes) - {"name"} and locked.status not in EDITABLE:
                raise NotPossible(
                    _("Pause the campaign before you change it.")
                    if locked.status == C.PROCESSING
                    else _("This campaign has ended. Clone it to send it again.")
                )
            editions.require(locked, seen)
            cleaned = drafting.clean(locked, changes)
            if "audience" in changes and locked.started_at is not None:
                drafting.require_more(locked.unit, locked.audience, cleaned.columns["audience"])
                # Gone through once more, for those who are new.
                cleaned.columns |= {"audience_cursor": None, "audience_done_at": None}
            if "interval_seconds" in changes:
                seconds = cleaned.columns["interval_seconds"]
                # From now on: when the last message went is known only to those that kept an own pace.
                pause = None if seconds is None or locked.started_at is None else timedelta(seconds=float(seconds))
                cleaned.columns["next_send_at"] = pause and ClockNow() + pause
            drafting.store(locked, cleaned)
            if not keep_added and locked.started_at is None:
                locked.recipients.all().delete()
            live.publish([change_of(locked)])
        self.campaign.refresh_from_db()
        return self.campaign

    def add_contacts(self, contacts: QuerySet[Contact] | Iterable[Contact]) -> int:
        """Make contacts of the campaign's own unit recipients, each once, groups never; the number of new ones.

        Raises NotPossible once the campaign has ended.
        """
        with transaction.atomic():
            # Nobody completes it meanwhile: whoever is new would wait for ever.
            locked = Campaign.objects.select_for_update(no_key=True).get(pk=self.campaign.pk)
            if locked.status not in EDITABLE:
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
        try:
            wanted, parameters = people.values("id").query.sql_with_params()
        except EmptyResultSet:
            # `none()`, or a filter by an empty list.
            return 0
        with database.cursor() as cursor:
            cursor.execute(
                "INSERT INTO campaign_recipients (unit_id, campaign_id, contact_id)"  # noqa: S608
                # The inner statement is the ORM's own; its values are parameters.
                f" SELECT %s, %s, wanted.id FROM ({wanted}) AS wanted ON CONFLICT DO NOTHING",
                [self.campaign.unit_id, self.campaign.pk, *parameters],
            )
            return cursor.rowcount

    def clone(self, *, created_by: User | None = None) -> Campaign:
        """A draft with the same texts, files and people, and nobody's results. Its end is not taken over.

        Besides the audience those are the people who were added one by one: before the start, or after the audience had
        been gone through. Who was added in between cannot be told from the audience's own, who come with it again.
        """
        source = self.campaign
        with transaction.atomic():
            copy = Campaign.objects.create(
                unit_id=source.unit_id,
                created_by=created_by,
                name=_("%(name)s (copy)") % {"name": source.name},
                **{column: getattr(source, column) for column in CLONED},
            )
            variants = [
                drafting.VariantText(variant.content, variant.weight, variant.attachment)
                for variant in source.variants.select_related("attachment").order_by("position")
            ]
            drafting.store(copy, drafting.Cleaned(variants=variants))
            added = source.recipients.all()
            if not audience.is_empty(source.audience):
                before = Q(campaign__started_at=None) | Q(created_at__lt=F("campaign__started_at"))
                added = added.filter(before | Q(created_at__gt=F("campaign__audience_done_at")))
            type(self)(copy).add_contacts(Contact.objects.filter(campaign_recipients__in=added))
        copy.refresh_from_db()
        return copy

    def archive(self) -> Campaign:
        """Put it out of sight. Raises NotPossible for one that may still send."""
        rows = Campaign.objects.filter(pk=self.campaign.pk, status__in=[C.DRAFT, *ENDED])
        if not rows.update(archived_at=Coalesce("archived_at", ClockNow())):
            raise NotPossible(_("Only a draft or a campaign that has ended can be archived."))
        return self._look_again()

    def unarchive(self) -> Campaign:
        """Bring it back into sight."""
        Campaign.objects.filter(pk=self.campaign.pk).update(archived_at=None)
        return self._look_again()

    def _look_again(self) -> Campaign:
        live.publish([change_of(self.campaign)])
        self.campaign.refresh_from_db()
        return self.campaign

    # Sending it

    def schedule(self, at: datetime, *, seen: str | None = None) -> Campaign:
        """Start, or go on, at `at` (with a time zone); a time in the past is at once. Raises NotPossible.

        A scheduled campaign gets another time. `seen`: as of `edit`.
        """
        with transaction.atomic():
            self._lock(seen)
            if self.campaign.ends_at is not None and at >= self.campaign.ends_at:
                raise NotPossible(_("The campaign would end before it starts."), "scheduled_at")
            lost.require_whole(self.campaign)
            if Campaign.objects.filter(pk=self.campaign.pk, status=C.SCHEDULED).update(scheduled_at=at):
                self._record(AuditAction.CAMPAIGN_SCHEDULED, scheduled_at=at)
                return self._look_again()
            return self._move(
                C.SCHEDULED,
                _("Only a draft or a paused campaign can be scheduled."),
                then=lambda: self._record(AuditAction.CAMPAIGN_SCHEDULED, scheduled_at=at),
                scheduled_at=at,
                archived_at=None,
            )

    def _lock(self, seen: str | None) -> None:
        """What is looked at is what moves: an edit comes before or after. Raises Changed."""
        self.campaign.refresh_from_db(from_queryset=Campaign.objects.select_for_update(no_key=True))
        editions.require(self.campaign, seen)

    def unschedule(self) -> Campaign:
        """Back to a draft: it starts when somebody starts it. Raises NotPossible when it is not scheduled."""
        return self._move(
            C.DRAFT,
            _("This campaign is not scheduled (any more)."),
            then=lambda: self._record(AuditAction.CAMPAIGN_SCHEDULED, scheduled_at=None),
            scheduled_at=None,
        )

    def dispatch(self, *, seen: str | None = None) -> Campaign:
        """Start sending now. Raises NotPossible for one that is not waiting, or that lacks what it needs to start.

        The audience becomes recipients in the background (`campaigns.filling`). `seen`: as of `edit`.
        """
        with transaction.atomic():
            self._lock(seen)
            drafting.require_ready(self.campaign)
            if not WhatsAppConnection.objects.filter(unit_id=self.campaign.unit_id).exists():
                raise NotPossible(_("This unit has no WhatsApp number yet. Connect one first."))
            return self._move(
                C.PROCESSING,
                _("Only a draft or a scheduled campaign can be started."),
                only_from=(C.DRAFT, C.SCHEDULED),
                then=lambda: self._record(AuditAction.CAMPAIGN_STARTED),
                started_at=Coalesce("started_at", ClockNow()),
                archived_at=None,
                **self._audience_done(),
            )

    def _audience_done(self) -> dict[str, Any]:
        """Without an audience there is nobody to wait for: those added one by one are recipients already."""
        is_done = audience.is_empty(self.campaign.audience) and self.campaign.audience_done_at is None
        return {"audience_done_at": ClockNow()} if is_done else {}

    def pause(self, reason: str = "") -> Campaign:
        """Stop before the next message: what waits on the lane is withdrawn. Raises NotPossible."""

        def stop() -> None:
            self.withdraw()
            self._record(AuditAction.CAMPAIGN_PAUSED)

        refusal = _("Only a campaign that is sending can be paused.")
        return self._move(C.PAUSED, refusal, then=stop, status_reason=reason)

    def resume(self, *, seen: str | None = None) -> Campaign:
        """Go on. Raises NotPossible, also when its end has passed, or something that its audience names is gone.

        `seen`: as of `edit`.
        """
        with transaction.atomic():
            self._lock(seen)
            if self.campaign.status == C.PAUSED:
                drafting.require_end(self.campaign.ends_at)
                lost.require_whole(self.campaign)
            return self._move(
                C.PROCESSING,
                _("Only a paused campaign can be resumed."),
                only_from=(C.PAUSED,),
                then=lambda: self._record(AuditAction.CAMPAIGN_RESUMED),
                **self._audience_done(),
            )

    def cancel(self) -> Campaign:
        """End it for whoever has not got it yet. Raises NotPossible when it has ended already."""

        def end() -> None:
            self.withdraw()
            # Of more than a slice the rest follows in the background: a person waits for this.
            leave_out(self.campaign, R.CANCELLED, None)
            self._record(AuditAction.CAMPAIGN_CANCELLED)

        return self._move(C.CANCELLED, _("This campaign has ended already."), then=end, finished_at=ClockNow())

    def retry_failed(self, *, at_most: int | None = None) -> int:
        """Have those tried again whose message certainly was not sent; the number of them. Raises NotPossible.

        `at_most`: how many were confirmed; when they are more, nobody is.
        Also those who were left out because an earlier message to them was unsettled, once it is settled.
        Not those that are uncertain, or were before they were given up, unless a person has said that it was not sent:
        they may have it. A person has such a message sent again one by one (`messaging.settling`). A campaign that is
        done goes on sending; a paused one waits.
        """
        with transaction.atomic():
            locked = Campaign.objects.select_for_update(no_key=True).get(pk=self.campaign.pk)
            if locked.status not in (C.COMPLETED, C.PROCESSING, C.PAUSED):
                raise NotPossible(_("Only a campaign that has been sent can try again."))
            drafting.require_end(locked.ends_at)
            # The failed message stays theirs until the next is queued: a late receipt for it still counts.
            count = self.may_be_retried().update(status=R.PENDING, error_message=None)
            if not count:
                raise NotPossible(_("Nobody failed in a way that allows another try."))
            if at_most is not None and count > at_most:
                raise editions.Changed
            if locked.status == C.COMPLETED:
                Campaign.objects.filter(pk=locked.pk).move_to(
                    C.PROCESSING, finished_at=None, status_reason="", archived_at=None
                )
            ring()
            self._record(AuditAction.CAMPAIGN_RETRIED, recipients=count)
            live.publish([change_of(locked)])
        self.campaign.refresh_from_db()
        return count

    def may_be_retried(self) -> QuerySet[CampaignRecipient]:
        """Whom `retry_failed` would try again."""
        failed = Q(status=R.FAILED) & ~Q(error_message__in=MAY_HAVE_IT)
        open_still = Message.objects.filter(
            conversation__unit=OuterRef("unit"),
            conversation__contact=OuterRef("contact"),
            status=MessageStatus.UNCERTAIN,
        )
        return self.campaign.recipients.filter(
            failed | Q(~Exists(open_still), status=R.SKIPPED, error_message="unsettled")
        )

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
            if not row.move_to(status, **{"status_reason": "", **changes}):
                raise NotPossible(refusal)
            if then:
                then()
            ring()
            live.publish([change_of(self.campaign)])
        self.campaign.refresh_from_db()
        log.info("campaign_moved", campaign_id=str(self.campaign.pk), status=status)
        return self.campaign

    def _record(self, action: AuditAction, **details: Any) -> None:
        audit.record(self.campaign.unit_id, action, self.campaign, **details)

    def withdraw(self) -> None:
        """Take back what waits on the lane; its recipients are pending again."""
        withdraw([self.campaign.pk])


def change_of(campaign: Campaign) -> live.Change:
    """The live change that makes whoever watches this campaign look again."""
    return live.Change(unit_id=campaign.unit_id, kind="campaign", object_id=campaign.pk)
