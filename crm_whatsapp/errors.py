"""What is answered when something is wrong. Apart from `api`, which the framework reads before there are views."""

from math import ceil
from typing import Any

import structlog
from django.core.exceptions import (
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.utils.translation import gettext_lazy as _
from django.views import defaults
from drf_standardized_errors.handler import ExceptionHandler
from psycopg.errors import DeadlockDetected, LockNotAvailable
from rest_framework import serializers
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.exceptions import PermissionDenied as Forbidden

from crm_whatsapp.api import Busy, TooLarge

log = structlog.get_logger(__name__)

# Where the API begins: there, an answer is never a page.
PREFIXES = ("/units", "/api/")


class ErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="What is wrong, for programs: it stays the same in every language.")
    detail = serializers.CharField(help_text="What is wrong, for people: in the language of the request.")
    attr = serializers.CharField(
        allow_null=True, help_text="The field that is at fault, such as `variants.0.content`; null for none."
    )


class ErrorsSerializer(serializers.Serializer[Any]):
    """Every answer from 400 on. Its `X-Request-ID` is what the log has of the request."""

    type = serializers.ChoiceField(
        choices=["validation_error", "client_error", "server_error"],
        help_text="A field that says something else than it may; anything else wrong with the request; our fault.",
    )
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]


class Errors(ExceptionHandler):
    """What an exception of a view is answered with."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if isinstance(exc, PermissionDenied) and exc.args:
            # It says what is missing; those who may not even know that something is there got a 404.
            return Forbidden(str(exc))
        if isinstance(exc, ObjectDoesNotExist):
            # It was there when the request began; or a row that has to be there is not, which somebody should see.
            log.warning("gone_meanwhile", exc_info=exc)
            return NotFound()
        if isinstance(exc, RequestDataTooBig | TooManyFieldsSent | TooManyFilesSent):
            return TooLarge()
        if isinstance(exc, OperationalError) and isinstance(exc.__cause__, LockNotAvailable | DeadlockDetected):
            return Busy()
        if isinstance(exc, SuspiciousOperation | UnreadablePostError):
            return ParseError()
        return super().convert_known_exceptions(exc)

    def get_headers(self, exc: APIException) -> dict[str, str]:
        headers = super().get_headers(exc)
        if wait := getattr(exc, "wait", None):
            # Whole seconds, up: who comes back a moment too early is refused once more.
            headers["Retry-After"] = str(ceil(wait))
        return headers


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, "parse_error", ParseError.default_detail) or defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    said = str(exception) or _("You do not have permission to perform this action.")
    return _answer(request, 403, "permission_denied", said) or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 404, "not_found", NotFound.default_detail) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    return _answer(request, 500, "error", APIException.default_detail) or defaults.server_error(request)


def _answer(request: HttpRequest, status_code: int, code: str, detail: Any) -> JsonResponse | None:
    """For what goes wrong outside of the API's views, such as an address that is none; None for pages."""
    if not request.path_info.startswith(PREFIXES):
        return None
    kind = "server_error" if status_code >= 500 else "client_error"
    error = {"code": code, "detail": str(detail), "attr": None}
    return JsonResponse({"type": kind, "errors": [error]}, status=status_code)
