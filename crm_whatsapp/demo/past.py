"""Doing things as somebody, some time ago: what services write then has that name and that time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection as database
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from units.audit import AuditMiddleware
from units.models import User


def days_ago(days: int, hour: int, minute: int = 0, *, zone: str = "America/Sao_Paulo") -> datetime:
    """A time of day, so many days before today; on the Saturday before when that was a Sunday."""
    moment = timezone.now().astimezone(ZoneInfo(zone)) - timedelta(days=days)
    if moment.isoweekday() == 7:
        moment -= timedelta(days=1)
    return moment.replace(hour=hour, minute=minute, second=0, microsecond=0)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Within it the database's clock says `moment`, and goes on; needs a transaction."""
    _turn(f"{(moment - timezone.now()).total_seconds()} seconds")
    try:
        yield
    finally:
        _turn("")


def _turn(offset: str) -> None:
    with database.cursor() as cursor:
        cursor.execute("SELECT set_config('crm.clock_offset', %s, true)", [offset])


def by[T](user: User, do: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """`do(*args, **kwargs)`, noted in the audit log under the name of `user`."""
    done: list[T] = []

    def answer(_request: HttpRequest) -> HttpResponse:
        done.append(do(*args, **kwargs))
        return HttpResponse()

    request = HttpRequest()
    request.user = user
    AuditMiddleware(answer)(request)
    return done[0]
