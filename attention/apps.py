from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AttentionConfig(AppConfig):
    """What needs a person."""

    name = "attention"
    verbose_name = _("Attention")

    def ready(self) -> None:
        from attention import receivers  # noqa: F401 - connects the receivers
