"""What was asked of the gateway in a chat (`asking`) is done in the background: rows are the queue, as for files.

What happens to a row; each step is one short transaction, or work in a thread that never touches the database:

1. claim     lock due rows of connected numbers, lease them (`due_at` becomes the end of the lease)
2. act       the call to the gateway
3. record    what became of it, if the row is still ours: an edit or deletion shows only now

Doing one twice does no harm. So whoever dies leaves a row that is due again, and an unknown outcome is tried again,
until it makes no sense any more (`expires_at`).
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from django.db import transaction
from django.db.models import F

from crm_whatsapp.db import ClockNow
from messaging import lanes, people
from messaging.models import ActionKind, ActionStatus, ChatAction, Conversation, Message
from messaging.services import changes_of
from units import live
from units.gateways.errors import GatewayError, Rejected, ServerUnavailable
from units.gateways.evolution import EvolutionService
from units.gateways.evolution_contents import Key
from units.models import ConnectionStatus

log = structlog.get_logger(__name__)

# Longer than any of these calls lasts.
LEASE: Final = timedelta(minutes=1)
RETRY_FIRST, RETRY_MOST = timedelta(seconds=2), timedelta(minutes=1)
THREADS: Final = 4
POLL_SECONDS: Final = 0.2
LINGER_SECONDS: Final = 2.0
# The call lasts as long as "typing…" is shown.
TYPING_MILLISECONDS: Final = 3_000


@dataclass(slots=True, kw_only=True)
class Deed:
    """One action in this process's hands, from claim to record."""

    action_id: UUID
    kind: str
    details: dict[str, Any]
    instance_name: str
    # Where the contact is.
    jid: str
    external_id: str
    attempts: int
    token: UUID
    error: GatewayError | None = None

    def act(self) -> None:
        """The call itself. Runs in a thread; never raises."""
        gateway = EvolutionService(self.instance_name)
        ours = Key(external_id=self.external_id, jid=self.jid, from_me=True)
        try:
            match self.kind:
                case ActionKind.EDIT:
                    gateway.edit_message(self.jid, ours, self.details["text"])
                case ActionKind.DELETE:
                    gateway.delete_message(ours)
                case ActionKind.TYPING:
                    gateway.show_typing(self.jid, milliseconds=TYPING_MILLISECONDS)
                case ActionKind.READ:
                    ids = self.details["ids"]
                    gateway.mark_read([Key(external_id=each, jid=self.jid, from_me=False) for each in ids])
        except GatewayError as error:
            self.error = error
        except Exception as error:
            log.exception("action_crashed", action_id=str(self.action_id))
            self.error = ServerUnavailable(answer=type(error).__name__)


