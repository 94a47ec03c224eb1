"""The short way to the webhook endpoint."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from webhooks.views import evolution

# As webhooks.urls has it.
PREFIX = "/webhooks/whatsapp/evolution/"


class WebhooksFirst:
    """First of the middleware: what is posted to the webhook endpoint goes there past all the others.

    A webhook has no session, no language and no page. Besides what they cost (three times the rest of the answer), two
    of them could answer what loses the event for good: a redirect, or a 400 for a host name.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith(PREFIX):
            return self._get_response(request)
        secret, _, path_event = path[len(PREFIX) :].partition("/")
        return evolution(request, secret, path_event)
