"""A cache for all processes together, which nobody misses while Valkey is away."""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from crm_whatsapp.throttling import ANSWERS_WITHIN, ASKED_AGAIN_AFTER

log = structlog.get_logger(__name__)


class _Json:
    """Not pickle: whoever can write into the broker shall not run code here."""

    def dumps(self, value: Any) -> str:
        return json.dumps(value, separators=(",", ":"))

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class SharedCache(RedisCache):
    """Django's own, for values of JSON. While Valkey does not answer, it is empty, and for a while it is not asked.

    Only what is here: to get and to set, one or many. The rest of a cache would act on the broker's database.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._options = {
            "serializer": _Json,
            "socket_timeout": ANSWERS_WITHIN,
            "socket_connect_timeout": ANSWERS_WITHIN,
            "retry": Retry(NoBackoff(), 0),
        }
        self._away_until = 0.0

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._ask(lambda: super(SharedCache, self).get(key, default, version), default)

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        return self._ask(lambda: super(SharedCache, self).get_many(keys, version), {})

    def set(self, key: Any, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._ask(lambda: super(SharedCache, self).set(key, value, timeout, version), None)

    def set_many(
        self, data: dict[Any, Any], timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> list[Any]:
        return self._ask(lambda: super(SharedCache, self).set_many(data, timeout, version), list(data))

    def clear(self) -> None:
        """Refused: Django's would empty the whole database, with all that Celery has in it."""
        raise NotImplementedError

    def _ask[T](self, what: Callable[[], T], otherwise: T) -> T:
        if time.monotonic() < self._away_until:
            return otherwise
        try:
            return what()
        except (RedisError, OSError):
            self._away_until = time.monotonic() + ASKED_AGAIN_AFTER
            log.warning("cache_without_redis")
            return otherwise