@dataclass(slots=True)
class Doer:
    """Works off due actions. `overdue`: only what has been due for this long (the pump leaves the rest to workers)."""

    overdue: timedelta = timedelta(0)
    _flying: dict[Future[None], Deed] = field(default_factory=dict)

    def run(self, *, seconds: float, wake: threading.Event | None = None, stop: threading.Event | None = None) -> int:
        """Do what is due, for at most about `seconds` of claiming, and until nothing is left. Returns the number."""
        until, count, idle_since = time.monotonic() + seconds, 0, time.monotonic()
        with ThreadPoolExecutor(THREADS, "act") as pool:
            while True:
                going_on = time.monotonic() < until and not (stop and stop.is_set())
                if wake:
                    wake.clear()
                for deed in self.claim(THREADS - len(self._flying)) if going_on else []:
                    self._flying[pool.submit(deed.act)] = deed
                    count += 1
                if self._flying:
                    done, _rest = wait(self._flying, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                    for future in done:
                        record(self._flying.pop(future))
                    idle_since = time.monotonic()
                elif not going_on or wake is None or time.monotonic() - idle_since > LINGER_SECONDS:
                    return count
                else:
                    wake.wait(LINGER_SECONDS)

    def claim(self, limit: int) -> list[Deed]:
        """Up to `limit` due actions, leased; what has outlived its time ends first."""
        if limit <= 0:
            return []
        token = uuid4()
        queued = ChatAction.objects.filter(status=ActionStatus.QUEUED, due_at__lte=ClockNow() - self.overdue)
        with transaction.atomic():
            # Where a lease runs somebody is at it; it is due when he is dead.
            over = queued.filter(expires_at__lte=ClockNow()).order_by("due_at").values("id")
            ChatAction.objects.filter(
                id__in=over.select_for_update(no_key=True, skip_locked=True)[:100], status=ActionStatus.QUEUED
            ).update(status=ActionStatus.EXPIRED, claim_token=None)
            due = queued.filter(connection__status=ConnectionStatus.CONNECTED).order_by("due_at")
            rows = list(
                due.select_for_update(of=("self",), no_key=True, skip_locked=True).select_related(
                    "connection", "message", "conversation__contact"
                )[:limit]
            )
            ChatAction.objects.filter(id__in=[row.pk for row in rows]).update(
                claim_token=token, attempts=F("attempts") + 1, due_at=ClockNow() + LEASE
            )
        return [_deed(row, token) for row in rows]


def _deed(row: ChatAction, token: UUID) -> Deed:
    # Whose last address is gone cannot be reached: the gateway says so.
    address = people.send_address(row.conversation.contact)
    recipient = lanes.recipient_of(address) if address else ""
    return Deed(
        action_id=row.pk,
        kind=row.kind,
        details=row.details,
        instance_name=row.connection.instance_name,
        jid=recipient if "@" in recipient else f"{recipient}@s.whatsapp.net",
        external_id=(row.message.external_id if row.message else None) or "",
        attempts=row.attempts,
        token=token,
    )


def record(deed: Deed) -> bool:
    """Write down what became of an action; False when it is no longer ours."""
    ours = ChatAction.objects.filter(id=deed.action_id, claim_token=deed.token, status=ActionStatus.QUEUED)
    with transaction.atomic():
        # Messages before actions, as those do who ask.
        message = _locked_message(deed) if deed.error is None else None
        match deed.error:
            case None:
                changed = ours.update(status=ActionStatus.DONE, claim_token=None, error_code="")
            case Rejected(code=code):
                changed = ours.update(status=ActionStatus.FAILED, claim_token=None, error_code=code)
            case GatewayError(code=code):
                pause = min(RETRY_FIRST * 2 ** min(deed.attempts, 10), RETRY_MOST)
                changed = ours.update(due_at=ClockNow() + pause, claim_token=None, error_code=code)
        # Asked for anew while it was under way: what was asked last counts.
        anew = ChatAction.objects.filter(id=deed.action_id).exclude(details=deed.details)
        if changed and deed.kind != ActionKind.READ:
            anew.exclude(status=ActionStatus.QUEUED).update(status=ActionStatus.QUEUED, due_at=ClockNow())
        if changed and message:
            _apply(deed, message)
    log.info("action", action_id=str(deed.action_id), kind=deed.kind, code=deed.error.code if deed.error else "")
    return bool(changed)


def _locked_message(deed: Deed) -> Message | None:
    if deed.kind not in (ActionKind.EDIT, ActionKind.DELETE):
        return None
    return Message.objects.select_for_update(no_key=True).filter(actions__id=deed.action_id).first()


def _apply(deed: Deed, message: Message) -> None:
    """The gateway has accepted: it shows. Its webhook, told before or after this, says the same."""
    rows = Message.objects.filter(pk=message.pk)
    if deed.kind == ActionKind.DELETE:
        rows.filter(deleted_at=None).update(deleted_at=ClockNow())
    elif message.body != deed.details["text"]:
        original = {"original": message.body} | message.details
        rows.update(body=deed.details["text"], edited_at=ClockNow(), details=original)
    Conversation.objects.filter(pk=message.conversation_id).refresh_summary()
    live.publish(changes_of([message]))
