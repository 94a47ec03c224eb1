"""Webhook bodies without the secrets that Evolution and its relays put into them.

- `apikey` of every envelope is the instance's token in clear, unless the server hides it
  (AUTHENTICATION_EXPOSE_IN_FETCH_INSTANCES=false); the error webhook has the server's global key in `api_key`
  (error-webhook.json).
- `destination`, and the `webhookUrl` that n8n adds, are our hook's URL, whose last part is its secret.
- n8n passes the request's headers on, and so whatever authorises it.
"""

import re

_MASK = "***"

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
    # (value, container it goes into, its place there, whether it belongs to a message)
    pending: list[tuple[object, list[object] | dict[str, object], int | str, bool]] = [(body, result, 0, False)]
    while pending:
        value, container, place, in_message = pending.pop()
        copy: object = value
        if isinstance(value, dict):
            kept: dict[str, object] = {}
            copy = kept
            for name, member in value.items():
                word = _folded(name)
                if word in _ANYWHERE or (word in _OUTSIDE_MESSAGES and not in_message):
                    continue
                # The place keeps the order of the members.
                kept[name] = None
                pending.append((member, kept, name, in_message or word in _MESSAGES))
        elif isinstance(value, list):
            listed: list[object] = [None] * len(value)
            copy = listed
            pending.extend((member, listed, index, in_message) for index, member in enumerate(value))
        elif isinstance(value, str) and not in_message and "/webhooks/" in value.lower():
            copy = _HOOK.sub(rf"\1{_MASK}", value)
        container[place] = copy  # type: ignore[index]
    return result[0]


def mask_secrets_in_bytes(raw: bytes) -> bytes:
    """A body that does not parse as JSON, with the values of secret members and our hook's secret masked.

    Errs on the side of masking: such a body is kept for people to look at, not to be read again.
    """

    def masked(found: re.Match[bytes]) -> bytes:
        return found["name"] + found["between"] + (found["quote"] or b"") + _MASK.encode()

    return _HOOK_BYTES.sub(rb"\1" + _MASK.encode(), _NAMED_SECRET.sub(masked, raw))


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
