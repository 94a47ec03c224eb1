"""What Evolution's answers mean. One table, because its status codes alone do not tell retry from give up.

A 400 may be "later" and a 500 "never"; `docs/evolution.md` says why. Every row was seen on a running
Evolution API 2.3.6 (the recordings are in `tests/evolution/requests`), or is a rule for what stands in front
of one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from units.gateways.errors import (
    AlreadyClosed,
    Disconnected,
    GatewayError,
    InstanceExists,
    InstanceMissing,
    LicenseRequired,
    NotOnWhatsApp,
    NotSent,
    OutcomeUnknown,
    Rejected,
    ServerUnavailable,
    Unreachable,
    WrongKey,
)
from units.gateways.evolution_http import Answer

Shape = Literal["words", "validation", "absent", "meta", "empty", "other"]

# Meta's error codes (https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes) that speak
# of our access or of our pace, not of the message: 190 token expired; 4, 80007, 130429 and 131056 rate
# limits.
META_LATER: Final = r"190|4|80007|130429|131056"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row: an answer of one of `statuses`, of `shape`, its words wholly matching `words`, means `error`."""

    statuses: Collection[int]
    shape: Shape | None
    words: str | None
    error: type[GatewayError]
    code: str | None = None

    def covers(self, status: int, shape: Shape, words: str) -> bool:
        return (
            status in self.statuses
            and (self.shape is None or self.shape == shape)
            and (self.words is None or re.fullmatch(self.words, words, re.DOTALL) is not None)
        )


ANY: Final = range(100, 600)

# The first row that covers an answer decides. A pattern is for the whole text, so that an unknown text that
# merely contains a known one stays unknown.
# fmt: off
ALWAYS: Final = (
    # Something in front of Evolution: it never redirects, never limits, and says 403 to create alone.
    Outcome(range(300, 400), None, None, Unreachable, "wrong_address"),
    Outcome([429], None, None, NotSent, "rate_limited"),
    Outcome([401], None, None, WrongKey),
    Outcome([403], "words", r'This name ".*" is already in use\.', InstanceExists),
    Outcome([403], None, None, WrongKey),
    # 404 is also what any other web server says; then nothing is known about the instance.
    Outcome([404], "words", r'The ".*" instance does not exist', InstanceMissing),
    Outcome([404], "words", r'Instance ".*" not found', InstanceMissing),
    Outcome([404], None, None, Unreachable, "wrong_address"),
    # Evolution 2.4, gateMiddleware in src/licensing/runtime.ts: before any route is reached.
    Outcome([503], "words", r"LICENSE_REQUIRED", LicenseRequired),
    # No session. With the number in Evolution's cache it is a 400, without a 500.
    Outcome([400, 500], "words", r"(Error: )?Connection Closed", Disconnected),
    Outcome([500], "words", r".*undefined \(reading 'onWhatsApp'\)", Disconnected, "never_connected"),
    # The number query went unanswered for 60 s; nothing is sent before it.
    Outcome([500], "words", r".*undefined \(reading 'find'\)", NotSent, "number_check_timed_out"),
)
SEND: Final = (
    *ALWAYS,
    # Refused before the message was looked at: JSON schema, body parser, method missing in the channel.
    Outcome([400], "validation", None, Rejected, "invalid_message"),
    Outcome([400], "words", r".*is not valid JSON|Unexpected end of JSON input", Rejected, "invalid_message"),
    Outcome([413], None, None, Rejected, "invalid_message"),
    Outcome([400], "words", r"Method not available on .*", Rejected, "not_supported"),
    Outcome([400], "absent", None, NotOnWhatsApp),
    Outcome([400], "words", r"Text is required", Rejected, "text_required"),
    Outcome([400], "words", r"Reaction must be a single emoji or empty string", Rejected, "invalid_message"),
    # The file is fetched, converted and uploaded before anything is sent.
    Outcome([400], "words", r"Owned media must be .*", Rejected, "media_unreadable"),
    Outcome([400], "words", r"For base64 the file name must be informed\.", Rejected, "media_unreadable"),
    Outcome([500], "words", r"File or buffer is undefined\.", Rejected, "media_unreadable"),
    Outcome([500], "words", r"Error: Input buffer contains unsupported .*", Rejected, "media_unreadable"),
    Outcome([500], "words", r"AxiosError: .* status code 4\d\d", Rejected, "media_unreadable"),
    Outcome([500], "words", r"AxiosError: .* status code 5\d\d", NotSent, "media_upload_failed"),
    Outcome([500], "words", r"Error: Media upload failed on all hosts", NotSent, "media_upload_failed"),
    # WHATSAPP-BUSINESS answers 201 with Meta's error object in place of a message.
    Outcome([201], "meta", META_LATER, NotSent),
    Outcome([201], "meta", None, Rejected, "refused_by_whatsapp"),
    # A 400 with any other text, any other 5xx (a proxy's 502 and 504 too), a 2xx without the id of a message.
    Outcome(ANY, None, None, OutcomeUnknown),
)
MANAGE: Final = (
    *ALWAYS,
    # whatsappNumbers without a session, which lets an internal TypeError through.
    Outcome([400], "empty", None, Disconnected, "never_connected"),
    Outcome([400], "words", r'The ".*" instance is not connected', AlreadyClosed),
    Outcome(range(400, 500), None, None, Rejected),
    # A 5xx, or a 2xx that is not what the call answers.
    Outcome(ANY, None, None, ServerUnavailable),
)
# fmt: on


def error_for(answer: Answer, table: Collection[Outcome]) -> GatewayError:
    """The error that `table` (SEND or MANAGE) has for an answer that is not the one hoped for."""
    shape, words = _describe(answer)
    row = next(row for row in table if row.covers(answer.status, shape, words))
    if answer.is_early and row.error is OutcomeUnknown:
        # Whoever answers half a file (a proxy's 408 or 502) has not passed it on.
        return Unreachable(status=answer.status, answer=answer.excerpt)
    return row.error(row.code, status=answer.status, answer=answer.excerpt)


def _describe(answer: Answer) -> tuple[Shape, str]:
    """The shape of an error body, and its words: text, list of texts, Meta's number, or Evolution 2.4's
    code."""
    code = answer.field("code")
    if answer.status == 503 and isinstance(code, str):
        return "words", code
    if isinstance(code, int) and answer.field("fbtrace_id"):
        return "meta", str(code)
    if answer.body == {}:
        return "empty", ""
    # whatsappNumbers has `message` at the top level, everything else inside `response`.
    message = answer.field("response", "message")
    if message is None:
        message = answer.field("message")
    if isinstance(message, str):
        return "words", message
    if isinstance(message, list) and message:
        if all(isinstance(item, str) for item in message):
            return "words", "; ".join(message)
        if all(isinstance(item, list) for item in message):
            return "validation", ""
        if all(isinstance(item, dict) and item.get("exists") is False for item in message):
            return "absent", ""
    return "other", ""
