"""What the log may not say."""

import re

from structlog import DropEvent
from structlog.typing import EventDict, WrappedLogger

# Paths that carry a secret: a connection's, of the webhook endpoint; of whoever chooses a new password.
_WEBHOOK_SECRET = re.compile(r"(/webhooks/whatsapp/evolution/)[^/\s?\"']+")
_PASSWORD_LINK = re.compile(r"(/app/password/[\w-]{1,64}+/)[^/\s?\"']+")
# A name, then ":" or "=", then the value; quotes may be escaped, as in JSON within a string. What repeats is bounded or
# gives nothing back: a line may quote what a stranger has sent.
_SECRET_PAIR = re.compile(
    r"""( (?: api[-_]?key | authorization | password | token | secret | secret[-_]?key | jwt (?:[-_]?key)?
            | access[-_]?token[-_]?wa[-_]?business | x-amz-(?:signature|credential|security-token) )
          \\{0,16} ["']? \s{0,64}+ [:=] \s{0,64}+ \\{0,16} ["']? )
        (?: (?:bearer|basic) \s{1,8}+ )? [^\s"',;&}\\]++""",
    re.IGNORECASE | re.VERBOSE,
)
# All of them, to the end of the header.
_COOKIES = re.compile(r"(cookie\\{0,16}[\"']?\s{0,64}+[:=]\s{0,64}+\\{0,16}[\"']?)[^\r\n\"']++", re.IGNORECASE)
# What authorises without a name; "bearer of" and "basic needs" are words.
_CREDENTIALS = re.compile(r"\b(bearer|basic)(\s{1,8}+)[\w.~+/-]{8,}+=*", re.IGNORECASE)
_PASSWORD_IN_ADDRESS = re.compile(r"(://[^/\s:@]*+:)[^/\s@]++@")
# What PostgreSQL quotes of rows and of statements when it refuses them: names, numbers and messages. A value may have
# lines of its own, so everything goes up to the next exception of the traceback.
_ROW = re.compile(
    r"(DETAIL|CONTEXT|LINE \d{1,6}):\s.*?(?=\n\n(?:The above exception was|During handling of the above)|\Z)",
    re.DOTALL,
)
_VALUE = re.compile(r"(invalid input (?:syntax for type|value for enum) [\w ]{1,64}+: ).*")


def mask(text: str) -> str:
    """`text` with webhook secrets, passwords in addresses, and key-like values replaced by `***`."""
    for pattern in (_WEBHOOK_SECRET, _PASSWORD_LINK, _COOKIES, _SECRET_PAIR):
        text = pattern.sub(r"\1***", text)
    return _PASSWORD_IN_ADDRESS.sub(r"\1***@", _CREDENTIALS.sub(r"\1\2***", text))


def without_rows(text: str) -> str:
    """An exception, or the word of one, without what the database quotes of rows: these are the units' own."""
    return _VALUE.sub(r"\1***", _ROW.sub(r"\1: ***", text))


def without_health_checks(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """structlog processor: drop the two lines that each good health check would write every few seconds."""
    if method == "info" and event.get("request") == "GET /healthz":
        raise DropEvent
    return event


def without_query(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """structlog processor: a request's path without its query, where names, numbers and words are searched for."""
    request = event.get("request")
    return {**event, "request": request.partition("?")[0]} if isinstance(request, str) else event


def mask_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """structlog processor: mask every string value, tracebacks included (it runs after they are rendered)."""
    return {key: mask(without_rows(value)) if isinstance(value, str) else value for key, value in event.items()}
