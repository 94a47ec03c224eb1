"""The kinds of need, each with all that is known of it: where it is found, who may act, its items, its letter."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from attention.concern import ROWS, About, Concern, Item, Letter, Need, OfUnit, about_unit
from attention.models import Episode, Kind
from campaigns.models import Campaign, CampaignRecipient, CampaignStatus
from campaigns.outlook import UNFINISHED
from campaigns.standing import look
from crm_whatsapp.db import ClockNow
from messaging.models import (
    ConversationStatus,
    Direction,
    MediaStatus,
    Message,
    MessageMedia,
    MessageStatus,
    Origin,
    SendLane,
)
from messaging.phones import shown
from messaging.settling import OVER, SENT_AGAIN_AS
from messaging.threads import look_around, with_people_and_files
from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.words import why
from units.models import ConnectionStatus, DisconnectCause, Unit, WhatsAppConnection
from units.roles import Action
from webhooks.models import EventStatus, WebhookEvent

# A reply that nobody has looked after for so long is no news any more.
FAILED_FOR = timedelta(days=7)
# As long as WhatsApp keeps files, about.
FILES_KEPT_FOR = timedelta(days=30)
_SENDING = Q(status=CampaignStatus.PROCESSING)
# By the product; or it could not begin.
_STOPPED = Q(status=CampaignStatus.PAUSED) & ~Q(status_reason="") | Q(
    status=CampaignStatus.FAILED, scheduled_at__gt=ClockNow() - FAILED_FOR
)
# A person has said so himself.
_KNOWN = ("sent_again", "not_sent_by_word")


class Disconnected(Concern):
    """The number was connected once, and is not."""

    kind, asks = Kind.DISCONNECTED, Action.WRITE_NUMBER
    # Neither scanning a code this moment, nor disconnected here on purpose.
    by_mail = Q(status=ConnectionStatus.DISCONNECTED) & ~Q(cause=DisconnectCause.BY_US)

    def rows(self) -> QuerySet[WhatsAppConnection]:
        return WhatsAppConnection.objects.exclude(status=ConnectionStatus.CONNECTED).exclude(phone_number="")

    def items(self, unit: Unit, episodes: Sequence[Episode], *, in_full: bool = False) -> list[Item]:
        connection = unit.connection
        if connection.is_connected:
            return []
        known: dict[str, Any] = {"about": _number(unit)}
        if in_full:
            lane = SendLane.objects.filter(connection=connection).first()
            # By the index of the queue.
            waiting = Message.objects.filter(connection=connection, status=MessageStatus.QUEUED)
            known["since"] = (lane and lane.away_since) or connection.status_changed_at
            known["facts"] = {
                "connection": connection,
                "campaigns": Campaign.objects.filter(_SENDING, unit=unit).count(),
                "replies": waiting.exclude(origin=Origin.CAMPAIGN).count(),
            }
        return [self.item(episode, **known) for episode in episodes]

    def letter(self, episode: Episode) -> Letter:
        connection, unit = episode.unit.connection, {"unit": episode.unit.name}
        return Letter(
            _("%(unit)s: the number is disconnected") % unit,
            _("The number %(number)s of %(unit)s is disconnected. %(cause)s")
            % (unit | {"number": shown(connection.phone_number), "cause": connection.get_cause_display()}),
            _("Until it is back nothing is sent and nothing arrives here. Nothing is lost: what is queued waits."),
            _("Connect it again:"),
            "number",
        )


class Unconfirmed(OfUnit):
    """Messages that have been looked for in vain: a person decides."""

    kind, asks, began = Kind.UNCONFIRMED, Action.WRITE_INBOX, "dispatched_at"

    def rows(self) -> QuerySet[Message]:
        return Message.objects.filter(status=MessageStatus.UNCERTAIN, look_up_due_at=None)

    def load(self, rows: QuerySet[Message]) -> list[Message]:
        """With who they are to, and which campaign they are of."""
        rows = rows.select_related("conversation__contact")
        rows = rows.prefetch_related("conversation__contact__addresses", "recipients__campaign")
        return list(look_around(with_people_and_files(rows)[:ROWS]))

    def letter(self, episode: Episode) -> Letter:
        return Letter(
            _("%(unit)s: a message was not confirmed") % {"unit": episode.unit.name},
            _("A message left, and WhatsApp did not answer. We looked for it and found no proof: it may have arrived."),
            _(
                "Until somebody decides, nothing more goes to that person. Sending it again may mean that it arrives"
                " twice."
            ),
            _("Ask the person, and say what became of it:"),
        )


class Failed(Unconfirmed):
    """Replies of the last days that were not sent, in chats where nobody has written since, or closed the matter."""

    kind, began = Kind.FAILED, "happened_at"

    def rows(self) -> QuerySet[Message]:
        replies = Message.objects.filter(direction=Direction.OUTBOUND).exclude(origin=Origin.CAMPAIGN)
        later = replies.filter(conversation=OuterRef("conversation"), happened_at__gt=OuterRef("happened_at"))
        return (
            replies.filter(status__in=OVER, happened_at__gt=ClockNow() - FAILED_FOR)
            .exclude(error_code__in=_KNOWN)
            .exclude(kind="reaction")
            .exclude(details__has_key=SENT_AGAIN_AS)
            .exclude(conversation__status=ConversationStatus.RESOLVED)
            .exclude(Exists(later.exclude(status__in=[*OVER, MessageStatus.CANCELLED])))
        )

    def letter(self, episode: Episode) -> Letter:
        return Letter(
            _("%(unit)s: a message was not sent") % {"unit": episode.unit.name},
            _("A reply could not be sent."),
            _("The person does not have it, and it is not tried again by itself."),
            _("See why, and send it again:"),
        )


class Late(OfUnit):
    """Messages that waited while their number was away, as `messaging.stale` has it."""

    kind, asks, unit = Kind.LATE, Action.WRITE_NUMBER, "connection__unit_id"

    def rows(self) -> QuerySet[Message]:
        return Message.objects.filter(status=MessageStatus.QUEUED, due_at=None).exclude(origin=Origin.CAMPAIGN)

    def items(self, unit: Unit, episodes: Sequence[Episode], *, in_full: bool = False) -> list[Item]:
        """Not one by one: there is one choice for all."""
        told = self.of(unit).aggregate(count=Count("id"), expires_at=Min("expires_at"))
        known = {"about": about_unit(unit), "count": told["count"], "facts": told}
        return [self.item(episode, **known) for episode in episodes if told["count"]]

    def letter(self, episode: Episode) -> Letter:
        return Letter(
            _("%(unit)s: messages wait for your choice") % {"unit": episode.unit.name},
            _("The number was away for long, and is back. Messages that were to go out meanwhile have not been sent."),
            _("Some may have come too late. They wait until somebody decides, or until they expire."),
            _("Send them, choose a time, or drop them:"),
            "number",
        )


class Held(Concern):
    """Campaigns that the product has stopped, or that could not begin; and the number that stopped all of its own.

    Those at today's limit of their number go on tomorrow by themselves, and nobody is told by mail.
    """

    kind, asks = Kind.HELD, Action.WRITE_CAMPAIGNS

    def found(self) -> list[QuerySet[Any]]:
        return [self.rows(), WhatsAppConnection.objects.filter(campaigns_held_at__isnull=False)]

    def rows(self) -> QuerySet[Campaign]:
        return Campaign.objects.filter(_STOPPED, archived_at=None)

    def found_besides(self, unit_id: UUID | None) -> list[Need]:
        sending = Campaign.objects.filter(_SENDING)
        units = dict((sending.filter(unit=unit_id) if unit_id else sending).values_list("id", "unit_id"))
        return [Need(units[pk], Kind.HELD, pk, by_mail=False) for pk in _at_the_limit(list(units))]

    def items(self, unit: Unit, episodes: Sequence[Episode], *, in_full: bool = False) -> list[Item]:
        connection, found = unit.connection, []
        ids = [episode.object_id for episode in episodes]
        campaigns = Campaign.objects.filter(_STOPPED | _SENDING, unit=unit, archived_at=None).in_bulk(ids)
        limits = _at_the_limit([pk for pk, each in campaigns.items() if each.status == CampaignStatus.PROCESSING])
        left = _left(limits) if in_full and limits else {}
        for episode in episodes:
            campaign, limit = campaigns.get(episode.object_id), limits.get(episode.object_id)
            if campaign is None:
                since = connection.campaigns_held_at
                if since is not None and episode.object_id == connection.pk:
                    known = {"about": _number(unit), "since": since, "asks": Action.WRITE_NUMBER}
                    found.append(self.item(episode, **known, facts={"by": connection}))
                continue
            about = About("campaign", campaign.pk, campaign.name if Action.READ_CAMPAIGNS in unit.allowed else "")
            if limit:
                facts = {"campaign": campaign, "limit": limit | {"left": left.get(campaign.pk, 0)}}
                found.append(self.item(episode, about=about, asks=Action.READ_CAMPAIGNS, facts=facts))
            elif campaign.status != CampaignStatus.PROCESSING:
                found.append(self.item(episode, about=about, facts={"campaign": campaign}))
        return found

    def letter(self, episode: Episode) -> Letter | None:
        unit = {"unit": episode.unit.name}
        connection = episode.unit.connection
        number = {"number": shown(connection.phone_number)}
        if episode.object_id == connection.pk:
            return Letter(
                _("Campaigns of %(unit)s have stopped") % unit,
                _("The campaigns of %(unit)s have stopped at the number %(number)s. %(reason)s")
                % (unit | number | {"reason": connection.get_campaigns_held_for_display()}),
                _("Nothing is lost, nobody gets anything twice, and replies go out as ever."),
                _("See what failed, and then let the campaigns go on:"),
                "number",
            )
        campaign = Campaign.objects.filter(unit=episode.unit, pk=episode.object_id).first()
        if campaign is None:
            return None
        return Letter(
            _("%(unit)s: the campaign “%(campaign)s” has stopped") % (unit | {"campaign": campaign.name}),
            _("The campaign “%(campaign)s” has stopped. %(reason)s")
            % {"campaign": campaign.name, "reason": campaign.status_reason},
            _("It does not go on by itself. Nobody gets it twice."),
            _("See how far it came:"),
            "campaign",
            (campaign.pk,),
        )


class LostFiles(OfUnit):
    """Files that could not be loaded, and that WhatsApp may still have."""

    kind, asks, began = Kind.MEDIA, Action.WRITE_INBOX, "created_at"
    can_wait, by_mail = True, False

    def rows(self) -> QuerySet[MessageMedia]:
        return MessageMedia.objects.filter(status=MediaStatus.FAILED, created_at__gt=ClockNow() - FILES_KEPT_FOR)

    def load(self, rows: QuerySet[MessageMedia]) -> list[MessageMedia]:
        rows = rows.select_related("message__conversation__contact").defer("content")
        return list(rows.prefetch_related("message__conversation__contact__addresses")[:ROWS])

    def facts(self, shown: Sequence[MessageMedia]) -> dict[str, Any]:
        left = shown[0].created_at + FILES_KEPT_FOR - timezone.now()
        return {"days": max(left // timedelta(days=1), 0)}


class DeadLetters(OfUnit):
    """What WhatsApp's server told and nobody could make sense of."""

    kind, asks, began, unit = Kind.DEAD_LETTERS, Action.REPLAY_EVENTS, "created_at", "connection__unit_id"
    can_wait, by_mail = True, False

    def rows(self) -> QuerySet[WebhookEvent]:
        return WebhookEvent.objects.filter(status=EventStatus.DEAD, connection__isnull=False)

    def load(self, rows: QuerySet[WebhookEvent]) -> list[WebhookEvent]:
        return list(rows.only("id", "event", "created_at")[:ROWS])


