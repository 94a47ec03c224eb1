from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class UnitsConfig(AppConfig):
    """Who works where, and the WhatsApp number of each unit."""

    name = "units"
    verbose_name = _("Units")

    def ready(self) -> None:
        from units import schema  # noqa: F401  (registers itself)
