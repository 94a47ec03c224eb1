"""What became of uncertain messages, when no echo told it: the gateway is asked (`findMessages`).

It is asked for all that went out of the number in a time, without the chat, whose JID there may be one that we do not
know. What it has and we have not goes into the inbox as the echo that it is, and `messaging.inbound.echoes` gives it to
its message: one record, one message. That counts at once, whenever it is found.

That nothing is found counts only together with all of this, and twice, a minute apart:

- the gateway can no longer act on the call (`lanes.gateway_may_act_for`)
- the number has been connected since before the call, and the gateway has not been restarted nor connected anew: it
  writes a message down only after it went out, so whatever died in between left no trace
- all of the time was read, nothing in it may be this message, and nothing in the inbox still waits to be told
- the gateway keeps what it sends, and its clock is like ours: another message of ours is found where it should be

Then the message failed, "not sent" without a proof, so that nothing repeats it unasked. What cannot be told in a day is
left to a person.
"""

import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import cast

import structlog
from django.db import connection as database
from django.db import transaction
from django.db.models import QuerySet

from crm_whatsapp.db import ClockNow
from messaging import lanes
from messaging.inbound.echoes import TYPED
from messaging.models import Conversation, Message, MessageStatus, Origin
from messaging.services import moved_outbound
from units import live
from units.gateways.errors import GatewayError
from units.gateways.evolution import EvolutionService, FoundMessage
from units.models import ConnectionStatus, WhatsAppConnection
from webhooks.catch_up import Comparison
from webhooks.models import EventStatus

log = structlog.get_logger(__name__)

# How far the gateway's time of a message may be from ours.
CLOCKS_APART = timedelta(seconds=30)
# One look-up is for many: those sent less than this apart are looked up together.
TOGETHER = timedelta(minutes=10)
# Between two look-ups that find nothing and may count.
APART = timedelta(seconds=65)
# What was found goes through the inbox first.
SOON = timedelta(seconds=5)
# Whoever dies with a look-up in hand, or finds no gateway, tries again then.
RETRY = timedelta(minutes=1)
# When nothing can be told yet, counted from the call; after the last of them a person decides.
STEPS = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
BATCH = 200
PAGES_PER_RUN = 20
RUN_SECONDS = 30.0
RECENT_CHATS = 20

CERTAINLY_SENT = [MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ]


def settle_due(*, overdue: timedelta = timedelta(0)) -> int:
    """Look up what is due (for `overdue` already) of all connected numbers; the number of messages."""
    looked_up = 0
    until = time.monotonic() + RUN_SECONDS
    while time.monotonic() < until and (connection := _longest_due(overdue)):
        due = _put_off(connection, overdue)
        try:
            for together in _close_to_each_other(due):
                _LookUp(connection, together, seconds=RUN_SECONDS).run()
        except GatewayError as error:
            # Put off already.
            log.warning("uncertain_not_looked_up", connection_id=str(connection.pk), error=str(error))
        looked_up += len(due)
    return looked_up


def _longest_due(overdue: timedelta) -> WhatsAppConnection | None:
    due = Message.objects.filter(
        look_up_due_at__lte=ClockNow() - overdue, connection__status=ConnectionStatus.CONNECTED
    )
    first = due.order_by("look_up_due_at").select_related("connection__unit").first()
    return first.connection if first else None


def _put_off(connection: WhatsAppConnection, overdue: timedelta) -> list[Message]:
    """The messages that are due, nobody else's for a minute. What has been settled meanwhile is due no more."""
    with transaction.atomic():
        due = Message.objects.filter(connection=connection, look_up_due_at__lte=ClockNow() - overdue)
        locked = due.select_for_update(no_key=True, skip_locked=True).order_by("look_up_due_at")[:BATCH]
        rows = list(locked.values_list("id", "status"))
        uncertain = [pk for pk, status in rows if status == MessageStatus.UNCERTAIN]
        Message.objects.filter(id__in=uncertain).update(look_up_due_at=ClockNow() + RETRY)
        Message.objects.filter(id__in=[pk for pk, _status in rows]).exclude(id__in=uncertain).update(
            look_up_due_at=None
        )
    messages = Message.objects.filter(id__in=uncertain, dispatched_at__isnull=False)
    return list(messages.only("kind", "body", "dispatched_at", "look_ups", "connection_id").order_by("dispatched_at"))


