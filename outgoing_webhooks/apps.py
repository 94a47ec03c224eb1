from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OutgoingWebhooksConfig(AppConfig):
    """What we tell programs of others."""

    name = "outgoing_webhooks"
    verbose_name = _("Outgoing webhooks")
