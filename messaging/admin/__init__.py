"""Admin of contacts, conversations, messages and lanes."""

from django.contrib import admin

from messaging.admin.consent import OptOutAdmin
from messaging.admin.contacts import ContactAdmin
from messaging.admin.files import MessageMediaAdmin
from messaging.admin.imports import ContactImportAdmin
from messaging.admin.inbox import CannedReplyAdmin, FailedAttemptAdmin, LabelAdmin, NoteAdmin
from messaging.admin.merges import ContactMergeAdmin
from messaging.admin.messages import ConversationAdmin, MessageAdmin, SendLaneAdmin
from messaging.admin.numbers import NumberAdmin
from messaging.admin.outgoing import AttachmentAdmin, ChatActionAdmin
from messaging.admin.segments import AttributeDefinitionAdmin, SegmentAdmin, TagAdmin
from messaging.models import ContactImport, ContactMerge

admin.site.register(ContactMerge, ContactMergeAdmin)
admin.site.register(ContactImport, ContactImportAdmin)

__all__ = [
    "AttachmentAdmin",
    "AttributeDefinitionAdmin",
    "CannedReplyAdmin",
    "ChatActionAdmin",
    "ContactAdmin",
    "ContactImportAdmin",
    "ContactMergeAdmin",
    "ConversationAdmin",
    "FailedAttemptAdmin",
    "LabelAdmin",
    "MessageAdmin",
    "MessageMediaAdmin",
    "NoteAdmin",
    "NumberAdmin",
    "OptOutAdmin",
    "SegmentAdmin",
    "SendLaneAdmin",
    "TagAdmin",
]