class WebhookOff(Concern):
    """Outgoing webhooks that we have stopped, as they took nothing; not those that a person switched off."""

    kind, asks = Kind.WEBHOOK_OFF, Action.MANAGE_ACCESS
    can_wait, is_private = True, True

    def rows(self) -> QuerySet[OutgoingWebhook]:
        return OutgoingWebhook.objects.filter(is_active=False, failures__gt=0)

    def items(self, unit: Unit, episodes: Sequence[Episode], *, in_full: bool = False) -> list[Item]:
        off = self.rows().filter(unit=unit).in_bulk([episode.object_id for episode in episodes])
        found = [(episode, off[episode.object_id]) for episode in episodes if episode.object_id in off]
        return [
            self.item(
                episode,
                about=About("webhook", webhook.pk, webhook.url),
                since=webhook.due_at,
                facts={"webhook": webhook, "error": why(webhook)},
            )
            for episode, webhook in found
        ]

    def letter(self, episode: Episode) -> Letter | None:
        webhook = OutgoingWebhook.objects.filter(unit=episode.unit, pk=episode.object_id).first()
        if webhook is None:
            return None
        return Letter(
            _("%(unit)s: an outgoing webhook was switched off") % {"unit": episode.unit.name},
            # Not its path and query: many a receiver knows us by them alone.
            _("The outgoing webhook to %(host)s takes nothing, so we have stopped. %(reason)s")
            % {"host": urlsplit(webhook.url).hostname, "reason": why(webhook)},
            _(
                "WhatsApp messages are not concerned. Events are kept for 14 days: switched on again in time, the"
                " receiver misses nothing."
            ),
            _("See the receiver, and switch it on again:"),
            "webhooks",
        )


