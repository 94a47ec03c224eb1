from django.urls import path

from webhooks import views

urlpatterns = [
    path("whatsapp/evolution/<str:secret>", views.evolution, name="evolution-webhook"),
    # By-event suffix; a trailing slash in the registered URL gives an empty part before it (CONTRACT §3).
    path("whatsapp/evolution/<str:secret>/<path:path_event>", views.evolution),
    path("whatsapp/evolution/<str:secret>/", views.evolution),
]
