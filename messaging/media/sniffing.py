"""What a file is, by its own bytes. What the sender announced decides nothing.

A table of our own, and a short one: a browser is shown only what is in it. The libraries for this either need libmagic
(python-magic), are no longer kept (filetype), or guess at hundreds of formats from two bytes, several at a time and
half of them without a type (puremagic), which is no ground for what may be shown inline.
"""

import re
from dataclasses import dataclass
from typing import Final

# As much as a signature needs, at the beginning; and the directory of a ZIP file, which lies at its end.
HEAD_BYTES: Final = 4096
TAIL_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class FileType:
    """`extension`: the one under which it is stored. `others`: what people call it besides.

    `inline`: may be shown by a browser from our own origin. `refused`: not kept at all.
    """

    mime_type: str
    extension: str
    others: frozenset[str] = frozenset()
    inline: bool = False
    refused: bool = False


# What nobody knows is a download. Text is one too: what a browser makes of it depends on more than its type.
UNKNOWN: Final = FileType("application/octet-stream", "bin")
TEXT: Final = FileType("text/plain", "txt")
# Programs are not kept: a customer's "invoice" that installs something is the one attack that works on any shop.
PROGRAM: Final = FileType("application/x-executable", "bin", refused=True)

JPEG: Final = FileType("image/jpeg", "jpg", frozenset({"jpeg", "jpe", "jfif"}), inline=True)
PNG: Final = FileType("image/png", "png", inline=True)
GIF: Final = FileType("image/gif", "gif", inline=True)
WEBP: Final = FileType("image/webp", "webp", inline=True)
MP4: Final = FileType("video/mp4", "mp4", frozenset({"m4v"}), inline=True)
THREE_GP: Final = FileType("video/3gpp", "3gp", frozenset({"3gpp", "3g2"}), inline=True)
QUICKTIME: Final = FileType("video/quicktime", "mov", frozenset({"qt"}))
WEBM: Final = FileType("video/webm", "webm", inline=True)
MATROSKA: Final = FileType("video/x-matroska", "mkv")
M4A: Final = FileType("audio/mp4", "m4a", frozenset({"mp4", "aac"}), inline=True)
OGG: Final = FileType("audio/ogg", "ogg", frozenset({"oga", "opus"}), inline=True)
MP3: Final = FileType("audio/mpeg", "mp3", frozenset({"mpga"}), inline=True)
AAC: Final = FileType("audio/aac", "aac", inline=True)
AMR: Final = FileType("audio/amr", "amr")
WAV: Final = FileType("audio/wav", "wav", inline=True)
# A download: a PDF is shown by a program of its own, which `Content-Security-Policy: sandbox` keeps from starting.
PDF: Final = FileType("application/pdf", "pdf")
ZIP: Final = FileType("application/zip", "zip")
_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
DOCX: Final = FileType(f"{_OFFICE}.wordprocessingml.document", "docx", frozenset({"dotx"}))
XLSX: Final = FileType(f"{_OFFICE}.spreadsheetml.sheet", "xlsx", frozenset({"xltx"}))
PPTX: Final = FileType(f"{_OFFICE}.presentationml.presentation", "pptx", frozenset({"ppsx", "potx"}))
# Word, Excel and PowerPoint of before 2007 are one container; which of them it is, its name says.
OLE: Final = FileType("application/x-ole-storage", "doc", frozenset({"xls", "ppt", "pps", "msg"}))
HEIC: Final = FileType("image/heic", "heic", frozenset({"heif"}))
TIFF: Final = FileType("image/tiff", "tif", frozenset({"tiff"}))
BMP: Final = FileType("image/bmp", "bmp")
RAR: Final = FileType("application/vnd.rar", "rar")
SEVEN_ZIP: Final = FileType("application/x-7z-compressed", "7z")
GZIP: Final = FileType("application/gzip", "gz", frozenset({"tgz"}))

