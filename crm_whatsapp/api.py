"""What every part of the API shares: reading of bodies, pagination and errors."""

from collections.abc import Mapping
from typing import IO, Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import parsers, status
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request


class JSONParser(parsers.JSONParser):
    """JSON; what is nested too deeply to be read is no more than another mistake of the client."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The body. Raises ParseError (400)."""
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError from None


class NewestFirstPagination(CursorPagination):
    """Cursor pages, newest first; `?page_size=` up to 100. The first of `ordering` is a time, also in subclasses."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 100
    ordering = ("-created_at", "-id")

    def decode_cursor(self, request: Request) -> Cursor | None:
        """The cursor of the query. Raises NotFound also for a position that is not one of ours: an aware time."""
        cursor = super().decode_cursor(request)
        if cursor and cursor.position is not None:
            try:
                moment = parse_datetime(str(cursor.position))
            except ValueError:
                moment = None
            if moment is None or moment.tzinfo is None:
                raise NotFound(self.invalid_cursor_message)
        return cursor


class Conflict(APIException):
    """409: the thing is not in a state that allows this."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = _("This is not possible in its current state.")
    default_code = "conflict"


class GatewayUnavailable(APIException):
    """502: the WhatsApp server refused or did not answer; nothing was changed."""

    status_code = status.HTTP_502_BAD_GATEWAY
    default_detail = _("The WhatsApp server did not answer. Try again in a minute.")
    default_code = "gateway_unavailable"
