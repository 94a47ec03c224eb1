"""Secrets at rest: hashed where we only compare them, encrypted where we must read them again."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import connection as database
from django.db import models

# Rows that are read at once.
BATCH = 500


def sha256(secret: str) -> bytes:
    """What is kept of a secret that we only ever compare. Secrets are random and long, so no salt is needed."""
    return hashlib.sha256(secret.encode()).digest()


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _keys() -> MultiFernet:
    return _fernet(tuple(settings.ENCRYPTION_KEYS))


class EncryptedTextField(models.BinaryField):
    """Text, encrypted with the first of `ENCRYPTION_KEYS`; rows of older keys stay readable."""

    # What mypy takes the attribute of a row for: django-stubs reads it here.
    _pyi_private_get_type: str  # type: ignore[assignment]

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, str):
            value = _keys().encrypt(value.encode()) if value else b""
        return super().get_prep_value(value)

    def from_db_value(self, value: bytes | memoryview | None, expression: Any, connection: Any) -> str | None:
        """Raises cryptography.fernet.InvalidToken when no key fits."""
        if value is None:
            return None
        return _keys().decrypt(bytes(value)).decode() if value else ""


@dataclass
class Reencrypted:
    """How many values: encrypted anew, by the newest key already, and by a key that is not there."""

    renewed: int = 0
    current: int = 0
    unreadable: int = 0


def reencrypt() -> Reencrypted:
    """Encrypt every encrypted column anew by the first of `ENCRYPTION_KEYS`, where an older key has done it.

    A row that somebody writes meanwhile is left alone: what he writes is by the newest key.
    """
    tally = Reencrypted()
    newest = Fernet(settings.ENCRYPTION_KEYS[0])
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField) and (column := field.column):
                for pk, token in _tokens(model, column):
                    _renew(model, column, pk, token, newest, tally)
    return tally


def _renew(model: type[models.Model], column: str, pk: Any, token: bytes, newest: Fernet, tally: Reencrypted) -> None:
    try:
        newest.decrypt(token)
    except InvalidToken:
        pass
    else:
        tally.current += 1
        return
    try:
        renewed = _keys().rotate(token)
    except InvalidToken:
        tally.unreadable += 1
        return
    table, key = _quoted(model._meta.db_table), _quoted(_key_column(model))
    with database.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {_quoted(column)} = %s WHERE {key} = %s AND {_quoted(column)} = %s",  # noqa: S608
            [renewed, pk, token],
        )
        tally.renewed += cursor.rowcount


def _tokens(model: type[models.Model], column: str) -> Iterator[tuple[Any, bytes]]:
    """The column of every row as it is stored, by primary key; empty ones left out.

    By SQL: the field itself would decrypt them.
    """
    table, key, value = _quoted(model._meta.db_table), _quoted(_key_column(model)), _quoted(column)
    after: list[Any] = []
    while True:
        where = f"AND {key} > %s" if after else ""
        with database.cursor() as cursor:
            cursor.execute(
                f"SELECT {key}, {value} FROM {table} WHERE length({value}) > 0 {where} ORDER BY {key} LIMIT {BATCH}",  # noqa: S608
                after,
            )
            rows = cursor.fetchall()
        for pk, token in rows:
            yield pk, bytes(token)
        if len(rows) < BATCH:
            return
        after = [rows[-1][0]]


def _key_column(model: type[models.Model]) -> str:
    key = model._meta.pk
    assert key is not None and key.column is not None  # noqa: S101, PT018 - every model of ours has one
    return key.column


def _quoted(name: str) -> str:
    return database.ops.quote_name(name)
