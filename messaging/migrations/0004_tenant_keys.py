"""The database refuses a row that links two units (I7)."""

from django.db import migrations

from crm_whatsapp.db import tenant_key


class Migration(migrations.Migration):
    dependencies = [("messaging", "0003_search")]

    operations = [
        tenant_key("contact_addresses", "contact_id", "contacts", on_delete="CASCADE"),
        tenant_key("conversations", "contact_id", "contacts", on_delete="CASCADE"),
        tenant_key("messages", "connection_id", "unit_whatsapp_connections", on_delete="CASCADE"),
        tenant_key("messages", "conversation_id", "conversations", on_delete="CASCADE"),
        tenant_key("messages", "sender_id", "contacts", on_delete="SET NULL"),
        tenant_key("message_media", "message_id", "messages", on_delete="CASCADE"),
        tenant_key("contact_merges", "kept_id", "contacts", on_delete="CASCADE"),
        tenant_key("contact_tags", "contact_id", "contacts", on_delete="CASCADE"),
        tenant_key("contact_tags", "tag_id", "tags", on_delete="CASCADE"),
        tenant_key("message_media", "attachment_id", "attachments", on_delete="SET NULL"),
        tenant_key("chat_actions", "connection_id", "unit_whatsapp_connections", on_delete="CASCADE"),
        tenant_key("chat_actions", "conversation_id", "conversations", on_delete="CASCADE"),
        tenant_key("chat_actions", "message_id", "messages", on_delete="CASCADE"),
        tenant_key("failed_attempts", "message_id", "messages", on_delete="CASCADE"),
        tenant_key("conversation_labels", "conversation_id", "conversations", on_delete="CASCADE"),
        tenant_key("conversation_labels", "label_id", "labels", on_delete="CASCADE"),
        tenant_key("notes", "conversation_id", "conversations", on_delete="CASCADE"),
        tenant_key("conversation_events", "conversation_id", "conversations", on_delete="CASCADE"),
    ]
