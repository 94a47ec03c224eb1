"""Who is writing an answer this moment, so that two do not answer the same person. It is forgotten by itself.

It is kept in Redis alone: it is over in seconds, and without it nothing is lost.
"""

import time
from collections.abc import Iterable
from functools import cache
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from messaging.models import Conversation
from units import live
from units.models import User

log = structlog.get_logger(__name__)

# Whoever goes on writing says so again within this time.
FORGOTTEN_AFTER: Final = 15
# As in `crm_whatsapp.throttling`: it must not hold up a page that does without it.
ANSWERS_WITHIN: Final = 0.25


def begin(conversation: Conversation, person: User) -> None:
    """`person` is writing. Others are told of the first word, and ask again while they see somebody."""
    key, now = _key(conversation), time.time()
    try:
        redis = _redis(settings.REDIS_URL).pipeline()
        redis.zscore(key, str(person.pk))
        redis.zadd(key, {str(person.pk): now + FORGOTTEN_AFTER})
        redis.expire(key, FORGOTTEN_AFTER)
        until = redis.execute()[0]
    except RedisError:
        log.warning("answering_without_redis")
        return
    if until is None or until < now:
        _tell(conversation)


def end(conversation: Conversation, person: User) -> None:
    """`person` has answered."""
    try:
        was_writing = _redis(settings.REDIS_URL).zrem(_key(conversation), str(person.pk))
    except RedisError:
        return
    if was_writing:
        _tell(conversation)


def people(conversation: Conversation, *, but: User) -> Iterable[User]:
    """Who is writing, besides `but`; those who still work in the unit."""
    try:
        found: Any = _redis(settings.REDIS_URL).zrangebyscore(_key(conversation), time.time(), "+inf")
    except RedisError:
        return []
    ids = {UUID(one) for one in found} - {but.pk}
    if not ids:
        return []
    return User.objects.filter(id__in=ids, memberships__unit=conversation.unit_id).order_by("id")


def _key(conversation: Conversation) -> str:
    return f"answering:{conversation.pk}"


def _tell(conversation: Conversation) -> None:
    with transaction.atomic():
        live.publish([live.Change(unit_id=conversation.unit_id, kind="answering", object_id=conversation.pk)])


@cache
def _redis(url: str) -> Redis:
    retry = Retry(NoBackoff(), 0)
    return Redis.from_url(
        url, decode_responses=True, socket_timeout=ANSWERS_WITHIN, socket_connect_timeout=ANSWERS_WITHIN, retry=retry
    )
