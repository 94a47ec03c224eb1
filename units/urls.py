from django.urls import path

from units import live_views, views

urlpatterns = [
    path("units", views.UnitListView.as_view(), name="units"),
    path("units/<uuid:unit_id>", views.UnitView.as_view(), name="unit"),
    path("units/<uuid:unit_id>/whatsapp/connect", views.ConnectView.as_view(), name="connect"),
    path("units/<uuid:unit_id>/whatsapp/disconnect", views.DisconnectView.as_view(), name="disconnect"),
    path("units/<uuid:unit_id>/whatsapp/status", views.ConnectionStatusView.as_view(), name="connection-status"),
    path("units/<uuid:unit_id>/changes", views.ChangesView.as_view(), name="changes"),
    path("units/<uuid:unit_id>/events", live_views.events, name="events"),
]
