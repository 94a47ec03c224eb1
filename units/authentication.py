"""How a program proves who it acts for."""

from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from units.models import ApiToken, User, sha256


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer crm_…`."""

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """The person and the token; None without a Bearer header; raises AuthenticationFailed (401) for a wrong one."""
        words = get_authorization_header(request).decode("latin-1").split()
        if not words or words[0].lower() != self.keyword.lower():
            return None
        token = ApiToken.objects.select_related("user").filter(sha256=sha256(words[-1])).first()
        if len(words) != 2 or token is None or not token.user.is_active:
            raise exceptions.AuthenticationFailed(_("This token is not valid."))
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return self.keyword
