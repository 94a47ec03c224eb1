"""Secrets at rest, and how their keys are changed."""

from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.management import CommandError, call_command
from django.db import connection as database

from units.crypto import reencrypt
from units.models import AnsweredRequest, User, WhatsAppConnection

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def stored() -> bytes:
    with database.cursor() as cursor:
        cursor.execute("SELECT provider_token FROM unit_whatsapp_connections WHERE length(provider_token) > 0")
        (row,) = cursor.fetchall()
    return bytes(row[0])


@pytest.fixture
def kept(connection: WhatsAppConnection, settings: Any) -> WhatsAppConnection:
    """Encrypted by the old key; the new one is before it now."""
    settings.ENCRYPTION_KEYS = [OLD]
    WhatsAppConnection.objects.update(provider_token="canary")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    return connection


def test_what_is_encrypted_is_not_in_the_table(kept: WhatsAppConnection) -> None:  # I8
    assert b"canary" not in stored()
    kept.refresh_from_db()
    assert kept.provider_token == "canary"


def test_a_new_key_encrypts_and_the_old_one_still_opens(kept: WhatsAppConnection) -> None:
    kept.refresh_from_db()
    assert kept.provider_token == "canary"
    kept.provider_token = "another"
    kept.save(update_fields=["provider_token"])
    assert Fernet(NEW).decrypt(stored()) == b"another"


def test_after_encrypting_anew_the_old_key_can_go(kept: WhatsAppConnection, settings: Any) -> None:
    out = StringIO()
    call_command("reencrypt", stdout=out)
    assert out.getvalue().startswith("1 values")
    settings.ENCRYPTION_KEYS = [NEW]
    kept.refresh_from_db()
    assert kept.provider_token == "canary"


def test_every_encrypted_column_is_covered(kept: WhatsAppConnection, ana: User, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    AnsweredRequest.objects.create(user=ana, key="k", fingerprint=b"f", status=201, body="canary")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert reencrypt().renewed == 2
    settings.ENCRYPTION_KEYS = [NEW]
    assert AnsweredRequest.objects.get().body == "canary"


def test_encrypting_anew_twice_does_nothing_more(kept: WhatsAppConnection) -> None:
    reencrypt()
    before = stored()
    again = reencrypt()
    assert (again.renewed, again.current, again.unreadable) == (0, 1, 0)
    assert stored() == before


def test_many_rows_are_taken_page_by_page(ana: User, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    rows = [AnsweredRequest(user=ana, key=str(n), fingerprint=b"f", body="canary") for n in range(1001)]
    AnsweredRequest.objects.bulk_create(rows)
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert reencrypt().renewed == 1001


def test_a_key_that_is_missing_is_told_and_changes_nothing(kept: WhatsAppConnection, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [NEW]
    before = stored()
    with pytest.raises(CommandError, match="1 values"):
        call_command("reencrypt", stdout=StringIO())
    assert stored() == before
    with pytest.raises(InvalidToken):
        kept.refresh_from_db()
