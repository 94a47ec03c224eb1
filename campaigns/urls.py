from django.urls import path

from campaigns import views

_CAMPAIGN = "units/<uuid:unit_id>/campaigns/<uuid:campaign_id>"

urlpatterns = [
    path("units/<uuid:unit_id>/campaigns", views.CampaignListView.as_view(), name="campaigns"),
    path(_CAMPAIGN, views.CampaignView.as_view(), name="campaign"),
    path(f"{_CAMPAIGN}/recipients", views.RecipientListView.as_view(), name="recipients"),
    path(f"{_CAMPAIGN}/schedule", views.ScheduleView.as_view(), name="schedule-campaign"),
    path(f"{_CAMPAIGN}/start", views.StartView.as_view(), name="start-campaign"),
    path(f"{_CAMPAIGN}/pause", views.PauseView.as_view(), name="pause-campaign"),
    path(f"{_CAMPAIGN}/resume", views.ResumeView.as_view(), name="resume-campaign"),
    path(f"{_CAMPAIGN}/cancel", views.CancelView.as_view(), name="cancel-campaign"),
]
