from django.urls import path

from campaigns import recipient_views, views

_CAMPAIGNS = "units/<uuid:unit_id>/campaigns"
_CAMPAIGN = f"{_CAMPAIGNS}/<uuid:campaign_id>"

urlpatterns = [
    path(_CAMPAIGNS, views.CampaignListView.as_view(), name="campaigns"),
    path(f"{_CAMPAIGNS}/audience", recipient_views.NewAudienceView.as_view(), name="new-campaign-audience"),
    path(f"{_CAMPAIGNS}/rehearsal", recipient_views.NewRehearsalView.as_view(), name="new-campaign-rehearsal"),
    path(_CAMPAIGN, views.CampaignView.as_view(), name="campaign"),
    path(f"{_CAMPAIGN}/audience", recipient_views.AudienceView.as_view(), name="campaign-audience"),
    path(f"{_CAMPAIGN}/rehearsal", recipient_views.RehearsalView.as_view(), name="campaign-rehearsal"),
    path(f"{_CAMPAIGN}/results", recipient_views.ResultsView.as_view(), name="campaign-results"),
    path(f"{_CAMPAIGN}/recipients", recipient_views.RecipientListView.as_view(), name="recipients"),
    path(f"{_CAMPAIGN}/recipients.csv", recipient_views.RecipientExportView.as_view(), name="recipients-csv"),
    path(f"{_CAMPAIGN}/schedule", views.ScheduleView.as_view(), name="schedule-campaign"),
    path(f"{_CAMPAIGN}/unschedule", views.UnscheduleView.as_view(), name="unschedule-campaign"),
    path(f"{_CAMPAIGN}/start", views.StartView.as_view(), name="start-campaign"),
    path(f"{_CAMPAIGN}/pause", views.PauseView.as_view(), name="pause-campaign"),
    path(f"{_CAMPAIGN}/resume", views.ResumeView.as_view(), name="resume-campaign"),
    path(f"{_CAMPAIGN}/cancel", views.CancelView.as_view(), name="cancel-campaign"),
    path(f"{_CAMPAIGN}/retry-failed", views.RetryFailedView.as_view(), name="retry-campaign"),
    path(f"{_CAMPAIGN}/clone", views.CloneView.as_view(), name="clone-campaign"),
    path(f"{_CAMPAIGN}/archive", views.ArchiveView.as_view(), name="archive-campaign"),
    path(f"{_CAMPAIGN}/unarchive", views.UnarchiveView.as_view(), name="unarchive-campaign"),
    path(f"{_CAMPAIGN}/test-send", views.TestSendView.as_view(), name="test-send-campaign"),
]
