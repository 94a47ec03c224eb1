from django.urls import path

from messaging import media_views, pace_views, uncertain_views, views
from messaging.contacts import sorting_views
from messaging.contacts import views as contact_views
from messaging.imports import views as import_views
from messaging.inbox import merge_views, timeline_views
from messaging.inbox import sorting_views as inbox_sorting_views
from messaging.inbox import views as inbox_views
from messaging.outgoing import views as outgoing_views

urlpatterns = [
    path("units/<uuid:unit_id>/contacts", contact_views.ContactListView.as_view(), name="contacts"),
    path("units/<uuid:unit_id>/contacts/tags", sorting_views.TagContactsView.as_view(), name="tag-contacts"),
    path("units/<uuid:unit_id>/contacts/<uuid:contact_id>", contact_views.ContactView.as_view(), name="contact"),
    path(
        "units/<uuid:unit_id>/contacts/<uuid:contact_id>/opt-out",
        contact_views.OptOutView.as_view(),
        name="contact-opt-out",
    ),
    path(
        "units/<uuid:unit_id>/contacts/<uuid:contact_id>/opt-outs",
        contact_views.OptOutHistoryView.as_view(),
        name="contact-opt-outs",
    ),
    path("units/<uuid:unit_id>/contacts/<uuid:contact_id>/block", contact_views.BlockView.as_view(), name="block"),
    path("units/<uuid:unit_id>/tags", sorting_views.TagListView.as_view(), name="tags"),
    path("units/<uuid:unit_id>/tags/<uuid:tag_id>", sorting_views.TagView.as_view(), name="tag"),
    path("units/<uuid:unit_id>/attributes", sorting_views.AttributeListView.as_view(), name="attributes"),
    path(
        "units/<uuid:unit_id>/attributes/<uuid:attribute_id>", sorting_views.AttributeView.as_view(), name="attribute"
    ),
    path("units/<uuid:unit_id>/segments", sorting_views.SegmentListView.as_view(), name="segments"),
    path("units/<uuid:unit_id>/segments/preview", sorting_views.SegmentPreviewView.as_view(), name="preview-segment"),
    path("units/<uuid:unit_id>/segments/<uuid:segment_id>", sorting_views.SegmentView.as_view(), name="segment"),
    path("units/<uuid:unit_id>/contacts/export.csv", import_views.ExportContactsView.as_view(), name="export-contacts"),
    path("units/<uuid:unit_id>/contacts/imports", import_views.ImportListView.as_view(), name="imports"),
    path(
        "units/<uuid:unit_id>/contacts/imports/preview",
        import_views.ImportPreviewView.as_view(),
        name="import-preview",
    ),
    path("units/<uuid:unit_id>/contacts/imports/<uuid:import_id>", import_views.ImportView.as_view(), name="import"),
    path(
        "units/<uuid:unit_id>/contacts/imports/<uuid:import_id>/refused",
        import_views.RefusedRowsView.as_view(),
        name="import-refused",
    ),
    path(
        "units/<uuid:unit_id>/contacts/imports/<uuid:import_id>/cancel",
        import_views.CancelImportView.as_view(),
        name="cancel-import",
    ),
    path("units/<uuid:unit_id>/contacts/merges", merge_views.MergeListView.as_view(), name="merges"),
    path(
        "units/<uuid:unit_id>/contacts/merges/<uuid:merge_id>/undo",
        merge_views.UndoMergeView.as_view(),
        name="undo-merge",
    ),
    path("units/<uuid:unit_id>/conversations", views.ConversationListView.as_view(), name="conversations"),
    path("units/<uuid:unit_id>/inbox/counts", inbox_views.CountsView.as_view(), name="inbox-counts"),
    path(
        "units/<uuid:unit_id>/conversations/<uuid:conversation_id>",
        inbox_views.ConversationView.as_view(),
        name="conversation",
    ),
    path(
        "units/<uuid:unit_id>/conversations/<uuid:conversation_id>/read",
        inbox_views.ReadView.as_view(),
        name="read-conversation",
    ),
    path(
        "units/<uuid:unit_id>/conversations/<uuid:conversation_id>/unread",
        inbox_views.UnreadView.as_view(),
        name="unread-conversation",
    ),
    path(
        "units/<uuid:unit_id>/conversations/<uuid:conversation_id>/labels/<uuid:label_id>",
        inbox_views.ConversationLabelView.as_view(),
        name="conversation-label",
    ),
    path(
        "units/<uuid:unit_id>/conversations/<uuid:conversation_id>/events",
        inbox_views.EventListView.as_view(),
        name="conversation-events",
    ),
    path(
        "units/<uuid:unit_id>/conversations/<uuid:conversation_id>/notes",
        inbox_views.NoteListView.as_view(),
        name="notes",
    ),
    path(
        "units/<uuid:unit_id>/conversations/<uuid:conversation_id>/notes/<uuid:note_id>",
        inbox_views.NoteView.as_view(),
        name="note",
    ),
    path("units/<uuid:unit_id>/labels", inbox_sorting_views.LabelListView.as_view(), name="labels"),
    path("units/<uuid:unit_id>/labels/<uuid:label_id>", inbox_sorting_views.LabelView.as_view(), name="label"),
    path(
        "units/<uuid:unit_id>/canned-replies",
        inbox_sorting_views.CannedReplyListView.as_view(),
        name="canned-replies",
    ),
    path(
        "units/<uuid:unit_id>/canned-replies/<uuid:reply_id>",
        inbox_sorting_views.CannedReplyView.as_view(),
        name="canned-reply",
    ),
    path(
        "units/<uuid:unit_id>/conversations/<uuid:conversation_id>/messages",
        views.ThreadView.as_view(),
        name="thread",
    ),
    path(
        "units/<uuid:unit_id>/messages/uncertain",
        uncertain_views.UncertainMessagesView.as_view(),
        name="uncertain-messages",
    ),
    path(
        "units/<uuid:unit_id>/messages/<uuid:message_id>/timeline",
        timeline_views.TimelineView.as_view(),
        name="message-timeline",
    ),
    path("units/<uuid:unit_id>/messages/<uuid:message_id>", views.MessageView.as_view(), name="message"),
    path(
        "units/<uuid:unit_id>/messages/<uuid:message_id>/settle",
        uncertain_views.SettleView.as_view(),
        name="settle-message",
    ),
    path(
        "units/<uuid:unit_id>/messages/<uuid:message_id>/send-again",
        uncertain_views.SendAgainView.as_view(),
        name="send-message-again",
    ),
    path(
        "units/<uuid:unit_id>/messages/<uuid:message_id>/retry",
        uncertain_views.RetryMessageView.as_view(),
        name="retry-message",
    ),
    path(
        "units/<uuid:unit_id>/messages/<uuid:message_id>/discard",
        uncertain_views.DiscardView.as_view(),
        name="discard-message",
    ),
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
    path("units/<uuid:unit_id>/whatsapp/messages", outgoing_views.SendMessageView.as_view(), name="send-message"),
    path(
        "units/<uuid:unit_id>/messages/<uuid:message_id>/edit",
        outgoing_views.EditMessageView.as_view(),
        name="edit-message",
    ),
    path(
        "units/<uuid:unit_id>/conversations/<uuid:conversation_id>/typing",
        outgoing_views.TypingView.as_view(),
        name="typing",
    ),
    path("units/<uuid:unit_id>/attachments", outgoing_views.AttachmentListView.as_view(), name="attachments"),
    path(
        "units/<uuid:unit_id>/attachments/<uuid:attachment_id>",
        outgoing_views.AttachmentView.as_view(),
        name="attachment",
    ),
    path(
        "units/<uuid:unit_id>/attachments/<uuid:attachment_id>/file",
        outgoing_views.AttachmentFileView.as_view(),
        name="attachment-file",
    ),
    path(
        "units/<uuid:unit_id>/attachments/<uuid:attachment_id>/thumbnail",
        outgoing_views.AttachmentThumbnailView.as_view(),
        name="attachment-thumbnail",
    ),
    path("units/<uuid:unit_id>/whatsapp/pace", pace_views.PaceView.as_view(), name="pace"),
    path("units/<uuid:unit_id>/whatsapp/campaigns/release", pace_views.ReleaseView.as_view(), name="release-campaigns"),
    path("units/<uuid:unit_id>/whatsapp/waiting", pace_views.WaitingView.as_view(), name="waiting"),
]
