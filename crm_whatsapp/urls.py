"""Every address of the product."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import include, path, reverse
from django.utils.csp import CSP
from django.utils.functional import lazy
from django.views.decorators.csp import csp_override
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from crm_whatsapp.health import healthz


def root(request: HttpRequest) -> HttpResponseRedirect:
    """The bare address leads people to the console."""
    return HttpResponseRedirect(reverse("console:home"))


# Swagger UI writes styles into its page; its script comes as a file of ours.
DOCS_CSP: dict[str, list[str]] = {**settings.SECURE_CSP, "style-src": [CSP.SELF, CSP.UNSAFE_INLINE]}

urlpatterns = [
    path("", root),
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("console/mark.svg"))),
    path("healthz", healthz, name="healthz"),
    path("webhooks/", include("webhooks.urls")),
    path("", include("units.urls")),
    path("", include("messaging.urls")),
    path("", include("campaigns.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", csp_override(DOCS_CSP)(SpectacularSwaggerSplitView.as_view(url_name="schema")), name="api-docs"),
    path("admin/", admin.site.urls),
    path("app/", include("console.urls")),
]
