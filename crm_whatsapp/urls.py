"""Every address of the product."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import include, path, reverse
from django.utils.functional import lazy
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from crm_whatsapp.health import healthz


def root(request: HttpRequest) -> HttpResponseRedirect:
    """The bare address leads people to the console."""
    return HttpResponseRedirect(reverse("console:home"))


handler400 = "crm_whatsapp.errors.bad_request"
handler403 = "crm_whatsapp.errors.forbidden"
handler404 = "crm_whatsapp.errors.not_found"
handler500 = "crm_whatsapp.errors.server_error"

urlpatterns = [
    path("", root),
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("console/mark.svg"))),
    path("healthz", healthz, name="healthz"),
    path("webhooks/", include("webhooks.urls")),
    path("", include("units.urls")),
    path("", include("messaging.urls")),
    path("", include("campaigns.urls")),
    path("", include("webhooks.api_urls")),
    path("", include("attention.urls")),
    path("", include("outgoing_webhooks.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path(
        "api/docs",
        SpectacularSwaggerSplitView.as_view(
            url_name="schema", template_name="crm_whatsapp/api_docs.html", http_method_names=["get", "head"]
        ),
        name="api-docs",
    ),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("app", RedirectView.as_view(pattern_name="console:home")),
    path("app/u/<uuid:unit_id>", RedirectView.as_view(pattern_name="console:inbox")),
    path("app/", include("console.urls")),
]