_SIGNATURES: Final = (
    (rb"\xff\xd8\xff", JPEG),
    (rb"\x89PNG\r\n\x1a\n", PNG),
    (rb"GIF8[79]a", GIF),
    (rb"RIFF.{4}WEBPVP8[ LX]", WEBP),
    (rb"RIFF.{4}WAVE", WAV),
    (rb"OggS\x00.{23}.{0,255}(?:OpusHead|\x01vorbis|Speex {3})", OGG),
    (rb".{4}ftyp(?:M4A |M4B )", M4A),
    (rb".{4}ftypqt {2}", QUICKTIME),
    (rb".{4}ftyp3g[egprs2]", THREE_GP),
    (rb".{4}ftyp(?:heic|heix|hevc|mif1|msf1)", HEIC),
    (rb".{4}ftyp(?:isom|iso[2-9]|mp4[12]|avc1|M4V |MSNV|dash|mmp4|f4v )", MP4),
    (rb"\x1aE\xdf\xa3.{0,40}\x42\x82.webm", WEBM),
    (rb"\x1aE\xdf\xa3.{0,40}\x42\x82.matroska", MATROSKA),
    (rb"ID3[\x02-\x04]", MP3),
    # Sync word, then version and layer 3 (without and with CRC): MPEG 1, 2 and 2.5. Layer 0 is AAC in ADTS.
    (rb"\xff[\xfa\xfb\xf2\xf3\xe2\xe3][\x10-\xef]", MP3),
    (rb"\xff[\xf0\xf1\xf8\xf9]", AAC),
    (rb"#!AMR", AMR),
    (rb"%PDF-\d", PDF),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (rb"(?:II\*\x00|MM\x00\*)", TIFF),
    (rb"BM.{4}\x00{4}", BMP),
    (rb"Rar!\x1a\x07", RAR),
    (rb"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (rb"\x1f\x8b\x08", GZIP),
    # Windows, Linux, macOS (and Java), a shortcut of Windows.
    (
        rb"MZ|\x7fELF|\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe|L\x00\x00\x00\x01\x14\x02\x00",
        PROGRAM,
    ),
)
_TABLE: Final = tuple((re.compile(pattern, re.DOTALL), found) for pattern, found in _SIGNATURES)

# Names in a ZIP file that tell what kind of ZIP file it is.
_IN_ZIP: Final = (
    (b"AndroidManifest.xml", PROGRAM),
    (b"META-INF/MANIFEST.MF", PROGRAM),
    (b"word/document.xml", DOCX),
    (b"xl/workbook.xml", XLSX),
    (b"ppt/presentation.xml", PPTX),
)
_BY_MIME_TYPE: Final = {
    found.mime_type: found for found in (UNKNOWN, TEXT, ZIP, DOCX, XLSX, PPTX, *(found for _, found in _SIGNATURES))
}
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")


def sniff(content: bytes) -> FileType:
    """The type of a whole file, UNKNOWN when it is not one we know, as HTML, SVG and XML are not."""
    head = content[:HEAD_BYTES]
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(head + content[-TAIL_BYTES:])
    for pattern, found in _TABLE:
        if pattern.match(head):
            return found
    return TEXT if _is_plain_text(head) else UNKNOWN


def by_mime_type(mime_type: str) -> FileType:
    """A type of the table by its name; UNKNOWN for any other."""
    return _BY_MIME_TYPE.get(mime_type, UNKNOWN)


def _kind_of_zip(names: bytes) -> FileType:
    return next((found for name, found in _IN_ZIP if name in names), ZIP)


def _is_plain_text(head: bytes) -> bool:
    """Words, and not markup: whatever begins with `<` stays unknown."""
    if not head.strip() or _CONTROL.search(head) or head.lstrip(b"\xef\xbb\xbf\r\n\t ").startswith(b"<"):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # A letter that the end of the head has cut in two.
        return error.reason == "unexpected end of data"
    return True