def _close_to_each_other(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Messages by time, those together that were sent close to each other."""
    together: list[Message] = []
    for message in messages:
        if together and _sent(message) - _sent(together[-1]) > TOGETHER:
            yield together
            together = []
        together.append(message)
    if together:
        yield together


def _sent(message: Message) -> datetime:
    """When the call began, as early as anything can have left."""
    return cast("datetime", message.dispatched_at)


class _LookUp:
    """One question about a time in which messages of one number became uncertain."""

    def __init__(self, connection: WhatsAppConnection, messages: list[Message], *, seconds: float) -> None:
        self.connection = connection
        self.messages = messages
        self.since = _sent(messages[0]) - CLOCKS_APART
        self.until = _sent(messages[-1]) + lanes.gateway_may_act_for() + CLOCKS_APART
        self.found: list[FoundMessage] = []
        self.comparison = Comparison(connection, pages=PAGES_PER_RUN, seconds=seconds, from_me=True, found=self.found)
        self.gateway = EvolutionService(connection.instance_name)

    def run(self) -> None:
        """Ask, and write what follows. Raises GatewayError."""
        # Asked before and after the messages, so that it is known to have been like this all the time.
        steady_since = self._steady_since()
        complete = self.comparison.run(self.since, self.until) >= self.until
        now = _now()
        if self.comparison.tally.messages:
            # The inbox settles them; what it does not take is asked about again.
            self._again(self.messages, now + SOON)
            return
        silent = [message for message in self.messages if _sent(message) + lanes.gateway_may_act_for() <= now]
        early = [message for message in self.messages if message not in silent]
        self._again(early, _sent(early[-1]) + lanes.gateway_may_act_for() if early else now)
        conclusive: list[Message] = []
        if silent and complete and not self._inbox_is_behind() and self._keeps_what_it_sends():
            steady_since = max(steady_since, self._steady_since())
            unclaimed = self._unclaimed()
            conclusive = [
                message
                for message in silent
                if steady_since < _sent(message) and not any(_may_be(record, message) for record in unclaimed)
            ]
        self._conclude([message for message in conclusive if message.look_ups])
        self._again([message for message in conclusive if not message.look_ups], now + APART, look_ups=1)
        for message in silent:
            if message not in conclusive:
                self._leave_open(message, now)

    def _steady_since(self) -> datetime:
        """Since when the number has been connected, by us and by the gateway's own word, without a break.

        Evolution writes the row of an instance at each opening of its session, also after a restart
        (`updatedAt`; baileys-fetchInstances-open.json, -after-401.json).
        """
        self.connection.refresh_from_db(fields=["status", "status_changed_at"])
        info = self.gateway.fetch_instance()
        if not self.connection.is_connected or info is None or info.updated_at is None or info.state != "open":
            return _now()
        return max(self.connection.status_changed_at, info.updated_at + CLOCKS_APART)

    def _inbox_is_behind(self) -> bool:
        """Whether something was told since then and is not understood yet: an echo or a receipt of it, perhaps."""
        told = self.connection.webhook_events.filter(created_at__gte=self.since)
        return told.filter(status__in=[EventStatus.RECEIVED, EventStatus.DEAD]).exists()

    def _keeps_what_it_sends(self) -> bool:
        """Whether a message of ours that certainly went out is in the gateway's store, and at its time."""
        sent = Message.objects.filter(
            connection=self.connection,
            status__in=CERTAINLY_SENT,
            external_id__isnull=False,
            dispatched_at__isnull=False,
        )
        chats = Conversation.objects.filter(unit_id=self.connection.unit_id).order_by("-last_message_at", "-id")
        answers = sent.filter(conversation__in=list(chats.values_list("id", flat=True)[:RECENT_CHATS]))
        # By an index each.
        for rows in (
            sent.filter(origin=Origin.CAMPAIGN).order_by("-dispatched_at"),
            answers.exclude(origin=Origin.CAMPAIGN).order_by("-happened_at"),
        ):
            witness = rows.first()
            if witness is None:
                continue
            page = self.gateway.find_messages(
                since=_sent(witness) - CLOCKS_APART,
                until=_sent(witness) + CLOCKS_APART,
                from_me=True,
                page_size=100,
            )
            if any(record.external_id == witness.external_id for record in page.messages):
                return True
        return False

    def _unclaimed(self) -> list[FoundMessage]:
        """What was found and is no message that was sent from here."""
        ours = self._ours().filter(external_id__in={record.external_id for record in self.found})
        claimed = set(ours.values_list("external_id", flat=True))
        return [record for record in self.found if record.external_id not in claimed]

    def _ours(self) -> QuerySet[Message]:
        return Message.objects.filter(connection=self.connection).exclude(origin__in=[Origin.PHONE, Origin.GATEWAY])

    def _again(self, messages: list[Message], at: datetime | None, *, look_ups: int = 0) -> None:
        self._open(messages).update(look_up_due_at=at, look_ups=look_ups)

    def _open(self, messages: list[Message]) -> QuerySet[Message]:
        return Message.objects.filter(
            id__in=[message.pk for message in messages], status=MessageStatus.UNCERTAIN, external_id=None
        )

    def _leave_open(self, message: Message, now: datetime) -> None:
        """Nothing can be told now: an echo may still come. In the end a person decides."""
        later = next((at for step in STEPS if (at := _sent(message) + step) > now), None)
        self._again([message], later)
        if later is None and self._open([message]).update(error_code="undecided"):
            with transaction.atomic():
                live.publish(moved_outbound([message.pk]))

    def _conclude(self, messages: list[Message]) -> None:
        """Looked for twice where it should be: it did not go out."""
        if not messages:
            return
        with transaction.atomic():
            ids = list(self._open(messages).select_for_update(no_key=True).order_by("id").values_list("id", flat=True))
            Message.objects.filter(id__in=ids).move_to(
                MessageStatus.FAILED, error_code="unconfirmed_not_sent", look_up_due_at=None
            )
            changes = moved_outbound(ids)
            # Their chats may go on.
            lanes.wake([self.connection.pk])
            live.publish(changes)
        log.info("uncertain_not_sent", connection_id=str(self.connection.pk), messages=len(ids))


def _may_be(record: FoundMessage, message: Message) -> bool:
    """Whether a record that belongs to no message of ours may be this one: told by its content alone.

    Its chat proves nothing: it may stand under a LID that nobody has linked to the number yet.
    """
    if record.record.get("source") in TYPED:
        return False
    content = record.record.get("message")
    if not isinstance(content, dict):
        # Deleted for everyone meanwhile.
        return True
    if message.kind == "text":
        return (record.text or "").strip() == message.body.strip()
    return not {"conversation", "extendedTextMessage"} & content.keys()


def _now() -> datetime:
    """The one clock."""
    with database.cursor() as cursor:
        cursor.execute("SELECT crm_now()")
        (now,) = cursor.fetchone()
    return cast("datetime", now)
