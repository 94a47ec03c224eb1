"""What every part of the API shares: reading of bodies, pages and errors to raise."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.urls import Resolver404, resolve
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import parsers, status
from rest_framework.exceptions import APIException, NotFound, ParseError, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

# --- Bodies ---------------------------------------------------------------------------------------


class TooLarge(APIException):
    """413: the body is larger than is read."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("This is too large.")
    default_code = "too_large"


class JSONParser(parsers.JSONParser):
    """JSON of at most API_MAX_BODY_BYTES; what is nested too deeply to be read is another mistake of the client."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The body. Raises ParseError (400) and TooLarge (413)."""
        request = (parser_context or {}).get("request")
        # Django's own limit is for `request.body` alone, which nobody asks for here.
        if request and int(request.META.get("CONTENT_LENGTH") or 0) > settings.API_MAX_BODY_BYTES:
            raise TooLarge
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError from None


# --- Where things are -----------------------------------------------------------------------------


def address_of(path: str, made: Any) -> str | None:
    """Of what a POST to `path` has made; None for what has no address of its own."""
    address = f"{path}/{made['id']}" if isinstance(made, Mapping) and "id" in made else ""
    try:
        resolve(address)
    except Resolver404:
        return None
    return address


# --- Pages ----------------------------------------------------------------------------------------


class _Position(NamedTuple):
    """After which row a page begins, or before which it ends."""

    backwards: bool
    moment: datetime
    id: UUID


class NewestFirstPagination(CursorPagination):
    """Cursor pages, newest first; `?page_size=` up to 100.

    `ordering` is a time and the id, both falling, also in subclasses. A cursor holds both of its row, and not the time
    and how many rows of that time to skip, as DRF's does: of many rows of the same moment (an import) none is skipped
    and none comes twice, whatever is added meanwhile.
    """

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 100
    ordering = ("-created_at", "-id")
    page: list[Any]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Raises NotFound for a cursor that was never given, and ValidationError for a size that is none."""
        size = self.get_page_size(request)
        position = self._position(request.query_params.get(self.cursor_query_param))
        backwards = bool(position and position.backwards)
        time, key = (name.lstrip("-") for name in self.ordering)
        if position:
            beyond = "gt" if backwards else "lt"
            same_or_beyond = Q(**{f"{time}__{beyond}e": position.moment})
            # The first condition is what an index is read by.
            queryset = queryset.filter(
                same_or_beyond, Q(**{f"{time}__{beyond}": position.moment}) | Q(**{f"{key}__{beyond}": position.id})
            )
        order = [name.lstrip("-") for name in self.ordering] if backwards else self.ordering
        rows = list(queryset.order_by(*order)[: size + 1])
        self.base_url: str = request.build_absolute_uri()
        self.page = rows[:size][::-1] if backwards else rows[:size]
        self.has_next = backwards or len(rows) > size
        self.has_previous = len(rows) > size if backwards else position is not None
        return self.page

    def get_page_size(self, request: Request) -> int:
        wanted = request.query_params.get(self.page_size_query_param)
        if wanted is None:
            return self.page_size
        if not (wanted.isascii() and wanted.isdecimal() and wanted.strip("0")):
            raise ValidationError({self.page_size_query_param: [_("This is not a number from 1 on.")]})
        return min(int(wanted[:10]), self.max_page_size) if len(wanted) < 10 else self.max_page_size

    def get_next_link(self) -> str | None:
        return self._link(self.page[-1], backwards=False) if self.has_next and self.page else None

    def get_previous_link(self) -> str | None:
        return self._link(self.page[0], backwards=True) if self.has_previous and self.page else None

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": link | {"description": "The next page; null on the last.", "example": None},
                "previous": link | {"description": "The page before; null on the first.", "example": None},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": self.cursor_query_param,
                "in": "query",
                "description": "From `next` or `previous` of another page; nothing to make oneself.",
                "schema": {"type": "string"},
            },
            {
                "name": self.page_size_query_param,
                "in": "query",
                "description": f"How many at most; more than {self.max_page_size} is {self.max_page_size}.",
                "schema": {"type": "integer", "minimum": 1, "default": self.page_size},
            },
        ]

    def _link(self, row: Any, *, backwards: bool) -> str:
        time, key = (getattr(row, name.lstrip("-")) for name in self.ordering)
        packed = json.dumps([int(backwards), time.isoformat(), str(key)], separators=(",", ":")).encode()
        return replace_query_param(self.base_url, self.cursor_query_param, urlsafe_b64encode(packed).decode())

    def _position(self, cursor: str | None) -> _Position | None:
        if cursor is None:
            return None
        try:
            backwards, time, key = json.loads(urlsafe_b64decode(cursor.encode()))
            moment = parse_datetime(time)
            if moment is not None and moment.tzinfo is not None:
                return _Position(bool(backwards), moment.astimezone(UTC), UUID(key))
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            pass
        raise NotFound(self.invalid_cursor_message)


# --- Errors ---------------------------------------------------------------------------------------


class Conflict(APIException):
    """409: the thing is not in a state that allows this."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = _("This is not possible in its current state.")
    default_code = "conflict"


class Busy(APIException):
    """503: others hold what it needs; nothing was changed."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("Others are changing the same at this moment. Try again in a few seconds.")
    default_code = "busy"
    wait = 3


class GatewayUnavailable(APIException):
    """502: the WhatsApp server refused or did not answer; nothing was changed."""

    status_code = status.HTTP_502_BAD_GATEWAY
    default_detail = _("The WhatsApp server did not answer. Try again in a minute.")
    default_code = "gateway_unavailable"
