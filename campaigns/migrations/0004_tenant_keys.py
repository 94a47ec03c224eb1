"""The database refuses a row that links two units (I7)."""

from django.db import migrations

from crm_whatsapp.db import tenant_key


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0003_initial"), ("messaging", "0004_tenant_keys")]

    operations = [
        tenant_key("campaigns", "attachment_id", "attachments", on_delete="SET NULL"),
        tenant_key("campaign_variants", "campaign_id", "campaigns", on_delete="CASCADE"),
        tenant_key("campaign_variants", "attachment_id", "attachments", on_delete="SET NULL"),
        tenant_key("campaign_recipients", "campaign_id", "campaigns", on_delete="CASCADE"),
        tenant_key("campaign_recipients", "contact_id", "contacts", on_delete="CASCADE"),
        tenant_key("campaign_recipients", "message_id", "messages", on_delete="SET NULL"),
    ]
