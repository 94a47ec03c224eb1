from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The browser pages for unit staff, under /app/."""

    name = "console"
