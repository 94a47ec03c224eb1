"""What a file is, how it looks small, and what it is called: by its bytes, not by what its sender says."""

import io
import struct
import zlib
from datetime import UTC, datetime

import pytest
from PIL import Image

from messaging.media.naming import cleaned, download_name
from messaging.media.sniffing import DOCX, by_mime_type, sniff
from messaging.media.thumbnails import EDGE, MAX_PIXELS, NotAnImage, Picture, picture_of
from messaging.models import Message, MessageMedia
from tests import files

KNOWN = {
    "jpg": files.picture(),
    "png": files.picture("PNG"),
    "gif": files.picture("GIF"),
    "webp": files.picture("WEBP"),
    "tif": files.picture("TIFF"),
    "mp4": files.FILM,
    "3gp": b"\0\0\0\x18ftyp3gp4\0\0\0\0isom3gp4",
    "mov": b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
    "m4a": b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom",
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "webm": b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webmB\x87\x81\x04",
    "ogg": files.VOICE,
    "mp3": b"\xff\xfb\x90d" + bytes(500),
    "aac": b"\xff\xf1P\x80\x02\x1f\xfc" + bytes(100),
    "amr": b"#!AMR\n\x3c" + bytes(40),
    "wav": b"RIFF\x24\0\0\0WAVEfmt ",
    "pdf": files.PDF,
    "doc": bytes.fromhex("d0cf11e0a1b11ae1") + bytes(500),
    "docx": files.zipped("[Content_Types].xml", "word/document.xml"),
    "xlsx": files.zipped("[Content_Types].xml", "xl/workbook.xml"),
    "pptx": files.zipped("[Content_Types].xml", "ppt/presentation.xml"),
    "zip": files.zipped("fotos/1.jpg"),
    "txt": "BEGIN:VCARD\nFN:João\nEND:VCARD\n".encode(),
}
UNKNOWN = [
    files.HTML,
    b"\xef\xbb\xbf \n<html><body>",
    files.SVG,
    b'<?xml version="1.0"?><svg/>',
    bytes(range(256)),
    b"   ",
    b"\xff\xd9\xff\xe0",
    b"RIFF\0\0\0\0AVI ",
]
PROGRAMS = [
    files.EXE,
    b"\x7fELF\x02\x01\x01" + bytes(100),
    b"\xcf\xfa\xed\xfe" + bytes(100),
    b"L\0\0\0\x01\x14\x02\0" + bytes(60),
    files.zipped("AndroidManifest.xml", "classes.dex"),
    files.zipped("META-INF/MANIFEST.MF", "a.class"),
]


@pytest.mark.parametrize(("extension", "content"), KNOWN.items(), ids=KNOWN.keys())
def test_a_type_is_known_by_its_bytes(extension: str, content: bytes) -> None:
    kind = sniff(content)
    assert kind.extension == extension
    assert by_mime_type(kind.mime_type) is kind
    assert not kind.refused


@pytest.mark.parametrize("content", UNKNOWN, ids=repr)
def test_markup_and_nonsense_are_nothing_a_browser_would_show(content: bytes) -> None:
    kind = sniff(content)
    assert (kind.mime_type, kind.inline, kind.refused) == ("application/octet-stream", False, False)


@pytest.mark.parametrize("content", PROGRAMS, ids=lambda content: repr(content[:8]))
def test_programs_are_refused(content: bytes) -> None:
    assert sniff(content).refused


def test_nothing_that_can_carry_a_script_is_inline() -> None:
    kinds = [by_mime_type(mime) for mime in ("text/html", "image/svg+xml", "application/pdf", "text/plain")]
    assert not any(kind.inline for kind in kinds)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_an_image_has_a_small_picture(kind: str) -> None:
    found = picture_of(files.picture(kind, (1200, 900)))
    assert (found.width, found.height) == (1200, 900)
    assert found.thumbnail
    with Image.open(io.BytesIO(found.thumbnail)) as small:
        assert (small.format, small.size) == ("WEBP", (EDGE, 360))


