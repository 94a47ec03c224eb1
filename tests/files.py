"""Small real files of the types that people send."""

import io
import zipfile
from typing import Any

from PIL import Image


def picture(kind: str = "JPEG", size: tuple[int, int] = (600, 400), colour: str = "#7B2A5E", **options: Any) -> bytes:
    """An image that Pillow wrote."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind, **options)
    return out.getvalue()


def turned(size: tuple[int, int] = (600, 400)) -> bytes:
    """A photograph taken with the phone on its side: EXIF says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture(size=size, exif=exif)


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name in names:
            # Of a fixed time: the same bytes in every process.
            file.writestr(zipfile.ZipInfo(name), "<x/>")
    return out.getvalue()


VOICE = b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead\x01\x01" + bytes(3000)
FILM = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2mp41" + bytes(5000)
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
HTML = b"<!DOCTYPE html><script>alert(document.domain)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
EXE = b"MZ\x90\x00\x03\x00\x00\x00" + bytes(300)
