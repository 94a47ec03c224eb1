"""Secrets that we must be able to read again are encrypted at rest."""

from functools import cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models


@cache
def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])


class EncryptedTextField(models.BinaryField):
    """Text, encrypted with the first of `ENCRYPTION_KEYS`; rows of older keys stay readable."""

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, str):
            value = _fernet().encrypt(value.encode()) if value else b""
        return super().get_prep_value(value)

    def from_db_value(self, value: bytes | memoryview | None, expression: Any, connection: Any) -> str | None:
        """Raises cryptography.fernet.InvalidToken when no key fits."""
        if value is None:
            return None
        return _fernet().decrypt(bytes(value)).decode() if value else ""
