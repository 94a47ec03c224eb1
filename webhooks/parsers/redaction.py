"""Webhook bodies without the secrets that Evolution and its relays put into them.

- `apikey` of every envelope is the instance's token in clear, unless the server hides it
  (AUTHENTICATION_EXPOSE_IN_FETCH_INSTANCES=false); the error webhook has the server's global key in `api_key`
  (error-webhook.json).
- `destination`, and the `webhookUrl` that n8n adds, are our hook's URL, whose last part is its secret.
- n8n passes the request's headers on, and so whatever authorises it.
"""

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

_MASK = "***"

type _Container = dict[Any, object] | list[object]

# Never a member of a WhatsApp message: dropped wherever they stand.
_ANYWHERE = frozenset({"apikey", "xapikey", "apitoken"})
# Dropped outside of messages; in them the words are their own.
_OUTSIDE_MESSAGES = frozenset(
    {
        "destination",
        "hash",
        "token",
        "accesstoken",
        "secret",
        "password",
        "jwtkey",
        "authorization",
        "proxyauthorization",
        "cookie",
        "webhookurl",
    }
)
# No object of so few members is passed over.
_FEW = 64
# How a body in quotes begins.
_OPENING = ("{", "[")
_SECRET = _ANYWHERE | _OUTSIDE_MESSAGES
_MESSAGES = frozenset({"message", "messages", "editedmessage", "update", "contextinfo"})

_HOOK = re.compile(r"(/webhooks/whatsapp/evolution/)[^/?#\s\"'\\<>&]+", re.IGNORECASE)
_HOOK_BYTES = re.compile(_HOOK.pattern.encode(), re.IGNORECASE)

# A name, then ":" or "=", then the value: bare, or in quotes (escaped ones when JSON lies in a JSON string).
# A quoted value ends at its quote, or where the body was cut off.
_NAMED_SECRET = re.compile(
    rb"""(?P<name> api[-_]?key | destination | authorization | webhook[-_]?url | jwt[-_]?key
            | access[-_]?token | (?<! [a-z] ) (?: token | hash | cookie ) )
         (?P<between> \\*["']? \s* [:=] \s* )
         (?: (?P<quote> \\*["'] ) (?: (?! (?P=quote) ) (?: \\. | [^\\] ) | (?! (?P=quote) ) \\ )*
           | (?: (?:bearer|basic) \s+ )? [^\s,;&}\]"']+ )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def without_secrets(body: object) -> object:
    """A copy of a decoded JSON body without its secrets. What a message says stays as it is.

    Goes down without recursion: a body may be nested as deep as the JSON decoder allows.
    """
    result: list[object] = [None]
    # (container to copy, its copy, whether it belongs to a message). Only containers wait here: this runs for every
    # webhook before its answer.
    pending: list[tuple[_Container, _Container, bool]] = [([body], result, False)]
    while pending:
        container, copy, in_message = pending.pop()
        members: Iterable[tuple[Any, object]]
        members = container.items() if isinstance(container, dict) else enumerate(container)
        for place, value in members:
            inside = in_message
            if isinstance(place, str):
                word = _word(place) if len(place) < _LONG else _folded(place)
                if word in _SECRET and (not in_message or word in _ANYWHERE):
                    continue
                inside = in_message or word in _MESSAGES
            kept: object = value
            if isinstance(value, dict):
                if not _is_bytes(value):
                    pending.append((value, kept := {}, inside))
            elif isinstance(value, list):
                listed: list[object] = [None] * len(value)
                pending.append((value, listed, inside))
                kept = listed
            elif isinstance(value, str) and not inside:
                if value.lstrip()[:1] in _OPENING:
                    kept = _unquoted(value)
                elif "/webhooks/" in value.lower():
                    kept = _HOOK.sub(rf"\1{_MASK}", value)
            copy[place] = kept
    return result[0]


def _is_bytes(value: dict[str, object]) -> bool:
    """A thumbnail as JavaScript writes bytes down, `{"0": 255, "1": 216, …}`: thousands of members, which are not worth
    looking at. A secret could be put among them on purpose, by somebody who has it anyhow.
    """
    return len(value) > _FEW and "0" in value and str(len(value) - 1) in value and isinstance(value["0"], int)


def _unquoted(value: str) -> str:
    """A body that a relay has put in quotes, without its secrets; as it is when it has none."""
    try:
        body = json.loads(value)
        kept = without_secrets(body)
        return value if kept == body else json.dumps(kept)
    except (ValueError, RecursionError):
        return mask_secrets_in_bytes(value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def mask_secrets_in_bytes(raw: bytes) -> bytes:
    """A body that does not parse as JSON, with the values of secret members and our hook's secret masked.

    Errs on the side of masking: such a body is kept for people to look at, not to be read again.
    """

    def masked(found: re.Match[bytes]) -> bytes:
        return found["name"] + found["between"] + (found["quote"] or b"") + _MASK.encode()

    return _HOOK_BYTES.sub(rb"\1" + _MASK.encode(), _NAMED_SECRET.sub(masked, raw))


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


# Bodies use the same few names. What is longer than any of them is not remembered: it may be long indeed.
_LONG = 64
_word = lru_cache(4096)(_folded)