def test_a_photograph_taken_sideways_stands_upright_and_says_no_more_where_it_was() -> None:
    found = picture_of(files.turned((600, 400)))
    assert (found.width, found.height) == (400, 600)
    assert found.thumbnail
    with Image.open(io.BytesIO(found.thumbnail)) as small:
        assert small.size == (320, 480)
        assert not small.getexif()


def test_a_clear_background_stays_clear() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (300, 300), (255, 0, 0, 0)).save(out, "PNG")
    thumbnail = picture_of(out.getvalue()).thumbnail
    assert thumbnail
    with Image.open(io.BytesIO(thumbnail)) as small:
        assert small.getchannel("A").getextrema() == (0, 0)


def png_of(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


def test_an_image_of_too_many_pixels_is_not_decoded() -> None:
    found = picture_of(png_of(MAX_PIXELS // 1000 + 1, 1000))
    assert (found.height, found.thumbnail) == (1000, None)


def test_an_image_that_claims_far_too_many_pixels_is_one_all_the_same() -> None:
    assert picture_of(png_of(60_000, 60_000)) == Picture(None, None, None)


@pytest.mark.parametrize(
    "content",
    [files.picture()[:200], b"\xff\xd8\xff\xe0" + files.HTML, b"GIF89a", files.picture("TIFF")],
    ids=["cut", "html", "empty", "another format"],
)
def test_what_only_begins_like_an_image_is_none(content: bytes) -> None:
    with pytest.raises(NotAnImage):
        picture_of(content)


@pytest.mark.parametrize(
    ("announced", "mime_type", "name"),
    [
        ("Orçamento Marina.pdf", "application/pdf", "Orçamento Marina.pdf"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\Users\\a\\nota.docx", DOCX.mime_type, "nota.docx"),
        ("foto.html", "image/jpeg", "foto.html.jpg"),
        ("fatura.pdf.exe", "application/octet-stream", "fatura.pdf.exe.bin"),
        ("planilha.js", "text/plain", "planilha.js.txt"),
        ("fatura\u202efdp.exe", "application/octet-stream", "faturafdp.exe.bin"),
        ('a"b\r\nX-Evil: 1.png', "image/png", "a_bX-Evil_ 1.png"),
        ("contatos.vcf", "text/plain", "contatos.vcf"),
        ("antigo.xls", "application/x-ole-storage", "antigo.xls"),
        ("macros.docm", DOCX.mime_type, "macros.docm.docx"),
        ("macros.pptm", "application/zip", "macros.pptm.zip"),
        ("macros.xlsb", "application/octet-stream", "macros.xlsb.bin"),
        ("remoto.rdp", "text/plain", "remoto.rdp.txt"),
        ("disco.vhd", "application/octet-stream", "disco.vhd.bin"),
        ("a.ｅｘｅ", "application/octet-stream", "a.ｅｘｅ.bin"),
        ("a.html.", "application/octet-stream", "a.html.bin"),
        ("a.html::$DATA", "application/octet-stream", "a.html__$DATA.bin"),
        ("desenho.dwg", "application/octet-stream", "desenho.dwg"),
        ("Planilha.ODS", "application/zip", "Planilha.ODS"),
        ("a" * 400 + ".pdf", "application/pdf", "a" * 120 + ".pdf"),
        ("...", "image/png", "image-2026-11-22-456789.png"),
        ("", "audio/ogg", "image-2026-11-22-456789.ogg"),
    ],
)
def test_a_file_is_saved_under_a_name_that_fits_it_and_runs_nothing(announced: str, mime_type: str, name: str) -> None:
    message = Message(
        kind="image", happened_at=datetime(2026, 11, 22, tzinfo=UTC), details={"media": {"file_name": announced}}
    )
    media = MessageMedia(id="01900000-0000-7000-8000-000123456789", mime_type=mime_type)
    assert download_name(media, message) == name


def test_a_name_keeps_its_letters() -> None:
    assert cleaned("  Receita  óculos\t(2).pdf ") == "Receita óculos(2).pdf"
