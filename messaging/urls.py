from django.urls import path

from messaging import media_views, views

urlpatterns = [
    path("units/<uuid:unit_id>/contacts", views.ContactListView.as_view(), name="contacts"),
    path("units/<uuid:unit_id>/conversations", views.ConversationListView.as_view(), name="conversations"),
    path(
        "units/<uuid:unit_id>/conversations/<uuid:conversation_id>/messages",
        views.ThreadView.as_view(),
        name="thread",
    ),
    path("units/<uuid:unit_id>/messages/<uuid:message_id>", views.MessageView.as_view(), name="message"),
    path(
        "units/<uuid:unit_id>/messages/<uuid:message_id>/media",
        media_views.MessageFileView.as_view(),
        name="message-media",
    ),
    path(
        "units/<uuid:unit_id>/messages/<uuid:message_id>/media/thumbnail",
        media_views.MessageThumbnailView.as_view(),
        name="message-thumbnail",
    ),
    path(
        "units/<uuid:unit_id>/messages/<uuid:message_id>/media/retry",
        media_views.RetryMediaView.as_view(),
        name="message-media-retry",
    ),
    path("units/<uuid:unit_id>/whatsapp/messages", views.SendMessageView.as_view(), name="send-message"),
]
