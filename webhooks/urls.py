from django.urls import path

from webhooks import views

urlpatterns = [
    path("whatsapp/evolution/<str:secret>", views.evolution, name="evolution-webhook"),
    # By-event suffix; a slash at the end of the registered URL gives an empty part (docs/evolution.md, "By event").
    path("whatsapp/evolution/<str:secret>/<path:path_event>", views.evolution),
    path("whatsapp/evolution/<str:secret>/", views.evolution),
]
