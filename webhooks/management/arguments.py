"""How commands read their arguments."""

from argparse import ArgumentTypeError
from datetime import datetime

from django.utils import timezone


def aware_time(text: str) -> datetime:
    """An ISO 8601 time; one without a zone is of the installation's. Raises ArgumentTypeError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is not a time. Example: 2026-01-31T08:00-03:00") from None
    return moment if moment.tzinfo else timezone.make_aware(moment)
