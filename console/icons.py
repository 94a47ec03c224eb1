"""The sprite of icons: one file with the icons that are used, and no others."""

import re
from pathlib import Path

from console.presentation import LOOKS

HERE = Path(__file__).parent
SPRITE = HERE / "static" / "console" / "icons.svg"
_TAG = re.compile(r'{% icon "([a-z0-9-]+)"')


def used() -> set[str]:
    """Names of the icons that templates and looks ask for."""
    templates = (HERE / "templates").rglob("*.html")
    return {name for file in templates for name in _TAG.findall(file.read_text())} | {look.icon for look in LOOKS}


def sprite(lucide: Path) -> str:
    """The sprite, from an unpacked npm package `lucide-static`."""
    version = re.search(r'"version": "([^"]+)"', (lucide / "package.json").read_text())
    symbols = []
    for name in sorted(used()):
        svg = (lucide / "icons" / f"{name}.svg").read_text()
        drawing = re.sub(r"\s+", " ", svg.partition("<svg")[2].partition(">")[2].rpartition("</svg>")[0]).strip()
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{drawing}</symbol>')
    notice = f"Lucide {version[1] if version else ''}, ISC; a part from Feather, MIT: vendor/lucide-LICENSE.txt"
    lines = "\n".join(symbols)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n<!-- {notice} -->\n{lines}\n</svg>\n'
