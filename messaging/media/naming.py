"""What a file is called when somebody saves it."""

import re
import unicodedata
from typing import Final

from messaging.media.sniffing import OLE, TEXT, UNKNOWN, ZIP, FileType, by_mime_type
from messaging.models import Message, MessageMedia

LONGEST: Final = 120
# What a file system does not take.
_NOT_IN_NAMES: Final = re.compile(r'[<>:"/\\|?*]')
# What a file of a type that many formats share may be called: documents, pictures, sound, film, plans, archives. A list
# of what runs would never be complete. No forms of Office with macros, and nothing that a browser takes for a page.
_EXTENSIONS: Final = (
    "bin dat txt csv tsv log md rtf json yaml yml vcf ics srt vtt ofx ret rem"
    " doc dot docx dotx xls xlt xlsx xltx ppt pps pot pptx ppsx potx msg vsd vsdx pub mpp"
    " odt ott ods ots odp otp odg odf epub mobi pages numbers key eml p7s"
    " jpg jpeg png gif webp bmp tif tiff heic heif avif ico psd psb ai eps cdr xcf indd idml sketch fig"
    " cr2 cr3 nef arw dng raf orf rw2 mp3 m4a aac ogg opus wav wma flac aif aiff amr mid midi"
    " mp4 m4v mov avi wmv mkv webm mpg mpeg 3gp flv mts"
    " dwg dxf skp rvt ifc stl obj 3mf step stp igs iges dcm kmz shp zip rar 7z gz bz2 xz"
)
_HARMLESS: Final = frozenset(_EXTENSIONS.split())


def download_name(media: MessageMedia, message: Message) -> str:
    """The announced name, with an extension that fits the content; without a name, the kind and the day."""
    kind = by_mime_type(media.mime_type)
    name = cleaned(str((message.details.get("media") or {}).get("file_name") or ""))
    return named_for(name, kind, otherwise=f"{message.kind}-{message.happened_at:%Y-%m-%d}-{str(media.id)[-6:]}")


def named_for(name: str, kind: FileType, *, otherwise: str) -> str:
    """`name`, cleaned already, with an extension that fits the content; without one, `otherwise`."""
    stem, extension = _split(name)
    stem = stem or otherwise
    if _fits(extension, kind):
        return f"{stem}.{extension}" if extension else stem
    return f"{stem}.{extension}.{kind.extension}" if extension else f"{stem}.{kind.extension}"


def cleaned(name: str) -> str:
    """`name` as the last part of a path, without what cannot be seen: control characters, and those that turn the
    direction of writing, so that "exe.pdf" reads as it is."""
    name = name.replace("\\", "/").rpartition("/")[2]
    visible = "".join(char for char in name if unicodedata.category(char)[0] != "C")
    return _NOT_IN_NAMES.sub("_", " ".join(visible.split())).strip(". ")


def _split(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    if not dot or not re.fullmatch(r"\w{1,10}", extension):
        stem, extension = name, ""
    return stem[:LONGEST].rstrip(". "), extension


def _fits(extension: str, kind: FileType) -> bool:
    """Types that many formats share keep an extension by which nothing runs; others have their own."""
    if kind in (UNKNOWN, TEXT, ZIP, OLE):
        return extension.lower() in _HARMLESS
    return extension.lower() in {kind.extension, *kind.others}
