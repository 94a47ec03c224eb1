"""`Permissions-Policy`, which Django does not know."""

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

type _Next = Callable[[HttpRequest], HttpResponseBase] | Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class PermissionsPolicy:
    """Sends settings.PERMISSIONS_POLICY with every answer."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: _Next) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if iscoroutinefunction(self._get_response):
            return self._later(request)
        return _told(cast("HttpResponseBase", self._get_response(request)))

    async def _later(self, request: HttpRequest) -> HttpResponseBase:
        return _told(await cast("Awaitable[HttpResponseBase]", self._get_response(request)))


def _told(response: HttpResponseBase) -> HttpResponseBase:
    response["Permissions-Policy"] = settings.PERMISSIONS_POLICY
    return response
