"""What each outcome means for its message: a table."""

from datetime import timedelta
from typing import Any

import pytest

from messaging.delivery.verdicts import FIRST_LOOK_UP, MAX_ATTEMPTS, OF_THIS_MESSAGE, RETRY_MOST, Verdict, verdict
from messaging.models import MessageStatus
from tests.units.recordings import recording
from tests.units.test_evolution_service_send import REFUSALS
from units.gateways.errors import (
    Disconnected,
    GatewayError,
    InstanceMissing,
    LicenseRequired,
    NotOnWhatsApp,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Unreachable,
    WrongKey,
)
from units.gateways.evolution import SentMessage
from units.gateways.evolution_http import Answer
from units.gateways.evolution_outcomes import SEND, error_for

S = MessageStatus
SECONDS_5 = timedelta(seconds=5)


@pytest.mark.parametrize(
    ("outcome", "meant"),
    [
        (SentMessage("3EB0", "1@s.whatsapp.net", None), Verdict(S.SENT)),
        (NotSent(), Verdict(S.QUEUED, "not_sent", retry_in=SECONDS_5)),
        (Unreachable(), Verdict(S.QUEUED, "unreachable", retry_in=SECONDS_5)),
        (WrongKey(), Verdict(S.QUEUED, "wrong_key", retry_in=SECONDS_5)),
        (LicenseRequired(), Verdict(S.QUEUED, "license_required", retry_in=SECONDS_5)),
        (Disconnected(), Verdict(S.QUEUED, "disconnected", retry_in=SECONDS_5, checks_connection=True)),
        (InstanceMissing(), Verdict(S.QUEUED, "instance_missing", retry_in=SECONDS_5, checks_connection=True)),
        (Rejected("text_required"), Verdict(S.FAILED, "text_required")),
        (NotOnWhatsApp(answer="x"), Verdict(S.FAILED, "not_on_whatsapp", "x", marks_address=True)),
        (OutcomeUnknown(answer="x"), Verdict(S.UNCERTAIN, "unconfirmed", "x", look_up_in=FIRST_LOOK_UP)),
    ],
)
def test_each_outcome_has_its_verdict(outcome: Any, meant: Verdict) -> None:  # I3
    assert verdict(outcome, attempts=0) == meant


# What is sure to have gone nowhere waits or fails; only what may be on the way is uncertain.
BY_ERROR = {NotSent: S.QUEUED, Rejected: S.FAILED, OutcomeUnknown: S.UNCERTAIN}


@pytest.mark.parametrize("name", REFUSALS)
def test_each_recorded_refusal_has_the_status_of_its_error(name: str) -> None:
    recorded = recording(name)["response"]
    found = verdict(error_for(Answer(recorded["status"], recorded["body"], ""), SEND), attempts=0)
    wanted = next(status for error, status in BY_ERROR.items() if issubclass(REFUSALS[name][0], error))
    assert (found.status, found.error_code) == (wanted, REFUSALS[name][1])


def test_the_pause_doubles_up_to_a_limit() -> None:
    pauses = [verdict(Unreachable(), attempts=attempts).retry_in for attempts in (0, 1, 2, 5, 6, 7, 1000)]
    assert pauses == [timedelta(seconds=seconds) for seconds in (5, 10, 20, 160, 300, 300, 300)]
    assert pauses[-1] == RETRY_MOST


@pytest.mark.parametrize("code", sorted(OF_THIS_MESSAGE))
def test_what_is_of_this_message_ends_after_some_attempts(code: str) -> None:  # I4
    tried = [verdict(NotSent(code), attempts=attempts).status for attempts in range(MAX_ATTEMPTS)]
    assert tried == [S.QUEUED] * (MAX_ATTEMPTS - 1) + [S.FAILED]


@pytest.mark.parametrize(
    "error", [NotSent("rate_limited"), Unreachable(), WrongKey(), LicenseRequired(), Disconnected()]
)
def test_what_is_of_the_server_is_waited_for_until_the_message_expires(error: GatewayError) -> None:
    assert verdict(error, attempts=10 * MAX_ATTEMPTS).status == S.QUEUED


def test_what_does_no_harm_twice_is_tried_again_and_has_an_end() -> None:
    tried = [verdict(OutcomeUnknown(), attempts=attempts, harmless_twice=True) for attempts in range(MAX_ATTEMPTS)]
    assert [one.status for one in tried] == [S.QUEUED] * (MAX_ATTEMPTS - 1) + [S.FAILED]
    assert all(one.look_up_in is None for one in tried)
