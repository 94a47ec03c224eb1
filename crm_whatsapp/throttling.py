"""How often somebody may ask: counted in Redis, by one atomic step for each request, for all processes together."""

import time
from functools import cache
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

log = structlog.get_logger(__name__)

# A Redis that does not answer must not hold up an API that does without it: one request waits so long for it, and then
# nobody asks it for a while.
ANSWERS_WITHIN = 0.25
ASKED_AGAIN_AFTER = 5.0


class Counter:
    """Counts requests in the Redis at `url`."""

    def __init__(self, url: str) -> None:
        storage = storage_from_string(
            url,
            key_prefix="crm-throttle",
            wrap_exceptions=True,
            socket_timeout=ANSWERS_WITHIN,
            socket_connect_timeout=ANSWERS_WITHIN,
            # The client's own three retries would take seconds.
            retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]
        )
        assert isinstance(storage, Storage)  # noqa: S101 - and not its asynchronous sister
        self._limiter = MovingWindowRateLimiter(storage)
        self._away_until = 0.0

    def seconds_to_wait(self, limit: RateLimitItem, *who: str) -> float:
        """Count one more request of `who`: 0 when it may go on, else the seconds until it is worth another try.

        Without Redis nobody is held up: to answer too much for a while is the lesser evil.
        """
        if time.monotonic() < self._away_until:
            return 0.0
        try:
            if self._limiter.hit(limit, *who):
                return 0.0
            return max(1.0, self._limiter.get_window_stats(limit, *who).reset_time - time.time())
        except (StorageError, OSError):
            self._away_until = time.monotonic() + ASKED_AGAIN_AFTER
            log.warning("throttle_without_redis")
            return 0.0


@cache
def _counter(url: str) -> Counter:
    return Counter(url)


def seconds_to_wait(limit: str, *who: str) -> float:
    """Count one more of `who`, of whom `limit` is allowed (such as "600/minute"); 0, or the seconds to wait."""
    return _counter(settings.REDIS_URL).seconds_to_wait(parse(limit), *who)


class CallerThrottle(BaseThrottle):
    """Of a token, or of a person in a browser."""

    _wait = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        token = getattr(request.auth, "pk", None)
        who = ("token", str(token)) if token else ("user", str(request.user.pk)) if request.user.pk else None
        if who is None:
            # Nobody: the view refuses him anyway, unless it is open to all.
            return True
        self._wait = seconds_to_wait(settings.API_THROTTLE_CALLER, *who)
        return not self._wait

    def wait(self) -> float:
        return self._wait


def throttle_unit(unit_id: UUID) -> None:
    """Of all callers of a unit together. After it is known that they are the unit's: strangers use up nothing of it.

    Raises Throttled.
    """
    if wait := seconds_to_wait(settings.API_THROTTLE_UNIT, "unit", str(unit_id)):
        raise Throttled(wait)
