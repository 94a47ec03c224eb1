"""`X-Request-ID`: what an answer and the log call the same request."""

import re
from uuid import uuid4

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

HEADER = "X-Request-ID"
# Where django-structlog looks for it.
_META = "HTTP_X_REQUEST_ID"
# What a proxy or a client may call its request. Anything else is no name, and has no place in a log.
_NAME = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestIds(MiddlewareMixin):
    """Gives each request an id, or takes the one it came with, and tells it in the answer, whatever that is."""

    def process_request(self, request: HttpRequest) -> None:
        told = request.META.get(_META, "")
        request.META[_META] = told if _NAME.fullmatch(told) else str(uuid4())

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response[HEADER] = request.META[_META]
        return response
