"""Every address of the product."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import include, path, reverse
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from crm_whatsapp.health import healthz


def root(request: HttpRequest) -> HttpResponseRedirect:
    """The bare address leads people to the console."""
    return HttpResponseRedirect(reverse("console:home"))


urlpatterns = [
    path("", root),
    path("healthz", healthz, name="healthz"),
    path("webhooks/", include("webhooks.urls")),
    path("", include("units.urls")),
    path("", include("messaging.urls")),
    path("", include("campaigns.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="api-docs"),
    path("admin/", admin.site.urls),
    path("app/", include("console.urls")),
]
