from django.urls import path

from webhooks import event_views

# Not `…/events`: those are the unit's live events.
urlpatterns = [
    path("units/<uuid:unit_id>/webhook-events", event_views.WebhookEventListView.as_view(), name="webhook-events"),
    path(
        "units/<uuid:unit_id>/webhook-events/replay",
        event_views.ReplayEventsView.as_view(),
        name="replay-webhook-events",
    ),
    path(
        "units/<uuid:unit_id>/webhook-events/<uuid:event_id>",
        event_views.WebhookEventView.as_view(),
        name="webhook-event",
    ),
    path(
        "units/<uuid:unit_id>/webhook-events/<uuid:event_id>/replay",
        event_views.ReplayEventView.as_view(),
        name="replay-webhook-event",
    ),
]
