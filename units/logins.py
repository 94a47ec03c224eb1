"""Logging in: how often it may go wrong, from where, and what is answered then (django-axes)."""

import math
from ipaddress import IPv6Address, ip_address
from typing import Any
from uuid import uuid4

import structlog
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import ngettext
from kombu.exceptions import OperationalError

from crm_whatsapp.throttling import seconds_to_wait
from units import tasks
from units.models import User

log = structlog.get_logger(__name__)


def client_address(request: HttpRequest) -> str:
    """Where a request comes from; of an IPv6 address the network (/64), which one person has as a whole.

    Behind a proxy that is what `CLIENT_ADDRESS_HEADER` says, and of several addresses in it the last that our own
    proxies have written: whatever is before it anybody can make up. Without that header nobody is believed.
    """
    told = request.META.get("REMOTE_ADDR", "")
    if settings.CLIENT_ADDRESS_HEADER:
        name = "HTTP_" + settings.CLIENT_ADDRESS_HEADER.upper().replace("-", "_")
        hops = [hop.strip() for hop in request.META.get(name, "").split(",") if hop.strip()]
        if len(hops) >= settings.CLIENT_ADDRESS_PROXIES:
            told = hops[-settings.CLIENT_ADDRESS_PROXIES]
    try:
        address = ip_address(told)
    except ValueError:
        # A socket without an address, or a header that our proxy did not write: all of them count as one.
        return "0.0.0.0"  # noqa: S104 - no address to listen at
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


class LoginAttempts(AxesDatabaseHandler):
    """Failures are counted by person and address (AXES_FAILURE_LIMIT), and by address (LOGIN_FAILURES_BY_ADDRESS).

    By what was typed and not by account: an address that nobody has is locked like one that somebody has.
    """

    def is_locked(self, request: Any, credentials: Any = None) -> bool:
        return super().is_locked(request, credentials) or self._is_address_locked(request)

    def user_login_failed(self, sender: Any, credentials: Any, request: Any = None, **kwargs: Any) -> None:
        super().user_login_failed(sender, credentials, request, **kwargs)
        if request is not None and not request.axes_locked_out and self._is_address_locked(request):
            request.axes_locked_out = True
            request.axes_credentials = credentials

    @staticmethod
    def _is_address_locked(request: Any) -> bool:
        since = request.axes_attempt_time - settings.AXES_COOLOFF_TIME
        failed = AccessAttempt.objects.filter(ip_address=request.axes_ip_address, attempt_time__gte=since)
        count = failed.aggregate(count=Sum("failures_since_start"))["count"] or 0
        return bool(count >= settings.LOGIN_FAILURES_BY_ADDRESS)


def typed_email(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The e-mail of somebody who logs in, in its one form: capitals give no more attempts."""
    typed = (credentials or {}).get("username") or (credentials or {}).get("email") or request.POST.get("username", "")
    return str(typed).strip().lower()[:254]


def locked_out(request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None) -> HttpResponse:
    """The page for anyone who has to wait, in the console and in the admin."""
    minutes = math.ceil(_seconds_left(request, credentials) / 60)
    words = ngettext(
        "Too many attempts. Try again in %(minutes)s minute.",
        "Too many attempts. Try again in %(minutes)s minutes.",
        minutes,
    ) % {"minutes": minutes}
    page = render(request, "console/locked_out.html", {"words": words, "again": request.path}, status=429)
    page["Retry-After"] = str(minutes * 60)
    return page


def _seconds_left(request: HttpRequest, credentials: dict[str, Any] | None) -> float:
    """Until the failures that lock are forgotten; the same for every address, known or not."""
    failed = AccessAttempt.objects.filter(ip_address=client_address(request))
    mine = failed.filter(username=get_client_username(request, credentials))
    latest = mine.aggregate(at=Max("attempt_time"))["at"] or failed.aggregate(at=Max("attempt_time"))["at"]
    lasts = settings.AXES_COOLOFF_TIME
    left = (latest + lasts - timezone.now() if latest else lasts).total_seconds()
    return min(max(left, 60.0), lasts.total_seconds())


def ask_for_password(request: HttpRequest, email: str) -> None:
    """Have a link sent to `email`, if somebody logs in with it.

    Whoever asks does not learn that, not even by the clock: for an unknown address a worker is asked as well.
    """
    told_too_often = seconds_to_wait(settings.PASSWORD_LINKS_TO, "password", email.lower()) or seconds_to_wait(
        settings.PASSWORD_LINKS_FROM, "password-from", client_address(request)
    )
    if told_too_often:
        return
    user_id = User.objects.filter(email=email.lower()).values_list("pk", flat=True).first() or uuid4()
    try:
        tasks.send_password_link.delay(str(user_id), request.build_absolute_uri("/")[:-1])
    except OperationalError as error:
        log.warning("password_link_not_asked_for", error=type(error).__name__)
