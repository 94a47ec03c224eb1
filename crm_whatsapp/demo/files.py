"""Files that come with messages of the demo shop, made here: no stranger's picture, and nothing to download."""

import io
import math
import wave
from collections.abc import Callable
from typing import Final, NamedTuple

from PIL import Image, ImageDraw


class DemoFile(NamedTuple):
    """`kind`: what it is sent as; `seconds`: of a voice note."""

    name: str
    kind: str
    content: Callable[[], bytes]
    seconds: int = 0


def _glasses(lens: str) -> bytes:
    """A pair of glasses on a table, drawn."""
    picture = Image.new("RGB", (960, 640), "#E6D8C8")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 400, 960, 640), fill="#C9AE92")
    draw.ellipse((200, 470, 760, 520), fill="#B3987B")
    for left in (170, 520):
        draw.rounded_rectangle((left, 240, left + 270, 450), 90, fill=lens, outline="#33252A", width=22)
        draw.line((left + 60, 400, left + 150, 280), fill="#FFFFFF", width=8)
    draw.arc((425, 270, 535, 380), 190, 350, fill="#33252A", width=22)
    for outer, inner in (((120, 270), (180, 290)), ((840, 270), (780, 290))):
        draw.line((outer, inner), fill="#33252A", width=26)
    return _as_jpeg(picture)


def _as_jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=82)
    return out.getvalue()


def _voice() -> bytes:
    """Some seconds of a hum that goes up and down as speech does."""
    rate, seconds = 8_000, VOICE_SECONDS
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(rate)
        loud = (abs(math.sin(t * 9 / rate)) * abs(math.sin(t * 1.3 / rate)) for t in range(rate * seconds))
        sound.writeframes(bytes(128 + int(40 * level * math.sin(t / 6)) for t, level in enumerate(loud)))
    return out.getvalue()


def _pdf(*lines: str) -> bytes:
    """One page of plain text, by hand: nothing more is needed to open it."""
    text = " ".join(f"({line}) Tj T*" for line in lines)
    drawn = f"BT /F1 14 Tf 18 TL 72 760 Td {text} ET".encode("latin-1")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        table,
        len(out),
    )


VOICE_SECONDS: Final = 9
FILES: Final = {
    "glasses": DemoFile("armacao.jpg", "image", lambda: _glasses("#B9C7C2")),
    "sunglasses": DemoFile("oculos-de-sol.jpg", "image", lambda: _glasses("#4A3B33")),
    "voice": DemoFile("voz.wav", "audio", _voice, VOICE_SECONDS),
    "quote": DemoFile(
        "Orçamento multifocal Marina.pdf",
        "document",
        lambda: _pdf("Ótica Aurora", "Orçamento: lentes multifocais com armação", "Total: R$ 1.290,00"),
    ),
    "prescription": DemoFile(
        "receita_dra_helena_grau_atualizado_2026.pdf",
        "document",
        lambda: _pdf("Receita", "OD -1,25  OE -1,50  Adição +2,00"),
    ),
}
