from django.urls import path

from outgoing_webhooks import views

_WEBHOOK = "units/<uuid:unit_id>/webhooks/<uuid:webhook_id>"

urlpatterns = [
    path("units/<uuid:unit_id>/webhooks", views.WebhooksView.as_view(), name="webhooks"),
    path(_WEBHOOK, views.WebhookView.as_view(), name="webhook"),
    path(f"{_WEBHOOK}/test", views.TestWebhookView.as_view(), name="test-webhook"),
    path(f"{_WEBHOOK}/rotate-secret", views.RotateSecretView.as_view(), name="rotate-webhook-secret"),
]
