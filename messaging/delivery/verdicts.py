"""What an outcome means for its message: one pure decision, written by `outcomes.record`.

::

    SentMessage      sent
    Disconnected     queued      at once tried again when the number is back; the connection is asked how it is
    NotSent          queued      again after a pause that grows; failed in the end when it is of this message alone
    NotOnWhatsApp    failed      and the number is marked
    Rejected         failed
    OutcomeUnknown   uncertain   looked up, never repeated alone (I3); what is harmless twice is queued again
"""

from dataclasses import dataclass
from datetime import timedelta

from messaging.models import MessageStatus
from units.gateways.errors import Disconnected, GatewayError, NotOnWhatsApp, NotSent, Rejected
from units.gateways.evolution import SentMessage

S = MessageStatus

# What WhatsApp has against a message or its number may pass, but not for ever. Whatever else keeps a message from being
# sent is about the server or the connection: all messages wait for its end, each until its own lifetime is over (I4).
OF_THIS_MESSAGE = frozenset({"number_check_timed_out", "media_upload_failed"})
MAX_ATTEMPTS = 6
RETRY_FIRST, RETRY_MOST = timedelta(seconds=5), timedelta(minutes=5)
# The echo mostly comes by itself within moments; whoever has lost it finds it by asking. That nothing is found counts
# for nothing so early (`webhooks.settling`).
FIRST_LOOK_UP = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a message goes from `dispatching`, and what else follows.

    `error_code` and `error` are columns: both empty for a sent one; a queued one keeps why it waits. `retry_in` is the
    pause before the next attempt (queued alone), `look_up_in` before the gateway is asked (uncertain alone).
    """

    status: MessageStatus
    error_code: str = ""
    error: str = ""
    retry_in: timedelta | None = None
    look_up_in: timedelta | None = None
    # The number of the message is not on WhatsApp.
    marks_address: bool = False
    # The connection is not what we believed: it is to be asked.
    checks_connection: bool = False


def verdict(outcome: SentMessage | GatewayError, *, attempts: int, harmless_twice: bool = False) -> Verdict:
    """What becomes of a message. `attempts`: those before this one; `harmless_twice`: its kind may be repeated."""
    last = attempts + 1 >= MAX_ATTEMPTS
    match outcome:
        case SentMessage():
            return Verdict(S.SENT)
        case Disconnected() as error:
            return Verdict(S.QUEUED, error.code, error.answer, retry_in=RETRY_FIRST, checks_connection=True)
        case NotSent() as error if last and error.code in OF_THIS_MESSAGE:
            return Verdict(S.FAILED, error.code, error.answer)
        case NotSent() as error:
            return Verdict(S.QUEUED, error.code, error.answer, retry_in=pause_after(attempts))
        case Rejected() as error:
            return Verdict(S.FAILED, error.code, error.answer, marks_address=isinstance(error, NotOnWhatsApp))
        case GatewayError() as error if harmless_twice and not last:
            return Verdict(S.QUEUED, error.code, error.answer, retry_in=pause_after(attempts))
        case GatewayError() as error if harmless_twice:
            return Verdict(S.FAILED, error.code, error.answer)
        case GatewayError() as error:
            return Verdict(S.UNCERTAIN, "unconfirmed", error.answer, look_up_in=FIRST_LOOK_UP)


def pause_after(attempts: int) -> timedelta:
    """The back-off: doubled by each attempt that was made before, up to a limit."""
    return min(RETRY_FIRST * 2 ** min(attempts, 10), RETRY_MOST)
