"""`X-Request-ID`: what an answer and the log call the same request."""

import re
from collections.abc import Awaitable, Callable
from typing import cast
from uuid import uuid4

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "X-Request-ID"
# What a proxy or a client may call its request. Anything else is no name, and has no place in a log.
_NAME = re.compile(r"[A-Za-z0-9._-]{8,64}")

type _Next = Callable[[HttpRequest], HttpResponseBase] | Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class RequestIds:
    """Gives each request an id, or takes the one it came with, and tells it in the answer, whatever that is."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: _Next) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        named = _named(request)
        if self._is_async:
            return self._later(request, named)
        response = cast("HttpResponseBase", self._get_response(request))
        response[HEADER] = named
        return response

    async def _later(self, request: HttpRequest, named: str) -> HttpResponseBase:
        response = await cast("Awaitable[HttpResponseBase]", self._get_response(request))
        response[HEADER] = named
        return response


def _named(request: HttpRequest) -> str:
    told = request.META.get("HTTP_X_REQUEST_ID", "")
    named = told if _NAME.fullmatch(told) else str(uuid4())
    # Where django-structlog looks for it.
    request.META["HTTP_X_REQUEST_ID"] = named
    return named
