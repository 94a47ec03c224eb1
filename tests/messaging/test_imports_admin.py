"""Staff see how far imports are."""

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse

from messaging.imports import services
from messaging.imports.running import run_imports
from messaging.models import ContactImport
from units.models import Unit, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(unit: Unit, client: Client, settings: Any, tmp_path: Any) -> ContactImport:
    """A file with a good row and one without a number, as staff find it."""
    settings.MEDIA_ROOT = tmp_path
    client.force_login(User.objects.create_superuser("staff@example.com"))
    return services.start(unit, ContentFile(b"nome;telefone\nMarina;11900000142\nOtto;x\n", name="a.csv"), by=None)


def address(page: str, *args: Any) -> str:
    return reverse(f"admin:messaging_contactimport_{page}", args=args)


def test_imports_are_listed_and_shown(client: Client, row: ContactImport) -> None:
    run_imports()
    assert list(client.get(address("changelist")).context["cl"].result_list) == [row]
    page = client.get(address("change", row.pk))
    assert "100 %" in page.text
    assert client.post(address("change", row.pk), {"file_name": "x"}).status_code == 403


def test_refused_rows_are_to_download_once_it_has_ended(client: Client, row: ContactImport) -> None:
    link = address("download_refused", row.pk)
    assert link not in client.get(address("change", row.pk)).text
    run_imports()
    assert link in client.get(address("change", row.pk)).text
    assert b'"Otto";"x"' in client.get(link).getvalue()
