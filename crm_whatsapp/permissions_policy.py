"""`Permissions-Policy`, which Django does not know."""

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin


class PermissionsPolicy(MiddlewareMixin):
    """Sends settings.PERMISSIONS_POLICY with every answer."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        return response
