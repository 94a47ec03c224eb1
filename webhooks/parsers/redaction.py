"""Webhook bodies without the secrets that Evolution and its relays put into them.

- `apikey` of every envelope is the instance's token in clear, unless the server hides it
  (AUTHENTICATION_EXPOSE_IN_FETCH_INSTANCES=false); the error webhook has the server's global key in `api_key`
  (error-webhook.json).
- `destination`, and the `webhookUrl` that n8n adds, are our hook's URL, whose last part is its secret.
- n8n passes the request's headers on, and so whatever authorises it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from webhooks.parsers.values import loads

_MASK = "***"

type _Container = dict[Any, object] | list[object]

# What the name of a member tells.
_ORDINARY, _ANYWHERE, _OUTSIDE, _CONTENT = range(4)
# Never members of a WhatsApp message: dropped wherever they stand.
_NEVER_SAID: Final = frozenset({"apikey", "xapikey", "apitoken"})
# Dropped outside of messages; in them the words are their own.
_SECRETS: Final = frozenset(
    {"destination", "webhookurl", "hash", "auth", "bearer", "jwtkey", "privatekey", "accesstokenwabusiness"}
)
_ENDINGS: Final = ("apikey", "token", "secret", "password", "cookie", "jwt", "authorization")
# WhatsApp's own, which ends like one.
_NO_SECRETS: Final = frozenset({"messagesecret"})
# What a message says is under one of these, if it is one (`_is_content`).
_CONTENTS: Final = frozenset({"message", "editedmessage", "update", "contextinfo", "messagecontextinfo"})
# No object of so few members is passed over.
_FEW = 64
# How a body in quotes begins.
_OPENING = ("{", "[", '"')

# Its slashes may be escaped, as in JSON in a string, or in a link's query.
_HOOK = re.compile(
    r"(webhooks(?:\\{0,16}/|%2f)whatsapp(?:\\{0,16}/|%2f)evolution(?:\\{0,16}/|%2f))[^/?#\s\"'\\<>&]+", re.IGNORECASE
)
_HOOK_BYTES = re.compile(_HOOK.pattern.encode(), re.IGNORECASE)

# A name, then ":" or "=", then the value: bare, in quotes (escaped ones when JSON lies in a JSON string), in brackets;
# and what authorises without a name. A quoted value ends at its quote, or where the body was cut off.
# Strangers write such bodies: whatever repeats is bounded, or gives nothing back.
_NAMED_SECRET = re.compile(
    rb"""(?P<name> (?: api[-_]?key | token | (?<! message ) secret | password | cookie | jwt | authorization
                     | jwt[-_]?key | private[-_]?key | access[-_]?token[-_]?wa[-_]?business
                     | (?<! [a-z] ) (?: hash | destination | auth | webhook[-_]?url ) )
            \\{0,16} ["']? \s{0,64}+ [:=>] \s{0,64}+ )
         (?: [bu]? (?P<quote> \\{0,16} ["'] ) (?: [^\\"']++ | (?! (?P=quote) ) (?: \\. | . ) )*+
           | \[ [^\]]*+ | \{ [^}]*+
           | (?: (?:bearer|basic) \s{1,8}+ )? [^\s,;&}\]"'<]++ )
       | (?P<scheme> \b (?:bearer|basic) \s{1,8}+ ) [^\s,;"'\\<]{6,}+""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def without_secrets(body: object) -> object:
    """A copy of a decoded JSON body without its secrets. What a message says stays as it is, but for our hook's URL.

    Goes down without recursion: a body may be nested as deep as the JSON decoder allows.
    """
    result: list[object] = [None]
    # (container to copy, its copy, whether it belongs to what a message says). Only containers wait here: this runs
    # for every webhook before its answer.
    pending: list[tuple[_Container, _Container, bool]] = [([body], result, False)]
    while pending:
        container, copy, in_message = pending.pop()
        members: Iterable[tuple[Any, object]]
        members = container.items() if isinstance(container, dict) else enumerate(container)
        for place, value in members:
            inside = in_message
            if isinstance(place, str) and isinstance(container, dict):
                told = _told_by(place) if len(place) < _LONG else _read_name(place)
                if told == _ANYWHERE or (told == _OUTSIDE and not in_message):
                    continue
                inside = in_message or (told == _CONTENT and _is_content(container, value))
            kept: object = value
            if isinstance(value, dict):
                if not _is_bytes(value):
                    pending.append((value, kept := {}, inside))
            elif isinstance(value, list):
                listed: list[object] = [None] * len(value)
                pending.append((value, listed, inside))
                kept = listed
            elif isinstance(value, str):
                kept = _masked(value, inside)
            copy[place] = kept
    return result[0]


def _is_content(element: Mapping[str, object], value: object) -> bool:
    """Whether `value` is what a WhatsApp message says, and not a relay's `message`, which may be a whole request.

    It stands beside the message's key, or has a member as only such content has.
    """
    if isinstance(element.get("key"), dict):
        return True
    # "imageMessage", "viewOnceMessageV2", but not the "MessageId" of a queue.
    return isinstance(value, dict) and any(name == "conversation" or name.find("Mess") > 0 for name in value)


def _masked(value: str, in_message: bool) -> str:
    if not in_message:
        if value.lstrip()[:1] in _OPENING:
            return _unquoted(value)
        # Not the padding of base64, which may be megabytes.
        if '"' in value or value.find("=", 0, -2) >= 0:
            return _mask_text(value)
    return _HOOK.sub(rf"\1{_MASK}", value) if "webhooks" in value else value


def _is_bytes(value: dict[str, object]) -> bool:
    """A thumbnail as JavaScript writes bytes down, `{"0": 255, "1": 216, …}`: thousands of members, which are not worth
    looking at. A secret could be put among them on purpose, by somebody who has it anyhow.
    """
    return len(value) > _FEW and "0" in value and str(len(value) - 1) in value and isinstance(value["0"], int)


def _unquoted(value: str) -> str:
    """A body that a relay has put in quotes, without its secrets; as it is when it has none."""
    try:
        body = loads(value)
        kept = without_secrets(body)
        return value if kept == body else json.dumps(kept)
    except (ValueError, RecursionError):
        return _mask_text(value)


def _mask_text(value: str) -> str:
    return mask_secrets_in_bytes(value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def mask_secrets_in_bytes(raw: bytes) -> bytes:
    """A body that does not parse as JSON, with the values of secret members and our hook's secret masked.

    Errs on the side of masking: such a body is kept for people to look at, not to be read again. Takes time in
    proportion to its length, whatever it holds.
    """

    def masked(found: re.Match[bytes]) -> bytes:
        return (found["scheme"] or found["name"] + (found["quote"] or b"")) + _MASK.encode()

    return _HOOK_BYTES.sub(rb"\1" + _MASK.encode(), _NAMED_SECRET.sub(masked, raw))


def _read_name(name: str) -> int:
    word = name.lower().replace("_", "").replace("-", "")
    if word in _NEVER_SAID:
        return _ANYWHERE
    if word in _CONTENTS:
        return _CONTENT
    return _OUTSIDE if word in _SECRETS or (word.endswith(_ENDINGS) and word not in _NO_SECRETS) else _ORDINARY


# Bodies use the same few names. What is longer than any of them is not remembered: it may be long indeed.
_LONG = 64
_told_by = lru_cache(4096)(_read_name)
