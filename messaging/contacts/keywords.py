"""The words by which people say in the chat that they want no campaigns, or want them again."""

import unicodedata
from collections.abc import Iterable

from django.conf import settings

# Longer than any of the words with all its decoration; what is longer is not looked at.
LONGEST = 80


def folded(text: str) -> str:
    """`text` without case, accents, punctuation, emoji and needless spaces: "¡Não, PARE! 🛑" is "nao pare".

    Folds further than the SQL function crm_words: what cannot be seen joins, so that a zero-width space hides no word.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    seen = (char for char in decomposed if unicodedata.category(char) not in ("Mn", "Me", "Cf"))
    return " ".join("".join(char if char.isalnum() else " " for char in seen).split())


def opts_out(text: str) -> bool:
    """Whether the whole of `text` is one of the words to leave by (settings.OPT_OUT_WORDS)."""
    return _is_one_of(text, settings.OPT_OUT_WORDS)


def opts_in(text: str) -> bool:
    """Whether the whole of `text` is one of the words to come back by (settings.OPT_IN_WORDS)."""
    return _is_one_of(text, settings.OPT_IN_WORDS)


def _is_one_of(text: str, words: Iterable[str]) -> bool:
    return len(text) <= LONGEST and folded(text) in map(folded, words)
