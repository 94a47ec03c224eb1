"""What the eye and the browser's policy ask for: contrast, icons, no inline code, both languages."""

import re
import struct
from pathlib import Path
from shutil import copy

import pytest
from django.conf import settings
from django.test import Client

from console import icons
from crm_whatsapp.static_files import HashedStaticFiles
from tests import factories
from tests.console.helpers import HTMX, at, message
from units.models import Unit

CONSOLE = Path(icons.__file__).parent
TOKENS = dict(
    re.findall(
        r"--([\w-]+): light-dark\((#[0-9A-F]{6}, #[0-9A-F]{6})\)",
        (CONSOLE / "static/console/css/tokens.css").read_text(),
    )
)
# Text and what it stands on: 4.5 at least (WCAG 2 AA).
TEXT = [
    *[(text, on) for text in ("text", "text-2", "text-3") for on in ("bg", "surface", "sunken", "tint")],
    ("text", "out"), ("text-2", "out"), ("accent", "bg"), ("accent", "surface"), ("accent", "tint"),
    ("on-accent", "accent"), ("on-accent", "accent-hover"), ("surface", "danger"), ("bg", "text"),
    *[(tone, f"{tone}-t") for tone in ("ok", "warn", "danger", "info")],
    *[(tone, "surface") for tone in ("ok", "warn", "danger", "info")],
    ("warn", "tint"), ("danger", "tint"), ("danger", "bg"), ("warn", "bg"), ("info", "out"), ("info", "tint"),
    ("text", "ok-t"), ("text", "warn-t"), ("text", "danger-t"), ("text-2", "warn-t"),
    *[(f"av-{number}", f"av-{number}-bg") for number in range(5)],
]  # fmt: skip
# Edges of controls and marks of charts: 3 at least.
MARKS = [("line-strong", "surface"), ("line-strong", "bg"), ("c1", "surface"), ("c2", "surface"), ("c4", "surface")]
MARKS += [("accent", "bg"), ("danger", "surface"), ("warn", "surface")]


def luminance(colour: str) -> float:
    """Relative luminance of #RRGGBB, by WCAG 2."""
    channels = [value / 255 for value in struct.unpack("BBB", bytes.fromhex(colour[1:]))]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), [(*p, 4.5) for p in TEXT] + [(*p, 3.0) for p in MARKS])
def test_every_pair_of_colours_can_be_read(front: str, back: str, least: float, theme: int) -> None:
    assert contrast(TOKENS[front].split(", ")[theme], TOKENS[back].split(", ")[theme]) >= least


def test_the_known_figures_come_out() -> None:
    assert round(contrast("#231B20", "#F7F4F3"), 1) == 15.4
    assert round(contrast("#83767D", "#1C181B"), 1) == 4.1


def test_colours_are_named_only_among_the_tokens() -> None:
    # White around the QR code in both themes, and the backdrop of a dialog, are what they are.
    allowed = {"#FFFFFF", "#231B20", "#000000"}
    sheets = [sheet for sheet in (CONSOLE / "static/console/css").iterdir() if sheet.name != "tokens.css"]
    assert {
        colour for sheet in sheets for colour in re.findall(r"#[0-9A-Fa-f]{3,8}\b(?=[;, )])", sheet.read_text())
    } <= allowed


def test_the_sprite_has_the_used_icons_and_no_others() -> None:
    drawn = set(re.findall(r'<symbol id="([a-z0-9-]+)"', icons.SPRITE.read_text()))
    assert drawn == icons.used()


def test_licences_lie_beside_what_is_not_ours() -> None:
    vendor = CONSOLE / "static/console/vendor"
    assert "Cole Bemis" in (vendor / "lucide-LICENSE.txt").read_text()
    assert "Zero-Clause BSD" in (vendor / "htmx-LICENSE.txt").read_text()


@pytest.mark.parametrize("template", sorted((CONSOLE / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_no_template_carries_code_or_style_of_its_own(template: Path) -> None:
    source = template.read_text()
    assert not re.search(r"\sstyle=|<style|\son\w+=|hx-on|<script(?![^>]*\ssrc=)|javascript:", source)


def test_the_policy_allows_nothing_inline(browser_client: Client, unit: Unit) -> None:
    policy = browser_client.get(at(unit)).headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy


def test_every_text_has_its_portuguese() -> None:
    catalogue = (settings.BASE_DIR / "locale/pt_BR/LC_MESSAGES/django.po").read_text()
    _header, _blank, entries = catalogue.partition("\n\n")
    assert "fuzzy" not in entries
    assert not re.search(r'^msgstr(\[\d\])? ""\n(?!")', entries, re.MULTILINE)


def test_numbers_in_attributes_have_no_thousands_separator(browser_client: Client, unit: Unit) -> None:
    row = factories.conversation(unit)
    message(row, out=True, kind="document", details={"media": {"size": 12345678}})
    factories.campaign(unit, people=1)
    for path in (f"conversations/{row.id}", "campaigns"):
        html = browser_client.get(at(unit, path), headers=HTMX).text
        assert not re.search(r'(width|height|viewBox|x|data-[\w-]+)="[^"]*\d\.\d{3}', html.replace("data-order", "o"))


def test_every_class_of_the_style_sheets_is_used() -> None:
    sheets = "".join(sheet.read_text() for sheet in (CONSOLE / "static/console/css").iterdir())
    named = set(re.findall(r"\.([a-z][\w-]*)(?=[^{}]*\{)", re.sub(r"/\*.*?\*/", "", sheets, flags=re.DOTALL)))
    files = [file for file in CONSOLE.rglob("*") if file.suffix in (".html", ".js", ".py")]
    used = {word for file in files for word in re.findall(r"[\w-]+", file.read_text())}
    # Put together by templates: is-<tone>, av-<number> of an avatar, i<size> of an icon.
    put_together = re.compile(r"is-(accent|danger|info|neutral|ok|warn)|av-\d|i\d+")
    assert [name for name in named - used if not put_together.fullmatch(name)] == []


def test_a_module_imports_another_by_its_hashed_name(tmp_path: Path) -> None:
    """Else a browser would go on with what it has kept from before an update."""
    storage = HashedStaticFiles(location=tmp_path, base_url="/static/")
    modules = ("search.js", "shared.js")
    for name in modules:
        copy(CONSOLE / "static/console/js" / name, tmp_path)
    list(storage.post_process({name: (storage, name) for name in modules}))
    (found,) = tmp_path.glob("search.????????????.js")
    assert re.search(r'from "\./shared\.[0-9a-f]{12}\.js"', found.read_text())
