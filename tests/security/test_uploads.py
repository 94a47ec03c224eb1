"""A file is what its bytes say, whatever it is called and said to be, and does nothing in a browser."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

from messaging.models import Contact, ContactImport
from tests import files
from units.models import Unit

pytestmark = pytest.mark.django_db

SCRIPT = b"<script>alert(document.domain)</script>"
DISGUISED = {
    "html as an image": files.HTML,
    "svg with a script": files.SVG,
    "svg behind an xml declaration": b'<?xml version="1.0"?>\n' + files.SVG,
    "svg in utf-16": files.SVG.decode().encode("utf-16"),
    "html behind a byte order mark": b"\xef\xbb\xbf\n " + files.HTML,
    "mhtml": b"MIME-Version: 1.0\nContent-Type: text/html\n\n" + SCRIPT,
    "a gif that is javascript": b"GIF89a/*" + bytes(8) + b"*/=1;alert(1)//",
    "an image with html behind it": files.picture() + SCRIPT,
    "an image with html in its comment": files.picture("PNG") + SCRIPT,
    "a pdf with a script": files.PDF + b"/JavaScript (app.alert(1))" + SCRIPT,
    "an archive behind an image": files.picture() + files.zipped("a.html"),
    "an archive that is a page": files.zipped("index.html") + files.HTML,
    "a wasm module": b"\0asm\x01\0\0\0",
    "a flash film": b"CWS\x0a" + bytes(50),
    "a shell script": b"#!/bin/sh\nrm -rf /\n",
}
# What a browser runs, or looks into for something to run.
ACTIVE = ("html", "xml", "svg", "javascript", "wasm", "flash", "multipart")


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.mark.parametrize("name", ["foto.png", "página.html", "a.svg", "../../etc/passwd", "x.php\0.jpg"])
@pytest.mark.parametrize("content", DISGUISED.values(), ids=DISGUISED.keys())
def test_a_file_that_pretends_does_nothing(api: APIClient, unit: Unit, content: bytes, name: str) -> None:
    upload = SimpleUploadedFile(name, content, content_type="text/html")
    made = api.post(f"/units/{unit.id}/attachments", {"file": upload}, format="multipart")
    assert made.status_code == 201, made.data
    answer: Any = api.get(made.data["url"])
    kind, disposition = answer["Content-Type"], answer["Content-Disposition"]
    assert answer.getvalue() == content
    assert not any(word in kind for word in ACTIVE)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert disposition.startswith("attachment") or Image.open(io.BytesIO(content)).get_format_mimetype() == kind
    assert not any(ending in disposition.rstrip('"')[-5:] for ending in (".html", ".svg", ".php"))


@pytest.mark.parametrize("name", ["foto.png", "invoice.pdf"])
def test_a_program_is_not_kept_under_any_name(api: APIClient, unit: Unit, place: Path, name: str) -> None:
    upload = SimpleUploadedFile(name, files.EXE, content_type="image/png")
    assert api.post(f"/units/{unit.id}/attachments", {"file": upload}, format="multipart").status_code == 400
    assert list(place.rglob("*")) == []


@pytest.mark.parametrize(
    "content",
    [files.EXE, files.PDF, files.picture(), files.zipped("xl/workbook.xml"), files.HTML, files.SVG, bytes(1000)],
    ids=["program", "pdf", "picture", "workbook", "html", "svg", "zeros"],
)
def test_what_is_no_table_is_not_imported(api: APIClient, unit: Unit, place: Path, content: bytes) -> None:
    upload = SimpleUploadedFile("clientes.csv", content, content_type="text/csv")
    answer = api.post(f"/units/{unit.id}/contacts/imports", {"file": upload}, format="multipart")
    assert answer.status_code == 400
    assert not ContactImport.objects.exists()
    assert not Contact.objects.exists()
    assert [path for path in place.rglob("*") if path.is_file()] == []
