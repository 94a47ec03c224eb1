"""Why a number does not send now, and until when: the one place that says so, for people and for the API."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from messaging import stale
from messaging.models import Message, MessageStatus
from messaging.pace import NEVER, Pace, standing_of
from units.models import WhatsAppConnection

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# The gateway answers a send in about half a second; after this long the wait deserves a word.
SLOW_ANSWER = timedelta(seconds=5)
# A wait beyond the pace that a person should be told the reason of.
LONG_WAIT = timedelta(seconds=30)


class HoldCode(TextChoices):
    """What holds a number, for programs."""

    DISCONNECTED = "disconnected", pgettext_lazy("hold", "Disconnected")
    BREAKER = "breaker", pgettext_lazy("hold", "Stopped after trouble")
    CAP = "cap", pgettext_lazy("hold", "Daily limit reached")
    WARM_UP = "warm_up", pgettext_lazy("hold", "Daily limit of a young number reached")
    WEEKDAY = "weekday", pgettext_lazy("hold", "No sending on this weekday")
    WINDOW = "window", pgettext_lazy("hold", "Outside the sending window")
    ANSWER = "answer", pgettext_lazy("hold", "Waiting for an answer")
    UNANSWERED = "unanswered", pgettext_lazy("hold", "An earlier message got no answer")
    CHOICE = "choice", pgettext_lazy("hold", "Waiting for a choice")


# What a person's reply waits for as well; all of them but the choice hold campaigns.
_HOLDS_REPLIES = frozenset({HoldCode.DISCONNECTED, HoldCode.ANSWER, HoldCode.CHOICE})


@dataclass(frozen=True, slots=True)
class Hold:
    """Why messages that should be going are not, and until when (None: until that changes)."""

    reason: str | _StrPromise
    until: datetime | None = None
    code: str = ""

    @property
    def holds_campaigns(self) -> bool:
        return self.code != HoldCode.CHOICE

    @property
    def holds_replies(self) -> bool:
        return self.code in _HOLDS_REPLIES


def holds_of(connection: WhatsAppConnection) -> list[Hold]:
    """All that keeps the number from sending now, the strongest first; of a campaign's wait the first one is told.

    Read from the database at its own time; `connection` may be a while old.
    """
    connection = WhatsAppConnection.objects.get(pk=connection.pk)
    now, pace = standing_of(connection.pk)
    return [*_of_the_number(connection), *_of_the_pace(pace, now), *_of_the_lane(connection, pace, now)]


def hold_of_campaigns(connection: WhatsAppConnection) -> Hold | None:
    """What keeps the number from sending campaign messages now, if anything: the strongest."""
    return next((hold for hold in holds_of(connection) if hold.holds_campaigns), None)


def disconnected() -> Hold:
    """The hold of a number that is away, or that does not exist."""
    reason = _("The number is disconnected. The campaign goes on when it is back.")
    return Hold(reason, code=HoldCode.DISCONNECTED)


def _of_the_number(connection: WhatsAppConnection) -> Iterable[Hold]:
    if not connection.is_connected:
        yield disconnected()
    if connection.campaigns_held_at is not None:
        # The sentence of why, and a person lets them go on.
        yield Hold(connection.get_campaigns_held_for_display(), code=HoldCode.BREAKER)


def _of_the_pace(pace: Pace, now: datetime) -> Iterable[Hold]:
    """The day's cap, the window and the weekday; `until` is when the number does send again."""
    until = None if (opens_at := pace.opens_at(now)) == NEVER else opens_at
    if pace.cap_lifts_at(now) is not None:
        today = pace.today(now)
        warm_up = pace.warm_up_on(today)
        if warm_up is not None and (pace.daily_cap is None or warm_up < pace.daily_cap):
            reason = _("Today's limit of a young number is reached. It rises with the days of its use.")
            yield Hold(reason, until, HoldCode.WARM_UP)
        else:
            yield Hold(_("Today's limit of messages is reached."), until, HoldCode.CAP)
    if pace.window_opens_at(now) is not None:
        if pace.today(now).isoweekday() not in pace.window_days:
            yield Hold(_("No campaign messages on this day of the week."), until, HoldCode.WEEKDAY)
        else:
            yield Hold(_("Outside the sending window. Nobody gets it twice."), until, HoldCode.WINDOW)


def _of_the_lane(connection: WhatsAppConnection, pace: Pace, now: datetime) -> Iterable[Hold]:
    slow = Message.objects.filter(status=MessageStatus.DISPATCHING, dispatched_at__lt=now - SLOW_ANSWER)
    if slow.filter(connection=connection).exists():
        yield Hold(_("Waiting for the WhatsApp server's answer to the last message."), code=HoldCode.ANSWER)
    elif pace.next_send_at - now > connection.interval + LONG_WAIT:
        reason = _("An earlier message got no answer. The campaign waits until it can be on its way no more.")
        yield Hold(reason, pace.next_send_at, HoldCode.UNANSWERED)
    if stale.waiting(connection).exists():
        reason = _("Messages that waited while the number was away wait for your choice: send, reschedule or drop.")
        yield Hold(reason, code=HoldCode.CHOICE)
