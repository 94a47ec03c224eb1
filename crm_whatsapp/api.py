"""What every part of the API shares: pagination and errors."""

from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.pagination import CursorPagination


class NewestFirstPagination(CursorPagination):
    """Cursor pages, newest first; `?page_size=` up to 100."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 100
    ordering = ("-created_at", "-id")


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
