from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    """Contacts, conversations, messages, and the one way out."""

    name = "messaging"
    verbose_name = _("Messaging")

    def ready(self) -> None:
        from messaging import receivers  # noqa: F401 - connects the receivers
