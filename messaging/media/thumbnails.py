"""Small pictures of images, made by Pillow: the one place where a stranger's bytes are decoded."""

import io
import threading
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps

# Longest edge, in pixels: twice the width of a bubble's picture.
EDGE: Final = 480
# A photograph of 50 megapixels is 150 MB while it is decoded; what is larger is a download without a picture.
MAX_PIXELS: Final = 50_000_000
# The decoders that may run at all.
FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP")
# One at a time in a process: the memory above, once.
_one_at_a_time = threading.Lock()


class NotAnImage(ValueError):
    """The bytes begin like an image, and are not one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Size in pixels, as it is to be looked at; `thumbnail` is a WebP, None for an image too large to decode.

    Of an image that Pillow does not even open, because it claims far too many pixels, the size is None.
    """

    width: int | None
    height: int | None
    thumbnail: bytes | None


def picture_of(content: bytes) -> Picture:
    """Look at an image. Raises NotAnImage for what cannot be decoded."""
    try:
        with _one_at_a_time:
            return _look(content)
    except Image.DecompressionBombError:
        return Picture(None, None, None)
    except Exception as error:  # noqa: BLE001 - Pillow's decoders raise whatever the bytes lead them to
        raise NotAnImage(type(error).__name__) from None


def _look(content: bytes) -> Picture:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            return Picture(width, height, None)
        # Of EXIF's eight orientations the last four lie on their side.
        turned = image.getexif().get(0x0112, 1) >= 5
        # Small first (a JPEG is not even decoded at its full size), then turned.
        image.thumbnail((EDGE, EDGE))
        small = ImageOps.exif_transpose(image)
        small = small.convert("RGBA" if small.has_transparency_data else "RGB")
        out = io.BytesIO()
        # Without EXIF and profile: where a photograph was taken stays in the original.
        small.save(out, "WEBP", quality=80)
    return Picture(height if turned else width, width if turned else height, out.getvalue())
