"""Times of the API are in UTC, in answers and, without a zone, in requests; those of pages in the zone of the place."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware

from crm_whatsapp.errors import PREFIXES

type _Next = Callable[[HttpRequest], Any]


@sync_and_async_middleware
def utc_times(get_response: _Next) -> _Next:
    """The framework writes times in the zone that is active."""
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            with _zone_of(request):
                return await cast("Awaitable[HttpResponseBase]", get_response(request))

        return answer_later

    def answer(request: HttpRequest) -> HttpResponseBase:
        with _zone_of(request):
            return cast("HttpResponseBase", get_response(request))

    return answer


def _zone_of(request: HttpRequest) -> AbstractContextManager[Any]:
    return timezone.override(UTC) if request.path_info.startswith(PREFIXES) else nullcontext()
