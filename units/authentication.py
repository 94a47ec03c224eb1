"""How a program proves who it acts for."""

from datetime import timedelta

from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from crm_whatsapp.db import ClockNow
from units.crypto import sha256
from units.models import ApiToken, User

# "Last used" is as exact as this: not every request is a write.
NOTED_EVERY = timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer crm_…`."""

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """The person and the token; None without a Bearer header; raises AuthenticationFailed (401) for a wrong one.

        One that was revoked, is over, or is of somebody who may not log in any more is as wrong as one that never was.
        """
        words = get_authorization_header(request).decode("latin-1").split()
        if not words or words[0].lower() != self.keyword.lower():
            return None
        token = ApiToken.objects.valid().select_related("user").filter(sha256=sha256(words[-1])).first()
        if len(words) != 2 or token is None:
            raise exceptions.AuthenticationFailed(_("This token is not valid."))
        stale = Q(last_used_at=None) | Q(last_used_at__lt=ClockNow() - NOTED_EVERY)
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=ClockNow())
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return self.keyword
