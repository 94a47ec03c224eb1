"""English that was left over in a Portuguese page: texts that the catalogue translates, and words of no Portuguese."""

import gettext
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from zoneinfo import available_timezones

from django.conf import settings

CATALOGUE = settings.BASE_DIR / "locale/pt_BR/LC_MESSAGES/django.mo"
# People read or hear these. A script shows the others that begin with data-.
READ = ("title", "aria-label", "aria-description", "placeholder", "alt", "content", "hx-confirm")
SILENT = ("script", "style", "template")
# Written alike in no Portuguese sentence.
ENGLISH = re.compile(r"\b(the|and|with|your|this|from|are|you|of|which|what|not|has|was|nobody)\b", re.IGNORECASE)
# Cities and countries, as the database of time zones has them.
ZONES = {name.replace("_", " ") for zone in available_timezones() for name in (zone, zone.rpartition("/")[2])}
_PLACE = re.compile(r"%(?:\((\w+)\))?[sd]|\{\w*\}")


class _Texts(HTMLParser):
    """What a page says."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0
        self._language: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in SILENT
        told = dict(attrs)
        # The names of languages are in their own.
        if tag not in VOID:
            self._language.append((tag, told.get("lang") == "en"))
        if not self._is_english:
            self.found += [
                value
                for name, value in attrs
                if value and (name in READ or (name.startswith("data-") and " " in value))
            ]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in SILENT
        while self._language:
            opened, _is_english = self._language.pop()
            if opened == tag:
                break

    def handle_data(self, data: str) -> None:
        if not self._silent and not self._is_english:
            self.found.append(data)

    @property
    def _is_english(self) -> bool:
        return any(is_english for _tag, is_english in self._language)


VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


def in_page(html: str) -> list[str]:
    """Texts of a page or a part of one that are English."""
    texts = _Texts()
    texts.feed(html)
    said = {" ".join(text.split()) for text in texts.found}
    return sorted(text for text in said - ZONES if text and _is_left_over(text))


# Most of what a page says stands on every page.
@cache
def _is_left_over(text: str) -> bool:
    return _is_source(text) or ENGLISH.search(text) is not None


def _is_source(text: str) -> bool:
    plain, patterns = _sources()
    return text in plain or any(pattern.fullmatch(text) for pattern in patterns)


@cache
def _sources() -> tuple[frozenset[str], list[re.Pattern[str]]]:
    """The English texts whose Portuguese is another one; those with something to fill in as patterns."""
    with CATALOGUE.open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    plain, patterns = set(), []
    translations = {_text(key): "" for key in catalogue}
    for key, value in catalogue.items():
        translations[_text(key)] = value
    same = {_text(key) for key, value in catalogue.items() if _text(key) == value} | set(catalogue.values())
    for source in translations:
        for piece in _pieces(source):
            if piece in same:
                continue
            if not _PLACE.search(piece):
                plain.add(piece)
            elif re.search(r"[A-Za-z]{3,}", _PLACE.sub("", piece)):
                patterns.append(re.compile(".+".join(map(re.escape, _PLACE.sub("\0", piece).split("\0")))))
    return frozenset(plain), patterns


def _text(key: object) -> str:
    """Of a key: without context, and without the number of its plural form."""
    text = key[0] if isinstance(key, tuple) else str(key)
    return str(text).rpartition("\x04")[2]


def _pieces(source: str) -> Iterator[str]:
    """The texts between the tags of a message."""
    for piece in re.split(r"<[^>]+>", source):
        text = " ".join(piece.split())
        if re.search(r"[A-Za-z]", text):
            yield text
