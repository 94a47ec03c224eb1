"""The admin's site: django-unfold, under a Content-Security-Policy of its own.

Nothing here may import a model: Django loads this module while it is still collecting the apps.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin import apps
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.csp import CSP
from django.views.decorators.csp import csp_override
from unfold.sites import UnfoldAdminSite

# What Unfold needs beyond the rest of the product, and no more. Only staff see these pages.
ADMIN_CSP: dict[str, Any] = settings.SECURE_CSP | {
    # Alpine evaluates the expressions in x- attributes with `new Function`. Inline scripts stay refused.
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL],
    # The theme's colours are a <style> element, Alpine and the charts set style attributes.
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
    # The button beside a related field opens that object's form in a frame.
    "frame-src": [CSP.SELF],
    "frame-ancestors": [CSP.SELF],
}


class AdminSite(UnfoldAdminSite):
    """Every page of the admin, the login included, is sent with `ADMIN_CSP`. The front page says how the system is."""

    index_template = "admin/health/index.html"

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        return csp_override(ADMIN_CSP)(super().admin_view(view, cacheable))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Unfold's form does not carry Django's default `next`: without one people land in the console."""
        if REDIRECT_FIELD_NAME not in request.GET:
            query = urlencode({REDIRECT_FIELD_NAME: reverse(f"{self.name}:index")})
            return HttpResponseRedirect(f"{request.path}?{query}")
        return csp_override(ADMIN_CSP)(super().login)(request, extra_context)


class AdminConfig(apps.AdminConfig):
    """In INSTALLED_APPS instead of `django.contrib.admin`, beside `unfold.apps.BasicAppConfig`."""

    default = False
    default_site = "units.admin_site.AdminSite"
