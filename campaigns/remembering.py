"""Answers that took long are good for a while: for pages that ask again and again."""

import time
from collections.abc import Callable

from django.core.cache import cache


def remembered[T](key: str, make: Callable[[], T], *, times: float) -> T:
    """What `make` answers, or has answered lately: for so many `times` as long as that took.

    What is quick is made anew each time; what takes long takes no larger part of the time than 1 / `times`, however
    many look on.
    """
    known: T | None = cache.get(key)
    if known is None:
        begin = time.monotonic()
        known = make()
        cache.set(key, known, timeout=int((time.monotonic() - begin) * times))
    return known