# The gravest first, as the page has them.
KINDS: dict[str, Concern] = {
    each.kind: each
    for each in (
        Disconnected(),
        Unconfirmed(),
        Failed(),
        Late(),
        Held(),
        LostFiles(),
        DeadLetters(),
        WebhookOff(),
    )
}
CAN_WAIT = frozenset(kind for kind, each in KINDS.items() if each.can_wait)


def _number(unit: Unit) -> About:
    """Of the unit, for who may see it."""
    connection = unit.connection
    return About("number", connection.pk, connection.phone_number if Action.READ_NUMBER in unit.allowed else "")


def _at_the_limit(sending: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Of campaigns that are sending, those that nothing but today's limit of their number holds: which, until when."""
    return {
        each.id: {"sent": pace.sent_on(today), "cap": pace.cap_on(today), "until": pace.opens_at(each.now)}
        for each in (look(sending) if sending else ())
        if each.is_connected and each.has_pending and (pace := each.pace) and pace.campaigns_held_at is None
        if pace.cap_lifts_at(each.now) and (today := pace.today(each.now))
    }


def _left(campaigns: Collection[UUID]) -> dict[UUID, int]:
    """How many people of each are to get it still."""
    rows = CampaignRecipient.objects.filter(campaign__in=campaigns, status__in=UNFINISHED)
    return dict(rows.values_list("campaign").annotate(Count("id")))
