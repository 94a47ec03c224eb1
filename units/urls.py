from django.urls import path

from units import audit_views, live_views, member_views, token_views, views

_UNIT = "units/<uuid:unit_id>"
_MEMBER = f"{_UNIT}/members/<uuid:member_id>"
_INTEGRATION = f"{_UNIT}/integrations/<uuid:integration_id>"

urlpatterns = [
    path("units", views.UnitListView.as_view(), name="units"),
    path("units/<uuid:unit_id>", views.UnitView.as_view(), name="unit"),
    path("units/<uuid:unit_id>/whatsapp/connect", views.ConnectView.as_view(), name="connect"),
    path("units/<uuid:unit_id>/whatsapp/disconnect", views.DisconnectView.as_view(), name="disconnect"),
    path("units/<uuid:unit_id>/whatsapp/status", views.ConnectionStatusView.as_view(), name="connection-status"),
    path("units/<uuid:unit_id>/changes", views.ChangesView.as_view(), name="changes"),
    path("units/<uuid:unit_id>/events", live_views.EventsView.as_view(), name="events"),
    path(f"{_UNIT}/whatsapp/rotate-secret", views.RotateSecretView.as_view(), name="rotate-secret"),
    path(f"{_UNIT}/members", member_views.MembersView.as_view(), name="members"),
    path(_MEMBER, member_views.MemberView.as_view(), name="member"),
    path(f"{_MEMBER}/invite", member_views.InviteView.as_view(), name="invite"),
    path(f"{_UNIT}/integrations", token_views.IntegrationsView.as_view(), name="integrations"),
    path(_INTEGRATION, token_views.IntegrationView.as_view(), name="integration"),
    path(f"{_INTEGRATION}/tokens", token_views.IntegrationTokensView.as_view(), name="integration-tokens"),
    path(
        f"{_INTEGRATION}/tokens/<uuid:token_id>",
        token_views.IntegrationTokenView.as_view(),
        name="integration-token",
    ),
    path(f"{_UNIT}/audit", audit_views.AuditView.as_view(), name="audit"),
    path("api/tokens", token_views.OwnTokensView.as_view(), name="tokens"),
    path("api/tokens/<uuid:token_id>", token_views.OwnTokenView.as_view(), name="token"),
]
