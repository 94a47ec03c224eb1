"""What was kept of an event, for people to read."""

import json
import re
from contextlib import suppress
from typing import Any, Final

from webhooks.inbox import NOT_DECODED
from webhooks.models import WebhookEvent
from webhooks.parsers.values import loads

# A body may have 32 MB (WEBHOOK_MAX_BODY_BYTES); files in it are not for reading.
SHOWN_CHARACTERS: Final = 100_000
SHOWN_CHARACTERS_OF_A_TEXT: Final = 1_000
# So much of a body is read for its summary, and so much is the summary.
SUMMED_UP, SUMMARY_CHARACTERS = 4_000, 400

# A member's name, or a value: a text (one that was cut off has no end), or digits that may be somebody's number.
_PART: Final = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*+)(?:"(?P<is_name>\s*:)?|$)|(?<![\w"])\d{6,}', re.DOTALL)
# Members whose values say what it is about, and nothing of anybody.
_TOLD: Final = frozenset({"event", "messageType", "type", "status", "state", "source", "fromMe", "id", "keyId"})


def readable(event: WebhookEvent) -> tuple[str, int]:
    """The body as indented JSON with long texts cut, and how many characters were left out at its end.

    What was no JSON, or too much to decode, is as it was kept. There are no secrets in either (`parsers.redaction`).
    """
    body = event.body
    # What was too much to decode before is so now.
    if event.reason not in NOT_DECODED:
        with suppress(ValueError, RecursionError):
            body = json.dumps(_with_short_texts(loads(body)), indent=2, ensure_ascii=False)
    # A lone surrogate, which JSON may hold, is no text for a page.
    body = body.encode(errors="backslashreplace").decode()
    return body[:SHOWN_CHARACTERS], max(0, len(body) - SHOWN_CHARACTERS)


def summary(beginning: str) -> str:
    """What an event is about, without what anybody wrote and without numbers: the members of its body, their values
    masked but for those that name kinds and ids. Empty for what is no JSON. `beginning`: of the body, up to SUMMED_UP
    characters.
    """
    name = ""

    def masked(part: re.Match[str]) -> str:
        nonlocal name
        if part["text"] is None:
            return "…"
        if part["is_name"]:
            name = part["text"]
            return part[0]
        # An id may be somebody's address.
        return part[0] if name in _TOLD and "@" not in part["text"] else '"…"'

    if beginning[:1] not in ("{", "["):
        return ""
    return _PART.sub(masked, beginning)[:SUMMARY_CHARACTERS]


def _with_short_texts(value: Any) -> Any:
    """A decoded body whose long texts (files, in base64) are cut."""
    if isinstance(value, dict):
        return {name: _with_short_texts(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_short_texts(member) for member in value]
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS_OF_A_TEXT:
        return f"{value[:SHOWN_CHARACTERS_OF_A_TEXT]}… ({len(value):,})"
    return value
