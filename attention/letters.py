"""E-mails about what needs a person: what happened, what it means for messages, what to do, and where."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from attention.models import Episode, Kind
from campaigns.models import Campaign
from messaging.phones import shown
from outgoing_webhooks.models import OutgoingWebhook
from outgoing_webhooks.words import why
from units.letters import write_to_members
from units.roles import Action

# What somebody has to be allowed to do about it.
ASKS = {
    Kind.DISCONNECTED: Action.WRITE_NUMBER,
    Kind.UNCONFIRMED: Action.WRITE_INBOX,
    Kind.FAILED: Action.WRITE_INBOX,
    Kind.LATE: Action.WRITE_NUMBER,
    Kind.HELD: Action.WRITE_CAMPAIGNS,
    Kind.MEDIA: Action.WRITE_INBOX,
    Kind.WEBHOOK_OFF: Action.MANAGE_ACCESS,
    Kind.DEAD_LETTERS: Action.REPLAY_EVENTS,
}


@dataclass(frozen=True, slots=True)
class Letter:
    """`page` of the console, with `args` behind the unit's id."""

    subject: str
    happened: str
    means: str
    do: str
    page: str = "attention"
    args: tuple[object, ...] = ()


def write(episode: Episode) -> int:
    """Write to each member who may do something about it and wants e-mails; the number of them.

    In the language of the installation: nobody has chosen another one. Raises what the mail server raises.
    """
    with translation.override(settings.LANGUAGE_CODE):
        letter = LETTERS[Kind(episode.kind)](episode)
        if letter is None:
            return 0
        link = settings.CONSOLE_URL + reverse(f"console:{letter.page}", args=[episode.unit_id, *letter.args])
        body = f"{letter.happened}\n\n{letter.means}\n\n{letter.do} {link}"
        return write_to_members(episode.unit, ASKS[Kind(episode.kind)], letter.subject, body)


def _disconnected(episode: Episode) -> Letter:
    connection, unit = episode.unit.connection, {"unit": episode.unit.name}
    return Letter(
        _("%(unit)s: the number is disconnected") % unit,
        _("The number %(number)s of %(unit)s is disconnected. %(cause)s")
        % (unit | {"number": shown(connection.phone_number), "cause": connection.get_cause_display()}),
        _("Until it is back nothing is sent and nothing arrives here. Nothing is lost: what is queued waits."),
        _("Connect it again:"),
        "number",
    )


def _unconfirmed(episode: Episode) -> Letter:
    return Letter(
        _("%(unit)s: a message was not confirmed") % {"unit": episode.unit.name},
        _("A message left, and WhatsApp did not answer. We looked for it and found no proof: it may have arrived."),
        _("Until somebody decides, nothing more goes to that person. Sending it again may mean that it arrives twice."),
        _("Ask the person, and say what became of it:"),
    )


def _failed(episode: Episode) -> Letter:
    return Letter(
        _("%(unit)s: a message was not sent") % {"unit": episode.unit.name},
        _("A reply could not be sent."),
        _("The person does not have it, and it is not tried again by itself."),
        _("See why, and send it again:"),
    )


def _late(episode: Episode) -> Letter:
    return Letter(
        _("%(unit)s: messages wait for your choice") % {"unit": episode.unit.name},
        _("The number was away for long, and is back. Messages that were to go out meanwhile have not been sent."),
        _("Some may have come too late. They wait until somebody decides, or until they expire."),
        _("Send them, choose a time, or drop them:"),
        "number",
    )


def _held(episode: Episode) -> Letter | None:
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


def _webhook_off(episode: Episode) -> Letter | None:
    webhook = OutgoingWebhook.objects.filter(unit=episode.unit, pk=episode.object_id).first()
    if webhook is None:
        return None
    return Letter(
        _("%(unit)s: an outgoing webhook was switched off") % {"unit": episode.unit.name},
        # Not its path and query: many a receiver knows us by them alone.
        _("The outgoing webhook to %(host)s takes nothing, so we have stopped. %(reason)s")
        % {"host": urlsplit(webhook.url).hostname, "reason": why(webhook)},
        _(
            "WhatsApp messages are not concerned. Events are kept for 14 days: switched on again in time, the receiver"
            " misses nothing."
        ),
        _("See the receiver, and switch it on again:"),
        "webhooks",
    )


# The kinds of which somebody is told by e-mail.
LETTERS: dict[Kind, Callable[[Episode], Letter | None]] = {
    Kind.DISCONNECTED: _disconnected,
    Kind.UNCONFIRMED: _unconfirmed,
    Kind.FAILED: _failed,
    Kind.LATE: _late,
    Kind.HELD: _held,
    Kind.WEBHOOK_OFF: _webhook_off,
}
