"""What the log may not say."""

import re

from structlog import DropEvent
from structlog.typing import EventDict, WrappedLogger

# The path of the webhook endpoint carries the connection's secret.
_WEBHOOK_SECRET = re.compile(r"(/webhooks/whatsapp/evolution/)[^/\s?\"']+")
_SECRET_PAIR = re.compile(r"(?i)((?:apikey|api_key|authorization|password|token)[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]+")


def mask(text: str) -> str:
    """`text` with webhook secrets and key-like values replaced by `***`."""
    return _SECRET_PAIR.sub(r"\1***", _WEBHOOK_SECRET.sub(r"\1***", text))


def without_health_checks(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """structlog processor: drop the two lines that each good health check would write every few seconds."""
    if method == "info" and event.get("request") == "GET /healthz":
        raise DropEvent
    return event


def mask_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """structlog processor: mask every string value, tracebacks included (it runs after they are rendered)."""
    return {key: mask(value) if isinstance(value, str) else value for key, value in event.items()}
