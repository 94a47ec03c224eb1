"""What WhatsApp's marks (*bold*, _italic_, ~strike~, ```mono```) and links in a message look like, as safe HTML."""

import re

from django.utils.html import Urlizer, escape
from django.utils.safestring import SafeString, mark_safe

_TAGS = {"*": "strong", "_": "em", "~": "s"}
# As on the phone: a mark opens at the start of a word and closes at its end, on one line. So those within an address
# or a name_like_this stay what they are. Each alternative stops at the next mark of its own: no backtracking.
_MARKED = re.compile(
    r"""(?<![^\s(\[{"'*_~])(?:\*(?!\s)([^*\n]+)(?<!\s)\*|_(?!\s)([^_\n]+)(?<!\s)_|~(?!\s)([^~\n]+)(?<!\s)~)(?!\w)"""
)
_MONO = re.compile(r"```([^`]+)```")


class _Links(Urlizer):
    """Only what says http:// or https:// itself; it opens elsewhere, and learns nothing of us."""

    url_template = '<a href="{href}" rel="noopener noreferrer nofollow" target="_blank"{attrs}>{url}</a>'
    simple_url_2_re = re.compile(r"(?!)")

    @staticmethod
    def is_email_simple(value: str) -> bool:
        return False


_links = _Links()

# Nobody marks words in texts longer than this, and forty of them may be on a page.
_MARKS_UP_TO = 10_000


def to_html(text: str) -> SafeString:
    """`text` of a stranger, escaped, with its marks and links."""
    if len(text) > _MARKS_UP_TO:
        html = _linked(text)
    else:
        # Odd parts are what stood between the marks.
        parts = enumerate(_MONO.split(text))
        html = "".join(f"<code>{escape(part)}</code>" if odd % 2 else _marked(part) for odd, part in parts)
    return mark_safe(html)  # noqa: S308 - each piece has been escaped


def _marked(text: str) -> str:
    done, pieces = 0, []
    for found in _MARKED.finditer(text):
        tag = _TAGS[found[0][0]]
        # A mark holds no other of its own kind, so this goes three deep at most.
        pieces += [_linked(text[done : found.start()]), f"<{tag}>{_marked(found[0][1:-1])}</{tag}>"]
        done = found.end()
    return "".join([*pieces, _linked(text[done:])])


def _linked(text: str) -> str:
    return str(_links(text, autoescape=True))
