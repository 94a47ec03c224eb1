"""One message on its way, and the call to the gateway."""

import time
from dataclasses import dataclass
from uuid import UUID

import structlog

from units.gateways.errors import GatewayError, NotSent, OutcomeUnknown, Rejected
from units.gateways.evolution import EvolutionService, SentMessage

log = structlog.get_logger(__name__)

# A process frozen for longer than this after it committed `dispatching` may not send any more: its lease could run
# out under way. Far below SEND_GRACE, which covers what remains between this check and the first byte.
MAX_FREEZE_SECONDS = 10.0


@dataclass(slots=True, kw_only=True)
class Send:
    """One message in this process's hands, from claim to record."""

    message_id: UUID
    connection_id: UUID
    instance_name: str
    recipient: str
    body: str
    reply_to: str
    origin: str
    attempts: int
    token: UUID
    # time.monotonic() when `dispatching` was committed.
    committed_at: float = 0.0
    outcome: SentMessage | GatewayError | None = None

    @property
    def certainly_not_sent(self) -> bool:
        """Nothing went on the wire, so it counts for no cap."""
        return isinstance(self.outcome, NotSent | Rejected)

    @property
    def was_answered(self) -> bool:
        """Whether the gateway has had its last word, so that it can no longer act on this send."""
        return not isinstance(self.outcome, OutcomeUnknown) or self.outcome.status is not None

    def post(self) -> None:
        """The call itself, and its outcome. Runs in a thread; never raises."""
        if time.monotonic() - self.committed_at > MAX_FREEZE_SECONDS:
            self.outcome = NotSent(answer="too late after dispatching was committed")
            return
        try:
            self.outcome = EvolutionService(self.instance_name).send_message(
                self.recipient, self.body, quoted_id=self.reply_to or None
            )
        except GatewayError as error:
            self.outcome = error
        except Exception as error:
            log.exception("send_crashed", message_id=str(self.message_id))
            self.outcome = OutcomeUnknown(answer=type(error).__name__)
