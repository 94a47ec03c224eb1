"""Admin of contacts, conversations, messages and lanes."""

from django.contrib import admin

from messaging.admin.contacts import ContactAdmin
from messaging.admin.merges import ContactMergeAdmin
from messaging.admin.messages import ConversationAdmin, MessageAdmin, SendLaneAdmin
from messaging.models import ContactMerge

admin.site.register(ContactMerge, ContactMergeAdmin)

__all__ = ["ContactAdmin", "ContactMergeAdmin", "ConversationAdmin", "MessageAdmin", "SendLaneAdmin"]
