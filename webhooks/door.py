"""Who may post to the webhook endpoint, and how much: asked before anything of a body is read."""

import math
import time
from functools import cache

from django.conf import settings
from django.utils.crypto import constant_time_compare
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from units.crypto import sha256
from webhooks import inbox

# Hashes of secrets that have opened the endpoint to this process: that spares their next events a query. Whether one
# still opens it is decided by the statement that stores the event; here it only lets a body be read.
_seen: set[bytes] = set()
# So many connections' worth, then all are asked about once more.
_SEEN_AT_MOST = 100_000


def opens(secret: str, header: str | None) -> bool:
    """Whether whoever has `secret`, and sent `header`, may post. Raises django.db.Error."""
    # The gateway's global webhook sends no headers of ours (tests/evolution/webhooks/global-send.message.json).
    if not _is_right(header) and not inbox.is_installation(secret):
        return False
    hashed = sha256(secret)
    if hashed in _seen:
        return True
    if not inbox.is_known(secret):
        return False
    if len(_seen) >= _SEEN_AT_MOST:
        _seen.clear()
    _seen.add(hashed)
    return True


def seconds_to_wait(secret: str) -> int:
    """Count one more event of `secret`, which opens: 0 when it may come in, else the seconds until the next may.

    Counted in this process: the endpoint must not depend on Redis, and a flood is stopped before it is parsed.
    """
    if not settings.WEBHOOK_RATE:
        return 0
    limiter, rate, key = _limiter(), _rate(settings.WEBHOOK_RATE), sha256(secret).hex()
    if limiter.hit(rate, key):
        return 0
    return max(1, math.ceil(limiter.get_window_stats(rate, key).reset_time - time.time()))


def _is_right(header: str | None) -> bool:
    accepted = settings.EVOLUTION_WEBHOOK_HEADER_SECRETS
    if not accepted or not settings.EVOLUTION_WEBHOOK_HEADER_REQUIRED:
        return True
    return any(constant_time_compare(header or "", secret) for secret in accepted)


@cache
def _limiter() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(MemoryStorage())


@cache
def _rate(rate: str) -> RateLimitItem:
    return parse(rate)
